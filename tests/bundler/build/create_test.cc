#include "bundler/build/create.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdio>

#include "appliance/base/testing/fixtures.h"
#include "bundler/format/layout.h"
#include "bundler/reader/verify.h"
#include "tests/bundler/release_office.h"

namespace skerry::build {
namespace {

using skerry::testing::MemoryFiles;
using skerry::testing::ReleaseOffice;
using skerry::testing::SmallModel;
using ::testing::HasSubstr;

std::map<std::string, std::string> ModelOfSeveralChunks() {
  std::map<std::string, std::string> model = SmallModel();
  const size_t bytes = 2 * format::kChunkBytes + 5;
  std::string data(bytes, 'w');
  for (size_t i = 0; i < bytes; i += 4096) data[i] = static_cast<char>(i >> 12);
  model["model.safetensors"] =
      skerry::testing::Safetensors("{\"a\":{\"dtype\":\"I8\",\"shape\":[" + std::to_string(bytes) +
                                       "],\"data_offsets\":[0," + std::to_string(bytes) + "]}}",
                                   data);
  model["added_tokens.json"] = "";  // an empty file first
  model["zero"] = "";               // and last
  return model;
}

TEST(CreateTest, SameInputGivesTheSameBytesWithAnyNumberOfThreads) {
  const ReleaseOffice office;
  CreateOptions options = office.Options();
  options.threads = 1;
  const std::string first = office.Pack(ModelOfSeveralChunks(), options).value();
  for (const unsigned threads : {2U, 5U}) {
    options.threads = threads;
    EXPECT_TRUE(first == office.Pack(ModelOfSeveralChunks(), options).value()) << threads;
  }
  options.release_seq = 2;
  EXPECT_FALSE(first == office.Pack(ModelOfSeveralChunks(), options).value());
}

std::string Shell(const std::string& command) {
  std::string output;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  char buffer[4096];
  while (const size_t got = std::fread(buffer, 1, sizeof buffer, pipe)) output.append(buffer, got);
  return output + "exit " + std::to_string(::pclose(pipe));
}

TEST(CreateTest, OrdinaryTarReadsTheBundle) {
  const ReleaseOffice office;
  const skerry::testing::TemporaryDirectory directory;
  const auto files = OpenFiles(directory.path()).value();
  CreateOptions options = office.Options();
  options.documents = {{"LICENSE", "LICENSE"}};
  const std::string bundle = office.Pack(ModelOfSeveralChunks(), options).value();
  ASSERT_TRUE(files->Create("x.skb").value()->Append(AsBytes(bundle)));
  const std::string path = directory.path() + "/x.skb";
  EXPECT_EQ(Shell("tar -tf " + path),
            "FORMAT\nmeta/manifest\nmeta/signatures\nmeta/roots/1\n"
            "meta/tree/000000\nmeta/tree/000001\nmeta/tree/000002\nmeta/tree/000003\n"
            "meta/tree/000004\nmeta/doc/000000\n"
            "data/000000\ndata/000001\ndata/000002\ndata/000003\ndata/000004\nexit 0");
  EXPECT_EQ(Shell("tar -xOf " + path + " FORMAT meta/doc/000000"),
            "skerry-bundle 1\ntext of LICENSEexit 0");
  ASSERT_TRUE(files->MakeDirectory("out"));
  ASSERT_EQ(Shell("tar -C " + directory.path() + "/out -xf " + path), "exit 0");
  EXPECT_TRUE(ReadAll(*files, "out/data/000002").value() ==
              ModelOfSeveralChunks()["model.safetensors"]);
  EXPECT_THAT(Shell("sha256sum < " + directory.path() + "/out/data/000002"),
              HasSubstr(Sha256::Of(ModelOfSeveralChunks()["model.safetensors"]).Hex()));
  EXPECT_THAT(ReadAll(*files, "out/meta/manifest").value(),
              HasSubstr(Sha256::Of(ModelOfSeveralChunks()["model.safetensors"]).Hex()));
}

TEST(CreateTest, KeysThatTheRootDoesNotTrustAreRefused) {
  ReleaseOffice office;
  const ReleaseOffice other;
  CreateOptions options = office.Options();
  options.root_text = other.root_text;
  const Result<std::string> bundle = office.Pack(SmallModel(), options);
  ASSERT_FALSE(bundle);
  EXPECT_EQ(bundle.error().code(), ErrorCode::kUntrusted);
  EXPECT_THAT(bundle.error().message(), HasSubstr("would refuse"));
}

TEST(CreateTest, TooFewSignersMakeABundleThatSaysSo) {
  const ReleaseOffice office(3, 3);
  EXPECT_NE(office.Pack(), "");
  const ReleaseOffice short_of_one(2, 2);
  MemoryFiles files;
  ASSERT_TRUE(files.MakeDirectory("m", 0700));
  for (const auto& [name, text] : SmallModel()) {
    ASSERT_TRUE(files.Create("m/" + name, 0600).value()->Append(AsBytes(text)));
  }
  const Source source = ListSource(files, "m").value();
  const Result<Created> created = CreateBundle(
      files, source, short_of_one.Options(), std::span(short_of_one.keys).first(1), files, "x.skb");
  ASSERT_TRUE(created) << created.error().message();
  EXPECT_EQ(created->missing_signatures, 1U);
  EXPECT_EQ(created->needed_signatures, 2U);
  const auto file = files.OpenRead("x.skb").value();
  trust::TrustState trust;
  trust.roots = trust::ParseRootChain(short_of_one.root_text).value();
  auto refused = reader::UnverifiedBundle::Open(*file).value().Verify(trust);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("1 of 2 required signatures"));
}

TEST(CreateTest, ExistingBundlesAndFullDisksStopItBeforeTheWork) {
  const ReleaseOffice office;
  MemoryFiles files;
  ASSERT_TRUE(files.MakeDirectory("m", 0700));
  for (const auto& [name, text] : SmallModel()) {
    ASSERT_TRUE(files.Create("m/" + name, 0600).value()->Append(AsBytes(text)));
  }
  const Source source = ListSource(files, "m").value();
  CreateOptions options = office.Options();
  ASSERT_TRUE(WriteAtomically(files, "x.skb", "old"));
  const Result<Created> exists = CreateBundle(files, source, options, office.keys, files, "x.skb");
  ASSERT_FALSE(exists);
  EXPECT_EQ(exists.error().code(), ErrorCode::kAlreadyExists);
  EXPECT_THAT(exists.error().message(), HasSubstr("--force"));
  options.overwrite = true;
  files.SetFreeBytes(20'000);
  const Result<Created> full = CreateBundle(files, source, options, office.keys, files, "x.skb");
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code(), ErrorCode::kExhausted);
  EXPECT_EQ(ReadAll(files, "x.skb").value(), "old");
  files.SetFreeBytes(uint64_t{1} << 30);
  EXPECT_TRUE(CreateBundle(files, source, options, office.keys, files, "x.skb"));
}

TEST(CreateTest, SbomIsMadeFromTheHashes) {
  const ReleaseOffice office;
  CreateOptions options = office.Options();
  options.documents = {{"LICENSE", "LICENSE"}, {"zero.txt", "zero.txt"}};
  options.make_sbom = [](const format::Manifest& manifest) -> Result<std::string> {
    return manifest.files[0].name + " " + manifest.files[0].sha256.Hex();
  };
  const std::string bundle = office.Pack(SmallModel(), options).value();
  EXPECT_THAT(bundle, HasSubstr("config.json " + Sha256::Of(SmallModel()["config.json"]).Hex()));
  EXPECT_THAT(bundle, HasSubstr("\"name\":\"sbom.cdx.json\""));
  options.documents = {{"sbom.cdx.json", "other.json"}};
  EXPECT_EQ(office.Pack(SmallModel(), options).error().code(), ErrorCode::kInvalidArgument);
}

TEST(CreateTest, VolumesAreWrittenDirectlyAndVerifyAlone) {
  const ReleaseOffice office;
  MemoryFiles files;
  ASSERT_TRUE(files.MakeDirectory("m", 0700));
  for (const auto& [name, text] : ModelOfSeveralChunks()) {
    ASSERT_TRUE(files.Create("m/" + name, 0600).value()->Append(AsBytes(text)));
  }
  const Source source = ListSource(files, "m", {.include = {"*"}, .exclude = {}}).value();
  CreateOptions options = office.Options();
  options.max_volume_bytes = 5'000'000;
  const Created created = CreateBundle(files, source, options, office.keys, files, "x.skb").value();
  ASSERT_EQ(created.paths.size(), 7U);
  EXPECT_EQ(created.paths[0], "x.01-of-07.skb");
  EXPECT_FALSE(files.Exists("x.skb"));
  trust::TrustState trust;
  trust.roots = trust::ParseRootChain(office.root_text).value();
  uint64_t total_bytes = 0;
  std::vector<std::unique_ptr<File>> volumes;
  std::vector<reader::NamedFile> named;
  for (const std::string& path : created.paths) {
    volumes.push_back(files.OpenRead(path).value());
    const uint64_t size = volumes.back()->Size().value();
    EXPECT_LE(size, options.max_volume_bytes);
    total_bytes += size;
    named.push_back({path, volumes.back().get()});
  }
  EXPECT_EQ(created.bundle_bytes, total_bytes);
  EXPECT_TRUE(reader::VerifyArchives({&named[1], 1}, trust));
  EXPECT_TRUE(reader::VerifyArchives(named, trust).value().IsComplete());
  options.max_volume_bytes = 1'000'000;
  const Result<Created> small = CreateBundle(files, source, options, office.keys, files, "y.skb");
  ASSERT_FALSE(small);
  EXPECT_THAT(small.error().message(), HasSubstr("smallest possible size is"));
}

TEST(CreateTest, BadNamesAndModelsWriteNothing) {
  const ReleaseOffice office;
  CreateOptions options = office.Options();
  options.id = "no-slash";
  EXPECT_EQ(office.Pack(SmallModel(), options).error().code(), ErrorCode::kInvalidArgument);
  options = office.Options();
  options.release_seq = 0;
  EXPECT_EQ(office.Pack(SmallModel(), options).error().code(), ErrorCode::kInvalidArgument);
  EXPECT_EQ(office.Pack({{"readme.txt", "x"}}, office.Options()).error().code(),
            ErrorCode::kNotFound);
}

// Hands out files whose content is another one from the second reading on.
class ShiftyFiles : public MemoryFiles {
 public:
  Result<std::unique_ptr<File>> OpenRead(const std::string& path) override {
    std::unique_ptr<File> file = TRY(MemoryFiles::OpenRead(path));
    if (!path.ends_with("tokenizer.model")) return file;
    return std::unique_ptr<File>(new Shifty(std::move(file)));
  }

