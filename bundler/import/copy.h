// Copies chunks from a medium to their places in the files of a model, on all cores: each chunk is
// read once, checked, written once. What is durable is recorded window by window while the copying
// goes on, so that whatever ends it costs a window and no more.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "bundler/format/chunk_map.h"
#include "bundler/import/journal.h"

namespace skerry::import {

// 256 MiB: what a crash costs at most, and few enough syncs that a disk does not feel them.
inline constexpr uint64_t kWindowChunks = 64;

struct CopyWork {
  // Chunks that the source has, by their numbers in the model.
  uint64_t first = 0;
  uint64_t count = 0;
  // Fills `out` (the chunk's size) with the chunk after comparing its hash. In several threads.
  std::function<Result<void>(uint64_t chunk_idx, std::span<uint8_t> out)> read;
  // A file of the model for writing; it has its full size already. In several threads.
  std::function<Result<std::unique_ptr<File>>(size_t file_idx)> open;
};

struct CopyOptions {
  unsigned threads = 0;  // 0: one per core and two that wait for the disk
  uint64_t window_chunks = kWindowChunks;
  // Bytes that this call has copied so far. Called by the calling thread, a few times a second and
  // at the end.
  std::function<void(uint64_t copied_bytes)> progress;
  // Ends the copying when it becomes true, with kCancelled.
  const std::atomic<bool>* cancelled = nullptr;
};

// Copies the chunks of `work` that are not in `done` (one flag per chunk of the model). On every
// way out `done` has what is durable and in `journal`, which after a failing read or a cancellation
// is all that was copied. Memory: threads x 4 MiB and a few KiB for a window; at most three windows
// are not synced. Returns the first failure; kExhausted when no thread can be started.
Result<void> CopyChunks(const format::ChunkMap& map, const CopyWork& work, std::vector<bool>& done,
                        Journal& journal, const CopyOptions& options = {});

}  // namespace skerry::import
