#include "proxy/policy/policy_store.h"

#include <gtest/gtest.h>

#include "appliance/base/testing/fixtures.h"
#include "appliance/policy/writer.h"

namespace skerry::proxy {
namespace {

class PolicyStoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<FileSystem> Files() { return OpenFiles(directory_.path()).value(); }
  testing::TemporaryDirectory directory_;
};

TEST_F(PolicyStoreTest, NothingPublishedLetsNobodyIn) {
  const auto store = PolicyStore::Open(Files());
  ASSERT_TRUE(store.has_value());
  EXPECT_EQ((*store)->current()->policy.generation, 0u);
  EXPECT_TRUE((*store)->current()->policy.tokens.empty());
  const auto loaded = (*store)->Load(1);
  ASSERT_FALSE(loaded.has_value());
  EXPECT_EQ(loaded.error().code(), ErrorCode::kNotFound);
}

TEST_F(PolicyStoreTest, LoadsForwardAndKeepsTheLastGood) {
  const auto files = Files();
  auto writer = policy::Writer::Open(*files).value();
  const auto store = PolicyStore::Open(Files()).value();
  const PolicyPtr old = store->current();
  const uint64_t generation =
      writer->Publish({policy::PutAlias{{"demo", {"0a1b2c3d"}, true}}}).value();
  EXPECT_EQ(store->current()->policy.FindAlias("demo"), nullptr);
  ASSERT_TRUE(store->Load(generation).has_value());
  EXPECT_NE(store->current()->policy.FindAlias("demo"), nullptr);
  EXPECT_EQ(old->policy.FindAlias("demo"), nullptr);  // who holds it keeps it
  EXPECT_EQ(store->current()->key.bytes(), writer->key().bytes());

  const auto behind = store->Load(generation + 1);
  ASSERT_FALSE(behind.has_value());
  EXPECT_EQ(behind.error().code(), ErrorCode::kUnavailable);
  ASSERT_TRUE(RemoveTree(*files, "key").has_value());
  EXPECT_FALSE(store->Load(generation + 1).has_value());
  EXPECT_NE(store->current()->policy.FindAlias("demo"), nullptr);
}

}  // namespace
}  // namespace skerry::proxy
