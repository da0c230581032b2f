// Chunked transfer coding (RFC 9112 section 7.1): a strict incremental decoder and an encoder.
// Chunk extensions, bare LFs, signs, spaces and oversized numbers are refused, because parsers
// disagree on them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "appliance/base/result.h"
#include "appliance/http/head.h"

namespace skerry::http {

struct ChunkedLimits {
  size_t max_size_digits = 8;  // a chunk is below 4 GiB
  size_t max_trailer_bytes = 4 << 10;
  size_t max_trailers = 16;
};

// One body. One thread.
class ChunkedDecoder {
 public:
  explicit ChunkedDecoder(const ChunkedLimits& limits = {}) : limits_(limits) {}

  // Consumes from `bytes` up to the end of the body, appends at most `max_output` bytes of payload
  // to `out` and returns how many bytes it consumed. kInvalidArgument for anything but the one
  // right form; the decoder is then dead. kExhausted for trailers over a limit.
  Result<size_t> Feed(std::string_view bytes, std::string& out, size_t max_output = SIZE_MAX);

  // The whole body and its trailers have been consumed.
  bool done() const { return state_ == State::kDone; }
  // Valid once done.
  const HeaderList& trailers() const { return trailers_; }

 private:
  enum class State { kSize, kSizeLf, kData, kDataCr, kDataLf, kTrailers, kDone, kFailed };

  Result<void> SizeByte(char c);
  Result<void> TrailerByte(char c);
  Result<void> FinishTrailers();
  Error Fail(ErrorCode code, std::string message);

  ChunkedLimits limits_;
  State state_ = State::kSize;
  size_t digits_ = 0;
  uint64_t remaining_ = 0;     // payload bytes of the current chunk still to come
  std::string trailer_bytes_;  // lines so far
  HeaderList trailers_;
};

// Appends `data` as one chunk; nothing when it is empty (that would end the body).
void AppendChunk(std::string_view data, std::string& out);
// Appends the end of the body.
void AppendLastChunk(const HeaderList& trailers, std::string& out);

}  // namespace skerry::http
