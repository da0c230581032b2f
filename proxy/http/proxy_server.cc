#include "proxy/http/proxy_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <future>
#include <mutex>

#include "appliance/base/log.h"
#include "proxy/http/internal/hub.h"
#include "proxy/http/internal/session.h"

namespace skerry::proxy {

namespace {

constexpr int kAcceptRetryMs = 100;  // after running out of descriptors
constexpr int kMinSweepMs = 10;
constexpr int kMaxSweepMs = 500;

Session::Peer PeerOf(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "";
  Session::Peer peer;
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    ::inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    peer.port = ntohs(v4.sin_port);
  } else if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
      ::inet_ntop(AF_INET, &v6.sin6_addr.s6_addr[12], text, sizeof text);
    } else {
      ::inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    }
    peer.port = ntohs(v6.sin6_port);
  }
  peer.ip = text;
  return peer;
}

class ProxyServerImpl : public ProxyServer {
 public:
  explicit ProxyServerImpl(ProxyParts parts)
      : tls_(*parts.tls),
        listener_(context_, parts.listener.Release()),
        hub_(parts, context_, [this] { OnDialerLost(); }),
        signals_(context_, SIGTERM, SIGINT),
        sweep_(context_),
        retry_(context_),
        drain_(context_) {}

  Result<void> Run(int drain_ms) override {
    drain_ms_ = drain_ms;
    WaitForSignal();
    WaitForClient();
    Sweep();
    context_.run();
    {
      const std::scoped_lock lock(mu_);
      closed_ = true;
    }
    // What was aborted or posted at the end still holds sessions.
    context_.restart();
    context_.poll();
    hub_.refusals.FlushAll();
    if (dialer_lost_) {
      return Error(ErrorCode::kUnavailable,
                   "the dialer process has ended; no upstream can be reached until a restart");
    }
    return {};
  }

  void Stop() override {
    Post([this] { BeginStop(); });
  }

  void ApplyPolicy(PolicyPtr policy) override {
    // Shared: the loop may still be inside set_value when this thread has gone on.
    const auto applied = std::make_shared<std::promise<void>>();
    std::future<void> done = applied->get_future();
    const bool posted = Post([this, policy, applied] {
      hub_.policy = policy;
      ForEach([&policy](Session& session) { session.Judge(policy->policy); });
      applied->set_value();
    });
    if (posted) done.wait();
  }

 private:
  template <typename Work>
  bool Post(Work work) {
    const std::scoped_lock lock(mu_);
    if (!closed_) asio::post(context_, std::move(work));
    return !closed_;
  }

  void WaitForSignal() {
    signals_.async_wait([this](const boost::system::error_code& error, int) {
      if (error) return;
      BeginStop();
      WaitForSignal();
    });
  }

  void WaitForClient() {
    if (accepting_ || hub_.stopping) return;
    accepting_ = true;
    listener_.async_wait(asio::posix::stream_descriptor::wait_read,
                         [this](const boost::system::error_code& error) {
                           accepting_ = false;
                           if (!error) Accept();
                         });
  }

