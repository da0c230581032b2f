// Files that are written under a name of their own until all of them are there.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "appliance/base/files.h"
#include "appliance/base/result.h"

namespace skerry::build {

// One thread. What Commit has not renamed is removed when the object ends.
class NewFiles {
 public:
  // `files` must outlive this object.
  explicit NewFiles(FileSystem& files) : files_(files) {}
  ~NewFiles() {
    for (const std::string& path : paths_) (void)files_.Remove(Temporary(path));
  }
  NewFiles(const NewFiles&) = delete;
  NewFiles& operator=(const NewFiles&) = delete;

  // A new file that will be `path`; a leftover of an earlier run gives way.
  Result<std::unique_ptr<File>> Create(const std::string& path) {
    if (files_.Exists(Temporary(path))) TRY(files_.Remove(Temporary(path)));
    paths_.push_back(path);
    return files_.Create(Temporary(path), 0644);
  }

  // Gives all files their names, durably; they must lie in one directory and be synced.
  Result<void> Commit() {
    if (paths_.empty()) return {};
    for (const std::string& path : paths_) TRY(files_.Rename(Temporary(path), path));
    const std::string folder = ParentDirectory(paths_.front());
    paths_.clear();
    return files_.SyncDirectory(folder);
  }

 private:
  static std::string Temporary(const std::string& path) { return path + ".new"; }

  FileSystem& files_;
  std::vector<std::string> paths_;
};

// kAlreadyExists when one of `paths` exists and `overwrite` is not set, kExhausted when `files` has
// less than `needed_bytes`; both before anything is written.
Result<void> CheckOutput(FileSystem& files, const std::vector<std::string>& paths,
                         uint64_t needed_bytes, bool overwrite);

}  // namespace skerry::build
