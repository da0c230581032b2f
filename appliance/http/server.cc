#include "appliance/http/server.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <thread>

#include "appliance/http/error.h"
#include "appliance/http/internal/connection.h"
#include "appliance/http/reply.h"

namespace skerry::http {

namespace internal {

// Called by any thread; everything it does to the connection is posted to the loop, in order.
class ConnectionResponder : public Responder {
 public:
  explicit ConnectionResponder(std::shared_ptr<Exchange> exchange)
      : exchange_(std::move(exchange)) {}

  ~ConnectionResponder() override {
    if (exchange_->phase == Exchange::Phase::kNew) {
      Send({500,
            {{"content-type", "application/json"}},
            ErrorBody({500, "the request ended without an answer", "internal", ""})});
    } else if (exchange_->phase == Exchange::Phase::kStreaming) {
      Abort();
    }
  }

  void Send(Response response) override {
    if (!Enter(Exchange::Phase::kNew, Exchange::Phase::kEnded)) return;
    Post([response = std::move(response)](Connection& connection, const auto& exchange) {
      connection.StartHead(exchange, response.status, response.headers, &response.body);
    });
  }

  void Start(int status, HeaderList headers) override {
    if (!Enter(Exchange::Phase::kNew, Exchange::Phase::kStreaming)) return;
    Post([status, headers = std::move(headers)](Connection& connection, const auto& exchange) {
      connection.StartHead(exchange, status, headers, nullptr);
    });
  }

  size_t Write(std::string bytes) override {
    if (exchange_->phase != Exchange::Phase::kStreaming || exchange_->gone) return 0;
    if (bytes.empty() || exchange_->head_only) return exchange_->pending_bytes;
    std::string chunk;
    chunk.reserve(bytes.size() + 16);
    AppendChunk(bytes, chunk);
    const size_t pending = exchange_->pending_bytes += chunk.size();
    Post([chunk = std::move(chunk)](Connection& connection, const auto& exchange) mutable {
      connection.Deliver(exchange, std::move(chunk), Connection::Part::kMore);
    });
    return pending;
  }

  void Finish(HeaderList trailers) override {
    if (!Enter(Exchange::Phase::kStreaming, Exchange::Phase::kEnded)) return;
    std::string last;
    if (!exchange_->head_only) AppendLastChunk(trailers, last);
    exchange_->pending_bytes += last.size();
    Post([last = std::move(last)](Connection& connection, const auto& exchange) mutable {
      connection.Deliver(exchange, std::move(last), Connection::Part::kEnd);
    });
  }

  void Abort() override {
    if (!Enter(Exchange::Phase::kStreaming, Exchange::Phase::kEnded)) return;
    Post([](Connection& connection, const auto& exchange) {
      connection.Deliver(exchange, "", Connection::Part::kCut);
    });
  }

  bool ClientGone() const override { return exchange_->gone; }

  void OnClientGone(std::function<void()> callback) override {
    exchange_->loop->Post([exchange = exchange_, callback = std::move(callback)]() mutable {
      if (exchange->gone) return callback();
      const auto connection = exchange->connection.lock();
      if (connection) connection->WatchGone(exchange, std::move(callback));
    });
  }

 private:
  bool Enter(Exchange::Phase from, Exchange::Phase to) {
    return exchange_->phase.compare_exchange_strong(from, to);
  }

  template <typename Work>
  void Post(Work work) {
    exchange_->loop->Post([exchange = exchange_, work = std::move(work)]() mutable {
      const auto connection = exchange->connection.lock();
      if (connection) work(*connection, exchange);
    });
  }

  const std::shared_ptr<Exchange> exchange_;
};

void Connection::Dispatch() {
  state_ = State::kReplying;
  exchange_ = std::make_shared<Exchange>();
  exchange_->loop = shared_.loop;
  exchange_->connection = weak_from_this();
  exchange_->head_only = request_.head.method == "HEAD";
  // The head stays here as well: keep_alive is needed when the reply starts.
  Request request{request_.head, std::move(request_.body)};
  shared_.handler(std::move(request), std::make_shared<ConnectionResponder>(exchange_));
}

}  // namespace internal

namespace {

namespace asio = boost::asio;
using internal::Connection;

constexpr int kAcceptRetryMs = 100;  // after running out of descriptors
constexpr int kMaxSweepMs = 500;
constexpr int kMinSweepMs = 5;

class ServerImpl : public Server {
 public:
  ServerImpl(UniqueFd listener, ServerOptions options, Handler handler)
      : loop_(std::make_shared<internal::Loop>()),
        work_(loop_->context().get_executor()),
        listener_(loop_->context(), listener.Release()),
        sweep_(loop_->context()),
        retry_(loop_->context()),
        drain_(loop_->context()) {
    shared_.loop = loop_;
    shared_.options = options;
    shared_.handler = std::move(handler);
    shared_.on_closed = [this] { OnClosed(); };
    sweep_ms_ = std::clamp(std::min({options.head_timeout_ms, options.body_timeout_ms,
                                     options.idle_timeout_ms, options.write_timeout_ms}) /
                               4,
                           kMinSweepMs, kMaxSweepMs);
  }

