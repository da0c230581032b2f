#include "appliance/admin/tokens.h"

#include <gtest/gtest.h>

#include "tests/appliance/admin/world.h"

namespace skerry::admin {
namespace {

class TokensTest : public ::testing::Test {
 protected:
  TokensTest() { Reopen(); }
  void Reopen() {
    core_.reset();
    core_ = Core::Open(world_.path(), clock_).value();
    tokens_ = std::make_unique<Tokens>(*core_);
  }
  TokenRequest Request() const {
    TokenRequest request;
    request.label = "kibana";
    return request;
  }
  World world_;
  FakeClock clock_;
  std::unique_ptr<Core> core_;
  std::unique_ptr<Tokens> tokens_;
};

TEST_F(TokensTest, CreatedIsPublishedRecordedAndConfirmed) {
  world_.StartProxy();
  TokenRequest request = Request();
  request.models = {"demo"};
  request.expires_ms = clock_.UnixMillis() + 1;
  const Result<CreatedToken> created = tokens_->Create(request);
  ASSERT_TRUE(created.has_value()) << created.error().message();
  EXPECT_TRUE(created->confirmed);
  const policy::TokenParts parts = policy::ParseToken(policy::View(created->text)).value();
  EXPECT_EQ(parts.id, created->row.id);
  const policy::Policy published = world_.Published();
  const policy::Token* token = published.FindToken(created->row.id);
  ASSERT_NE(token, nullptr);
  EXPECT_EQ(token->models, request.models);
  EXPECT_EQ(token->expires_ms, request.expires_ms);
  EXPECT_EQ(tokens_->List().value(), std::vector<store::TokenRow>{created->row});
  EXPECT_EQ(world_.Recorded(), std::vector<std::string>{"token-created"});
  // The secret is in no file.
  const std::string secret(parts.secret);
  for (const char* folder : {"policy", "journal/admin", "admin"}) {
    const std::vector<DirectoryEntry> entries = world_.files().List(folder).value();
    for (const DirectoryEntry& entry : entries) {
      const std::string content =
          ReadAll(world_.files(), std::string(folder) + "/" + entry.name).value();
      EXPECT_EQ(content.find(secret), std::string::npos) << entry.name;
    }
  }
}

TEST_F(TokensTest, RefusalsChangeNothing) {
  TokenRequest request = Request();
  request.label = "";
  EXPECT_EQ(tokens_->Create(request).error().code(), ErrorCode::kInvalidArgument);
  request = Request();
  request.models = {"*", "demo"};
  EXPECT_EQ(tokens_->Create(request).error().code(), ErrorCode::kInvalidArgument);
  request = Request();
  request.expires_ms = clock_.UnixMillis();
  EXPECT_EQ(tokens_->Create(request).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(tokens_->Revoke("aaaaaaaaaaaa").error().code(), ErrorCode::kNotFound);
  EXPECT_TRUE(tokens_->List().value().empty());
  EXPECT_EQ(world_.Published().generation, 1u);
  EXPECT_TRUE(world_.Recorded().empty());
}

TEST_F(TokensTest, RevokedIsGoneBeforeTheCallReturns) {
  world_.StartProxy();
  const std::string id = tokens_->Create(Request()).value().row.id;
  const Result<bool> revoked = tokens_->Revoke(id);
  ASSERT_TRUE(revoked.has_value()) << revoked.error().message();
  EXPECT_TRUE(*revoked);
  EXPECT_EQ(world_.Events().back(), "load:; 0 tokens");
  EXPECT_EQ(world_.Published().FindToken(id), nullptr);
  EXPECT_EQ(tokens_->List().value()[0].revoked_ms, clock_.UnixMillis());
  EXPECT_EQ(tokens_->Revoke(id).error().code(), ErrorCode::kAlreadyExists);
  EXPECT_EQ(world_.Recorded(), (std::vector<std::string>{"token-created", "token-revoked"}));
}

TEST_F(TokensTest, WithoutAProxyChangesAreNotConfirmed) {
  const CreatedToken created = tokens_->Create(Request()).value();
  EXPECT_FALSE(created.confirmed);
  EXPECT_NE(world_.Published().FindToken(created.row.id), nullptr);
  EXPECT_FALSE(tokens_->Revoke(created.row.id).value());
  EXPECT_EQ(world_.Published().FindToken(created.row.id), nullptr);
}

TEST_F(TokensTest, DisagreementEndsWithTheTokenNotInForce) {
  const std::string kept = tokens_->Create(Request()).value().row.id;
  const std::string only_stored = tokens_->Create(Request()).value().row.id;
  const std::string revoked = tokens_->Create(Request()).value().row.id;
  const std::string only_published = tokens_->Create(Request()).value().row.id;
  ASSERT_TRUE(core_->publisher().Publish({policy::DeleteToken{only_stored}}).has_value());
  ASSERT_TRUE(core_->WithStore([&](store::Store& store) {
    EXPECT_TRUE(store.RevokeToken(revoked, 1).has_value());
    return store.DeleteToken(only_published);
  }));
  Reopen();
  ASSERT_TRUE(tokens_->Reconcile().has_value());
  const policy::Policy published = world_.Published();
  EXPECT_EQ(published.tokens.size(), 1u);
  EXPECT_NE(published.FindToken(kept), nullptr);
  const std::vector<store::TokenRow> rows = tokens_->List().value();
  ASSERT_EQ(rows.size(), 3u);
  for (const store::TokenRow& row : rows) EXPECT_EQ(row.revoked_ms == 0, row.id == kept);
  // And nothing more to do.
  ASSERT_TRUE(tokens_->Reconcile().has_value());
  EXPECT_EQ(world_.Published().generation, published.generation);
}

TEST_F(TokensTest, ARevocationThatStoppedHalfwayCanBeRepeated) {
  const std::string id = tokens_->Create(Request()).value().row.id;
  ASSERT_TRUE(
      core_->WithStore([&](store::Store& store) { return store.RevokeToken(id, 1); }).has_value());
  EXPECT_TRUE(tokens_->Revoke(id).has_value());
  EXPECT_EQ(world_.Published().FindToken(id), nullptr);
}

}  // namespace
}  // namespace skerry::admin
