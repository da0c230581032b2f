#include "appliance/cli/verify_model.h"

#include <gtest/gtest.h>

#include "appliance/base/encode.h"
#include "appliance/base/sha256.h"
#include "appliance/base/testing/memory_files.h"
#include "bundler/format/layout.h"
#include "bundler/format/manifest.h"
#include "bundler/format/tree.h"

namespace skerry::cli {
namespace {

class VerifyModelTest : public ::testing::Test {
 protected:
  VerifyModelTest() {
    format::Manifest manifest;
    manifest.id = "acme/tiny";
    manifest.version = "1.0.0";
    manifest.release_seq = 1;
    manifest.files = {Entry("config.json", "{}"), Entry("empty", ""), Entry("sub/big.bin", big_)};
    const std::string text = format::SerializeManifest(manifest).value();
    digest_ = "sha256-" + Sha256::Of(std::string_view(text)).Hex();
    Write("bundle/manifest", text);
    Write("files/config.json", "{}");
    Write("files/empty", "");
    Write("files/sub/big.bin", big_);
  }
  static format::FileEntry Entry(const std::string& name, std::string_view content) {
    std::vector<Sha256Digest> leaves;
    for (size_t at = 0; at < content.size(); at += format::kChunkBytes) {
      leaves.push_back(format::LeafHash(AsBytes(content.substr(at, format::kChunkBytes))));
    }
    return {name, content.size(), format::TreeRoot(leaves), Sha256::Of(content)};
  }
  std::string Path(const std::string& name) { return "store/" + digest_ + "/" + name; }
  void Write(const std::string& name, std::string_view content) {
    ASSERT_TRUE(MakeDirectories(files_, ParentDirectory(Path(name))).has_value());
    ASSERT_TRUE(WriteAtomically(files_, Path(name), content).has_value());
  }
  // As an import of this version leaves them.
  void WriteLeaves() {
    std::string text;
    for (const std::string_view content : {std::string_view("{}"), std::string_view(big_)}) {
      for (size_t at = 0; at < content.size(); at += format::kChunkBytes) {
        const Sha256Digest leaf =
            format::LeafHash(AsBytes(content.substr(at, format::kChunkBytes)));
        text += AsText(leaf.bytes);
      }
    }
    Write("bundle/tree", text);
  }
  // The big file with the first bytes of some chunks changed.
  void Damage(const std::vector<size_t>& chunks) {
    std::string changed = big_;
    for (const size_t chunk : chunks) changed[chunk * format::kChunkBytes] ^= 1;
    Write("files/sub/big.bin", changed);
  }
  ModelReport Report() { return VerifyStoredModel(files_, digest_).value(); }

  const std::string big_ = std::string(2 * format::kChunkBytes + 5, 'x');
  testing::MemoryFiles files_;
  std::string digest_;
};

TEST_F(VerifyModelTest, AWholeModelIsWhole) {
  uint64_t last = 0;
  ModelCheck check;
  check.threads = 3;
  check.progress = [&](uint64_t done, uint64_t total) {
    EXPECT_GT(done, last);
    EXPECT_EQ(total, big_.size() + 2);
    last = done;
  };
  const ModelReport report = VerifyStoredModel(files_, digest_, check).value();
  EXPECT_TRUE(report.damage.empty());
  EXPECT_EQ(report.id, "acme/tiny");
  EXPECT_EQ(last, big_.size() + 2);
}

TEST_F(VerifyModelTest, AFlippedBitIsFoundInEveryChunk) {
  for (const size_t at : {size_t{0}, format::kChunkBytes, big_.size() - 1}) {
    std::string changed = big_;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    Write("files/sub/big.bin", changed);
    const ModelReport report = Report();
    ASSERT_EQ(report.damage.size(), 1u);
    EXPECT_EQ(report.damage[0].file, "sub/big.bin");
    EXPECT_EQ(report.damage[0].last_chunk, 2u);
    EXPECT_FALSE(report.damage[0].exact) << "without the leaf hashes";
  }
}

TEST_F(VerifyModelTest, LeafHashesTellTheChunk) {
  WriteLeaves();
  EXPECT_TRUE(Report().damage.empty());
  Damage({1});
  ModelReport report = Report();
  ASSERT_EQ(report.damage.size(), 1u);
  EXPECT_TRUE(report.damage[0].exact);
  EXPECT_EQ(report.damage[0].first_chunk, 1u);
  EXPECT_EQ(report.damage[0].last_chunk, 1u);
  Damage({0, 2});
  report = Report();
  ASSERT_EQ(report.damage.size(), 2u);
  EXPECT_EQ(report.damage[0].last_chunk, 0u);
  EXPECT_EQ(report.damage[1].first_chunk, 2u);
  Damage({1, 2});
  report = Report();
  ASSERT_EQ(report.damage.size(), 1u);
  EXPECT_EQ(report.damage[0].first_chunk, 1u);
  EXPECT_EQ(report.damage[0].last_chunk, 2u);
  EXPECT_TRUE(report.damage[0].exact);
}

// Hashes that were changed are said to be so, and nothing is judged by them.
TEST_F(VerifyModelTest, DamagedLeafHashesAreNotBelieved) {
  WriteLeaves();
  std::string text = ReadAll(files_, Path("bundle/tree")).value();
  text[40] ^= 1;  // of the big file
  for (const std::string& bad : {text, text + "x", text.substr(1), std::string()}) {
    Write("bundle/tree", bad);
    Write("files/sub/big.bin", big_);
    ModelReport report = Report();
    ASSERT_EQ(report.damage.size(), 1u);
    EXPECT_EQ(report.damage[0].file, "bundle/tree");
    Damage({1});
    report = Report();
    ASSERT_EQ(report.damage.size(), 2u);
    EXPECT_EQ(report.damage[1].file, "sub/big.bin");
    EXPECT_FALSE(report.damage[1].exact);
  }
}

TEST_F(VerifyModelTest, ShorterMissingAndForeignFilesAreNamed) {
  Write("files/config.json", "{");
  Write("files/sub/stranger.py", "x");
  ASSERT_TRUE(files_.Remove(Path("files/empty")).has_value());
  const ModelReport report = Report();
  ASSERT_EQ(report.damage.size(), 3u);
  EXPECT_EQ(report.damage[0].what, "has 1 bytes instead of 2");
  EXPECT_EQ(report.damage[1].what, "is missing");
  EXPECT_EQ(report.damage[2].file, "'sub/stranger.py'");
}

TEST_F(VerifyModelTest, AChangedManifestOrUnknownModelIsRefused) {
  Write("bundle/manifest", "{}");
  EXPECT_EQ(VerifyStoredModel(files_, digest_).error().code(), ErrorCode::kCorrupt);
  EXPECT_EQ(VerifyStoredModel(files_, "sha256-" + std::string(64, 'a')).error().code(),
            ErrorCode::kNotFound);
  EXPECT_EQ(VerifyStoredModel(files_, "../policy").error().code(), ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace skerry::cli
