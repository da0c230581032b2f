#include "proxy/auth/authenticate.h"

#include <gtest/gtest.h>

namespace skerry::proxy {
namespace {

TEST(Authenticate, Table) {
  const policy::TokenKey key = policy::MakeKey();
  policy::Policy policy;
  const auto add = [&](int64_t expires_ms, std::vector<std::string> scopes) {
    const policy::NewToken made = policy::MakeToken(key);
    policy.tokens[made.id] = {made.id, made.hash, "l", {"*"}, std::move(scopes), 0, expires_ms};
    return std::string(policy::View(made.text));
  };
  const std::string good = add(0, {"inference"});
  const std::string later = add(1001, {"inference"});
  const std::string expired = add(1000, {"inference"});
  const std::string metrics = add(0, {"metrics"});
  const std::string unknown(policy::View(policy::MakeToken(key).text));
  const policy::NewToken made = policy::MakeToken(key);
  policy.tokens[made.id] = {
      made.id, policy::HashSecret(key, std::string(43, 'a')), "l", {"*"}, {"inference"}, 0, 0};
  std::string typo = good;
  typo.back() = typo.back() == 'a' ? 'b' : 'a';

  const std::vector<std::pair<std::string, AuthFailure>> rows = {
      {"", AuthFailure::kMissing},
      {"Bearer", AuthFailure::kMissing},
      {"Bearer ", AuthFailure::kMissing},
      {good, AuthFailure::kMissing},
      {"Basic " + good, AuthFailure::kMissing},
      {"Bearer x", AuthFailure::kMalformed},
      {"Bearer " + typo, AuthFailure::kMalformed},
      {"Bearer " + good + " ", AuthFailure::kMalformed},
      {"Bearer " + unknown, AuthFailure::kUnknown},
      {"Bearer " + std::string(policy::View(made.text)), AuthFailure::kWrong},
      {"Bearer " + expired, AuthFailure::kExpired},
      {"Bearer " + metrics, AuthFailure::kScope},
      {"Bearer " + good, AuthFailure::kNone},
      {"bEARER  " + good, AuthFailure::kNone},
      {"Bearer " + later, AuthFailure::kNone},
  };
  for (const auto& [value, failure] : rows) {
    const AuthOutcome outcome = Authenticate(policy, key, &value, 1000);
    EXPECT_EQ(outcome.failure, failure) << AuthFailureName(outcome.failure);
    const bool known = failure == AuthFailure::kNone || failure == AuthFailure::kScope;
    EXPECT_EQ(outcome.token != nullptr, known);
  }
  EXPECT_EQ(Authenticate(policy, key, nullptr, 0).failure, AuthFailure::kMissing);
  const policy::TokenKey other = policy::MakeKey();
  const std::string header = "Bearer " + good;
  EXPECT_EQ(Authenticate(policy, other, &header, 0).failure, AuthFailure::kWrong);
}

TEST(AdminSecret, OnlyItsShapePasses) {
  const std::string digits = "0123456789abcdefABCDEF" + std::string(42, '0');
  const auto passes = [](const std::string& value) { return HasAdminSecretShape(&value); };
  EXPECT_FALSE(HasAdminSecretShape(nullptr));
  EXPECT_TRUE(passes("Bearer " + digits));
  for (const std::string& value :
       {std::string(), std::string("Bearer "), digits, "bearer " + digits, "Bearer  " + digits,
        "Bearer " + digits + "0", "Bearer " + digits.substr(1), "Bearer g" + digits.substr(1)}) {
    EXPECT_FALSE(passes(value)) << value;
  }
}

}  // namespace
}  // namespace skerry::proxy
