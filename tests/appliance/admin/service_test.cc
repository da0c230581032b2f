#include "appliance/admin/service.h"

#include <gtest/gtest.h>

#include "tests/appliance/admin/world.h"

namespace skerry::admin {
namespace {

class ServiceTest : public ::testing::Test {
 protected:
  ServiceOptions Options() {
    ServiceOptions options;
    options.data_directory = world_.path();
    options.port_file = world_.path() + "/run/admin.port";
    return options;
  }
  std::vector<store::ModelRow> Rows() {
    return store::Store::Open(world_.path() + "/admin/skerry.db").value()->Models().value();
  }
  World world_;
};

TEST_F(ServiceTest, WritesItsPortAndComesBackThere) {
  auto service = Service::Start(Options()).value();
  const uint16_t port = service->port();
  EXPECT_GT(port, 0);
  EXPECT_EQ(ReadAll(world_.files(), "run/admin.port").value(), std::to_string(port));
  service.reset();
  service = Service::Start(Options()).value();
  EXPECT_EQ(service->port(), port);
}

TEST_F(ServiceTest, NeedsItsSecret) {
  for (const std::string& bad :
       {std::string(), std::string(63, 'a'), std::string(64, 'g'), std::string(64, 'a') + "\n\n"}) {
    world_.Write("run/admin.secret", bad);
    EXPECT_FALSE(Service::Start(Options()).has_value()) << bad;
  }
  world_.Write("run/admin.secret", std::string(64, 'a') + "\n");
  EXPECT_TRUE(Service::Start(Options()).has_value());
  ASSERT_TRUE(world_.files().Remove("run/admin.secret").has_value());
  EXPECT_EQ(Service::Start(Options()).error().code(), ErrorCode::kNotFound);
}

TEST_F(ServiceTest, StoreAndDatabaseAgreeAfterAStart) {
  const std::string first = world_.AddModel("acme/tiny", 1);
  const std::string second = world_.AddModel("acme/tiny", 2);
  const std::string damaged = world_.AddModel("acme/broken", 1);
  world_.Write("store/" + damaged + "/bundle/manifest", "{}");
  ASSERT_TRUE(Service::Start(Options()).has_value());
  ASSERT_EQ(Rows().size(), 2u);
  EXPECT_EQ(Rows()[1].digest, second);
  ASSERT_TRUE(RemoveTree(world_.files(), "store/" + first).has_value());
  ASSERT_TRUE(Service::Start(Options()).has_value());
  ASSERT_EQ(Rows().size(), 1u);
  EXPECT_EQ(Rows()[0].digest, second);
  EXPECT_TRUE(world_.files().Exists("store/" + damaged));
  EXPECT_EQ(world_.Recorded(), (std::vector<std::string>{"model-registered", "model-registered"}));
}

TEST_F(ServiceTest, ADamagedDatabaseOrJournalIsNotServed) {
  world_.Write("journal/admin/00000000000000000001.ndjson", "no record\n");
  EXPECT_EQ(Service::Start(Options()).error().code(), ErrorCode::kCorrupt);
  ASSERT_TRUE(world_.files().Remove("journal/admin/00000000000000000001.ndjson").has_value());
  world_.Write("admin/skerry.db", std::string(8192, 'x'));
  EXPECT_EQ(Service::Start(Options()).error().code(), ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace skerry::admin