 private:
  class Shifty : public File {
   public:
    explicit Shifty(std::unique_ptr<File> file) : file_(std::move(file)) {}
    Result<size_t> ReadAt(uint64_t offset, std::span<uint8_t> out) const override {
      const size_t got = TRY(file_->ReadAt(offset, out));
      if (reads_++ >= 1 && got > 0) out[0] ^= 1;
      return got;
    }
    Result<void> Append(std::span<const uint8_t> bytes) override { return file_->Append(bytes); }
    Result<void> Sync() override { return file_->Sync(); }
    Result<uint64_t> Size() const override { return file_->Size(); }
    Result<void> Truncate(uint64_t size) override { return file_->Truncate(size); }

   private:
    std::unique_ptr<File> file_;
    mutable std::atomic<int> reads_ = 0;
  };
};

TEST(CreateTest, FileThatChangesBetweenThePassesIsNoticed) {
  const ReleaseOffice office;
  ShiftyFiles files;
  ASSERT_TRUE(files.MakeDirectory("m", 0700));
  for (const auto& [name, text] : SmallModel()) {
    ASSERT_TRUE(files.Create("m/" + name, 0600).value()->Append(AsBytes(text)));
  }
  const Source source = ListSource(files, "m").value();
  const Result<Created> created =
      CreateBundle(files, source, office.Options(), office.keys, files, "x.skb");
  ASSERT_FALSE(created);
  EXPECT_THAT(created.error().message(), HasSubstr("'tokenizer.model' changed"));
  EXPECT_FALSE(files.Exists("x.skb"));
  EXPECT_FALSE(files.Exists("x.skb.new"));
}

TEST(CreateTest, PowerCutLeavesTheOldBundleOrTheNewOne) {
  const ReleaseOffice office;
  const std::string wanted = office.Pack();
  for (int call = 1;; ++call) {
    MemoryFiles files;
    ASSERT_TRUE(files.MakeDirectory("m", 0700));
    for (const auto& [name, text] : SmallModel()) {
      ASSERT_TRUE(files.Create("m/" + name, 0600).value()->Append(AsBytes(text)));
    }
    ASSERT_TRUE(WriteAtomically(files, "x.skb", "old"));
    const Source source = ListSource(files, "m").value();
    CreateOptions options = office.Options();
    options.overwrite = true;
    files.FailAtCall(call);
    const bool done = CreateBundle(files, source, options, office.keys, files, "x.skb").has_value();
    const std::string after = ReadAll(*files.AfterPowerCut(), "x.skb").value();
    EXPECT_TRUE(after == wanted || (!done && after == "old")) << "call " << call;
    if (done) break;
    ASSERT_LT(call, 200);
  }
}

TEST(CreateTest, ProgressEndsAtTheTotal) {
  const ReleaseOffice office;
  CreateOptions options = office.Options();
  uint64_t last = 0, total = 0;
  options.progress = [&](uint64_t done, uint64_t all) {
    EXPECT_GT(done, last);
    last = done;
    total = all;
  };
  options.documents = {{"LICENSE", "LICENSE"}};
  ASSERT_TRUE(office.Pack(ModelOfSeveralChunks(), options));
  EXPECT_EQ(last, total);
}

}  // namespace
}  // namespace skerry::build
