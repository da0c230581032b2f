#include "bundler/import/template_review.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "appliance/base/encode.h"
#include "appliance/base/testing/memory_files.h"

namespace skerry::import {
namespace {

using inspect::TemplateChange;
using skerry::testing::MemoryFiles;
using ::testing::HasSubstr;
using Content = std::map<std::string, std::string>;

class TemplateReviewTest : public ::testing::Test {
 protected:
  TemplateReviewTest() { EXPECT_TRUE(MakeDirectories(files_, "store")); }

  static format::Manifest Manifest(uint64_t seq, const Content& content,
                                   const std::string& id = "acme/tiny") {
    format::Manifest manifest;
    manifest.id = id;
    manifest.version = "1";
    manifest.release_seq = seq;
    for (const auto& [name, text] : content) {
      manifest.files.push_back({name, text.size(), {}, Sha256::Of(std::string_view(text))});
    }
    return manifest;
  }
  void Write(const std::string& path, const std::string& text) {
    ASSERT_TRUE(MakeDirectories(files_, ParentDirectory(path)));
    ASSERT_TRUE(WriteAtomically(files_, path, text));
  }
  // The folder's name.
  std::string Store(const format::Manifest& manifest, const Content& content) {
    const std::string text = format::SerializeManifest(manifest).value();
    const std::string digest = "sha256-" + Sha256::Of(std::string_view(text)).Hex();
    Write("store/" + digest + "/bundle/manifest", text);
    for (const auto& [name, bytes] : content) Write("store/" + digest + "/files/" + name, bytes);
    return digest;
  }
  Result<TemplateReview> Review(uint64_t seq, const Content& content,
                                const std::string& digest = "sha256-new") {
    MemoryFiles model;
    for (const auto& [name, text] : content) {
      EXPECT_TRUE(model.Create(name, 0600).value()->Append(AsBytes(text)));
    }
    const format::Manifest manifest = Manifest(seq, content);
    return ReviewTemplates(files_, digest, manifest,
                           [&](size_t idx) { return model.OpenRead(manifest.files[idx].name); });
  }
  TemplateReview Reviewed(uint64_t seq, const Content& content) {
    const Result<TemplateReview> review = Review(seq, content);
    EXPECT_TRUE(review) << review.error().message();
    return review ? *review : TemplateReview();
  }

  MemoryFiles files_;
};

TEST_F(TemplateReviewTest, WithoutAnotherReleaseAllAreNew) {
  const Content other = {{"chat_template.jinja", "x"}};
  Store(Manifest(9, other, "acme/other"), other);
  const TemplateReview review =
      Reviewed(1, {{"a.txt", ""}, {"chat_template.jinja", "hello"}, {"z.jinja", "z"}});
  EXPECT_FALSE(review.compared_with);
  EXPECT_EQ(review.diff, "");
  EXPECT_EQ(review.warning, "");
  ASSERT_EQ(review.templates.size(), 2u);
  EXPECT_EQ(review.templates[0].name, "default");
  EXPECT_EQ(review.templates[0].sha256, Sha256::Of(std::string_view("hello")));
  EXPECT_EQ(review.templates[0].change, TemplateChange::kNew);
}

TEST_F(TemplateReviewTest, TheHighestOtherReleaseIsTheOneToCompareWith) {
  const Content four = {{"chat_template.jinja", "four"}}, nine = {{"chat_template.jinja", "nine"}};
  Store(Manifest(4, four), four);
  const std::string newest = Store(Manifest(9, nine), nine);
  // Whatever it is that lies there.
  Write("store/sha256-" + std::string(64, 'a') + "/bundle/manifest", "{}");
  Write("store/file", "");
  for (const uint64_t seq : {3, 10}) {
    const TemplateReview review = Reviewed(seq, {{"chat_template.jinja", "new"}});
    EXPECT_EQ(review.compared_with, 9u);
    EXPECT_EQ(review.templates[0].change, TemplateChange::kChanged);
    EXPECT_THAT(review.diff, HasSubstr("-nine"));
    EXPECT_THAT(review.diff, HasSubstr("+new"));
  }
  const TemplateReview same = Reviewed(10, nine);
  EXPECT_EQ(same.templates[0].change, TemplateChange::kSame);
  EXPECT_EQ(same.diff, "");
  const TemplateReview gone = Reviewed(10, {{"a.txt", ""}});
  EXPECT_EQ(gone.templates[0].change, TemplateChange::kGone);
  EXPECT_EQ(Review(9, nine, newest)->compared_with, 4u) << "not with itself";
}

TEST_F(TemplateReviewTest, AReleaseThatCannotBeReadIsAWarning) {
  const Content before = {{"chat_template.jinja", "before"}};
  const std::string digest = Store(Manifest(4, before), before);
  ASSERT_TRUE(files_.Remove("store/" + digest + "/files/chat_template.jinja"));
  const TemplateReview review = Reviewed(5, {{"chat_template.jinja", "now"}});
  EXPECT_FALSE(review.compared_with);
  EXPECT_EQ(review.templates[0].change, TemplateChange::kNew);
  EXPECT_THAT(review.warning, HasSubstr("release 4"));
}

TEST_F(TemplateReviewTest, TemplatesThatCannotBeListedAreAnError) {
  const Result<TemplateReview> review =
      Review(1, {{"tokenizer_config.json", "{\"chat_template\":7}"}});
  ASSERT_FALSE(review);
  EXPECT_THAT(review.error().message(), HasSubstr("tokenizer_config.json"));
}

}  // namespace
}  // namespace skerry::import
