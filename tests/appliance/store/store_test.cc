#include "appliance/store/store.h"

#include <gtest/gtest.h>

#include "appliance/base/testing/fixtures.h"

namespace skerry::store {
namespace {

std::string Digest(char c) { return "sha256-" + std::string(64, c); }

ModelRow AModel(char c, int64_t seq = 1, const std::string& id = "acme/tiny") {
  return {Digest(c), id, "1.0." + std::to_string(seq), seq, 1'000, "2025-01-31T23:59:59.123Z"};
}

TokenRow AToken(const std::string& id = "0123456789ab") {
  TokenRow token;
  token.id = id;
  token.hash.fill(0xee);
  token.label = "kibana 'prod'";
  token.models = {"demo", "org/x"};
  token.scopes = {"inference"};
  token.created_ms = 10;
  token.expires_ms = 20;
  return token;
}

InstanceRow AnInstance(const std::string& iid, const std::string& alias, char model = 'a') {
  return {iid, Digest(model), alias, {"--max-model-len", "64"}, true, 7};
}

class StoreTest : public ::testing::Test {
 protected:
  StoreTest() { Reopen(); }
  void Reopen() {
    store_.reset();
    Result<std::unique_ptr<Store>> store = Store::Open(directory_.path() + "/skerry.db");
    ASSERT_TRUE(store.has_value()) << store.error().message();
    store_ = std::move(*store);
  }
  testing::TemporaryDirectory directory_;
  std::unique_ptr<Store> store_;
};

TEST_F(StoreTest, Models) {
  EXPECT_TRUE(store_->Models().value().empty());
  ASSERT_TRUE(store_->PutModel(AModel('a', 2)));
  ASSERT_TRUE(store_->PutModel(AModel('b', 10)));
  ASSERT_TRUE(store_->PutModel(AModel('c', 1, "acme/other")));
  ModelRow changed = AModel('a', 3);
  ASSERT_TRUE(store_->PutModel(changed));
  Reopen();
  EXPECT_EQ(store_->Models().value(),
            (std::vector<ModelRow>{AModel('c', 1, "acme/other"), changed, AModel('b', 10)}));
  EXPECT_EQ(store_->Model(Digest('a')).value(), changed);
  EXPECT_EQ(store_->NewestModel("acme/tiny").value().release_seq, 10);
  EXPECT_EQ(store_->Model(Digest('d')).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(store_->NewestModel("acme/none").error().code(), ErrorCode::kNotFound);
  ASSERT_TRUE(store_->DeleteModel(Digest('c')));
  EXPECT_EQ(store_->DeleteModel(Digest('c')).error().code(), ErrorCode::kNotFound);
  ModelRow bad = AModel('e');
  bad.digest = "short";
  EXPECT_EQ(store_->PutModel(bad).error().code(), ErrorCode::kInvalidArgument);
}

TEST_F(StoreTest, Tokens) {
  ASSERT_TRUE(store_->AddToken(AToken()));
  EXPECT_EQ(store_->AddToken(AToken()).error().code(), ErrorCode::kAlreadyExists);
  TokenRow early = AToken("ba9876543210");
  early.created_ms = 1;
  ASSERT_TRUE(store_->AddToken(early));
  Reopen();
  EXPECT_EQ(store_->Tokens().value(), (std::vector<TokenRow>{early, AToken()}));
  EXPECT_EQ(store_->Token("0123456789ab").value(), AToken());
  ASSERT_TRUE(store_->RevokeToken("0123456789ab", 99));
  EXPECT_EQ(store_->Token("0123456789ab").value().revoked_ms, 99);
  EXPECT_EQ(store_->RevokeToken("0123456789ab", 100).error().code(), ErrorCode::kAlreadyExists);
  EXPECT_EQ(store_->RevokeToken("aaaaaaaaaaaa", 100).error().code(), ErrorCode::kNotFound);
  ASSERT_TRUE(store_->DeleteToken("ba9876543210"));
  EXPECT_EQ(store_->Token("ba9876543210").error().code(), ErrorCode::kNotFound);
}

TEST_F(StoreTest, InstancesAndAliases) {
  EXPECT_EQ(store_->AddInstance(AnInstance("00000001", "demo")).error().code(),
            ErrorCode::kInvalidArgument);  // no such model
  EXPECT_TRUE(store_->Aliases().value().empty());
  ASSERT_TRUE(store_->PutModel(AModel('a')));
  EXPECT_TRUE(store_->AddInstance(AnInstance("00000001", "demo")).value().is_default);
  EXPECT_FALSE(store_->AddInstance(AnInstance("00000002", "other")).value().is_default);
  EXPECT_EQ(store_->AddInstance(AnInstance("00000003", "demo")).error().code(),
            ErrorCode::kAlreadyExists);
  EXPECT_EQ(store_->AddInstance(AnInstance("00000002", "third")).error().code(),
            ErrorCode::kAlreadyExists);
  Reopen();
  EXPECT_EQ(
      store_->Instances().value(),
      (std::vector<InstanceRow>{AnInstance("00000001", "demo"), AnInstance("00000002", "other")}));
  EXPECT_EQ(store_->Aliases().value(), (std::vector<AliasRow>{{"demo", true}, {"other", false}}));
  EXPECT_EQ(store_->DeleteModel(Digest('a')).error().code(), ErrorCode::kInvalidArgument);
  ASSERT_TRUE(store_->SetDesired("00000002", false));
  EXPECT_FALSE(store_->Instances().value().back().desired);
  EXPECT_EQ(store_->SetDesired("00000009", false).error().code(), ErrorCode::kNotFound);
  ASSERT_TRUE(store_->DeleteInstance("00000001"));
  EXPECT_EQ(store_->DeleteInstance("00000001").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(store_->Aliases().value(), (std::vector<AliasRow>{{"other", false}}));
  // The next one becomes the default, since there is none.
  EXPECT_TRUE(store_->AddInstance(AnInstance("00000001", "demo")).value().is_default);
}

TEST_F(StoreTest, Settings) {
  EXPECT_FALSE(store_->Setting("a").value().has_value());
  ASSERT_TRUE(store_->PutSetting("a", "1"));
  ASSERT_TRUE(store_->PutSetting("a", "2"));
  Reopen();
  EXPECT_EQ(store_->Setting("a").value(), "2");
}

}  // namespace
}  // namespace skerry::store
