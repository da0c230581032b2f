// Reads replies one by one from any source of bytes, for tests that send what no client library
// would.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>

#include "appliance/http/chunked.h"
#include "appliance/http/head.h"

namespace skerry::http::testing {

struct RawReply {
  ResponseHead head;
  std::string body;
  HeaderList trailers;
  bool whole = false;

  std::string Header(std::string_view name) const {
    const std::string* value = FindHeader(head.headers, name);
    return value == nullptr ? "" : *value;
  }
};

class ReplyReader {
 public:
  // Up to `size` bytes into `out`; 0 or less at the end of the connection.
  using Source = std::function<ssize_t(char* out, size_t size)>;
  explicit ReplyReader(Source source) : source_(std::move(source)) {}

  bool Fill() {
    char buffer[4096];
    const ssize_t got = source_(buffer, sizeof buffer);
    if (got <= 0) return false;
    input_.append(buffer, static_cast<size_t>(got));
    return true;
  }

  // Keeps everything read.
  bool WaitFor(std::string_view text) {
    while (input_.find(text) == std::string::npos) {
      if (!Fill()) return false;
    }
    return true;
  }

  std::string ReadToEnd() {
    while (Fill()) {
    }
    return std::exchange(input_, "");
  }

  // whole is false when the connection ended first.
  RawReply ReadReply() {
    RawReply reply;
    while (FindHeadEnd(input_) == std::string::npos) {
      if (!Fill()) return reply;
    }
    const size_t end = FindHeadEnd(input_);
    reply.head = CheckResponseHead(input_.substr(0, end)).value();
    input_.erase(0, end);
    if (!reply.head.chunked) {
      const size_t size = reply.head.content_length.value_or(0);
      while (input_.size() < size) {
        if (!Fill()) {
          reply.body = std::exchange(input_, "");
          return reply;
        }
      }
      reply.body = input_.substr(0, size);
      input_.erase(0, size);
      reply.whole = true;
      return reply;
    }
    ChunkedDecoder decoder;
    while (!decoder.done()) {
      if (input_.empty() && !Fill()) return reply;
      input_.erase(0, decoder.Feed(input_, reply.body).value());
    }
    reply.trailers = decoder.trailers();
    reply.whole = true;
    return reply;
  }

 private:
  const Source source_;
  std::string input_;
};

}  // namespace skerry::http::testing
