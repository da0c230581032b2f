#include "bundler/trust/floor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/bundler/trust/trust_office.h"

namespace skerry::trust {
namespace {

using skerry::testing::TrustOffice;
using ::testing::HasSubstr;

Release At(uint64_t release_seq, const std::string& content = "bundle") {
  return {"acme/tiny", release_seq, Sha256::Of(content), Sha256::Of("model")};
}

class FloorTest : public ::testing::Test {
 protected:
  FloorTest() : state_(office_.State()) {}
  SignedPermit Permit(const Release& release, uint8_t serial = 1) const {
    return ParsePermit(office_.root, {}, office_.PermitText(release, serial)).value();
  }
  std::string Refusal(const Release& release, const SignedPermit* permit = nullptr) const {
    const Result<FloorOutcome> outcome = CheckFloor(state_, release, permit);
    EXPECT_FALSE(outcome);
    if (outcome) return "";
    EXPECT_EQ(outcome.error().code(), ErrorCode::kUntrusted);
    return outcome.error().message();
  }

  TrustOffice office_;
  TrustState state_;
};

TEST_F(FloorTest, WithoutAFloorEveryReleaseIsNew) {
  EXPECT_EQ(CheckFloor(state_, At(7), nullptr).value(), FloorOutcome::kNew);
  state_.floors["acme/other"] = {9, Sha256::Of("x")};
  EXPECT_EQ(CheckFloor(state_, At(7), nullptr).value(), FloorOutcome::kNew);
}

TEST_F(FloorTest, Rollback) {
  state_.floors["acme/tiny"] = {5, Sha256::Of("five")};
  EXPECT_EQ(CheckFloor(state_, At(6), nullptr).value(), FloorOutcome::kNew);
  EXPECT_EQ(CheckFloor(state_, At(5, "five"), nullptr).value(), FloorOutcome::kSame);
  const std::string below = Refusal(At(4));
  EXPECT_THAT(below, HasSubstr("release 5 of 'acme/tiny' has been imported"));
  EXPECT_THAT(below, HasSubstr("release 6 or later"));
  EXPECT_THAT(below, HasSubstr("rollback permit for bundle sha256-" + At(4).bundle.Hex()));
  EXPECT_THAT(Refusal(At(5, "another five")), HasSubstr("another bundle has been imported"));
}

// Nobody is sent for a release that no manifest can carry.
TEST_F(FloorTest, AboveTheHighestNumberThereIsOnlyAPermit) {
  constexpr uint64_t kHighest = (uint64_t{1} << 53) - 1;
  state_.floors["acme/tiny"] = {kHighest - 1, Sha256::Of("thief")};
  EXPECT_THAT(Refusal(At(4)), HasSubstr("release 9007199254740991 or later"));
  state_.floors["acme/tiny"].release_seq = kHighest;
  const std::string refusal = Refusal(At(4));
  EXPECT_EQ(refusal.find("9007199254740992"), std::string::npos) << refusal;
  EXPECT_THAT(refusal, HasSubstr("no release can be higher"));
  EXPECT_THAT(refusal, HasSubstr("rollback permit for bundle sha256-" + At(4).bundle.Hex()));
  EXPECT_THAT(refusal, HasSubstr("new root"));
  const SignedPermit permit = Permit(At(4));
  EXPECT_EQ(CheckFloor(state_, At(4), &permit).value(), FloorOutcome::kPermit);
}

TEST_F(FloorTest, PermitLetsOneBundleIn) {
  state_.floors["acme/tiny"] = {5, Sha256::Of("five")};
  const SignedPermit permit = Permit(At(3));
  EXPECT_EQ(CheckFloor(state_, At(3), &permit).value(), FloorOutcome::kPermit);
  const SignedPermit same_seq = Permit(At(5, "another five"));
  EXPECT_EQ(CheckFloor(state_, At(5, "another five"), &same_seq).value(), FloorOutcome::kPermit);
  EXPECT_EQ(CheckFloor(state_, At(6), &permit).value(), FloorOutcome::kNew) << "not needed";
}

TEST_F(FloorTest, PermitForAnotherBundleOrId) {
  state_.floors["acme/tiny"] = {5, Sha256::Of("five")};
  const SignedPermit other_bundle = Permit(At(3, "another bundle"));
  EXPECT_THAT(Refusal(At(3), &other_bundle), HasSubstr("not for this one"));
  Release other = At(3);
  other.id = "acme/other";
  const SignedPermit other_id = Permit(other);
  EXPECT_THAT(Refusal(At(3), &other_id), HasSubstr("the permit is for 'acme/other'"));
}

TEST_F(FloorTest, PermitReplay) {
  state_.floors["acme/tiny"] = {5, Sha256::Of("five")};
  const SignedPermit permit = Permit(At(3));
  state_.used_permits.insert(permit.digest);
  EXPECT_THAT(Refusal(At(3), &permit), HasSubstr("has been used here already"));
  const SignedPermit again = Permit(At(3), 2);
  EXPECT_EQ(CheckFloor(state_, At(3), &again).value(), FloorOutcome::kPermit);
}

TEST_F(FloorTest, FastForwardIsLeftByAPermitUnderARotatedRoot) {
  // A stolen release key signed the highest number there is.
  state_.floors["acme/tiny"] = {(uint64_t{1} << 53) - 1, Sha256::Of("stolen")};
  EXPECT_THAT(Refusal(At(6)), HasSubstr("step back"));
  const std::string stolen = office_.PermitText(At(6));
  office_.Rotate(RoleName::kRelease);
  state_.roots = office_.Chain();
  EXPECT_FALSE(ParsePermit(state_.root(), {}, stolen)) << "signed by the key that was removed";
  const SignedPermit permit = Permit(At(6));
  EXPECT_EQ(CheckFloor(state_, At(6), &permit).value(), FloorOutcome::kPermit);
}

class StandingTest : public FloorTest {
 protected:
  StandingTest() {
    facts_.release = At(3);
    facts_.signers = {Sha256::Of("a"), Sha256::Of("b")};
    facts_.release_threshold = 2;
    state_.revocations.sequence = 8;
  }
  ImportedFacts facts_;
};

TEST_F(StandingTest, GoodUntilListed) {
  EXPECT_FALSE(StandingOf(state_, facts_).revoked());
  state_.revocations.bundles = {Sha256::Of("other")};
  state_.revocations.keys = {Sha256::Of("stranger")};
  state_.revocations.expired = {{"acme/tiny", 3}, {"acme/other", 9}};
  EXPECT_FALSE(StandingOf(state_, facts_).revoked());
}

TEST_F(StandingTest, EveryReason) {
  TrustState state = state_;
  state.revocations.bundles = {facts_.release.bundle};
  EXPECT_EQ(StandingOf(state, facts_).reason, StandingReason::kBundle);
  EXPECT_THAT(StandingOf(state, facts_).text, HasSubstr("revocation list 8"));
  state = state_;
  state.revocations.models = {facts_.release.model};
  EXPECT_EQ(StandingOf(state, facts_).reason, StandingReason::kModel);
  state = state_;
  state.revocations.expired = {{"acme/tiny", 4}};
  EXPECT_EQ(StandingOf(state, facts_).reason, StandingReason::kExpired);
  EXPECT_THAT(StandingOf(state, facts_).text, HasSubstr("releases below 4 have expired"));
  state = state_;
  state.revocations.keys = {Sha256::Of("b")};
  EXPECT_EQ(StandingOf(state, facts_).reason, StandingReason::kSigners);
  EXPECT_THAT(StandingOf(state, facts_).text, HasSubstr("1 of 2 signatures"));
}

TEST_F(StandingTest, OneKeyRecordedTwiceCountsOnce) {
  facts_.signers = {Sha256::Of("a"), Sha256::Of("a")};
  EXPECT_EQ(StandingOf(state_, facts_).reason, StandingReason::kSigners);
}

TEST_F(StandingTest, ARevokedKeyBesideEnoughOthersDoesNotMatter) {
  facts_.signers.push_back(Sha256::Of("c"));
  state_.revocations.keys = {Sha256::Of("b")};
  EXPECT_FALSE(StandingOf(state_, facts_).revoked());
}

TEST_F(StandingTest, ARotationAloneTouchesNothing) {
  office_.Rotate(RoleName::kRelease);
  state_.roots = office_.Chain();
  EXPECT_FALSE(StandingOf(state_, facts_).revoked());
}

}  // namespace
}  // namespace skerry::trust
