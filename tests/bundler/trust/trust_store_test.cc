#include "bundler/trust/trust_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "appliance/base/testing/memory_files.h"
#include "bundler/build/secret_key.h"

namespace skerry::trust {
namespace {

using build::SecretKey;
using ::testing::HasSubstr;

std::string MakeRoot() {
  std::vector<SecretKey> keys;
  keys.push_back(SecretKey::Generate(RoleName::kRoot));
  const KeyId id = keys[0].public_key().Id();
  Root root;
  root.keys.emplace(id, keys[0].public_key());
  root.root.keys = root.release.keys = root.revoke.keys = {id};
  return build::SignRoot(root, keys).value();
}

Sha256Digest FingerprintOf(const std::string& text) { return ParseRoot(text).value().fingerprint; }

TEST(TrustStoreTest, NothingIsTrustedWithoutARoot) {
  skerry::testing::MemoryFiles files;
  const Result<TrustState> state = LoadTrust(files);
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().code(), ErrorCode::kUntrusted);
  EXPECT_THAT(state.error().message(), HasSubstr("skerry trust accept"));
}

TEST(TrustStoreTest, AcceptsWithTheRightFingerprintOnly) {
  skerry::testing::MemoryFiles files;
  const std::string text = MakeRoot();
  const Result<SignedRoot> wrong = AcceptRoot(files, text, Sha256::Of("other"));
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code(), ErrorCode::kUntrusted);
  EXPECT_FALSE(files.Exists(kRootPath));

  ASSERT_TRUE(AcceptRoot(files, text, FingerprintOf(text)));
  const Result<TrustState> state = LoadTrust(files);
  ASSERT_TRUE(state) << state.error().message();
  EXPECT_EQ(state->root.fingerprint, FingerprintOf(text));
  EXPECT_EQ(state->revocations.sequence, 0U);
  EXPECT_TRUE(AcceptRoot(files, text, FingerprintOf(text))) << "the same again is success";
}

TEST(TrustStoreTest, AnotherRootDoesNotReplaceTheOneInForce) {
  skerry::testing::MemoryFiles files;
  const std::string first = MakeRoot(), second = MakeRoot();
  ASSERT_TRUE(AcceptRoot(files, first, FingerprintOf(first)));
  const Result<SignedRoot> result = AcceptRoot(files, second, FingerprintOf(second));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kAlreadyExists);
  EXPECT_THAT(result.error().message(), HasSubstr("remove 'trust/root.json'"));
  EXPECT_EQ(LoadTrust(files).value().root.fingerprint, FingerprintOf(first));

  // As the message says.
  ASSERT_TRUE(files.Remove(std::string(kRootPath)));
  ASSERT_TRUE(AcceptRoot(files, second, FingerprintOf(second)));
  EXPECT_EQ(LoadTrust(files).value().root.fingerprint, FingerprintOf(second));
}

TEST(TrustStoreTest, PowerCutLeavesNoRootOrAWholeOne) {
  const std::string text = MakeRoot();
  for (int call = 1;; ++call) {
    skerry::testing::MemoryFiles files;
    files.FailAtCall(call);
    const bool accepted = AcceptRoot(files, text, FingerprintOf(text)).has_value();
    const auto after = files.AfterPowerCut();
    if (after->Exists(kRootPath)) {
      EXPECT_TRUE(LoadTrust(*after)) << "call " << call;
    } else {
      EXPECT_FALSE(accepted) << "call " << call;
    }
    if (accepted) break;
    ASSERT_LT(call, 50);
  }
}

}  // namespace
}  // namespace skerry::trust
