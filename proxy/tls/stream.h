// One TLS connection over a non-blocking socket, without an event loop: each call does what it can
// and says what to wait for. OpenSSL reads and writes the socket itself, so no byte is copied twice
// and an idle connection holds no buffers.
#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "appliance/base/result.h"
#include "proxy/tls/context.h"

struct ssl_st;  // OpenSSL's SSL

namespace skerry::proxy {

enum class TlsStatus {
  kOk,
  kWantRead,   // call again when the socket is readable
  kWantWrite,  // call again when the socket is writable
  kClosed,     // the peer ended the connection
  kFailed,     // broken: only closing is left
};

struct TlsProgress {
  TlsStatus status = TlsStatus::kFailed;
  size_t bytes = 0;
};

// One thread. A read may run between two attempts of a write and the other way round.
class TlsStream {
 public:
  // `socket` must stay open as long as this object; it is not owned. The program must ignore
  // SIGPIPE.
  static Result<TlsStream> Create(const TlsContext& context, int socket);

  TlsProgress Handshake();
  TlsProgress Read(std::span<char> out);
  TlsProgress Write(std::string_view bytes);  // may take a part of it
  // Sends close_notify as far as the socket takes it now.
  void Shutdown();

  // "TLSv1.3", after the handshake.
  std::string_view Version() const;

 private:
  struct Free {
    void operator()(ssl_st* ssl) const;
  };
  explicit TlsStream(ssl_st* ssl) : ssl_(ssl) {}
  TlsProgress Outcome(int result, size_t bytes);
  std::unique_ptr<ssl_st, Free> ssl_;
  bool failed_ = false;
};

}  // namespace skerry::proxy
