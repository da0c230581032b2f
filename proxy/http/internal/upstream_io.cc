#include "proxy/http/internal/upstream_io.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <boost/asio/write.hpp>
#include <cerrno>

#include "appliance/http/reply.h"

namespace skerry::proxy {

namespace {

constexpr size_t kReadBytes = 16 << 10;
constexpr int kMaxInterimHeads = 8;

}  // namespace

Result<void> UpstreamIo::Open(UniqueFd fd) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return ErrnoError("cannot use the upstream's socket", errno);
  }
  boost::system::error_code failed;
  socket_.assign(asio::generic::stream_protocol(address.ss_family, 0), fd.get(), failed);
  if (failed) return Error(ErrorCode::kIo, "cannot use the upstream's socket");
  (void)fd.Release();
  input_.clear();
  framing_ = Framing::kNone;
  decoder_ = http::ChunkedDecoder();
  deadline_ = std::chrono::steady_clock::time_point::max();
  timed_out_ = false;
  ended_ = false;
  failure_.clear();
  return {};
}

Task<bool> UpstreamIo::Send(std::string head, std::string_view body) {
  const std::array<asio::const_buffer, 2> buffers = {asio::buffer(head),
                                                     asio::buffer(body.data(), body.size())};
  ErrorCondition error;
  co_await asio::async_write(socket_, buffers, Await(error));
  co_return !error;
}

Task<bool> UpstreamIo::Receive() {
  const size_t before = input_.size();
  input_.resize(before + kReadBytes);
  ErrorCondition error;
  const size_t size = co_await socket_.async_read_some(
      asio::buffer(input_.data() + before, kReadBytes), Await(error));
  input_.resize(before + size);
  if (error) failure_ = error.message();
  co_return !error && size > 0;
}

Task<Result<http::ResponseHead>> UpstreamIo::ReadHead() {
  const http::HeadLimits limits;
  for (int heads = 0; heads < kMaxInterimHeads;) {
    const size_t end = http::FindHeadEnd(input_);
    if (end == std::string::npos) {
      if (input_.size() > limits.max_head_bytes) {
        co_return Error(ErrorCode::kCorrupt, "the reply's head is too long");
      }
      const bool received = co_await Receive();
      if (!received) co_return Error(ErrorCode::kUnavailable, "the model ended the connection");
      continue;
    }
    Result<http::ResponseHead> head =
        http::CheckResponseHead(std::string_view(input_).substr(0, end), limits);
    if (!head) co_return std::move(head).error();
    input_.erase(0, end);
    ++heads;
    if (head->status < 200) continue;
    if (http::HasNoBody(head->status)) {
      framing_ = Framing::kNone;
    } else if (head->chunked) {
      framing_ = Framing::kChunked;
    } else if (head->content_length) {
      framing_ = Framing::kLength;
      remaining_ = *head->content_length;
    } else {
      framing_ = Framing::kUntilClose;
    }
    co_return std::move(head).value();
  }
  co_return Error(ErrorCode::kCorrupt, "the model sends interim replies only");
}

UpstreamIo::BodyStatus UpstreamIo::TakeBody(std::string& out) {
  switch (framing_) {
    case Framing::kNone:
      return BodyStatus::kEnd;
    case Framing::kUntilClose:
      out += input_;
      input_.clear();
      if (!ended_) return BodyStatus::kMore;
      return socket_.is_open() ? BodyStatus::kEnd : BodyStatus::kFailed;  // closed here: cut
    case Framing::kLength: {
      const size_t take = static_cast<size_t>(std::min<uint64_t>(remaining_, input_.size()));
      out.append(input_, 0, take);
      input_.erase(0, take);
      remaining_ -= take;
      if (remaining_ == 0) return BodyStatus::kEnd;
      break;
    }
    case Framing::kChunked: {
      const Result<size_t> taken = decoder_.Feed(input_, out);
      if (!taken) {
        failure_ = "the body has " + taken.error().message();
        return BodyStatus::kFailed;
      }
      input_.erase(0, *taken);
      if (decoder_.done()) return BodyStatus::kEnd;
      break;
    }
  }
  return ended_ ? BodyStatus::kFailed : BodyStatus::kMore;
}

Task<UpstreamIo::BodyStatus> UpstreamIo::ReadBody(std::string& out) {
  const bool received = co_await Receive();
  ended_ = !received;
  co_return TakeBody(out);
}

void UpstreamIo::SetDeadline(int timeout_ms) {
  deadline_ = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
}

void UpstreamIo::Sweep(std::chrono::steady_clock::time_point now) {
  if (now < deadline_ || !socket_.is_open()) return;
  timed_out_ = true;
  Close();
}

void UpstreamIo::Close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
}

}  // namespace skerry::proxy
