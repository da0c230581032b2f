#include "appliance/http/client.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <thread>

#include "appliance/base/files.h"
#include "appliance/base/testing/fixtures.h"
#include "appliance/base/unix_socket.h"

namespace skerry::http {
namespace {

using skerry::testing::TemporaryDirectory;

// Accepts one connection, reads a head, answers with fixed bytes and closes.
class CannedServer {
 public:
  explicit CannedServer(std::string reply)
      : path_(directory_.path() + "/s"), listener_(ListenUnix(path_).value()) {
    thread_ = std::thread([this, reply] {
      const UniqueFd connection = AcceptUnix(listener_.get()).value();
      char byte;
      while (request_.find("\r\n\r\n") == std::string::npos &&
             ::recv(connection.get(), &byte, 1, 0) == 1) {
        request_ += byte;
      }
      (void)WriteFully(connection.get(), reply);
    });
  }
  ~CannedServer() {
    if (thread_.joinable()) thread_.join();
  }
  const std::string& path() const { return path_; }
  const std::string& Request() {
    thread_.join();
    return request_;
  }

 private:
  TemporaryDirectory directory_;
  std::string path_;
  UniqueFd listener_;
  std::string request_;
  std::thread thread_;
};

TEST(FetchUnix, ReadsABodyByItsLength) {
  CannedServer server("HTTP/1.1 200 OK\r\ncontent-length: 5\r\nX-A: b\r\n\r\nhello");
  ClientRequest request;
  request.target = "/health";
  const ClientResponse response = FetchUnix(server.path(), request).value();
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, "hello");
  EXPECT_EQ(*FindHeader(response.headers, "x-a"), "b");
  EXPECT_EQ(server.Request(),
            "GET /health HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
}

TEST(FetchUnix, ReadsChunksAndHandsThemToTheSink) {
  const char* reply =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";
  CannedServer server(reply);
  EXPECT_EQ(FetchUnix(server.path(), {}).value().body, "abcde");
  CannedServer again(reply);
  std::string seen;
  const auto sink = [&](std::string_view piece) {
    seen += piece;
    return true;
  };
  EXPECT_EQ(FetchUnix(again.path(), {}, {}, sink).value().body, "");
  EXPECT_EQ(seen, "abcde");
}

TEST(FetchUnix, AnErrorsBodyIsCollectedEvenWithASink) {
  CannedServer server("HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno");
  const auto sink = [](std::string_view) { return false; };
  EXPECT_EQ(FetchUnix(server.path(), {}, {}, sink).value().body, "no");
}

TEST(FetchUnix, CutAndBadRepliesAreErrors) {
  const std::pair<const char*, ErrorCode> cases[] = {
      {"", ErrorCode::kUnavailable},
      {"HTTP/1.1 200 OK\r\n", ErrorCode::kUnavailable},
      {"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel", ErrorCode::kUnavailable},
      {"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n",
       ErrorCode::kUnavailable},
      {"SSH-2.0-x\r\n\r\n", ErrorCode::kCorrupt},
  };
  for (const auto& [reply, code] : cases) {
    CannedServer server(reply);
    const auto response = FetchUnix(server.path(), {});
    ASSERT_FALSE(response.has_value()) << reply;
    EXPECT_EQ(response.error().code(), code) << reply << ": " << response.error().message();
  }
}

TEST(FetchUnix, LimitsHold) {
  CannedServer server("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello");
  ClientOptions options;
  options.max_body_bytes = 4;
  EXPECT_EQ(FetchUnix(server.path(), {}, options).error().code(), ErrorCode::kExhausted);
  TemporaryDirectory directory;
  EXPECT_EQ(FetchUnix(directory.path() + "/none", {}).error().code(), ErrorCode::kUnavailable);
  const UniqueFd silent = ListenUnix(directory.path() + "/silent").value();
  options.idle_timeout_ms = 50;
  EXPECT_EQ(FetchUnix(directory.path() + "/silent", {}, options).error().code(),
            ErrorCode::kUnavailable);
}

TEST(FetchTls, AddressesAreChecked) {
  for (const char* bad : {"", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:x", "example.org:443"}) {
    const auto response = FetchTls(bad, "/none", {});
    ASSERT_FALSE(response.has_value()) << bad;
    EXPECT_EQ(response.error().code(), ErrorCode::kInvalidArgument) << bad;
  }
  const auto nobody = FetchTls("127.0.0.1:1", "/none", {});
  EXPECT_EQ(nobody.error().code(), ErrorCode::kUnavailable) << nobody.error().message();
}

}  // namespace
}  // namespace skerry::http