  void Accept() {
    while (!hub_.stopping && hub_.sessions.size() < hub_.limits.max_connections) {
      sockaddr_storage address{};
      socklen_t size = sizeof address;
      UniqueFd fd(::accept4(listener_.native_handle(), reinterpret_cast<sockaddr*>(&address), &size,
                            SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (fd) {
        Begin(std::move(fd), address);
        continue;
      }
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno == EAGAIN) return WaitForClient();
      LogError(ErrnoError("cannot accept a connection", errno).message());
      retry_.expires_after(std::chrono::milliseconds(kAcceptRetryMs));
      return retry_.async_wait([this](const boost::system::error_code& error) {
        if (!error) WaitForClient();
      });
    }
  }

  void Begin(UniqueFd fd, const sockaddr_storage& address) {
    Result<TlsStream> tls = TlsStream::Create(tls_, fd.get());
    if (!tls) return LogError(tls.error().message());
    StreamSocket socket(context_);
    boost::system::error_code failed;
    socket.assign(asio::generic::stream_protocol(address.ss_family, 0), fd.get(), failed);
    if (failed) return LogError("cannot take a connection: " + failed.message());
    (void)fd.Release();
    auto session =
        std::make_shared<Session>(hub_, std::move(socket), std::move(tls).value(), PeerOf(address));
    asio::co_spawn(context_, Host(std::move(session)), asio::detached);
  }

  Task<void> Host(std::shared_ptr<Session> session) {
    co_await session->Run();
    hub_.sessions.erase(session.get());
    session.reset();
    if (!hub_.stopping) {
      WaitForClient();
    } else if (hub_.sessions.empty()) {
      context_.stop();
    }
  }

  void Sweep() {
    const Limits& limits = hub_.limits;
    const int shortest =
        std::min({limits.handshake_timeout_ms, limits.head_timeout_ms, limits.body_timeout_ms,
                  limits.idle_timeout_ms, limits.write_timeout_ms, limits.upstream_head_timeout_ms,
                  limits.upstream_idle_timeout_ms});
    sweep_.expires_after(
        std::chrono::milliseconds(std::clamp(shortest / 4, kMinSweepMs, kMaxSweepMs)));
    sweep_.async_wait([this](const boost::system::error_code& error) {
      if (error) return;
      const auto now = std::chrono::steady_clock::now();
      ForEach([now](Session& session) { session.Sweep(now); });
      hub_.refusals.Flush(hub_.clock.MonotonicNanos());
      Sweep();
    });
  }

  // The first call lets running requests finish, the second cuts them.
  void BeginStop() {
    if (hub_.stopping) return ForEach([](Session& session) { session.Cut(); });
    hub_.stopping = true;
    boost::system::error_code ignored;
    listener_.close(ignored);
    retry_.cancel();
    ForEach([](Session& session) { session.Drain(); });
    if (hub_.sessions.empty()) return context_.stop();
    drain_.expires_after(std::chrono::milliseconds(drain_ms_));
    drain_.async_wait([this](const boost::system::error_code& error) {
      if (!error) ForEach([](Session& session) { session.Cut(); });
    });
  }

  void OnDialerLost() {
    dialer_lost_ = true;
    BeginStop();
  }

  // Interrupting a session only cancels its waits: the set does not change meanwhile.
  template <typename Visit>
  void ForEach(Visit visit) {
    for (Session* session : hub_.sessions) visit(*session);
  }

  const TlsContext& tls_;
  asio::io_context context_{1};
  asio::posix::stream_descriptor listener_;
  Hub hub_;
  asio::signal_set signals_;
  asio::steady_timer sweep_;
  asio::steady_timer retry_;
  asio::steady_timer drain_;
  int drain_ms_ = 0;
  bool accepting_ = false;
  bool dialer_lost_ = false;
  std::mutex mu_;
  bool closed_ = false;  // guarded by mu_: the loop has ended
};

}  // namespace

Result<std::unique_ptr<ProxyServer>> ProxyServer::Create(ProxyParts parts) {
  const int listener = parts.listener.get();
  int listening = 0;
  socklen_t size = sizeof listening;
  if (::getsockopt(listener, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 || listening == 0) {
    return Error(ErrorCode::kInvalidArgument, "the inherited 'tls' descriptor does not listen");
  }
  const int flags = ::fcntl(listener, F_GETFL);
  if (flags < 0 || ::fcntl(listener, F_SETFL, flags | O_NONBLOCK) != 0) {
    return ErrnoError("cannot use the listening socket", errno);
  }
  const int on = 1;
  ::setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // accepted ones inherit it
  return std::unique_ptr<ProxyServer>(std::make_unique<ProxyServerImpl>(std::move(parts)));
}

}  // namespace skerry::proxy
