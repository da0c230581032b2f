// The reader over tests/bundler/vectors, and against the second reader (bundler/verify) on damaged
// bundles: what one accepts and the other refuses is a mistake in one of them, or in the page.
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <random>

#include "appliance/base/encode.h"
#include "appliance/base/files.h"
#include "appliance/base/json.h"
#include "appliance/base/testing/fixtures.h"
#include "appliance/base/testing/memory_files.h"
#include "bundler/trust/trust_store.h"
#include "tests/bundler/second_reader.h"

namespace skerry {
namespace {

using skerry::testing::FirstReader;
using skerry::testing::SecondReader;

std::unique_ptr<FileSystem> Folder() {
  return OpenFiles(SKERRY_SOURCE_DIR "/tests/bundler/vectors").value();
}

Json Parsed(std::string_view text) { return ParseJson(text).value(); }

std::map<std::string, Json> LoadVectors(FileSystem& files) {
  std::map<std::string, Json> vectors;
  const std::vector<DirectoryEntry> entries = files.List(".").value();
  for (const DirectoryEntry& entry : entries) {
    if (!entry.name.ends_with(".json") || entry.name.starts_with("trust-") ||
        entry.name.starts_with("list-")) {
      continue;
    }
    vectors[entry.name] = Parsed(ReadAll(files, entry.name).value());
  }
  return vectors;
}

// A bundle of a vector: a file, or what differs from good-gguf.skb (README.md of the vectors).
std::string Content(FileSystem& files, const Json& vector, size_t idx) {
  if (!vector.contains("bytes")) {
    return ReadAll(files, vector["files"][idx].get<std::string>()).value();
  }
  const Json& change = vector["bytes"].is_array() ? vector["bytes"][idx] : vector["bytes"];
  const std::string base = ReadAll(files, "good-gguf.skb").value();
  std::string content = base.substr(0, change["first"].get<size_t>());
  for (const Json& run : change["between"]) {
    if (run.is_array()) {
      content.append(run[1].get<size_t>(), static_cast<char>(run[0].get<int>()));
    } else {
      const std::string digits = run.get<std::string>();
      std::vector<uint8_t> bytes(digits.size() / 2);
      EXPECT_TRUE(HexDecode(digits, bytes));
      content.append(bytes.begin(), bytes.end());
    }
  }
  return content + base.substr(base.size() - change["last"].get<size_t>());
}

// The lines of a root file from the root with `fingerprint` on, as accepting it keeps them.
std::string FromFingerprint(std::string text, const std::string& fingerprint) {
  while (!text.empty()) {
    const size_t end = text.find('\n') + 1;
    const Json line = Parsed(text.substr(0, end));
    const std::vector<uint8_t> payload = Base64Decode(line["payload"].get<std::string>()).value();
    if (Sha256::Of(payload).Hex() == fingerprint) break;
    text.erase(0, end);
  }
  return text;
}

Result<trust::TrustState> Trust(FileSystem& files, const Json& vector) {
  skerry::testing::MemoryFiles data;
  TRY(MakeDirectories(data, "trust"));
  std::string root = TRY(ReadAll(files, vector["trust"].get<std::string>()));
  if (vector.contains("fingerprint")) {
    root = FromFingerprint(std::move(root), vector["fingerprint"].get<std::string>());
  }
  TRY(WriteAtomically(data, trust::kRootPath, root));
  if (vector.contains("revocations")) {
    const std::string list = TRY(ReadAll(files, vector["revocations"].get<std::string>()));
    TRY(WriteAtomically(data, trust::kRevocationsPath, list));
  }
  return trust::LoadTrust(data);
}

Result<Json> RunVector(FileSystem& files, const Json& vector) {
  const trust::TrustState trust = TRY(Trust(files, vector));
  std::vector<std::string> archives;
  for (size_t idx = 0; idx < vector["files"].size(); ++idx) {
    archives.push_back(Content(files, vector, idx));
  }
  return FirstReader(archives, trust, vector.value("deep", false));
}

TEST(VectorsTest, EachIsWhatItSays) {
  const auto files = Folder();
  const std::map<std::string, Json> vectors = LoadVectors(*files);
  EXPECT_GE(vectors.size(), 350U);
  for (const auto& [name, vector] : vectors) {
    SCOPED_TRACE(name + ": " + vector["why"].get<std::string>());
    const Result<Json> found = RunVector(*files, vector);
    if (vector["outcome"] == "refused") {
      EXPECT_FALSE(found);
      continue;
    }
    EXPECT_TRUE(found) << found.error().message();
    if (!found) continue;
    for (const char* field : {"digest", "model_digest", "roots"}) {
      EXPECT_EQ((*found)[field], vector[field]) << field;
    }
    EXPECT_EQ((*found)["missing"], vector.value("missing", Json::array()));
  }
}

// Damages `content` at one random place in one random way.
std::string Damaged(std::string content, std::mt19937& random) {
  const size_t at = random() % content.size();
  const size_t block = at / 512 * 512, other = random() % (content.size() / 512) * 512;
  switch (random() % 8) {
    case 0:
    case 1:
      content[at] = static_cast<char>(content[at] ^ (1 << (random() % 8)));
      break;
    case 2:
      content[at] = static_cast<char>(random());
      break;
    case 3:
      content.resize(at);
      break;
    case 4:
      content.insert(at, 1 + random() % 600, static_cast<char>(random() % 2 * 'x'));
      break;
    case 5:
      content.erase(at, 1 + random() % 600);
      break;
    case 6:
      content.replace(block, 512, content.substr(other, 512));
      break;
    default: {
      const std::string kept = content.substr(block, 512);
      content.replace(block, 512, content.substr(other, 512));
      content.replace(other, 512, kept);
    }
  }
  return content;
}

TEST(VectorsTest, BothReadersAgreeOnDamagedBundles) {
  const char* full = std::getenv("SKERRY_FULL_COUNTS");
  const size_t cases = full != nullptr && std::string_view(full) == "1" ? 20000 : 500;
  const auto files = Folder();
  std::vector<Json> good;
  for (const auto& [name, vector] : LoadVectors(*files)) {
    if (vector["outcome"] == "valid" && vector["files"].size() == 1 && RunVector(*files, vector)) {
      good.push_back(vector);
    }
  }
  const skerry::testing::TemporaryDirectory folder;
  const auto scratch = OpenFiles(folder.path()).value();
  std::mt19937 random(20240611);
  size_t accepted = 0;
  // In portions, so that the files of all cases never lie there at once.
  for (size_t done = 0; done < cases; done += 500) {
    std::string batch;
    std::vector<Result<Json>> ours;
    for (size_t i = 0; i < 500; ++i) {
      const Json& vector = good[random() % good.size()];
      const std::string bundle = Damaged(Content(*files, vector, 0), random);
      const std::string name = std::to_string(i) + ".skb";
      ASSERT_TRUE(WriteAtomically(*scratch, name, bundle));
      Json line = {{"files", {folder.path() + "/" + name}}};
      for (const char* option : {"trust", "revocations"}) {
        if (!vector.contains(option)) continue;
        line[option] =
            SKERRY_SOURCE_DIR "/tests/bundler/vectors/" + vector[option].get<std::string>();
      }
      batch += DumpJson(line) + "\n";
      ours.push_back(FirstReader({bundle}, Trust(*files, vector).value(), /*deep=*/false));
    }
    const std::vector<Json> theirs =
        SecondReader(SKERRY_BIN_DIR "/skerry-verify", folder.path(), batch);
    ASSERT_EQ(theirs.size(), ours.size());
    for (size_t i = 0; i < ours.size(); ++i) {
      EXPECT_EQ(ours[i].has_value(), theirs[i]["valid"].get<bool>())
          << "case " << done + i << ": " << (ours[i] ? "valid" : ours[i].error().message()) << "; "
          << theirs[i].dump();
      if (ours[i]) ++accepted;
    }
  }
  // Exchanging two blocks of zeros changes nothing; everything else is noticed.
  EXPECT_LT(accepted, cases / 4);
}

}  // namespace
}  // namespace skerry
