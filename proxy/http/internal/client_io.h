// The client's side of a connection: TLS over a socket, driven by coroutines, with the bytes
// received and not yet consumed. Waiting can be ended from outside (deadline, revocation,
// shutdown).
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "proxy/http/internal/asio.h"
#include "proxy/tls/stream.h"

namespace skerry::proxy {

enum class IoStatus {
  kOk,
  kClosed,       // the client ended the connection, or it broke
  kTimeout,      // the deadline passed
  kInterrupted,  // by Interrupt
};

class ClientIo {
 public:
  using Time = std::chrono::steady_clock::time_point;

  ClientIo(StreamSocket socket, TlsStream tls) : socket_(std::move(socket)), tls_(std::move(tls)) {}

  Task<IoStatus> Handshake();
  // Appends received bytes to input(), at least one.
  Task<IoStatus> Fill();
  // All of `bytes`; the deadline moves on with every byte taken. After a write that was not kOk
  // nothing can be written any more: half a TLS record or half a chunk is on its way.
  Task<IoStatus> Write(std::string_view bytes, int timeout_ms);
  // Ends the connection: close_notify, and where input is unread, waits for the client to have read
  // the answer (closing at once would reset the connection and destroy it).
  Task<void> Finish(bool linger, int timeout_ms);

  std::string& input() { return input_; }
  // Gives the memory of an empty input back.
  void ReleaseInput();

  void SetDeadline(int timeout_ms);
  void ClearDeadline() { deadline_ = Time::max(); }
  // Ends the wait under way with kTimeout when the deadline has passed.
  void Sweep(Time now);
  // Ends the wait under way, and the next one, with kInterrupted; until ClearInterrupt.
  void Interrupt();
  void ClearInterrupt() { interrupted_ = false; }

  // From now on to StopWatching reads ahead and calls `on_closed` once when the client ends the
  // connection, or has sent `max_input` bytes: behind those its end could not be seen. `keep_alive`
  // is held while a read is under way.
  void Watch(size_t max_input, std::function<void()> on_closed, std::shared_ptr<void> keep_alive);
  void StopWatching();

 private:
  Task<IoStatus> WriteSome(std::string_view bytes, int timeout_ms);
  Task<IoStatus> Wait(StreamSocket::wait_type what);
  // Reads what is there; kOk: something was appended.
  TlsStatus TryFill();
  void ArmWatch();
  void OnWatchReadable();

  StreamSocket socket_;
  TlsStream tls_;
  std::string input_;
  Time deadline_ = Time::max();
  bool timed_out_ = false;
  bool interrupted_ = false;
  bool write_broken_ = false;

  size_t watch_limit_ = 0;
  std::function<void()> on_closed_;  // set: watching
  std::shared_ptr<void> keep_alive_;
  bool watch_armed_ = false;
};

}  // namespace skerry::proxy
