#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "appliance/base/testing/fixtures.h"
#include "bundler/build/create.h"

namespace skerry::build {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SourceTest : public ::testing::Test {
 protected:
  SourceTest() : files_(OpenFiles(directory_.path()).value()) { Put("m/config.json"); }
  void Put(const std::string& path) {
    ASSERT_TRUE(MakeDirectories(*files_, ParentDirectory(path)));
    ASSERT_TRUE(files_->Create(path, 0600));
  }
  std::vector<std::string> Names(const std::vector<std::string>& exclude = {}) {
    const Result<Source> source = ListSource(*files_, "m", exclude);
    if (!source) return {source.error().message()};
    std::vector<std::string> names;
    for (const SourceFile& file : source->files) names.push_back(file.name);
    return names;
  }

  skerry::testing::TemporaryDirectory directory_;
  std::unique_ptr<FileSystem> files_;
};

TEST_F(SourceTest, SortsByNameNotByDirectory) {
  Put("m/a/z");
  Put("m/a.b");
  Put("m/b");
  EXPECT_THAT(Names(), ElementsAre("a.b", "a/z", "b", "config.json"));
}

TEST_F(SourceTest, LeavesOutWhatToolsLeaveBehindAndWhatIsExcluded) {
  Put("m/.git/HEAD");
  Put("m/.gitattributes");
  Put("m/.cache/huggingface/x");
  Put("m/original/consolidated.00.pth");
  Put("m/sub/.gitattributes");
  EXPECT_THAT(Names({"original"}), ElementsAre("config.json", "sub/.gitattributes"));
  EXPECT_THAT(Names({"original/*.pth", "sub*"}), ElementsAre("config.json"));
  const Source source = ListSource(*files_, "m", {"original"}).value();
  EXPECT_THAT(source.left_out, ElementsAre(".cache", ".git", ".gitattributes", "original"));
}

TEST_F(SourceTest, LinksAreRefused) {
  ASSERT_EQ(::symlink("/etc/passwd", (directory_.path() + "/m/vocab.txt").c_str()), 0);
  const Result<Source> source = ListSource(*files_, "m");
  ASSERT_FALSE(source);
  EXPECT_EQ(source.error().code(), ErrorCode::kUntrusted);
  EXPECT_THAT(source.error().message(), HasSubstr("'vocab.txt'"));
}

TEST_F(SourceTest, LinkedFoldersAreRefused) {
  ASSERT_EQ(::symlink("/etc", (directory_.path() + "/m/etc").c_str()), 0);
  EXPECT_THAT(Names()[0], HasSubstr("'etc' is refused"));
  ASSERT_EQ(::symlink("m", (directory_.path() + "/link").c_str()), 0);
  EXPECT_FALSE(ListSource(*files_, "link"));
}

TEST_F(SourceTest, StrangeNamesAreRefused) {
  Put("m/with space.txt");
  EXPECT_THAT(Names()[0], HasSubstr("'with space.txt' is refused"));
}

TEST_F(SourceTest, OneFileMustBeAGguf) {
  Put("x.gguf");
  Put("x.bin");
  const Source source = ListSource(*files_, "x.gguf").value();
  ASSERT_EQ(source.files.size(), 1U);
  EXPECT_EQ(source.files[0].name, "x.gguf");
  EXPECT_EQ(ListSource(*files_, "x.bin").error().code(), ErrorCode::kNotFound);
  EXPECT_EQ(ListSource(*files_, "absent").error().code(), ErrorCode::kNotFound);
}

TEST_F(SourceTest, EmptyFolderIsNoModel) {
  ASSERT_TRUE(files_->MakeDirectory("empty"));
  EXPECT_EQ(ListSource(*files_, "empty").error().code(), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace skerry::build
