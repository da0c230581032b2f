// A disk in memory whose Nth read fails, whatever is read: a sector that is gone, or a process that
// has too many files open.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "appliance/base/testing/memory_files.h"

namespace skerry::testing {

// Opening, listing and looking count as reads, too.
class FailingReads : public MemoryFiles {
 public:
  // The Nth read from now fails with `code`, and only that one. 0: none.
  void FailAtRead(int n, ErrorCode code = ErrorCode::kIo) {
    reads_ = 0;
    fail_at_ = n;
    code_ = code;
  }
  int reads() const { return reads_; }

  Result<std::unique_ptr<File>> OpenRead(const std::string& path) override {
    TRY(Count());
    std::unique_ptr<File> file = TRY(MemoryFiles::OpenRead(path));
    return std::unique_ptr<File>(std::make_unique<Reading>(std::move(file), *this));
  }
  Result<std::vector<DirectoryEntry>> List(const std::string& path) override {
    TRY(Count());
    return MemoryFiles::List(path);
  }
  Result<FileKind> Stat(const std::string& path) override {
    TRY(Count());
    return MemoryFiles::Stat(path);
  }

 private:
  class Reading : public File {
   public:
    Reading(std::unique_ptr<File> file, FailingReads& files)
        : file_(std::move(file)), files_(files) {}
    Result<size_t> ReadAt(uint64_t offset, std::span<uint8_t> out) const override {
      TRY(files_.Count());
      return file_->ReadAt(offset, out);
    }
    Result<uint64_t> Size() const override { return file_->Size(); }
    Result<void> Append(std::span<const uint8_t> bytes) override { return file_->Append(bytes); }
    Result<void> WriteAt(uint64_t offset, std::span<const uint8_t> bytes) override {
      return file_->WriteAt(offset, bytes);
    }
    Result<void> Allocate(uint64_t size) override { return file_->Allocate(size); }
    Result<void> Sync() override { return file_->Sync(); }
    Result<void> Truncate(uint64_t size) override { return file_->Truncate(size); }
    Result<uint64_t> AllocatedBytes() const override { return file_->AllocatedBytes(); }
    Result<void> SetMode(unsigned mode) override { return file_->SetMode(mode); }

   private:
    std::unique_ptr<File> file_;
    FailingReads& files_;
  };

  Result<void> Count() {
    if (++reads_ == fail_at_) return Error(code_, "injected read failure");
    return {};
  }

  std::atomic<int> reads_ = 0;
  int fail_at_ = 0;
  ErrorCode code_ = ErrorCode::kIo;
};

}  // namespace skerry::testing
