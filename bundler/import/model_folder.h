// The folder of a model while it is being written: below staging, laid out as it will be in the
// store (docs/formats/bundle.md, "In the store").
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "bundler/format/manifest.h"

namespace skerry::import {

// One thread, except OpenWrite.
class ModelFolder {
 public:
  // `path`: relative to `files`; need not exist. All three must outlive this object.
  ModelFolder(FileSystem& files, std::string path, const format::Manifest& manifest)
      : files_(files), path_(std::move(path)), manifest_(manifest) {}

  const std::string& path() const { return path_; }

  // Whether file `file_idx` is there with its full size; an error when that cannot be seen.
  Result<bool> HasFile(size_t file_idx) const;

  // Space that the model's files will still take, in whole blocks of the file system: what is
  // reserved for them already does not count.
  Result<uint64_t> MissingBytes() const;

  // Makes every file that is not there, each with its full size and its space reserved, and makes
  // the names durable (the contents are zeros until they are written and synced). kExhausted when
  // the space is gone meanwhile.
  Result<void> MakeFiles();

  Result<std::unique_ptr<File>> OpenRead(size_t file_idx) const;
  // For WriteAt of much data; past the page cache where that is possible.
  Result<std::unique_ptr<File>> OpenWrite(size_t file_idx) const;

  // Writes what is not a file of the model (its proof and description), durably except for its
  // name; replaces what an earlier try has written.
  Result<void> Put(const std::string& name, std::string_view content);

  // Takes the right to write from the model's files and makes all names durable, the deepest first.
  Result<void> Finish();

 private:
  std::string FilePath(size_t file_idx) const;
  Result<void> MakeDirectory(const std::string& name);
  Result<void> SyncDirectories();

  FileSystem& files_;
  const std::string path_;
  const format::Manifest& manifest_;
  std::set<std::string> directories_;  // below path_; sorted, so a parent comes before its children
};

}  // namespace skerry::import
