// The upstream's side of one request: sends it, checks the reply's head, hands out the reply's body
// piece by piece. Closing it from outside ends every wait.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "appliance/base/result.h"
#include "appliance/base/unique_fd.h"
#include "appliance/http/chunked.h"
#include "appliance/http/head.h"
#include "proxy/http/internal/asio.h"

namespace skerry::proxy {

class UpstreamIo {
 public:
  explicit UpstreamIo(asio::io_context& context) : socket_(context) {}

  // Takes a connected descriptor.
  Result<void> Open(UniqueFd fd);

  // Sends head and body. An error is not the end: the upstream may have answered early.
  Task<bool> Send(std::string head, std::string_view body);

  // The reply's head, 1xx skipped. kUnavailable when the upstream ends first, kCorrupt when its
  // reply is not strict HTTP.
  Task<Result<http::ResponseHead>> ReadHead();

  enum class BodyStatus {
    kMore,    // a piece was appended
    kEnd,     // the body is whole; a last piece may have been appended
    kFailed,  // ended early or broke its framing
  };
  // Waits for bytes and appends what they carry to `out`; TakeBody takes only what was received
  // already.
  Task<BodyStatus> ReadBody(std::string& out);
  BodyStatus TakeBody(std::string& out);

  // After kFailed: what was wrong, for the log.
  const std::string& failure() const { return failure_; }

  // Valid after kEnd.
  const http::HeaderList& trailers() const { return decoder_.trailers(); }

  void SetDeadline(int timeout_ms);
  // Closes when the deadline has passed; timed_out() then tells.
  void Sweep(std::chrono::steady_clock::time_point now);
  bool timed_out() const { return timed_out_; }

  void Close();

 private:
  enum class Framing { kNone, kLength, kChunked, kUntilClose };
  Task<bool> Receive();

  StreamSocket socket_;
  std::string input_;
  Framing framing_ = Framing::kNone;
  uint64_t remaining_ = 0;  // kLength
  http::ChunkedDecoder decoder_;
  std::chrono::steady_clock::time_point deadline_ = std::chrono::steady_clock::time_point::max();
  bool timed_out_ = false;
  bool ended_ = false;
  std::string failure_;
};

}  // namespace skerry::proxy
