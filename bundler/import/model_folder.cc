#include "bundler/import/model_folder.h"

#include "appliance/base/encode.h"

namespace skerry::import {

namespace {

// Writable until all of it is there; then as nobody should change it.
constexpr unsigned kUnfinishedMode = 0644;
constexpr unsigned kFinishedMode = 0444;
constexpr unsigned kDirectoryMode = 0755;

uint64_t InBlocks(uint64_t size, uint64_t block) { return (size + block - 1) / block * block; }

}  // namespace

std::string ModelFolder::FilePath(size_t file_idx) const {
  return path_ + "/files/" + manifest_.files[file_idx].name;
}

// A file that cannot be looked at is not one that is absent: it may hold what was recorded.
Result<bool> ModelFolder::HasFile(size_t file_idx) const {
  const Result<std::unique_ptr<File>> file = OpenRead(file_idx);
  if (!file && file.error().code() == ErrorCode::kNotFound) return false;
  if (!file) return file.error();
  const uint64_t size = TRY((*file)->Size());
  return size == manifest_.files[file_idx].size;
}

Result<uint64_t> ModelFolder::MissingBytes() const {
  const uint64_t block = TRY(files_.BlockBytes());
  uint64_t missing = 0;
  for (size_t i = 0; i < manifest_.files.size(); ++i) {
    const uint64_t wanted = InBlocks(manifest_.files[i].size, block);
    const Result<std::unique_ptr<File>> file = OpenRead(i);
    if (!file && file.error().code() != ErrorCode::kNotFound) return file.error();
    uint64_t reserved = 0;
    if (file) reserved = TRY((*file)->AllocatedBytes());
    missing += wanted - std::min(wanted, reserved);
  }
  return missing;
}

Result<void> ModelFolder::MakeFiles() {
  TRY(MakeDirectory("files"));
  for (size_t i = 0; i < manifest_.files.size(); ++i) {
    TRY(MakeDirectory(ParentDirectory("files/" + manifest_.files[i].name)));
    const bool is_there = TRY(HasFile(i));
    if (is_there) {
      const std::unique_ptr<File> file = TRY(OpenWrite(i));
      TRY(file->Allocate(manifest_.files[i].size));
      continue;
    }
    // Of another size: nothing that was recorded is in it.
    if (files_.Exists(FilePath(i))) TRY(files_.Remove(FilePath(i)));
    const std::unique_ptr<File> file = TRY(files_.Create(FilePath(i), kUnfinishedMode));
    TRY(file->Allocate(manifest_.files[i].size));
  }
  return SyncDirectories();
}

Result<std::unique_ptr<File>> ModelFolder::OpenRead(size_t file_idx) const {
  return files_.OpenRead(FilePath(file_idx));
}

Result<std::unique_ptr<File>> ModelFolder::OpenWrite(size_t file_idx) const {
  return files_.OpenWriteDirect(FilePath(file_idx));
}

Result<void> ModelFolder::Put(const std::string& name, std::string_view content) {
  TRY(MakeDirectory(ParentDirectory(name)));
  const std::string path = path_ + "/" + name;
  if (files_.Exists(path)) TRY(files_.Remove(path));
  const std::unique_ptr<File> file = TRY(files_.Create(path, kFinishedMode));
  TRY(file->Append(AsBytes(content)));
  return file->Sync();
}

Result<void> ModelFolder::Finish() {
  for (size_t i = 0; i < manifest_.files.size(); ++i) {
    const std::unique_ptr<File> file = TRY(OpenRead(i));
    TRY(file->SetMode(kFinishedMode));
  }
  return SyncDirectories();
}

Result<void> ModelFolder::MakeDirectory(const std::string& name) {
  if (directories_.contains(name)) return {};
  if (name != ".") TRY(MakeDirectory(ParentDirectory(name)));
  TRY(MakeDirectories(files_, name == "." ? path_ : path_ + "/" + name, kDirectoryMode));
  directories_.insert(name);
  return {};
}

Result<void> ModelFolder::SyncDirectories() {
  for (auto it = directories_.rbegin(); it != directories_.rend(); ++it) {
    TRY(files_.SyncDirectory(*it == "." ? path_ : path_ + "/" + *it));
  }
  // The names of this folder and of the one around it.
  const std::string around = ParentDirectory(path_);
  TRY(files_.SyncDirectory(around));
  return files_.SyncDirectory(ParentDirectory(around));
}

}  // namespace skerry::import
