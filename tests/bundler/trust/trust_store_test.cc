#include "bundler/trust/trust_store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>

#include <vector>

#include "appliance/base/testing/fixtures.h"
#include "appliance/base/testing/memory_files.h"
#include "bundler/build/secret_key.h"
#include "tests/bundler/trust/trust_office.h"

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
  const Result<RootChain> wrong = AcceptRoots(files, text, Sha256::Of("other"));
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code(), ErrorCode::kUntrusted);
  EXPECT_FALSE(files.Exists(kRootPath));

  ASSERT_TRUE(AcceptRoots(files, text, FingerprintOf(text)));
  const Result<TrustState> state = LoadTrust(files);
  ASSERT_TRUE(state) << state.error().message();
  EXPECT_EQ(state->roots.newest().fingerprint, FingerprintOf(text));
  EXPECT_EQ(state->revocations.sequence, 0U);
  EXPECT_TRUE(AcceptRoots(files, text, FingerprintOf(text))) << "the same again is success";
}

TEST(TrustStoreTest, AnotherRootDoesNotReplaceTheOneInForce) {
  skerry::testing::MemoryFiles files;
  const std::string first = MakeRoot(), second = MakeRoot();
  ASSERT_TRUE(AcceptRoots(files, first, FingerprintOf(first)));
  const Result<RootChain> result = AcceptRoots(files, second, FingerprintOf(second));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kAlreadyExists);
  EXPECT_THAT(result.error().message(), HasSubstr("remove 'trust/root.json'"));
  EXPECT_EQ(LoadTrust(files).value().roots.newest().fingerprint, FingerprintOf(first));

  // As the message says.
  ASSERT_TRUE(files.Remove(std::string(kRootPath)));
  ASSERT_TRUE(AcceptRoots(files, second, FingerprintOf(second)));
  EXPECT_EQ(LoadTrust(files).value().roots.newest().fingerprint, FingerprintOf(second));
}

TEST(TrustStoreTest, PowerCutLeavesNoRootOrAWholeOne) {
  const std::string text = MakeRoot();
  for (int call = 1;; ++call) {
    skerry::testing::MemoryFiles files;
    files.FailAtCall(call);
    const bool accepted = AcceptRoots(files, text, FingerprintOf(text)).has_value();
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

using skerry::testing::MemoryFiles;
using skerry::testing::TrustOffice;

Sha256Digest FingerprintOf(const RootChain& chain, size_t line) {
  return chain.roots[line].fingerprint;
}

TEST(TrustStoreTest, AcceptsAChainFromTheLineOnThatAPersonKnows) {
  TrustOffice office;
  office.Rotate(RoleName::kRoot);
  office.Rotate(RoleName::kRelease);
  const RootChain chain = office.Chain();
  for (size_t line = 0; line < 3; ++line) {
    MemoryFiles files;
    const Result<RootChain> accepted = AcceptRoots(files, office.file, FingerprintOf(chain, line));
    ASSERT_TRUE(accepted) << accepted.error().message();
    const TrustState state = LoadTrust(files).value();
    EXPECT_EQ(state.roots.roots.size(), 3 - line);
    EXPECT_EQ(state.root().version, 3U);
  }
}

TEST(TrustStoreTest, AcceptingALongerChainOfTheSameRootTakesTheNewLines) {
  TrustOffice office;
  MemoryFiles files;
  const Sha256Digest fingerprint = FingerprintOf(office.Chain(), 0);
  const std::string old = office.file;
  ASSERT_TRUE(AcceptRoots(files, old, fingerprint));
  office.Rotate(RoleName::kRoot);
  ASSERT_TRUE(AcceptRoots(files, office.file, fingerprint));
  EXPECT_EQ(LoadTrust(files).value().root().version, 2U);
  ASSERT_TRUE(AcceptRoots(files, old, fingerprint)) << "an old file changes nothing";
  EXPECT_EQ(LoadTrust(files).value().root().version, 2U);
}

TEST(TrustStoreTest, AListOfAnotherRootMustBeRemovedFirst) {
  const TrustOffice before, after;
  MemoryFiles files;
  TrustState state = before.State();
  ASSERT_TRUE(TakeRevocations(state, before.List(3)));
  ASSERT_TRUE(SaveTrust(files, state));
  ASSERT_TRUE(files.Remove(kRootPath));
  const Result<RootChain> refused = AcceptRoots(files, after.file, FingerprintOf(after.Chain(), 0));
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("remove it to accept"));
  EXPECT_FALSE(files.Exists(kRootPath));
  ASSERT_TRUE(files.Remove(kRevocationsPath));
  EXPECT_TRUE(AcceptRoots(files, after.file, FingerprintOf(after.Chain(), 0)));
}

TEST(TrustStoreTest, FreezeByAnOlderList) {
  TrustOffice office;
  TrustState state = office.State();
  EXPECT_TRUE(TakeRevocations(state, office.List(5)).value());
  EXPECT_FALSE(TakeRevocations(state, office.List(4)).value()) << "passed over";
  EXPECT_FALSE(TakeRevocations(state, office.List(5)).value());
  EXPECT_EQ(state.revocations.sequence, 5U);
  EXPECT_EQ(state.revocations_text, office.List(5));
  // Also one whose keys have changed since, so that an old bundle stays readable.
  const std::string old = office.List(4);
  office.Rotate(RoleName::kRevoke);
  state.roots = office.Chain();
  EXPECT_FALSE(TakeRevocations(state, old).value());
  EXPECT_TRUE(TakeRevocations(state, office.List(6)).value());
}

TEST(TrustStoreTest, ListSignedByAnOldRevokeKeyAfterTheRotation) {
  TrustOffice office;
  const std::string stolen = office.List(9);
  TrustState state = office.State();
  office.Rotate(RoleName::kRevoke);
  state.roots = office.Chain();
  const Result<bool> refused = TakeRevocations(state, stolen);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kUntrusted);
  EXPECT_EQ(state.revocations.sequence, 0U);
}

