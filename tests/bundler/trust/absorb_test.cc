#include "bundler/trust/absorb.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/bundler/failing_reads.h"
#include "tests/bundler/trust/trust_office.h"

namespace skerry::trust {
namespace {

using skerry::testing::MemoryFiles;
using skerry::testing::TrustOffice;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class AbsorbTest : public ::testing::Test {
 protected:
  AbsorbTest() : state_(office_.State()) {}

  std::vector<std::string> Absorb() { return Absorb(state_); }
  std::vector<std::string> Absorb(TrustState& state) {
    const Result<std::vector<std::string>> warnings = AbsorbStore(files_, state);
    EXPECT_TRUE(warnings) << warnings.error().message();
    return warnings ? *warnings : std::vector<std::string>{};
  }
  Floor FloorOf(const std::string& id = "acme/tiny") { return state_.floors.at(id); }
  static std::string Folder(const Release& release) {
    return "store/sha256-" + release.bundle.Hex();
  }
  void Put(const std::string& path, const std::string& text) {
    ASSERT_TRUE(MakeDirectories(files_, ParentDirectory(path)));
    ASSERT_TRUE(WriteAtomically(files_, path, text));
  }

  MemoryFiles files_;
  TrustOffice office_;
  TrustState state_;
};

TEST_F(AbsorbTest, AnEmptyStoreIsNothing) {
  EXPECT_THAT(Absorb(), IsEmpty());
  EXPECT_THAT(state_.floors, IsEmpty());
}

TEST_F(AbsorbTest, TheHighestReleaseBecomesTheFloor) {
  office_.Store(files_, 4);
  const Release five = office_.Store(files_, 5);
  office_.Store(files_, 2, "", false, "acme/other");
  EXPECT_THAT(Absorb(), IsEmpty());
  EXPECT_EQ(FloorOf(), (Floor{5, five.bundle}));
  EXPECT_EQ(FloorOf("acme/other").release_seq, 2U);
  EXPECT_EQ(state_.taken.size(), 3U);
}

TEST_F(AbsorbTest, RootsAndListThatCameWithAModel) {
  office_.Rotate(RoleName::kRevoke);
  office_.Rotate(RoleName::kRoot);
  office_.Store(files_, 1, office_.List(3));
  EXPECT_THAT(Absorb(), IsEmpty());
  EXPECT_EQ(state_.root().version, 3U);
  EXPECT_EQ(state_.revocations.sequence, 3U);
  EXPECT_EQ(state_.revocations_text, office_.List(3));
  EXPECT_EQ(FloorOf().release_seq, 1U);
}

TEST_F(AbsorbTest, EachListHoldsUnderTheRootOfItsTime) {
  office_.Store(files_, 1, office_.List(3));
  office_.Rotate(RoleName::kRevoke);
  office_.Store(files_, 2, office_.List(4));
  EXPECT_THAT(Absorb(), IsEmpty());
  EXPECT_EQ(state_.revocations.sequence, 4U);
}

TEST_F(AbsorbTest, ListSignedByAnOldRevokeKeyAfterTheRotation) {
  const std::string stolen = office_.List(9);
  office_.Rotate(RoleName::kRevoke);
  office_.Store(files_, 1, stolen);
  EXPECT_THAT(Absorb(), ElementsAre(HasSubstr("its list is passed over")));
  EXPECT_EQ(state_.revocations.sequence, 0U);
  EXPECT_EQ(FloorOf().release_seq, 1U) << "the model itself is good";
}

TEST_F(AbsorbTest, DoingItTwiceChangesNothingMore) {
  office_.Rotate(RoleName::kRelease);
  office_.Store(files_, 5, office_.List(2));
  Absorb();
  office_.Store(files_, 3, "", /*with_permit=*/true);
  EXPECT_THAT(Absorb(), IsEmpty());
  ASSERT_TRUE(SaveTrust(files_, state_));
  const auto before = files_.Snapshot();
  EXPECT_THAT(Absorb(), IsEmpty());
  ASSERT_TRUE(SaveTrust(files_, state_));
  EXPECT_EQ(files_.Snapshot(), before);
}

TEST_F(AbsorbTest, APermitLowersTheFloorAndIsUsedUp) {
  office_.Store(files_, 5);
  Absorb();
  const Release three = office_.Store(files_, 3, "", /*with_permit=*/true);
  EXPECT_THAT(Absorb(), IsEmpty());
  EXPECT_EQ(FloorOf(), (Floor{3, three.bundle}));
  EXPECT_EQ(state_.used_permits.size(), 1U);
  EXPECT_THAT(Absorb(), IsEmpty());
  EXPECT_EQ(FloorOf().release_seq, 3U) << "release 5 in the store does not raise it again";
  const Release four = office_.Store(files_, 4);
  Absorb();
  EXPECT_EQ(FloorOf(), (Floor{4, four.bundle}));
}

TEST_F(AbsorbTest, PermitReplayByACopyOfItsFolder) {
  const Release three = office_.Store(files_, 3, "", /*with_permit=*/true);
  Absorb();
  ASSERT_TRUE(RemoveTree(files_, Folder(three)));
  office_.Store(files_, 5);
  Absorb();
  ASSERT_EQ(FloorOf().release_seq, 5U);
  office_.Store(files_, 3, "", /*with_permit=*/true);
  Absorb();
  EXPECT_EQ(FloorOf().release_seq, 5U);
}

TEST_F(AbsorbTest, InDoubtTheHigherFloor) {
  state_.floors["acme/tiny"] = {4, Sha256::Of("four")};
  office_.Store(files_, 3, "", /*with_permit=*/true);
  const Release five = office_.Store(files_, 5);
  Absorb();
  EXPECT_EQ(FloorOf(), (Floor{5, five.bundle}));
  EXPECT_EQ(state_.used_permits.size(), 1U);
}

TEST_F(AbsorbTest, AReleaseThatWasDeletedAndImportedAgainCounts) {
  const Release five = office_.Store(files_, 5);
  Absorb();
  office_.Store(files_, 3, "", /*with_permit=*/true);
  Absorb();
  ASSERT_TRUE(RemoveTree(files_, Folder(five)));
  Absorb();
  office_.Store(files_, 5);
  Absorb();
  EXPECT_EQ(FloorOf().release_seq, 5U);
}

TEST_F(AbsorbTest, ForeignAndRevokedSignersRaiseNoFloor) {
  const TrustOffice stranger;
  stranger.Store(files_, 9);
  EXPECT_THAT(Absorb(), ElementsAre(HasSubstr("required signatures")));
  EXPECT_THAT(state_.floors, IsEmpty());
  EXPECT_THAT(state_.taken, IsEmpty());

  Revocations list;
  list.sequence = 1;
  list.keys = {office_.releases[0].public_key().Id()};
  ASSERT_TRUE(TakeRevocations(state_, office_.List(list)));
  office_.Store(files_, 7);
  EXPECT_EQ(Absorb().size(), 2U);
  EXPECT_THAT(state_.floors, IsEmpty());
}

TEST_F(AbsorbTest, AModelSignedUnderAnOlderRootStillCounts) {
  office_.Store(files_, 5);
  office_.Rotate(RoleName::kRelease);
  state_.roots = office_.Chain();
  EXPECT_THAT(Absorb(), IsEmpty());
  EXPECT_EQ(FloorOf().release_seq, 5U);
}

TEST_F(AbsorbTest, PermitOfAnotherBundleIsPassedOver) {
  office_.Store(files_, 5);
  Absorb();
  const Release three = office_.Store(files_, 3);
  Put(Folder(three) + "/bundle/permit", office_.PermitText({"acme/tiny", 2, three.bundle, {}}));
  EXPECT_THAT(Absorb(), ElementsAre(HasSubstr("for another bundle")));
  EXPECT_EQ(FloorOf().release_seq, 5U);
  EXPECT_THAT(state_.used_permits, IsEmpty());
}

TEST_F(AbsorbTest, WhatMakesNoSenseIsToldOfAndLeftOut) {
  office_.Store(files_, 2);
  const Release changed = office_.Store(files_, 8);
  Put(Folder(changed) + "/bundle/manifest", "{}");
  Put("store/notes.txt", "x");
  Put("store/sha256-" + std::string(64, 'a') + "/bundle/other", "x");
  const Release odd_root = office_.Store(files_, 9);
  Put(Folder(odd_root) + "/bundle/roots/01", "x");
  const std::vector<std::string> warnings = Absorb();
  EXPECT_EQ(warnings.size(), 4U);
  EXPECT_EQ(FloorOf().release_seq, 2U);
}

// Leaving out what could not be read would forget a floor.
TEST_F(AbsorbTest, AFolderThatCannotBeReadIsAnError) {
  for (const ErrorCode code : {ErrorCode::kIo, ErrorCode::kExhausted, ErrorCode::kDenied}) {
    for (int n = 1;; ++n) {
      skerry::testing::FailingReads files;
      office_.Store(files, 5, office_.List(1));
      files.FailAtRead(n, code);
      TrustState state = office_.State();
      const auto warnings = AbsorbStore(files, state);
      if (files.reads() < n) {
        EXPECT_TRUE(warnings);
        EXPECT_GT(n, 5);
        break;
      }
      ASSERT_FALSE(warnings) << "read " << n;
      EXPECT_EQ(warnings.error().code(), code);
    }
  }
}

TEST_F(AbsorbTest, AFolderThatCannotBeReadIsTakenOverLaterWhereThatDoes) {
  int left_out = 0;
  for (int n = 1;; ++n) {
    skerry::testing::FailingReads files;
    office_.Store(files, 5);
    files.FailAtRead(n);
    TrustState state = office_.State();
    const auto warnings = AbsorbStore(files, state, Unreadable::kIsLeftOut);
    const bool failed = files.reads() >= n;
    files.FailAtRead(0);
    if (warnings && failed) {
      ++left_out;
      EXPECT_THAT(*warnings, ElementsAre(HasSubstr("left out")));
      EXPECT_TRUE(state.floors.empty() && state.taken.empty());
    }
    ASSERT_TRUE(AbsorbStore(files, state, Unreadable::kIsLeftOut));
    EXPECT_EQ(state.floors.at("acme/tiny").release_seq, 5U);
    if (!failed) break;
  }
  EXPECT_GT(left_out, 3);
}

TEST_F(AbsorbTest, RootsWithAGapArePassedOver) {
  office_.Rotate(RoleName::kRoot);
  office_.Rotate(RoleName::kRoot);
  const Release release = office_.Store(files_, 2);
  ASSERT_TRUE(files_.Remove(Folder(release) + "/bundle/roots/2"));
  EXPECT_THAT(Absorb(), ElementsAre(HasSubstr("root version 3 does not follow version 1")));
  EXPECT_EQ(state_.root().version, 1U);
}

TEST_F(AbsorbTest, ReadsTheFactsOfAnImport) {
  const Release release = office_.Store(files_, 2);
  const std::string name = "sha256-" + release.bundle.Hex();
  EXPECT_FALSE(ReadImportedFacts(files_, name)) << "no import.json";
  const std::string id = office_.releases[0].public_key().Id().Hex();
  Put("store/" + name + "/import.json", "{\"release_threshold\":2,\"signers\":[\"" + id + "\"]}\n");
  const Result<ImportedFacts> facts = ReadImportedFacts(files_, name);
  ASSERT_TRUE(facts) << facts.error().message();
  EXPECT_EQ(facts->release.id, "acme/tiny");
  EXPECT_EQ(facts->release.model, release.model);
  EXPECT_EQ(facts->release_threshold, 2U);
  EXPECT_THAT(facts->signers, ElementsAre(office_.releases[0].public_key().Id()));
  Put("store/" + name + "/import.json", "{\"signers\":[1]}");
  EXPECT_FALSE(ReadImportedFacts(files_, name));
  Put("store/" + name + "/bundle/manifest", "{}");
  EXPECT_FALSE(ReadImportedFacts(files_, name));
  EXPECT_FALSE(ReadImportedFacts(files_, "../x"));
}

}  // namespace
}  // namespace skerry::trust
