// The record of an import under way, DATA/staging/sha256-HEX/progress: which chunks of the model
// are durable in that folder, so that the next try does not read them from the medium again.
//
// A line of JSON, a space, the first 16 hex digits of the line's SHA-256, a line feed. The first
// line says what is imported, each other one names chunks that were synced before it was written. A
// line that is not whole, and everything after it, counts as never written.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "appliance/base/files.h"
#include "appliance/base/result.h"

namespace skerry::import {

// Chunks by their numbers in the whole model (format::ChunkMap).
struct RecordedChunks {
  uint64_t first = 0;
  uint64_t count = 0;
  uint64_t bytes = 0;  // of these chunks together

  bool operator==(const RecordedChunks&) const = default;
};

struct JournalHead {
  std::string digest;  // "sha256-HEX"
  std::string id;
  std::string version;
  uint64_t release_seq = 0;
  uint64_t chunks = 0;       // of the model
  uint64_t total_bytes = 0;  // of the model
  std::string since;         // UTC, when the import began

  bool operator==(const JournalHead&) const = default;
};

struct JournalState {
  JournalHead head;
  std::vector<RecordedChunks> ranges;  // in the order in which they were written
};

// One thread at a time.
class Journal {
 public:
  // What `path` says; nullopt when there is nothing to go on from (no such file, or its first line
  // is damaged).
  static Result<std::optional<JournalState>> Read(FileSystem& files, const std::string& path);

  // Replaces `path` by a record of `state`, durably, and opens it to be continued.
  static Result<Journal> Start(FileSystem& files, const std::string& path,
                               const JournalState& state);

  // Adds `ranges`, durably. Their chunks must be durable already.
  Result<void> Add(std::span<const RecordedChunks> ranges);

 private:
  explicit Journal(std::unique_ptr<File> file) : file_(std::move(file)) {}

  std::unique_ptr<File> file_;
};

}  // namespace skerry::import
