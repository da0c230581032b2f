#include "appliance/policy/policy.h"

#include <gtest/gtest.h>

namespace skerry::policy {
namespace {

Token AToken(const std::string& id = "0123456789ab") {
  Token token;
  token.id = id;
  token.label = "kibana";
  token.models = {"*"};
  token.scopes = {"inference"};
  token.created_ms = 1;
  return token;
}

Alias AnAlias(const std::string& name, bool is_default) { return {name, {"0a1b2c3d"}, is_default}; }

TEST(PolicyTest, TokenRules) {
  Token token = AToken();
  EXPECT_TRUE(token.AllowsModel("anything"));
  token.models = {"a", "b"};
  EXPECT_TRUE(token.AllowsModel("b"));
  EXPECT_FALSE(token.AllowsModel("c"));
  EXPECT_TRUE(token.HasScope("inference"));
  EXPECT_FALSE(token.HasScope("metrics"));
  EXPECT_FALSE(token.Expired(INT64_MAX));
  token.expires_ms = 10;
  EXPECT_FALSE(token.Expired(9));
  EXPECT_TRUE(token.Expired(10));
}

TEST(PolicyTest, RefusesBadTokens) {
  const auto refused = [](auto change) {
    Token token = AToken();
    change(token);
    const Result<void> checked = CheckToken(token);
    return !checked && checked.error().code() == ErrorCode::kInvalidArgument;
  };
  EXPECT_TRUE(CheckToken(AToken()).has_value());
  EXPECT_TRUE(refused([](Token& t) { t.id = "short"; }));
  EXPECT_TRUE(refused([](Token& t) { t.label = ""; }));
  EXPECT_TRUE(refused([](Token& t) { t.label = std::string(129, 'x'); }));
  EXPECT_TRUE(refused([](Token& t) { t.label = "a\nb"; }));
  EXPECT_TRUE(refused([](Token& t) { t.models = {}; }));
  EXPECT_TRUE(refused([](Token& t) { t.models = {"*", "a"}; }));
  EXPECT_TRUE(refused([](Token& t) { t.models = {"a b"}; }));
  EXPECT_TRUE(refused([](Token& t) { t.models.assign(65, "a"); }));
  EXPECT_TRUE(refused([](Token& t) { t.scopes = {}; }));
  EXPECT_TRUE(refused([](Token& t) { t.scopes = {"Inference"}; }));
  EXPECT_TRUE(refused([](Token& t) { t.expires_ms = -1; }));
  EXPECT_TRUE(refused([](Token& t) { t.created_ms = -1; }));
}

TEST(PolicyTest, NamesAndIds) {
  for (const char* good : {"a", "demo", "org/Model-7B_v0.3:q4", "7b"}) {
    EXPECT_TRUE(IsAliasName(good)) << good;
  }
  for (const std::string bad : {"", ".hidden", "/a", "a b", "a\"b", "ä", "a%2f"}) {
    EXPECT_FALSE(IsAliasName(bad)) << bad;
  }
  EXPECT_FALSE(IsAliasName(std::string(129, 'a')));
  EXPECT_TRUE(IsInstanceId("0a1b2c3d"));
  for (const char* bad : {"", "0a1b2c3", "0a1b2c3d4", "0A1B2C3D", "../../.."}) {
    EXPECT_FALSE(IsInstanceId(bad)) << bad;
  }
}

TEST(PolicyTest, AppliesInOrder) {
  Policy policy;
  const std::vector<Op> ops = {PutToken{AToken()}, PutAlias{AnAlias("a", true)},
                               PutAlias{AnAlias("b", false)}, DeleteAlias{"b"}};
  ASSERT_TRUE(Apply(ops, 5, policy).has_value());
  EXPECT_EQ(policy.generation, 5u);
  EXPECT_EQ(policy.FindToken("0123456789ab")->label, "kibana");
  EXPECT_EQ(policy.FindToken("0123456789ac"), nullptr);
  EXPECT_EQ(policy.FindAlias("b"), nullptr);
  EXPECT_EQ(policy.DefaultAlias()->name, "a");
}

TEST(PolicyTest, AFailedApplyChangesNothing) {
  Policy policy;
  ASSERT_TRUE(Apply({PutToken{AToken()}, PutAlias{AnAlias("a", true)}}, 1, policy).has_value());
  const Policy before = policy;
  Token renamed = AToken();
  renamed.label = "other";
  const Op first_changes[] = {DeleteToken{"0123456789ab"}, PutToken{renamed},
                              PutToken{AToken("ba9876543210")}, DeleteAlias{"a"}};
  for (const Op& first : first_changes) {
    EXPECT_EQ(Apply({first, DeleteToken{"missing"}}, 2, policy).error().code(),
              ErrorCode::kNotFound);
    EXPECT_EQ(policy, before);
  }
  EXPECT_EQ(Apply({DeleteAlias{"missing"}}, 2, policy).error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(Apply({PutAlias{AnAlias("b", true)}}, 2, policy).error().code(),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(policy, before);
}

}  // namespace
}  // namespace skerry::policy
