// An in-memory FileSystem for tests. It can fail at call N, and it knows what a power cut would
// leave: file content that was not synced and directory entries whose directory was not synced are
// lost. It can be full: see SetFreeBytes.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "appliance/base/files.h"

namespace skerry::testing {

class MemoryFiles : public FileSystem {
 public:
  MemoryFiles();
  ~MemoryFiles() override;

  // The N-th changing call from now (1 = the next one) fails with kIo and changes nothing; so does
  // every later one until this is called again. 0: never.
  void FailAtCall(int n);
  // Changing calls so far (create, append, write, allocate, sync, rename, remove, make
  // directory, truncate).
  int calls() const;

  // What the disk holds after a power cut now. Open files of this object are not part of it.
  std::unique_ptr<MemoryFiles> AfterPowerCut() const;

  // Path -> content of every file as running programs see it; directories end in '/'.
  std::map<std::string, std::string> Snapshot() const;

  Result<std::unique_ptr<File>> OpenRead(const std::string& path) override;
  Result<std::unique_ptr<File>> Create(const std::string& path, unsigned mode) override;
  Result<std::unique_ptr<File>> OpenWrite(const std::string& path) override;
  Result<std::unique_ptr<File>> OpenAppend(const std::string& path, unsigned mode) override;
  Result<void> MakeDirectory(const std::string& path, unsigned mode) override;
  Result<void> Rename(const std::string& from, const std::string& to) override;
  Result<void> RenameNoReplace(const std::string& from, const std::string& to) override;
  Result<void> Remove(const std::string& path) override;
  Result<void> SyncDirectory(const std::string& path) override;
  Result<std::vector<DirectoryEntry>> List(const std::string& path) override;
  Result<FileKind> Stat(const std::string& path) override;
  Result<std::string> ReadLink(const std::string& path) override;  // there are none here
  Result<uint64_t> FreeBytes() override;
  // From now on `bytes` more fit: what makes files longer fails with kExhausted beyond that, and
  // changes nothing. Removing files makes room again.
  void SetFreeBytes(uint64_t bytes);

 private:
  struct State;
  friend class MemoryFile;
  std::shared_ptr<State> state_;
};

}  // namespace skerry::testing
