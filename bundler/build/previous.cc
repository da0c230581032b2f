#include "bundler/build/previous.h"

#include <algorithm>
#include <memory>
#include <optional>

#include "bundler/format/names.h"
#include "bundler/reader/volume_set.h"
#include "bundler/trust/trust_store.h"

namespace skerry::build {

namespace {

using format::Quote;

// Under the newest root that its signatures hold under; the error is that of the newest.
Result<reader::VerifiedBundle> Verify(const File& file, const trust::RootChain& chain) {
  std::optional<Error> first;
  trust::TrustState state;
  state.roots = chain;
  while (!state.roots.roots.empty()) {
    reader::UnverifiedBundle unverified = TRY(reader::UnverifiedBundle::Open(file));
    Result<reader::VerifiedBundle> bundle = std::move(unverified).Verify(state);
    if (bundle) return bundle;
    if (!first) first = bundle.error();
    state.roots.roots.pop_back();
  }
  return *first;
}

}  // namespace

Result<PreviousRelease> ReadPrevious(FileSystem& files, std::span<const std::string> paths,
                                     const std::string& root_text) {
  const trust::RootChain chain = TRY(trust::ParseRootChain(root_text));
  std::vector<std::unique_ptr<File>> open;
  reader::VolumeSet set;
  for (const std::string& path : paths) {
    std::unique_ptr<File> file = TRY(files.OpenRead(path));
    reader::VerifiedBundle bundle = TRY(Verify(*file, chain).WithContext(Quote(path)));
    TRY(set.Add(path, std::move(bundle)));
    open.push_back(std::move(file));
  }
  TRY(set.CheckComplete());
  const reader::VolumeSet::Part& part = set.parts().front();
  const reader::ChunkHashes hashes = TRY(part.bundle.ReadHashes().WithContext(Quote(part.name)));
  const format::Manifest& manifest = part.bundle.manifest();
  const inspect::ModelFiles model = inspect::FilesOf(
      manifest,
      [&](size_t idx) -> Result<std::unique_ptr<File>> { return set.OpenChecked(idx, hashes); });
  PreviousRelease previous{manifest.id, manifest.version, manifest.release_seq, {}};
  previous.templates = TRY(inspect::ReadTemplates(model).WithContext(Quote(part.name)));
  return previous;
}

std::string DescribeChanges(const PreviousRelease& previous,
                            std::span<const inspect::ChatTemplate> now) {
  const std::string changes = inspect::DescribeTemplateChanges(previous.templates, now);
  if (changes.empty()) return "";
  return "changed since " + previous.id + " " + previous.version + ", release " +
         std::to_string(previous.release_seq) + ":\n" + changes;
}

}  // namespace skerry::build
