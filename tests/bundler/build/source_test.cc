#include "bundler/build/source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "appliance/base/testing/fixtures.h"

namespace skerry::build {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SourceTest : public ::testing::Test {
 protected:
  SourceTest() : files_(OpenFiles(directory_.path()).value()) { Put("m/config.json"); }
  void Put(const std::string& path) {
    ASSERT_TRUE(MakeDirectories(*files_, ParentDirectory(path)));
    ASSERT_TRUE(files_->Create(path, 0600));
  }
  void Link(const std::string& target, const std::string& path) {
    ASSERT_TRUE(MakeDirectories(*files_, ParentDirectory(path)));
    ASSERT_EQ(::symlink(target.c_str(), (directory_.path() + "/" + path).c_str()), 0);
  }
  std::vector<std::string> Names(const SourceOptions& options = {}) {
    const Result<Source> source = ListSource(*files_, "m", options);
    if (!source) return {source.error().message()};
    std::vector<std::string> names;
    for (const SourceFile& file : source->files) names.push_back(file.name);
    return names;
  }
  std::string Refused(const std::string& path = "m", const SourceOptions& options = {},
                      ErrorCode code = ErrorCode::kUntrusted) {
    const Result<Source> source = ListSource(*files_, path, options);
    EXPECT_FALSE(source);
    if (source) return "";
    EXPECT_EQ(source.error().code(), code);
    return source.error().message();
  }

