#include "appliance/admin/http_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pistache/endpoint.h>
#include <sodium.h>
#include <sys/socket.h>

#include <cerrno>
#include <chrono>

#include "appliance/base/log.h"
#include "appliance/base/unique_fd.h"

namespace skerry::admin {

namespace {

// A call may wait for an engine's last replies; others must not wait behind it.
constexpr int kThreads = 8;
constexpr auto kHeaderTimeout = std::chrono::seconds(10);
constexpr auto kBodyTimeout = std::chrono::seconds(30);
constexpr size_t kMaxHeadBytes = 64 << 10;
constexpr std::string_view kScheme = "Bearer ";

class Handler : public Pistache::Http::Handler {
 public:
  HTTP_PROTOTYPE(Handler)

  Handler(std::string secret, Api& api) : secret_(std::move(secret)), api_(api) {}

  void onRequest(const Pistache::Http::Request& request,
                 Pistache::Http::ResponseWriter writer) override {
    const auto& raw = request.headers().rawList();
    const auto authorization = raw.find("Authorization");
    ApiReply reply;
    if (authorization == raw.end() || !IsAuthorized(authorization->second.value(), secret_)) {
      reply = ErrorReply(Error(ErrorCode::kDenied, "the admin secret is missing or wrong"), 401);
    } else {
      reply = api_.Handle(
          {Pistache::Http::methodString(request.method()), request.resource(), request.body()});
    }
    writer.headers().add<Pistache::Http::Header::ContentType>(MIME(Application, Json));
    writer.headers().add<Pistache::Http::Header::CacheControl>(
        Pistache::Http::CacheDirective(Pistache::Http::CacheDirective::NoStore));
    writer.send(static_cast<Pistache::Http::Code>(reply.status), reply.body);
  }

  void onTimeout(const Pistache::Http::Request&, Pistache::Http::ResponseWriter writer) override {
    const ApiReply reply =
        ErrorReply(Error(ErrorCode::kUnavailable, "the request took too long to arrive"), 408);
    writer.headers().add<Pistache::Http::Header::ContentType>(MIME(Application, Json));
    writer.send(Pistache::Http::Code::Request_Timeout, reply.body);
  }

 private:
  const std::string secret_;
  Api& api_;
};

class PistacheServer : public HttpServer {
 public:
  explicit PistacheServer(uint16_t port)
      : endpoint_(Pistache::Address(Pistache::Ipv4::loopback(), Pistache::Port(port))) {}
  ~PistacheServer() override { endpoint_.shutdown(); }

  void Serve(std::string secret, Api& api) {
    endpoint_.init(Pistache::Http::Endpoint::options()
                       .threads(kThreads)
                       .threadsName("admin-api")
                       .flags(Pistache::Tcp::Options::ReuseAddr)
                       .maxRequestSize(kMaxBodyBytes + kMaxHeadBytes)
                       .headerTimeout(kHeaderTimeout)
                       .bodyTimeout(kBodyTimeout));
    endpoint_.setHandler(std::make_shared<Handler>(std::move(secret), api));
    endpoint_.serveThreaded();
  }

  uint16_t port() const override { return endpoint_.getPort(); }

 private:
  Pistache::Http::Endpoint endpoint_;
};

}  // namespace

bool IsAuthorized(std::string_view authorization, std::string_view secret) {
  if (authorization.size() != kScheme.size() + secret.size()) return false;
  if (!authorization.starts_with(kScheme)) return false;
  return sodium_memcmp(authorization.data() + kScheme.size(), secret.data(), secret.size()) == 0;
}

Result<std::unique_ptr<HttpServer>> HttpServer::Start(uint16_t port, const std::string& secret,
                                                      Api& api) {
  // Pistache reports its errors as exceptions.
  try {
    auto server = std::make_unique<PistacheServer>(port);
    server->Serve(secret, api);
    return std::unique_ptr<HttpServer>(std::move(server));
  } catch (const std::exception& error) {
    return Error(ErrorCode::kUnavailable,
                 "cannot listen on 127.0.0.1:" + std::to_string(port) + ": " + error.what());
  }
}

}  // namespace skerry::admin