TEST(TrustStoreTest, AStoredListHoldsUnderAnyRootOfTheChain) {
  TrustOffice office;
  MemoryFiles files;
  TrustState state = office.State();
  ASSERT_TRUE(TakeRevocations(state, office.List(5)));
  office.Rotate(RoleName::kRevoke);
  state.roots = office.Chain();
  ASSERT_TRUE(SaveTrust(files, state));
  const Result<TrustState> back = LoadTrust(files);
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(back->revocations.sequence, 5U);
  const TrustOffice other;
  ASSERT_TRUE(WriteAtomically(files, kRevocationsPath, other.List(6)));
  const Result<TrustState> foreign = LoadTrust(files);
  ASSERT_FALSE(foreign);
  EXPECT_THAT(foreign.error().message(), HasSubstr("trust/revocations.json"));
}

TrustState FullState(TrustOffice& office) {
  TrustState state;
  office.Rotate(RoleName::kRevoke);
  state.roots = office.Chain();
  EXPECT_TRUE(TakeRevocations(state, office.List(5)));
  state.floors["acme/tiny"] = {7, Sha256::Of("seven")};
  state.used_permits = {Sha256::Of("permit")};
  state.taken = {Sha256::Of("seven")};
  return state;
}

TEST(TrustStoreTest, StateRoundTrips) {
  TrustOffice office;
  MemoryFiles files;
  const TrustState state = FullState(office);
  ASSERT_TRUE(SaveTrust(files, state));
  const Result<TrustState> back = LoadTrust(files);
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(back->floors, state.floors);
  EXPECT_EQ(back->used_permits, state.used_permits);
  EXPECT_EQ(back->taken, state.taken);
  EXPECT_EQ(SerializeRootChain(back->roots), office.file);
  EXPECT_EQ(back->revocations_text, state.revocations_text);
  const int calls = files.calls();
  ASSERT_TRUE(SaveTrust(files, *back));
  EXPECT_EQ(files.calls(), calls) << "nothing changed, nothing is written";
}

TEST(TrustStoreTest, DamagedFloorsAreNotForgotten) {
  TrustOffice office;
  MemoryFiles files;
  ASSERT_TRUE(SaveTrust(files, FullState(office)));
  const std::string good = ReadAll(files, kStatePath).value();
  for (const std::string& bad :
       {good.substr(1), std::string("{}"), std::string("[]"),
        std::string("{\"floors\":{\"x\":{}},\"permits\":[],\"taken\":[]}"),
        std::string("{\"floors\":{},\"floors\":{},\"permits\":[],\"taken\":[]}"),
        std::string("{\"floors\":{},\"permits\":[1],\"taken\":[]}")}) {
    ASSERT_TRUE(WriteAtomically(files, kStatePath, bad));
    const Result<TrustState> state = LoadTrust(files);
    ASSERT_FALSE(state) << bad;
    EXPECT_THAT(state.error().message(), HasSubstr("trust/state.json"));
  }
}

TEST(TrustStoreTest, PowerCutBetweenAnyTwoFilesLeavesAStateThatHolds) {
  for (int call = 1;; ++call) {
    TrustOffice office;
    MemoryFiles files;
    TrustState old = office.State();
    ASSERT_TRUE(TakeRevocations(old, office.List(2)));
    ASSERT_TRUE(SaveTrust(files, old));
    const TrustState next = FullState(office);
    files.FailAtCall(call);
    const bool saved = SaveTrust(files, next).has_value();
    const auto after = files.AfterPowerCut();
    const Result<TrustState> state = LoadTrust(*after);
    ASSERT_TRUE(state) << "call " << call << ": " << state.error().message();
    // A model counts as taken over only when its roots and its list are there.
    if (!state->taken.empty()) {
      EXPECT_EQ(state->revocations.sequence, 5U) << "call " << call;
    }
    if (state->revocations.sequence == 5) {
      EXPECT_EQ(state->root().version, 2U) << "call " << call;
    }
    // Whoever does it again gets there.
    ASSERT_TRUE(SaveTrust(*after, next));
    EXPECT_EQ(LoadTrust(*after).value().floors, next.floors);
    if (saved) {
      EXPECT_EQ(state->floors, next.floors);
      break;
    }
    ASSERT_LT(call, 100);
  }
}

TEST(TrustStoreTest, TheLockIsExclusive) {
  const skerry::testing::TemporaryDirectory directory;
  Result<TrustLock> first = TrustLock::Take(directory.path());
  ASSERT_TRUE(first) << first.error().message();
  const UniqueFd other(::open((directory.path() + "/trust/lock").c_str(), O_RDWR | O_CLOEXEC));
  ASSERT_TRUE(static_cast<bool>(other));
  EXPECT_NE(::flock(other.get(), LOCK_EX | LOCK_NB), 0);
  { const TrustLock gone = *std::move(first); }
  EXPECT_EQ(::flock(other.get(), LOCK_EX | LOCK_NB), 0);
  EXPECT_FALSE(TrustLock::Take(directory.path() + "/none"));
}

}  // namespace
}  // namespace skerry::trust
