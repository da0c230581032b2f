// Work over many chunks in several threads. Memory is threads x buffer, whatever the number of
// chunks.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "appliance/base/result.h"

namespace skerry::format {

// The costly part of each chunk runs in parallel, the part that needs order (appending to a file)
// runs one after the other.
struct ChunkWork {
  uint64_t count = 0;       // chunks, numbered from 0
  size_t buffer_bytes = 0;  // largest chunk
  unsigned threads = 1;     // 0: DefaultThreads()
  // Fills `buffer` with chunk `idx` and returns how much of it is used. Runs in several threads.
  std::function<Result<size_t>(uint64_t idx, std::span<uint8_t> buffer)> produce;
  // Takes the chunks in order; never two at once, but not always in the same thread.
  std::function<Result<void>(uint64_t idx, std::span<const uint8_t> bytes)> consume;
};

// The error of the lowest chunk that fails in either part; chunks after it are not consumed.
Result<void> RunChunks(const ChunkWork& work);

// Chunks that need no order at all: nobody waits for anybody.
struct ParallelWork {
  uint64_t count = 0;       // chunks, numbered from 0
  size_t buffer_bytes = 0;  // that each thread gets
  unsigned threads = 1;     // 0: DefaultThreads()
  // Runs in several threads; `buffer` is the thread's own.
  std::function<Result<void>(uint64_t idx, std::span<uint8_t> buffer)> run;
};

// The error of the lowest chunk that fails, and no further chunk is begun; every chunk before that
// one was run.
Result<void> RunParallel(const ParallelWork& work);

// One per core, at most 16.
unsigned DefaultThreads();

}  // namespace skerry::format
