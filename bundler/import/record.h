// Which chunks of a model its folder below staging has: what an earlier try left, and what this one
// copies. The journal is its memory on the disk.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "bundler/format/chunk_map.h"
#include "bundler/format/manifest.h"
#include "bundler/import/journal.h"
#include "bundler/import/model_folder.h"
#include "bundler/reader/bundle.h"

namespace skerry::import {

// What is imported. All of it must outlive the record.
struct RecordSubject {
  FileSystem& files;
  const std::string& digest;  // "sha256-HEX"
  const format::Manifest& manifest;
  const format::ChunkMap& map;
  const reader::ChunkHashes& hashes;
};

// One thread at a time.
class ChunkRecord {
 public:
  // What an earlier try has recorded below staging, after a look at the last `look_chunks` of it:
  // when one of them does not hold in `folder`, or a file has lost its size, nothing of it counts
  // (a disk that lost more than its last window was lying about its syncs). `now` (UTC) is when the
  // import began, if there was no earlier try.
  static Result<ChunkRecord> Resume(const RecordSubject& subject, const ModelFolder& folder,
                                    uint64_t look_chunks, const std::string& now);

  // Writes the journal anew, with what is done, and opens it.
  Result<Journal> StartJournal() const;

  // One flag per chunk of the model: durable and recorded.
  std::vector<bool>& done() { return done_; }
  bool HasAny() const;
  bool HasAll(const format::ChunkRange& range) const;
  uint64_t DoneBytes() const;
  uint64_t resumed_bytes() const { return resumed_bytes_; }  // done before this try

 private:
  explicit ChunkRecord(const RecordSubject& subject) : subject_(subject) {}
  Result<bool> Holds(const ModelFolder& folder) const;
  Result<bool> SizesHold(const ModelFolder& folder) const;
  void Append(std::vector<RecordedChunks>& ranges, uint64_t chunk) const;

  RecordSubject subject_;
  std::string since_;
  std::vector<bool> done_;
  std::vector<uint64_t> newest_;  // of those an earlier try has recorded, ascending
  uint64_t resumed_bytes_ = 0;
};

}  // namespace skerry::import
