#include "bundler/build/previous.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "appliance/base/encode.h"
#include "tests/bundler/archive_parts.h"
#include "tests/bundler/release_office.h"
#include "tests/bundler/trust/trust_office.h"

namespace skerry::build {
namespace {

using skerry::testing::MemoryFiles;
using skerry::testing::ReleaseOffice;
using skerry::testing::SmallModel;
using ::testing::HasSubstr;

class PreviousTest : public ::testing::Test {
 protected:
  std::string Bundle(const std::string& chat_template) const {
    std::map<std::string, std::string> model = SmallModel();
    model["chat_template.jinja"] = chat_template;
    return office_.Pack(model, office_.Options()).value();
  }
  std::vector<std::string> Write(const std::vector<std::string>& archives) {
    std::vector<std::string> paths;
    for (const std::string& archive : archives) {
      paths.push_back("old" + std::to_string(paths.size()) + ".skb");
      EXPECT_TRUE(WriteAtomically(files_, paths.back(), archive));
    }
    return paths;
  }
  Result<PreviousRelease> Read(const std::vector<std::string>& archives,
                               const std::string& root_text) {
    return ReadPrevious(files_, Write(archives), root_text);
  }

  ReleaseOffice office_;
  MemoryFiles files_;
};

TEST_F(PreviousTest, TemplatesOfAWholeBundleAndOfVolumes) {
  const std::string bundle = Bundle("hello\n");
  for (const auto& archives :
       {std::vector<std::string>{bundle}, skerry::testing::SplitByHand(bundle, 2)}) {
    const Result<PreviousRelease> previous = Read(archives, office_.root_text);
    ASSERT_TRUE(previous) << previous.error().message();
    EXPECT_EQ(previous->id, "acme/tiny");
    EXPECT_EQ(previous->release_seq, 1U);
    ASSERT_EQ(previous->templates.size(), 1U);
    EXPECT_EQ(previous->templates[0].text, "hello\n");
    EXPECT_EQ(DescribeChanges(*previous, previous->templates), "");
    const std::vector<inspect::ChatTemplate> now = {
        {"default", "bye\n", Sha256::Of(std::string_view("bye\n"))}};
    const std::string text = DescribeChanges(*previous, now);
    EXPECT_THAT(text, HasSubstr("acme/tiny 1.0.0, release 1"));
    EXPECT_THAT(text, HasSubstr("-hello\n+bye\n"));
  }
}

TEST_F(PreviousTest, AMissingVolumeIsNamed) {
  std::vector<std::string> volumes = skerry::testing::SplitByHand(Bundle("x"), 2);
  volumes.erase(volumes.begin() + 1);
  const Result<PreviousRelease> previous = Read(volumes, office_.root_text);
  ASSERT_FALSE(previous);
  EXPECT_EQ(previous.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(previous.error().message(), HasSubstr("volume 2 of"));
}

TEST_F(PreviousTest, AStrangersBundleIsRefused) {
  const Result<PreviousRelease> previous = Read({Bundle("x")}, ReleaseOffice().root_text);
  ASSERT_FALSE(previous);
  EXPECT_EQ(previous.error().code(), ErrorCode::kUntrusted);
  EXPECT_THAT(previous.error().message(), HasSubstr("'old0.skb'"));
}

TEST_F(PreviousTest, AChangedTemplateIsNotBelieved) {
  std::string bundle = Bundle("a template of some length");
  bundle[bundle.find("a template of")] = 'A';
  const Result<PreviousRelease> previous = Read({bundle}, office_.root_text);
  ASSERT_FALSE(previous);
  EXPECT_EQ(previous.error().code(), ErrorCode::kCorrupt);
}

// Signed by a key that the newest root no longer has.
TEST_F(PreviousTest, ABundleOfTheKeysBeforeARotationCounts) {
  skerry::testing::TrustOffice trust;
  ReleaseOffice before = ReleaseOffice();
  before.keys = std::move(trust.releases);
  before.root_text = trust.file;
  const std::string bundle = before.Pack();
  trust.releases.clear();
  trust.releases = std::move(before.keys);
  trust.Rotate(trust::RoleName::kRelease);
  const Result<PreviousRelease> previous = Read({bundle}, trust.file);
  ASSERT_TRUE(previous) << previous.error().message();
  EXPECT_TRUE(previous->templates.empty());
}

}  // namespace
}  // namespace skerry::build