  skerry::testing::TemporaryDirectory directory_;
  std::unique_ptr<FileSystem> files_;
};

TEST_F(SourceTest, SortsByNameNotByDirectory) {
  Put("m/a/z.txt");
  Put("m/a.txt");
  Put("m/b.txt");
  EXPECT_THAT(Names(), ElementsAre("a.txt", "a/z.txt", "b.txt", "config.json"));
}

TEST_F(SourceTest, LeavesOutWhatToolsLeaveBehindAndWhatIsExcluded) {
  Put("m/.git/HEAD");
  Put("m/.gitattributes");
  Put("m/.cache/huggingface/x");
  Put("m/original/consolidated.00.pth");
  Put("m/sub/.gitattributes");
  Put("m/sub/vocab.txt");
  EXPECT_THAT(Names({.include = {}, .exclude = {"original"}}),
              ElementsAre("config.json", "sub/vocab.txt"));
  EXPECT_THAT(Names({.include = {}, .exclude = {"original/*.pth", "sub*"}}),
              ElementsAre("config.json"));
  const Source source = ListSource(*files_, "m", {.include = {}, .exclude = {"original"}}).value();
  EXPECT_THAT(source.left_out,
              ElementsAre(".cache", ".git", ".gitattributes", "original", "sub/.gitattributes"));
}

TEST_F(SourceTest, LicencesAndTheCardAreDocuments) {
  Put("m/LICENSE");
  Put("m/README.md");
  Put("m/USE_POLICY.md");
  Put("m/sub/README.md");
  const Source source = ListSource(*files_, "m").value();
  std::vector<std::string> documents;
  for (const SourceFile& file : source.documents) documents.push_back(file.name);
  EXPECT_THAT(documents, ElementsAre("LICENSE", "README.md", "USE_POLICY.md"));
  EXPECT_THAT(Names(), ElementsAre("config.json", "sub/README.md"));
  EXPECT_THAT(Names({.include = {"README.md"}, .exclude = {}}),
              ElementsAre("README.md", "config.json", "sub/README.md"));
}

TEST_F(SourceTest, UnlistedFilesAreRefusedAllAtOnce) {
  Put("m/figure.png");
  Put("m/train.yaml");
  EXPECT_THAT(Refused(), AllOf(HasSubstr("'figure.png', 'train.yaml' is refused"),
                               HasSubstr("--exclude 'figure.png' --exclude 'train.yaml'"),
                               HasSubstr("--include")));
  EXPECT_THAT(Names({.include = {"*.yaml"}, .exclude = {"*.png"}}),
              ElementsAre("config.json", "train.yaml"));
}

TEST_F(SourceTest, CodeIsRefusedEvenWhenIncluded) {
  Put("m/modeling_x.py");
  EXPECT_THAT(Refused(), AllOf(HasSubstr("'modeling_x.py'"), HasSubstr("program code")));
  Refused("m", {.include = {"*"}, .exclude = {}});
}

TEST_F(SourceTest, UnfinishedDownloadsAreRefused) {
  Put("m/.cache/huggingface/download/model.safetensors.abc.incomplete");
  EXPECT_THAT(Refused("m", {}, ErrorCode::kCorrupt), HasSubstr("has not ended"));
  EXPECT_THAT(Names({.include = {}, .exclude = {".cache"}}), ElementsAre("config.json"));
  Put("m/model.safetensors.part");
  EXPECT_THAT(Refused("m", {.include = {}, .exclude = {".cache"}}, ErrorCode::kCorrupt),
              HasSubstr("'model.safetensors.part'"));
}

TEST_F(SourceTest, WeightsInOtherFormsAreNamedWithWhatToExclude) {
  Put("m/pytorch_model-00001-of-00002.bin");
  Put("m/pytorch_model-00002-of-00002.bin");
  Put("m/onnx/model.onnx");
  EXPECT_THAT(Refused(), HasSubstr("convert it first"));
  Put("m/model.safetensors");
  EXPECT_THAT(Refused(),
              HasSubstr("leave it out: --exclude 'onnx' --exclude 'pytorch_model*.bin'"));
  EXPECT_THAT(Names({.include = {}, .exclude = {"onnx", "pytorch_model*.bin"}}),
              ElementsAre("config.json", "model.safetensors"));
}

TEST_F(SourceTest, SameWeightsTwiceAreRefused) {
  Put("m/model-00001-of-00001.safetensors");
  Put("m/consolidated.safetensors");
  Put("m/params.json");
  EXPECT_THAT(Refused("m", {}, ErrorCode::kInvalidArgument),
              HasSubstr("--exclude 'consolidated*.safetensors'"));
  EXPECT_THAT(Names({.include = {}, .exclude = {"consolidated*.safetensors"}}),
              ElementsAre("config.json", "model-00001-of-00001.safetensors", "params.json"));
  Put("m/x.gguf");
  EXPECT_THAT(
      Refused("m", {.include = {}, .exclude = {"consolidated*"}}, ErrorCode::kInvalidArgument),
      HasSubstr("--exclude '*.gguf'"));
}

TEST_F(SourceTest, LinksOutOfTheFolderAreRefusedWithTheirTarget) {
  Link("/etc/passwd", "m/vocab.txt");
  EXPECT_THAT(Refused(), AllOf(HasSubstr("'vocab.txt'"), HasSubstr("'/etc/passwd'")));
  ASSERT_TRUE(files_->Remove("m/vocab.txt"));
  Put("secret.txt");
  Link("../secret.txt", "m/vocab.txt");
  EXPECT_THAT(Refused(), HasSubstr("'../secret.txt'"));
  ASSERT_TRUE(files_->Remove("m/vocab.txt"));
  Link("../m2/vocab.txt", "m/vocab.txt");
  Put("m2/vocab.txt");  // begins like "m", but is not in it
  Refused();
}

TEST_F(SourceTest, LinksWithinTheFolderAreFollowed) {
  Put("m/files/real.txt");
  Link("files/real.txt", "m/vocab.txt");
  Link("../vocab.txt", "m/files/again.txt");
  const Source source = ListSource(*files_, "m").value();
  ASSERT_EQ(source.files.size(), 4U);
  EXPECT_EQ(source.files[1].name, "files/again.txt");
  EXPECT_EQ(source.files[1].path, "m/files/real.txt");
  EXPECT_EQ(source.files[3].name, "vocab.txt");
  EXPECT_EQ(source.files[3].path, "m/files/real.txt");
}

TEST_F(SourceTest, LoopsOfLinksAndLinkedFoldersAreRefused) {
  Link("vocab.txt", "m/vocab.txt");
  EXPECT_THAT(Refused(), HasSubstr("chain of links"));
  ASSERT_TRUE(files_->Remove("m/vocab.txt"));
  Link(".", "m/loop.txt");
  Refused();
  ASSERT_TRUE(files_->Remove("m/loop.txt"));
  Put("m/sub/a.txt");
  Link("sub", "m/b.txt");
  EXPECT_THAT(Refused(), HasSubstr("leads to a folder"));
  Link("m", "link");
  EXPECT_FALSE(ListSource(*files_, "link"));
}

TEST_F(SourceTest, SnapshotOfTheHuggingFaceCache) {
  const std::string repository = "models--acme--tiny";
  const std::string sha256(64, 'a');
  const std::string object(40, 'b');
  const std::string snapshot = repository + "/snapshots/0123456789abcdef";
  Put(repository + "/blobs/" + sha256);
  Put(repository + "/blobs/" + object);
  Link("../../blobs/" + sha256, snapshot + "/model.safetensors");
  Link("../../blobs/" + object, snapshot + "/config.json");
  const Source source = ListSource(*files_, snapshot).value();
  ASSERT_EQ(source.files.size(), 2U);
  EXPECT_EQ(source.files[0].path, repository + "/blobs/" + object);
  EXPECT_FALSE(source.files[0].sha256);
  EXPECT_EQ(source.files[1].sha256->Hex(), sha256);

  Link("../../refs/main", snapshot + "/vocab.txt");
  Put(repository + "/refs/main");
  EXPECT_THAT(Refused(snapshot), HasSubstr("'../../refs/main'"));
  ASSERT_TRUE(files_->Remove(snapshot + "/vocab.txt"));
  Link("../../../models--other/blobs/x", snapshot + "/vocab.txt");
  Refused(snapshot);
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

TEST_F(SourceTest, APartOfAGgufBringsTheOthers) {
  for (const char* name : {"1-of-00002", "2-of-00002", "1-of-00003"}) {
    Put(std::string("g/q4-0000") + name + ".gguf");
  }
  Put("g/q8-00001-of-00002.gguf");
  const Source source = ListSource(*files_, "g/q4-00001-of-00002.gguf").value();
  ASSERT_EQ(source.files.size(), 2U);
  EXPECT_EQ(source.files[0].name, "q4-00001-of-00002.gguf");
  EXPECT_EQ(source.files[1].path, "g/q4-00002-of-00002.gguf");
}

TEST_F(SourceTest, AFolderHoldsOneGgufModel) {
  Put("g/q4-00001-of-00002.gguf");
  Put("g/q4-00002-of-00002.gguf");
  EXPECT_EQ(ListSource(*files_, "g").value().files.size(), 2U);
  Put("g/q8.gguf");
  EXPECT_THAT(Refused("g", {}, ErrorCode::kInvalidArgument),
              HasSubstr("'q4-00001-of-00002.gguf', 'q8.gguf'"));
  EXPECT_EQ(ListSource(*files_, "g", {.include = {"*.gguf"}, .exclude = {}}).value().files.size(),
            3U);
  Put("g/mmproj-f16.gguf");
  EXPECT_THAT(Refused("g"), HasSubstr("projector"));
}

TEST_F(SourceTest, EmptyFolderIsNoModel) {
  ASSERT_TRUE(files_->MakeDirectory("empty"));
  EXPECT_EQ(ListSource(*files_, "empty").error().code(), ErrorCode::kNotFound);
}

TEST_F(SourceTest, ResolveFollowsTheFoldersThatLeadThere) {
  Put("m/x.gguf");
  Link("m", "link");
  Link("x.gguf", "m/y.gguf");
  const std::string top = std::filesystem::canonical(directory_.path()).string().substr(1);
  EXPECT_EQ(ResolveSource(directory_.path() + "/link/").value(), top + "/m");
  EXPECT_EQ(ResolveSource(directory_.path() + "/link/y.gguf").value(), top + "/m/y.gguf");
  EXPECT_EQ(ResolveSource(directory_.path() + "/absent/x").error().code(), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace skerry::build
