#include "bundler/build/sign.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bundler/format/layout.h"
#include "tests/bundler/release_office.h"

namespace skerry::build {
namespace {

using skerry::testing::MemoryFiles;
using skerry::testing::ReleaseOffice;
using ::testing::HasSubstr;

class SignTest : public ::testing::Test {
 protected:
  SignTest() : office_(3, 2) {
    trust_.roots = trust::ParseRootChain(office_.root_text).value();
    EXPECT_TRUE(files_.MakeDirectory("m", 0700));
    for (const auto& [name, text] : skerry::testing::SmallModel()) {
      EXPECT_TRUE(files_.Create("m/" + name, 0600).value()->Append(AsBytes(text)));
    }
    const Source source = ListSource(files_, "m").value();
    EXPECT_TRUE(CreateBundle(files_, source, office_.Options(), Key(0), files_, "x.skb"));
  }
  std::vector<SecretKey> Key(size_t idx) const {
    std::vector<SecretKey> keys;
    keys.push_back(SecretKey::Parse(office_.keys[idx].Serialize()).value());
    return keys;
  }
  std::string Content(FileSystem& files) { return ReadAll(files, "x.skb").value(); }
  bool Verifies(FileSystem& files) {
    const auto file = files.OpenRead("x.skb").value();
    auto bundle = reader::UnverifiedBundle::Open(*file);
    return bundle && std::move(*bundle).Verify(trust_).has_value();
  }

  const ReleaseOffice office_;
  MemoryFiles files_;
  trust::TrustState trust_;
};

TEST_F(SignTest, ASecondSignerCompletesTheBundleInPlace) {
  const std::string before = Content(files_);
  EXPECT_FALSE(Verifies(files_));
  int shown = 0;
  SignOptions options;
  options.show = [&](const reader::SignableBundle& bundle) {
    ++shown;
    EXPECT_EQ(bundle.manifest().id, "acme/tiny");
  };
  const SignedBundle done = SignBundle(files_, {"x.skb"}, trust_, Key(1), options).value();
  EXPECT_EQ(shown, 1);
  EXPECT_EQ(done.changed_files, 1U);
  EXPECT_EQ(done.signatures, 2U);
  EXPECT_EQ(done.needed, 2U);
  EXPECT_TRUE(Verifies(files_));
  EXPECT_FALSE(files_.Exists("x.skb.signatures"));
  const std::string after = Content(files_);
  ASSERT_EQ(after.size(), before.size());
  size_t first = before.size(), last = 0;
  for (size_t i = 0; i < before.size(); ++i) {
    if (before[i] == after[i]) continue;
    first = std::min(first, i);
    last = i;
  }
  EXPECT_LT(last - first, format::kSignaturesBytes);
}

TEST_F(SignTest, TheSameKeyAgainAndTheOrderOfSignersChangeNothing) {
  ASSERT_TRUE(SignBundle(files_, {"x.skb"}, trust_, Key(1)));
  const std::string signed_once = Content(files_);
  const int calls = files_.calls();
  EXPECT_EQ(SignBundle(files_, {"x.skb"}, trust_, Key(1)).value().changed_files, 0U);
  EXPECT_EQ(files_.calls(), calls);
  EXPECT_TRUE(Content(files_) == signed_once);
  const Source source = ListSource(files_, "m").value();
  CreateOptions options = office_.Options();
  options.overwrite = true;
  ASSERT_TRUE(CreateBundle(files_, source, options, Key(1), files_, "x.skb"));
  ASSERT_TRUE(SignBundle(files_, {"x.skb"}, trust_, Key(0)));
  EXPECT_TRUE(Content(files_) == signed_once);
}

TEST_F(SignTest, NothingIsSignedThatDoesNotHold) {
  const std::string before = Content(files_);
  const ReleaseOffice other;
  const Result<SignedBundle> stranger = SignBundle(files_, {"x.skb"}, trust_, other.keys);
  ASSERT_FALSE(stranger);
  EXPECT_EQ(stranger.error().code(), ErrorCode::kUntrusted);
  EXPECT_TRUE(Content(files_) == before);
  std::string bad = before;
  bad[bad.size() - 1100] ^= 1;  // in the last file's data or padding
  ASSERT_TRUE(WriteAtomically(files_, "x.skb", bad));
  EXPECT_EQ(SignBundle(files_, {"x.skb"}, trust_, Key(1)).error().code(), ErrorCode::kCorrupt);
  EXPECT_TRUE(Content(files_) == bad);
}

TEST_F(SignTest, FilesOfDifferentBundlesAreNotSignedTogether) {
  const Source source = ListSource(files_, "m").value();
  CreateOptions options = office_.Options();
  options.version = "2.0.0";
  ASSERT_TRUE(CreateBundle(files_, source, options, Key(0), files_, "y.skb"));
  const std::string before = Content(files_);
  const Result<SignedBundle> both = SignBundle(files_, {"x.skb", "y.skb"}, trust_, Key(1));
  ASSERT_FALSE(both);
  EXPECT_THAT(both.error().message(), HasSubstr("'y.skb' is of another bundle"));
  EXPECT_TRUE(Content(files_) == before);
}

TEST_F(SignTest, PowerCutsNeverLoseTheOtherSignersSignatures) {
  const std::string before = Content(files_);
  for (int call = 1;; ++call) {
    MemoryFiles files;
    ASSERT_TRUE(WriteAtomically(files, "x.skb", before));
    files.FailAtCall(call);
    const bool done = SignBundle(files, {"x.skb"}, trust_, Key(1)).has_value();
    const auto after = files.AfterPowerCut();
    const Result<SignedBundle> again = SignBundle(*after, {"x.skb"}, trust_, Key(2));
    ASSERT_TRUE(again) << "call " << call << ": " << again.error().message();
    EXPECT_GE(again->signatures, 2U) << "call " << call;
    EXPECT_FALSE(after->Exists("x.skb.signatures"));
    if (done) break;
    ASSERT_LT(call, 50);
  }
}

TEST_F(SignTest, TornSignaturesArePutBack) {
  const std::string good = Content(files_);
  const size_t at = good.find("{\"signatures\"");
  ASSERT_NE(at, std::string::npos);
  std::string torn = good;
  torn.replace(at, 4096, std::string(4096, '?'));
  ASSERT_TRUE(WriteAtomically(files_, "x.skb", torn));
  EXPECT_FALSE(SignBundle(files_, {"x.skb"}, trust_, Key(1)));
  ASSERT_TRUE(
      WriteAtomically(files_, "x.skb.signatures", good.substr(at, format::kSignaturesBytes)));
  const SignedBundle done = SignBundle(files_, {"x.skb"}, trust_, Key(1)).value();
  EXPECT_EQ(done.restored_files, 1U);
  EXPECT_EQ(done.signatures, 2U);
  EXPECT_TRUE(Verifies(files_));
}

}  // namespace
}  // namespace skerry::build
