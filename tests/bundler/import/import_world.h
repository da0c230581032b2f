// An appliance's data directory in memory and a release officer, for tests of imports.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "bundler/import/install.h"
#include "bundler/import/staging.h"
#include "bundler/reader/bundle.h"
#include "tests/bundler/archive_parts.h"
#include "tests/bundler/release_office.h"
#include "tests/bundler/string_file.h"

namespace skerry::import {

using Snapshot = std::map<std::string, std::string>;

// Locks of one process: only the folders in `busy` are taken.
class FakeLocks : public StagingLocks {
 public:
  Result<UniqueFd> TakeFolder(const std::string& folder) override {
    if (busy.contains(folder)) return Error(ErrorCode::kUnavailable, "'" + folder + "' is in use");
    return UniqueFd();
  }
  Result<UniqueFd> TakePublishing() override {
    if (on_publishing) on_publishing();
    return UniqueFd();
  }
  std::set<std::string> busy;
  std::function<void()> on_publishing;  // called before the lock is given
};

// A medium that outlives the import, to look at what was read.
class BorrowedFile : public File {
 public:
  explicit BorrowedFile(const File& file) : file_(file) {}
  Result<size_t> ReadAt(uint64_t offset, std::span<uint8_t> out) const override {
    return file_.ReadAt(offset, out);
  }
  Result<uint64_t> Size() const override { return file_.Size(); }
  Result<void> Append(std::span<const uint8_t>) override { return ReadOnly(); }
  Result<void> Sync() override { return ReadOnly(); }
  Result<void> Truncate(uint64_t) override { return ReadOnly(); }

 private:
  static Error ReadOnly() { return Error(ErrorCode::kInternal, "read-only"); }
  const File& file_;
};

inline Snapshot Below(const skerry::testing::MemoryFiles& files, const std::string& prefix) {
  Snapshot below;
  const Snapshot all = files.Snapshot();
  for (const auto& [path, content] : all) {
    if (path.starts_with(prefix) && path != prefix) below[path] = content;
  }
  return below;
}

class ImportWorld : public ::testing::Test {
 protected:
  ImportWorld() {
    trust_.roots = trust::ParseRootChain(office_.root_text).value();
    bundle_ = office_.Pack(Model(), office_.Options()).value();
    digest_ = DigestOf(bundle_);
    options_.clock = &clock_;
    options_.copy.threads = 2;
    options_.copy.window_chunks = 2;
  }

  // Six files, each a chunk, one of them empty.
  static std::map<std::string, std::string> Model() {
    std::map<std::string, std::string> model = skerry::testing::SmallModel();
    model["a/notes.txt"] = "some notes";
    model["empty.txt"] = "";
    model["merges.txt"] = "more text";
    return model;
  }
  static void Prepare(skerry::testing::MemoryFiles& files) { ASSERT_TRUE(MakeStaging(files)); }

  Result<ImportResult> Import(skerry::testing::MemoryFiles& files,
                              const std::vector<const File*>& media) {
    std::vector<Medium> list;
    for (const File* file : media) {
      list.push_back(
          {"v" + std::to_string(list.size() + 1) + ".skb", std::make_unique<BorrowedFile>(*file)});
    }
    return ImportBundle(files, locks_, std::move(list), trust_, options_);
  }
  Result<ImportResult> Import(skerry::testing::MemoryFiles& files,
                              const std::vector<std::string>& media) {
    std::vector<skerry::testing::StringFile> open(media.begin(), media.end());
    std::vector<const File*> list;
    for (const auto& file : open) list.push_back(&file);
    return Import(files, list);
  }
  Result<ImportResult> Import(skerry::testing::MemoryFiles& files, const std::string& bundle) {
    return Import(files, std::vector<std::string>{bundle});
  }
  std::string DigestOf(const std::string& bundle) const {
    const skerry::testing::StringFile file(bundle);
    return "sha256-" +
           reader::UnverifiedBundle::Open(file).value().Verify(trust_).value().digest().Hex();
  }
  // What the store holds after an import without trouble.
  Snapshot Complete() {
    skerry::testing::MemoryFiles files;
    Prepare(files);
    EXPECT_TRUE(Import(files, bundle_));
    return Below(files, "store/");
  }
  // A bundle of release `seq` of the same id.
  std::string Release(uint64_t seq) const {
    build::CreateOptions options = office_.Options();
    options.release_seq = seq;
    options.version = "1.0." + std::to_string(seq);
    return office_.Pack(Model(), options).value();
  }

  // Signs the manifest of `bundle` anew, after a test has changed it.
  void Sign(std::string& bundle) const {
    skerry::testing::ArchiveParts parts(bundle);
    parts.At("meta/signatures") = format::PadSignatures(trust::SerializeSignatures(
        {office_.keys[0].Sign(format::kManifestType, parts.At("meta/manifest"))}));
    bundle = parts.Join();
  }

  skerry::testing::ReleaseOffice office_;
  std::string bundle_;
  std::string digest_;
  trust::TrustState trust_;
  FakeClock clock_;
  FakeLocks locks_;
  ImportOptions options_;
};

}  // namespace skerry::import
