#include "proxy/http/internal/client_io.h"

#include <sys/socket.h>

namespace skerry::proxy {

namespace {

constexpr size_t kReadBytes = 16 << 10;  // one TLS record
constexpr size_t kMaxLingerBytes = 1 << 20;

}  // namespace

void ClientIo::SetDeadline(int timeout_ms) {
  deadline_ = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  timed_out_ = false;
}

void ClientIo::Sweep(Time now) {
  if (timed_out_ || now < deadline_) return;
  timed_out_ = true;
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

void ClientIo::Interrupt() {
  interrupted_ = true;
  boost::system::error_code ignored;
  socket_.cancel(ignored);
}

void ClientIo::ReleaseInput() {
  if (input_.empty()) std::string().swap(input_);
}

Task<IoStatus> ClientIo::Wait(StreamSocket::wait_type what) {
  if (interrupted_) co_return IoStatus::kInterrupted;
  if (timed_out_) co_return IoStatus::kTimeout;
  ErrorCondition error;
  co_await socket_.async_wait(what, Await(error));
  if (interrupted_) co_return IoStatus::kInterrupted;
  if (timed_out_) co_return IoStatus::kTimeout;
  co_return error ? IoStatus::kClosed : IoStatus::kOk;
}

TlsStatus ClientIo::TryFill() {
  const size_t before = input_.size();
  input_.resize(before + kReadBytes);
  const TlsProgress progress = tls_.Read({input_.data() + before, kReadBytes});
  input_.resize(before + (progress.status == TlsStatus::kOk ? progress.bytes : 0));
  return progress.status;
}

Task<IoStatus> ClientIo::Handshake() {
  for (;;) {
    const TlsProgress progress = tls_.Handshake();
    if (progress.status == TlsStatus::kOk) co_return IoStatus::kOk;
    if (progress.status != TlsStatus::kWantRead && progress.status != TlsStatus::kWantWrite) {
      co_return IoStatus::kClosed;
    }
    const IoStatus waited =
        co_await Wait(progress.status == TlsStatus::kWantRead ? StreamSocket::wait_read
                                                              : StreamSocket::wait_write);
    if (waited != IoStatus::kOk) co_return waited;
  }
}

Task<IoStatus> ClientIo::Fill() {
  for (;;) {
    const TlsStatus status = TryFill();
    if (status == TlsStatus::kOk) co_return IoStatus::kOk;
    if (status != TlsStatus::kWantRead && status != TlsStatus::kWantWrite) {
      co_return IoStatus::kClosed;
    }
    ReleaseInput();
    const IoStatus waited = co_await Wait(
        status == TlsStatus::kWantRead ? StreamSocket::wait_read : StreamSocket::wait_write);
    if (waited != IoStatus::kOk) co_return waited;
  }
}

Task<IoStatus> ClientIo::Write(std::string_view bytes, int timeout_ms) {
  if (write_broken_) co_return IoStatus::kClosed;
  const IoStatus status = co_await WriteSome(bytes, timeout_ms);
  write_broken_ = status != IoStatus::kOk;
  ClearDeadline();
  co_return status;
}

Task<IoStatus> ClientIo::WriteSome(std::string_view bytes, int timeout_ms) {
  SetDeadline(timeout_ms);
  while (!bytes.empty()) {
    if (interrupted_) co_return IoStatus::kInterrupted;
    const TlsProgress progress = tls_.Write(bytes);
    if (progress.status == TlsStatus::kOk) {
      bytes.remove_prefix(progress.bytes);
      SetDeadline(timeout_ms);
      continue;
    }
    if (progress.status != TlsStatus::kWantRead && progress.status != TlsStatus::kWantWrite) {
      co_return IoStatus::kClosed;
    }
    const IoStatus waited =
        co_await Wait(progress.status == TlsStatus::kWantRead ? StreamSocket::wait_read
                                                              : StreamSocket::wait_write);
    if (waited != IoStatus::kOk) co_return waited;
  }
  co_return IoStatus::kOk;
}

Task<void> ClientIo::Finish(bool linger, int timeout_ms) {
  if (!write_broken_) tls_.Shutdown();
  boost::system::error_code ignored;
  socket_.shutdown(asio::socket_base::shutdown_send, ignored);
  size_t discarded = 0;
  if (linger) SetDeadline(timeout_ms);
  while (linger && discarded < kMaxLingerBytes) {
    char scratch[4096];
    const ssize_t got = ::recv(socket_.native_handle(), scratch, sizeof scratch, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) break;
    if (got > 0) {
      discarded += static_cast<size_t>(got);
      continue;
    }
    const IoStatus waited = co_await Wait(StreamSocket::wait_read);
    if (waited != IoStatus::kOk) break;
  }
  socket_.close(ignored);
}

void ClientIo::Watch(size_t max_input, std::function<void()> on_closed,
                     std::shared_ptr<void> keep_alive) {
  watch_limit_ = max_input;
  on_closed_ = std::move(on_closed);
  keep_alive_ = std::move(keep_alive);
  // Bytes may have come before: then no further event would tell of them.
  OnWatchReadable();
}

void ClientIo::StopWatching() {
  on_closed_ = nullptr;
  keep_alive_ = nullptr;
}

void ClientIo::ArmWatch() {
  if (watch_armed_) return;
  watch_armed_ = true;
  // The wait stays armed after StopWatching and serves the next Watch: at most one is under way.
  socket_.async_wait(StreamSocket::wait_read,
                     [this, alive = keep_alive_](const boost::system::error_code& error) {
                       watch_armed_ = false;
                       if (!error) OnWatchReadable();
                     });
}

void ClientIo::OnWatchReadable() {
  if (!on_closed_) return;
  while (input_.size() < watch_limit_) {
    const TlsStatus status = TryFill();
    if (status == TlsStatus::kOk) continue;
    if (status == TlsStatus::kWantRead || status == TlsStatus::kWantWrite) return ArmWatch();
    break;
  }
  const auto on_closed = std::move(on_closed_);
  on_closed_ = nullptr;
  on_closed();
}

}  // namespace skerry::proxy
