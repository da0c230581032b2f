// Work over many chunks: the costly part of each runs in parallel, the part that needs order
// (appending to a file) runs one after the other. Memory is threads x buffer, whatever the number
// of chunks.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "appliance/base/result.h"

namespace skerry::format {

struct ChunkWork {
  uint64_t count = 0;       // chunks, numbered from 0
  size_t buffer_bytes = 0;  // largest chunk
  unsigned threads = 1;
  // Fills `buffer` with chunk `idx` and returns how much of it is used. Runs in several threads.
  std::function<Result<size_t>(uint64_t idx, std::span<uint8_t> buffer)> produce;
  // Takes the chunks in order; never two at once, but not always in the same thread.
  std::function<Result<void>(uint64_t idx, std::span<const uint8_t> bytes)> consume;
};

// The error of the lowest chunk that fails in either part; chunks after it are not consumed.
Result<void> RunChunks(const ChunkWork& work);

// One per core, at most 16.
unsigned DefaultThreads();

}  // namespace skerry::format
