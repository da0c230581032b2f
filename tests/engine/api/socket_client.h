// A client on a Unix socket that sees what arrives: head, body as it comes, trailers.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/unix_socket.h"
#include "appliance/http/chunked.h"
#include "appliance/http/head.h"

namespace skerry::engine::testing {

// One thread, one connection, kept alive between requests.
class SocketClient {
 public:
  struct Reply {
    int status = 0;
    http::HeaderList headers;
    std::string body;
    http::HeaderList trailers;
    bool whole = false;

    std::string Header(std::string_view name) const {
      const std::string* value = http::FindHeader(headers, name);
      return value == nullptr ? "" : *value;
    }
  };

  explicit SocketClient(const std::string& path) : fd_(ConnectUnix(path).value()) {}

  void Send(std::string_view method, std::string_view path, std::string_view body = "",
            std::string_view headers = "") {
    std::string request = std::string(method) + " " + std::string(path) +
                          " HTTP/1.1\r\nHost: x\r\n" + std::string(headers);
    if (method == "POST") request += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    request += "\r\n";
    request += body;
    ASSERT_TRUE(WriteFully(fd_.get(), request));
  }

  Reply Receive() {
    Reply reply;
    while (http::FindHeadEnd(input_) == std::string::npos) {
      if (!Fill()) return reply;
    }
    const size_t end = http::FindHeadEnd(input_);
    const auto head = http::CheckResponseHead(input_.substr(0, end)).value();
    input_.erase(0, end);
    reply.status = head.status;
    reply.headers = head.headers;
    if (head.chunked) {
      http::ChunkedDecoder decoder;
      while (!decoder.done()) {
        if (input_.empty() && !Fill()) return reply;
        input_.erase(0, decoder.Feed(input_, reply.body).value());
      }
      reply.trailers = decoder.trailers();
    } else {
      while (input_.size() < head.content_length.value_or(0)) {
        if (!Fill()) return reply;
      }
      reply.body = input_.substr(0, head.content_length.value_or(0));
      input_.erase(0, reply.body.size());
    }
    reply.whole = true;
    return reply;
  }

  Reply Ask(std::string_view method, std::string_view path, std::string_view body = "",
            std::string_view headers = "") {
    Send(method, path, body, headers);
    return Receive();
  }

  // Reads until `text` has arrived.
  bool WaitFor(std::string_view text) {
    while (input_.find(text) == std::string::npos) {
      if (!Fill()) return false;
    }
    return true;
  }

  void Close() { fd_.Reset(); }

 private:
  bool Fill() {
    constexpr int kPatienceMs = 30'000;
    pollfd wait{fd_.get(), POLLIN, 0};
    if (::poll(&wait, 1, kPatienceMs) != 1) {
      ADD_FAILURE() << "nothing came after '" << input_ << "'";
      return false;
    }
    char buffer[4096];
    const ssize_t got = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    if (got <= 0) return false;
    input_.append(buffer, static_cast<size_t>(got));
    return true;
  }

  UniqueFd fd_;
  std::string input_;
};

// The JSON texts of a stream's data lines in order; fails the test on any other line but comments.
inline std::vector<std::string> StreamData(const std::string& body) {
  std::vector<std::string> data;
  size_t at = 0;
  while (at < body.size()) {
    const size_t end = body.find("\n\n", at);
    EXPECT_NE(end, std::string::npos);
    if (end == std::string::npos) return data;
    const std::string event = body.substr(at, end - at);
    at = end + 2;
    if (event[0] == ':') continue;
    EXPECT_TRUE(event.starts_with("data: ")) << event;
    data.push_back(event.substr(6));
  }
  return data;
}

}  // namespace skerry::engine::testing
