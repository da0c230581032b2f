#include "appliance/cli/admin_client.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "appliance/base/files.h"
#include "appliance/base/testing/fixtures.h"

namespace skerry::cli {
namespace {

TEST(AdminClientTest, SaysHowToStartWhenNothingRuns) {
  const testing::TemporaryDirectory directory;
  for (const std::string& path : {directory.path(), directory.path() + "/none"}) {
    const Result<AdminClient> client = AdminClient::Connect(path);
    ASSERT_FALSE(client.has_value());
    EXPECT_EQ(client.error().code(), ErrorCode::kUnavailable);
    EXPECT_EQ(client.error().message(),
              "no appliance runs on '" + path + "': start it with: skerry serve --data " + path);
  }
}

TEST(AdminClientTest, ReadsWhereTheApplianceIs) {
  const testing::TemporaryDirectory directory;
  auto files = OpenFiles(directory.path()).value();
  ASSERT_TRUE(files->MakeDirectory("run").has_value());
  const std::string facts = R"({"api":"127.0.0.1:1","admin":"127.0.0.1:2","pid":3})";
  ASSERT_TRUE(WriteAtomically(*files, "run/serve.json", facts).has_value());
  EXPECT_EQ(AdminClient::Connect(directory.path()).error().code(), ErrorCode::kNotFound);
  ASSERT_TRUE(WriteAtomically(*files, "run/admin.secret", std::string(64, 'a')).has_value());
  const Result<AdminClient> client = AdminClient::Connect(directory.path());
  ASSERT_TRUE(client.has_value()) << client.error().message();
  EXPECT_EQ(client->api_address(), "127.0.0.1:1");
  EXPECT_EQ(client->admin_address(), "127.0.0.1:2");
  EXPECT_EQ(client->ca_file(), directory.path() + "/tls/ca.pem");
  ASSERT_TRUE(WriteAtomically(*files, "run/serve.json", "{").has_value());
  EXPECT_EQ(AdminClient::Connect(directory.path()).error().code(), ErrorCode::kCorrupt);
}

TEST(AdminClientTest, EncodesPathSegments) {
  EXPECT_EQ(EncodeSegment("demo-1.0_x"), "demo-1.0_x");
  EXPECT_EQ(EncodeSegment("org/a b?%\xc3\xa4"), "org%2Fa%20b%3F%25%C3%A4");
}

}  // namespace
}  // namespace skerry::cli
