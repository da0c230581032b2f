#include "proxy/tls/stream.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

namespace skerry::proxy {

void TlsStream::Free::operator()(ssl_st* ssl) const { ::SSL_free(ssl); }

Result<TlsStream> TlsStream::Create(const TlsContext& context, int socket) {
  TlsStream stream(::SSL_new(context.get()));
  if (!stream.ssl_ || ::SSL_set_fd(stream.ssl_.get(), socket) != 1) {
    ::ERR_clear_error();
    return Error(ErrorCode::kExhausted, "cannot make a TLS connection");
  }
  ::SSL_set_accept_state(stream.ssl_.get());
  return stream;
}

TlsProgress TlsStream::Outcome(int result, size_t bytes) {
  if (result == 1) return {TlsStatus::kOk, bytes};
  switch (::SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return {TlsStatus::kWantRead, 0};
    case SSL_ERROR_WANT_WRITE:
      return {TlsStatus::kWantWrite, 0};
    case SSL_ERROR_ZERO_RETURN:
      return {TlsStatus::kClosed, 0};
    default:
      // Includes an end without close_notify: a request cut there is refused by its own framing.
      failed_ = true;
      ::ERR_clear_error();
      return {TlsStatus::kFailed, 0};
  }
}

TlsProgress TlsStream::Handshake() {
  ::ERR_clear_error();
  return Outcome(::SSL_do_handshake(ssl_.get()), 0);
}

TlsProgress TlsStream::Read(std::span<char> out) {
  if (failed_) return {};
  ::ERR_clear_error();
  size_t bytes = 0;
  const int result = ::SSL_read_ex(ssl_.get(), out.data(), out.size(), &bytes);
  return Outcome(result, bytes);
}

TlsProgress TlsStream::Write(std::string_view bytes) {
  if (failed_) return {};
  ::ERR_clear_error();
  size_t written = 0;
  const int result = ::SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &written);
  return Outcome(result, written);
}

void TlsStream::Shutdown() {
  // After a failure OpenSSL forbids further calls; during a handshake there is nothing to close.
  if (failed_ || ::SSL_in_init(ssl_.get()) == 1) return;
  ::ERR_clear_error();
  ::SSL_shutdown(ssl_.get());
  ::ERR_clear_error();
}

std::string_view TlsStream::Version() const { return ::SSL_get_version(ssl_.get()); }

}  // namespace skerry::proxy