  ~ServerImpl() override { Stop(0); }

  void Run() {
    thread_ = std::thread([this] {
      WaitForClient();
      Sweep();
      loop_->context().run();
    });
  }

  void Stop(int drain_ms) override {
    const std::scoped_lock lock(stop_mu_);
    if (!thread_.joinable()) return;
    loop_->Post([this, drain_ms] { BeginStop(drain_ms); });
    thread_.join();
    loop_->CloseAndDrain();
  }

 private:
  void WaitForClient() {
    if (accepting_ || shared_.stopping) return;
    accepting_ = true;
    listener_.async_wait(asio::posix::stream_descriptor::wait_read,
                         [this](const boost::system::error_code& error) {
                           accepting_ = false;
                           if (!error) Accept();
                         });
  }

  void Accept() {
    while (!Full()) {
      const int fd =
          ::accept4(listener_.native_handle(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (fd < 0) {
        if (errno == EINTR || errno == ECONNABORTED) continue;
        if (errno == EAGAIN) return WaitForClient();
        retry_.expires_after(std::chrono::milliseconds(kAcceptRetryMs));
        return retry_.async_wait([this](const boost::system::error_code& error) {
          if (!error) WaitForClient();
        });
      }
      asio::generic::stream_protocol::socket socket(loop_->context());
      boost::system::error_code failed;
      socket.assign(asio::generic::stream_protocol(family_, 0), fd, failed);
      if (failed) {
        ::close(fd);
        continue;
      }
      const auto connection = std::make_shared<Connection>(shared_, std::move(socket));
      shared_.connections.insert(connection);
      connection->Begin();
    }
  }

  bool Full() const {
    return shared_.stopping ||
           shared_.connections.size() >= static_cast<size_t>(shared_.options.max_connections);
  }

  void OnClosed() {
    if (!shared_.stopping) return WaitForClient();
    if (shared_.connections.empty()) Finish();
  }

  void Sweep() {
    sweep_.expires_after(std::chrono::milliseconds(sweep_ms_));
    sweep_.async_wait([this](const boost::system::error_code& error) {
      if (error) return;
      ForEach([now = std::chrono::steady_clock::now()](Connection& c) { c.Sweep(now); });
      if (!finished_) Sweep();
    });
  }

  void BeginStop(int drain_ms) {
    shared_.stopping = true;
    boost::system::error_code ignored;
    listener_.close(ignored);
    retry_.cancel();
    ForEach([](Connection& c) { c.Drain(); });
    if (shared_.connections.empty()) return Finish();
    drain_.expires_after(std::chrono::milliseconds(drain_ms));
    drain_.async_wait([this](const boost::system::error_code& error) {
      if (!error) ForEach([](Connection& c) { c.Close(); });
    });
  }

  void Finish() {
    finished_ = true;
    sweep_.cancel();
    drain_.cancel();
    work_.reset();
  }

  // Over a copy: `visit` may close connections.
  template <typename Visit>
  void ForEach(Visit visit) {
    const std::vector<std::shared_ptr<Connection>> copy(shared_.connections.begin(),
                                                        shared_.connections.end());
    for (const auto& connection : copy) visit(*connection);
  }

  friend Result<std::unique_ptr<Server>> Server::Start(UniqueFd, ServerOptions, Handler);

  const std::shared_ptr<internal::Loop> loop_;  // shared with answers still to come
  asio::executor_work_guard<asio::io_context::executor_type> work_;
  asio::posix::stream_descriptor listener_;
  asio::steady_timer sweep_;
  asio::steady_timer retry_;
  asio::steady_timer drain_;
  internal::Shared shared_;
  int family_ = 0;
  int sweep_ms_ = kMaxSweepMs;
  bool accepting_ = false;
  bool finished_ = false;
  std::mutex stop_mu_;
  std::thread thread_;  // guarded by stop_mu_
};

}  // namespace

Result<std::unique_ptr<Server>> Server::Start(UniqueFd listener, ServerOptions options,
                                              Handler handler) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return ErrnoError("cannot use the listening socket", errno);
  }
  const int flags = ::fcntl(listener.get(), F_GETFL);
  if (flags < 0 || ::fcntl(listener.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
    return ErrnoError("cannot use the listening socket", errno);
  }
  auto server = std::make_unique<ServerImpl>(std::move(listener), options, std::move(handler));
  server->family_ = address.ss_family;
  server->Run();
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace skerry::http
