#include "appliance/admin/http_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "tests/appliance/admin/world.h"

namespace skerry::admin {
namespace {

TEST(AuthorizationTest, ExactlyTheSecret) {
  const std::string secret(64, 'a');
  EXPECT_TRUE(IsAuthorized("Bearer " + secret, secret));
  const std::string refused[] = {"",
                                 "Bearer",
                                 "Bearer ",
                                 "Bearer aa",
                                 secret,
                                 "bearer " + secret,
                                 "Basic a" + secret,
                                 "Bearer " + secret + "a",
                                 "Bearer " + std::string(63, 'a') + "b"};
  for (const std::string& bad : refused) {
    EXPECT_FALSE(IsAuthorized(bad, secret)) << bad;
  }
}

// Sends bytes to the server and returns everything until it closes or the reply is whole.
std::string Exchange(uint16_t port, const std::string& request) {
  const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const timeval limit{10, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  // The server may answer and close before everything is sent.
  (void)WriteFully(fd.get(), request).has_value();
  std::string reply;
  char bytes[4096];
  for (;;) {
    const ssize_t got = ::recv(fd.get(), bytes, sizeof bytes, 0);
    if (got <= 0) return reply;
    reply.append(bytes, static_cast<size_t>(got));
    const size_t head = reply.find("\r\n\r\n");
    const size_t length = reply.find("Content-Length: ");
    if (head == std::string::npos || length == std::string::npos) continue;
    if (reply.size() >= head + 4 + std::stoul(reply.substr(length + 16))) return reply;
  }
}

class HttpServerTest : public ::testing::Test {
 protected:
  HttpServerTest()
      : core_(Core::Open(world_.path(), RealClock()).value()),
        tokens_(*core_),
        trust_(*core_, "test"),
        models_(*core_, trust_),
        instances_(*core_, models_),
        api_(*core_, tokens_, models_, instances_, trust_),
        server_(HttpServer::Start(0, World::secret(), api_).value()) {}
  std::string Ask(const std::string& line, const std::string& headers,
                  const std::string& body = "") {
    return Exchange(server_->port(), line + " HTTP/1.1\r\nHost: localhost\r\n" + headers +
                                         "Content-Length: " + std::to_string(body.size()) +
                                         "\r\n\r\n" + body);
  }
  static std::string Status(const std::string& reply) {
    return reply.size() > 12 ? reply.substr(9, 3) : "none";
  }
  const std::string good_ = "Authorization: Bearer " + World::secret() + "\r\n";

  World world_;
  std::unique_ptr<Core> core_;
  Tokens tokens_;
  TrustKeeper trust_;
  Models models_;
  Instances instances_;
  Api api_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, NothingWithoutTheSecret) {
  const std::string wrong = "Authorization: Bearer " + std::string(64, '8') + "\r\n";
  for (const std::string& headers : {std::string(), wrong, std::string("Authorization: x\r\n")}) {
    for (const char* line :
         {"GET /admin/api/v1/status", "GET /nothing", "POST /admin/api/v1/tokens"}) {
      const std::string reply = Ask(line, headers);
      EXPECT_EQ(Status(reply), "401") << line;
      EXPECT_NE(reply.find("\"code\":\"denied\""), std::string::npos);
    }
  }
  // The refusal does not depend on the body being well-formed.
  EXPECT_EQ(Status(Ask("POST /admin/api/v1/tokens", wrong, "{\"label\":")), "401");
}

TEST_F(HttpServerTest, AnswersWithIt) {
  const std::string reply = Ask("GET /admin/api/v1/tokens", good_);
  EXPECT_EQ(Status(reply), "200");
  EXPECT_NE(reply.find("{\"tokens\":[]}"), std::string::npos);
  EXPECT_NE(reply.find("Content-Type: application/json"), std::string::npos);
  EXPECT_NE(reply.find("Cache-Control: no-store"), std::string::npos);
  EXPECT_EQ(Status(Ask("GET /admin/api/v1/tokens?x=1", good_)), "200");
  EXPECT_EQ(Status(Ask("PUT /admin/api/v1/tokens", good_)), "405");
  EXPECT_EQ(Status(Ask("POST /admin/api/v1/tokens", good_, "{")), "400");
  const std::string created = Ask("POST /admin/api/v1/tokens", good_, R"({"label":"a"})");
  EXPECT_EQ(Status(created), "201");
  EXPECT_NE(created.find("\"token\":\"sk-"), std::string::npos);
}

TEST_F(HttpServerTest, BodiesAreBounded) {
  const std::string label(kMaxBodyBytes - 100, 'x');
  const std::string large =
      Ask("POST /admin/api/v1/tokens", good_, "{\"label\":\"" + label + "\"}");
  EXPECT_EQ(Status(large), "400");  // read, and the label is too long
  EXPECT_EQ(Status(Ask("POST /admin/api/v1/tokens", good_, std::string(kMaxBodyBytes + 1, ' '))),
            "413");
  EXPECT_EQ(Status(Ask("POST /admin/api/v1/tokens", good_, std::string(4 * kMaxBodyBytes, ' '))),
            "413");
}

TEST_F(HttpServerTest, BrokenRequestsDoNotEndTheServer) {
  for (const char* bytes :
       {"\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\x16\x03\x01\x02",
        "GET / HTTP/1.1\r\nCookie: a\r\n\r\n", "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        "GET / HTTP/1.1\r\nDate: x\r\n\r\n"}) {
    const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(server_->port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_TRUE(WriteFully(fd.get(), bytes).has_value());
    ::shutdown(fd.get(), SHUT_WR);
    EXPECT_EQ(Status(Ask("GET /admin/api/v1/tokens", good_)), "200") << bytes;
  }
}

TEST_F(HttpServerTest, APortInUseIsAnError) {
  const Result<std::unique_ptr<HttpServer>> second =
      HttpServer::Start(server_->port(), World::secret(), api_);
  ASSERT_FALSE(second.has_value());
  EXPECT_NE(second.error().message().find(std::to_string(server_->port())), std::string::npos);
}

}  // namespace
}  // namespace skerry::admin
