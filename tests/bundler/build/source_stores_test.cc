#include "bundler/build/source_stores.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "appliance/base/json.h"
#include "appliance/base/testing/fixtures.h"
#include "tests/bundler/release_office.h"

namespace skerry::build {
namespace {

using skerry::testing::GgufParts;
using skerry::testing::ReleaseOffice;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SourceStoresTest : public ::testing::Test {
 protected:
  SourceStoresTest()
      : files_(OpenFiles(directory_.path()).value()),
        machine_(OpenFiles("/", Symlinks::kRefuse).value()) {
    places_.home = directory_.path();
  }
  void Put(const std::string& path, const std::string& text) {
    ASSERT_TRUE(MakeDirectories(*files_, ParentDirectory(path)));
    ASSERT_TRUE(WriteAtomically(*files_, path, text));
  }
  // A blob in Ollama's store, and its layer for a manifest.
  Json Layer(const std::string& type, const std::string& content) {
    const std::string hex = Sha256::Of(content).Hex();
    Put(store_ + "/blobs/sha256-" + hex, content);
    return {{"digest", "sha256:" + hex},
            {"mediaType", "application/vnd.ollama.image." + type},
            {"size", content.size()}};
  }
  void Manifest(const std::string& path, const std::vector<Json>& layers) {
    Put(store_ + "/manifests/" + path,
        DumpJson({{"config", {{"digest", "sha256:" + std::string(64, '0')}}},
                  {"layers", Json(layers)},
                  {"mediaType", "application/vnd.docker.distribution.manifest.v2+json"},
                  {"schemaVersion", 2}}));
  }
  Result<Source> Ollama(const std::string& name) { return ListOllama(*machine_, name, places_); }
  static std::vector<std::string> Names(const std::vector<SourceFile>& files) {
    std::vector<std::string> names;
    for (const SourceFile& file : files) names.push_back(file.name);
    return names;
  }

  skerry::testing::TemporaryDirectory directory_;
  std::unique_ptr<FileSystem> files_;
  std::unique_ptr<FileSystem> machine_;
  std::string store_ = ".ollama/models";
  StorePlaces places_;
};

TEST(OllamaNameTest, DefaultsAndRefusals) {
  EXPECT_EQ(OllamaName::Parse("llama3.2").value().Path(),
            "registry.ollama.ai/library/llama3.2/latest");
  EXPECT_EQ(OllamaName::Parse("acme/tiny:q4_0").value().Path(),
            "registry.ollama.ai/acme/tiny/q4_0");
  EXPECT_EQ(OllamaName::Parse("hf.co/acme/Tiny-GGUF:Q8_0").value().Path(),
            "hf.co/acme/Tiny-GGUF/Q8_0");
  for (const char* bad : {"", ":latest", "a:", "a/b/c/d", "../x", "a/../b", "a b", "/a", "a/"}) {
    const Result<OllamaName> name = OllamaName::Parse(bad);
    ASSERT_FALSE(name) << bad;
    EXPECT_EQ(name.error().code(), ErrorCode::kInvalidArgument);
  }
}

TEST_F(SourceStoresTest, OllamaModelBecomesABundle) {
  const std::string gguf = GgufParts().Build();
  Manifest("registry.ollama.ai/library/tiny/1b",
           {Layer("model", gguf), Layer("license", "MIT"), Layer("license", "and another"),
            Layer("template", "{{ .Prompt }}"), Layer("params", "{\"stop\":[\"x\"]}"),
            Layer("embed", "old")});
  Source source = Ollama("tiny:1b").value();
  EXPECT_THAT(Names(source.files), ElementsAre("tiny-1b.gguf"));
  EXPECT_THAT(Names(source.documents),
              ElementsAre("LICENSE", "LICENSE-2", "ollama-params.json", "ollama-template.txt"));
  EXPECT_THAT(source.left_out, ElementsAre("'embed'"));
  const ReleaseOffice office;
  CreateOptions options = office.Options();
  options.documents = source.documents;
  const Created created =
      CreateBundle(*machine_, source, options, office.keys, *files_, "x.skb").value();
  EXPECT_EQ(created.manifest.files[0].sha256, Sha256::Of(gguf));
  EXPECT_EQ(created.manifest.documents[0].sha256, Sha256::Of(std::string_view("MIT")));
}

TEST_F(SourceStoresTest, DamagedBlobIsRefused) {
  const Json layer = Layer("model", GgufParts().Build());
  Manifest("registry.ollama.ai/library/tiny/latest", {layer});
  GgufParts other;
  other.data[0] = 'z';
  Put(store_ + "/blobs/sha256-" + GetString(layer, "digest").value().substr(7), other.Build());
  const Source source = Ollama("tiny").value();
  const ReleaseOffice office;
  const Result<Created> created =
      CreateBundle(*machine_, source, office.Options(), office.keys, *files_, "x.skb");
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().code(), ErrorCode::kCorrupt);
  EXPECT_THAT(created.error().message(), HasSubstr("'tiny-latest.gguf' is damaged"));
  EXPECT_FALSE(files_->Exists("x.skb"));
}

TEST_F(SourceStoresTest, OllamaModelsThatCannotTravel) {
  const Json model = Layer("model", GgufParts().Build());
  const struct {
    const char* type;
    const char* reason;
  } cases[] = {{"adapter", "LoRA"}, {"projector", "images"}, {"tensor", "not GGUF"}};
  for (const auto& [type, reason] : cases) {
    Manifest("registry.ollama.ai/library/tiny/latest", {model, Layer(type, "x")});
    const Result<Source> source = Ollama("tiny");
    ASSERT_FALSE(source) << type;
    EXPECT_EQ(source.error().code(), ErrorCode::kUntrusted);
    EXPECT_THAT(source.error().message(), HasSubstr(reason));
  }
  Manifest("registry.ollama.ai/library/tiny/latest", {});
  EXPECT_THAT(Ollama("tiny").error().message(), HasSubstr("no GGUF weights"));
  Put(store_ + "/manifests/registry.ollama.ai/library/tiny/latest", "{}");
  EXPECT_EQ(Ollama("tiny").error().code(), ErrorCode::kCorrupt);
}

TEST_F(SourceStoresTest, PlacesOfOllamasStore) {
  const Result<Source> absent = Ollama("tiny");
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(absent.error().message(), HasSubstr(directory_.path() + "/.ollama/models'"));
  EXPECT_THAT(absent.error().message(), HasSubstr("--store"));
  store_ = "elsewhere";
  Manifest("registry.ollama.ai/library/tiny/latest", {Layer("model", GgufParts().Build())});
  places_.ollama_models = directory_.path() + "/elsewhere";
  EXPECT_TRUE(Ollama("tiny"));
  places_.ollama_models = "/nowhere";
  EXPECT_FALSE(Ollama("tiny"));
  places_.store = directory_.path() + "/elsewhere";
  EXPECT_TRUE(Ollama("tiny"));
}

TEST_F(SourceStoresTest, MissingOrLinkedBlobsAreRefused) {
  const Json layer = Layer("model", GgufParts().Build());
  Manifest("registry.ollama.ai/library/tiny/latest", {layer});
  const std::string blob = store_ + "/blobs/sha256-" + GetString(layer, "digest").value().substr(7);
  ASSERT_TRUE(files_->Remove(blob));
  EXPECT_THAT(Ollama("tiny").error().message(), HasSubstr("ollama pull"));
  ASSERT_EQ(::symlink("/etc/passwd", (directory_.path() + "/" + blob).c_str()), 0);
  EXPECT_FALSE(Ollama("tiny"));
}

TEST_F(SourceStoresTest, LmStudioNamesAFolderOrAFile) {
  const std::string folder = ".lmstudio/models/acme/tiny-GGUF/";
  Put(folder + "tiny-Q4_0.gguf", GgufParts().Build());
  const Source one = ListLmStudio(*machine_, "acme/tiny-GGUF", places_).value();
  EXPECT_THAT(Names(one.files), ElementsAre("tiny-Q4_0.gguf"));
  Put(folder + "tiny-Q8_0.gguf", GgufParts().Build());
  const Result<Source> two = ListLmStudio(*machine_, "acme/tiny-GGUF", places_);
  ASSERT_FALSE(two);
  EXPECT_THAT(two.error().message(), HasSubstr("'tiny-Q4_0.gguf', 'tiny-Q8_0.gguf'"));
  EXPECT_THAT(two.error().message(), HasSubstr("--from-lmstudio acme/tiny-GGUF/FILE.gguf"));
  const Source named = ListLmStudio(*machine_, "acme/tiny-GGUF/tiny-Q8_0.gguf", places_).value();
  EXPECT_THAT(Names(named.files), ElementsAre("tiny-Q8_0.gguf"));
  EXPECT_THAT(named.documents, IsEmpty());
}

TEST_F(SourceStoresTest, LmStudiosOlderFolderAndRefusals) {
  Put(".cache/lm-studio/models/acme/tiny/x.gguf", GgufParts().Build());
  EXPECT_TRUE(ListLmStudio(*machine_, "acme/tiny", places_));
  EXPECT_EQ(ListLmStudio(*machine_, "acme/other", places_).error().code(), ErrorCode::kNotFound);
  for (const char* bad : {"tiny", "../tiny", "acme/..", "a/b/c/d", "", "acme/"}) {
    EXPECT_EQ(ListLmStudio(*machine_, bad, places_).error().code(), ErrorCode::kInvalidArgument)
        << bad;
  }
}

}  // namespace
}  // namespace skerry::build
