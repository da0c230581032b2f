// A string as a read-only File that counts and can fail its reads.
#pragma once

#include <algorithm>
#include <atomic>
#include <string>
#include <utility>

#include "appliance/base/files.h"

namespace skerry::testing {

class StringFile : public File {
 public:
  explicit StringFile(std::string content) : content_(std::move(content)) {}

  Result<size_t> ReadAt(uint64_t offset, std::span<uint8_t> out) const override {
    if (++reads_ == fail_at_) return Error(ErrorCode::kIo, "injected read failure");
    if (offset >= content_.size()) return size_t{0};
    const size_t count = std::min<size_t>(out.size(), content_.size() - offset);
    std::copy_n(content_.begin() + static_cast<ptrdiff_t>(offset), count, out.begin());
    read_bytes_ += count;
    highest_ = std::max<uint64_t>(highest_, offset + count);
    return count;
  }
  Result<uint64_t> Size() const override { return content_.size(); }
  Result<void> Append(std::span<const uint8_t>) override { return ReadOnly(); }
  Result<void> Sync() override { return ReadOnly(); }
  Result<void> Truncate(uint64_t) override { return ReadOnly(); }

  void FailAtRead(int n) { fail_at_ = n; }
  int reads() const { return reads_; }
  uint64_t read_bytes() const { return read_bytes_; }
  uint64_t highest() const { return highest_; }  // end of the furthest read; one thread only

 private:
  static Error ReadOnly() { return Error(ErrorCode::kInternal, "read-only"); }

  std::string content_;
  int fail_at_ = 0;
  mutable std::atomic<int> reads_ = 0;
  mutable std::atomic<uint64_t> read_bytes_ = 0;
  mutable std::atomic<uint64_t> highest_ = 0;
};

}  // namespace skerry::testing
