#include "appliance/http/client.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <optional>

#include "appliance/base/unix_socket.h"
#include "appliance/http/chunked.h"

namespace skerry::http {

namespace {

constexpr size_t kReadStep = 64 << 10;
constexpr size_t kMaxResponseHead = 64 << 10;

// A connected byte stream with a time limit on every wait.
class Stream {
 public:
  virtual ~Stream() = default;
  virtual Result<void> Write(std::string_view bytes) = 0;
  // Appends what arrived to `buffer`; 0 at the end of the stream.
  virtual Result<size_t> Read(std::string& buffer) = 0;
};

Result<void> WaitFor(int fd, short events, int timeout_ms) {
  pollfd wait{fd, events, 0};
  int ready;
  do {
    ready = ::poll(&wait, 1, timeout_ms);
  } while (ready < 0 && errno == EINTR);
  if (ready < 0) return ErrnoError("cannot wait for the connection", errno);
  if (ready == 0) {
    return Error(ErrorCode::kUnavailable, "no answer within " + std::to_string(timeout_ms) + " ms");
  }
  return {};
}

class PlainStream : public Stream {
 public:
  PlainStream(UniqueFd fd, int timeout_ms) : fd_(std::move(fd)), timeout_ms_(timeout_ms) {}

  Result<void> Write(std::string_view bytes) override { return WriteFully(fd_.get(), bytes); }

  Result<size_t> Read(std::string& buffer) override {
    TRY(WaitFor(fd_.get(), POLLIN, timeout_ms_));
    const size_t old_size = buffer.size();
    buffer.resize(old_size + kReadStep);
    ssize_t got;
    do {
      got = ::recv(fd_.get(), buffer.data() + old_size, kReadStep, 0);
    } while (got < 0 && errno == EINTR);
    buffer.resize(old_size + static_cast<size_t>(got > 0 ? got : 0));
    if (got < 0 && errno != ECONNRESET) return ErrnoError("cannot read the reply", errno);
    return static_cast<size_t>(got > 0 ? got : 0);
  }

 private:
  UniqueFd fd_;
  int timeout_ms_;
};

struct SslDeleter {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

Error TlsError(std::string_view what, SSL* ssl) {
  const long verify = ssl == nullptr ? X509_V_OK : SSL_get_verify_result(ssl);
  std::string reason;
  if (verify != X509_V_OK) {
    reason = X509_verify_cert_error_string(verify);
  } else if (const unsigned long code = ERR_peek_last_error(); code != 0) {
    char text[200];
    ERR_error_string_n(code, text, sizeof text);
    reason = text;
  } else {
    reason = "the connection was closed";
  }
  ERR_clear_error();
  return Error(verify != X509_V_OK ? ErrorCode::kUntrusted : ErrorCode::kUnavailable,
               std::string(what) + ": " + reason);
}

class TlsStream : public Stream {
 public:
  // `fd` is connected and non-blocking.
  static Result<std::unique_ptr<Stream>> Connect(UniqueFd fd, const std::string& host,
                                                 const std::string& ca_file, int timeout_ms) {
    std::unique_ptr<TlsStream> stream(new TlsStream(std::move(fd), timeout_ms));
    stream->context_.reset(SSL_CTX_new(TLS_client_method()));
    SSL_CTX* context = stream->context_.get();
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    if (SSL_CTX_load_verify_file(context, ca_file.c_str()) != 1) {
      ERR_clear_error();
      return Error(ErrorCode::kNotFound, "cannot read CA certificates from '" + ca_file + "'");
    }
    stream->ssl_.reset(SSL_new(context));
    SSL* ssl = stream->ssl_.get();
    unsigned char address[16];
    const bool is_ip = ::inet_pton(AF_INET, host.c_str(), address) == 1 ||
                       ::inet_pton(AF_INET6, host.c_str(), address) == 1;
    if (is_ip) {
      X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str());
    } else {
      SSL_set1_host(ssl, host.c_str());
      SSL_set_tlsext_host_name(ssl, host.c_str());
    }
    SSL_set_fd(ssl, stream->fd_.get());
    for (;;) {
      const int status = SSL_connect(ssl);
      if (status == 1) break;
      const bool retry = TRY(stream->WaitIfNeeded(status));
      if (!retry) return TlsError("TLS handshake failed", ssl);
    }
    return std::unique_ptr<Stream>(std::move(stream));
  }

  Result<void> Write(std::string_view bytes) override {
    while (!bytes.empty()) {
      const int put = SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
      if (put > 0) {
        bytes.remove_prefix(static_cast<size_t>(put));
        continue;
      }
      const bool retry = TRY(WaitIfNeeded(put));
      if (!retry) return TlsError("cannot send the request", ssl_.get());
    }
    return {};
  }

  Result<size_t> Read(std::string& buffer) override {
    const size_t old_size = buffer.size();
    buffer.resize(old_size + kReadStep);
    for (;;) {
      const int got = SSL_read(ssl_.get(), buffer.data() + old_size, kReadStep);
      if (got > 0) {
        buffer.resize(old_size + static_cast<size_t>(got));
        return static_cast<size_t>(got);
      }
      const Result<bool> retry = WaitIfNeeded(got);
      if (retry && *retry) continue;
      buffer.resize(old_size);
      if (!retry) return retry.error();
      if (SSL_get_error(ssl_.get(), got) == SSL_ERROR_ZERO_RETURN) return size_t{0};
      return TlsError("cannot read the reply", ssl_.get());
    }
  }

 private:
  TlsStream(UniqueFd fd, int timeout_ms) : fd_(std::move(fd)), timeout_ms_(timeout_ms) {}

  // True after waiting for what the last call wanted; false when it failed for another reason.
  Result<bool> WaitIfNeeded(int status) {
    const int error = SSL_get_error(ssl_.get(), status);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) return false;
    TRY(WaitFor(fd_.get(), error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, timeout_ms_));
    return true;
  }

  UniqueFd fd_;
  int timeout_ms_;
  std::unique_ptr<SSL_CTX, SslDeleter> context_;
  std::unique_ptr<SSL, SslDeleter> ssl_;
};

struct HostPort {
  std::string host;
  uint16_t port = 0;
};

Result<HostPort> SplitAddress(const std::string& address) {
  HostPort result;
  const size_t colon = address.rfind(':');
  const char* end = address.data() + address.size();
  if (colon != std::string::npos) {
    result.host = address.substr(0, colon);
    if (result.host.starts_with("[") && result.host.ends_with("]")) {
      result.host = result.host.substr(1, result.host.size() - 2);
    }
    const auto [stop, status] = std::from_chars(address.data() + colon + 1, end, result.port);
    if (status == std::errc() && stop == end && result.port != 0 && !result.host.empty()) {
      return result;
    }
  }
  return Error(ErrorCode::kInvalidArgument, "'" + address + "' is not HOST:PORT");
}

// Connected, non-blocking.
Result<UniqueFd> ConnectTcp(const HostPort& target, const std::string& name, int timeout_ms) {
  const std::string host = target.host == "localhost" ? "127.0.0.1" : target.host;
  sockaddr_storage storage{};
  socklen_t size;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
  if (::inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(target.port);
    size = sizeof *v4;
  } else if (::inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(target.port);
    size = sizeof *v6;
  } else {
    return Error(ErrorCode::kInvalidArgument,
                 "'" + target.host + "' is not an IP address (names are not resolved)");
  }
  UniqueFd fd(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return ErrnoError("cannot make a socket", errno);
  int failure = 0;
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&storage), size) != 0) {
    failure = errno;
    if (failure == EINPROGRESS) {
      TRY(WaitFor(fd.get(), POLLOUT, timeout_ms).WithContext(name));
      socklen_t length = sizeof failure;
      ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &failure, &length);
    }
  }
  if (failure != 0) {
    return Error(ErrorCode::kUnavailable,
                 ErrnoError("cannot connect to " + name, failure).message());
  }
  return fd;
}

std::string RequestText(const ClientRequest& request, const std::string& host) {
  std::string text = request.method + " " + request.target + " HTTP/1.1\r\nhost: " + host +
                     "\r\nconnection: close\r\n";
  for (const auto& [name, value] : request.headers) text += name + ": " + value + "\r\n";
  if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
    text += "content-length: " + std::to_string(request.body.size()) + "\r\n";
  }
  return text + "\r\n" + request.body;
}

// Hands body pieces to the sink, or collects them within the limit.
class BodyTarget {
 public:
  BodyTarget(const BodySink& sink, size_t max_bytes, std::string& collected)
      : sink_(sink), max_bytes_(max_bytes), collected_(collected) {}

  Result<void> Take(std::string_view piece) {
    if (piece.empty()) return {};
    if (sink_) {
      if (!sink_(piece)) return Error(ErrorCode::kCancelled, "the request was ended here");
      return {};
    }
    if (collected_.size() + piece.size() > max_bytes_) {
      return Error(ErrorCode::kExhausted,
                   "the reply is longer than " + std::to_string(max_bytes_) + " bytes");
    }
    collected_ += piece;
    return {};
  }

 private:
  const BodySink& sink_;
  const size_t max_bytes_;
  std::string& collected_;
};

// Reads until `buffer` holds a head, removes it and returns it; interim replies (1xx) are skipped.
Result<ResponseHead> ReadHead(Stream& stream, std::string& buffer) {
  for (;;) {
    const size_t end = FindHeadEnd(buffer);
    if (end != std::string::npos) {
      const ResponseHead head = TRY(CheckResponseHead(std::string_view(buffer).substr(0, end)));
      buffer.erase(0, end);
      if (head.status >= 200) return head;
      continue;
    }
    if (buffer.size() > kMaxResponseHead) {
      return Error(ErrorCode::kCorrupt, "the reply's head is longer than 64 KiB");
    }
    const size_t got = TRY(stream.Read(buffer));
    if (got == 0) {
      return Error(ErrorCode::kUnavailable, "the connection was closed before a reply came");
    }
  }
}

Result<void> ReadChunked(Stream& stream, std::string& buffer, BodyTarget& target) {
  ChunkedDecoder decoder;
  for (;;) {
    std::string piece;
    const size_t used = TRY(decoder.Feed(buffer, piece));
    buffer.erase(0, used);
    TRY(target.Take(piece));
    if (decoder.done()) return {};
    const size_t got = TRY(stream.Read(buffer));
    if (got == 0) return Error(ErrorCode::kUnavailable, "the reply was cut off");
  }
}

// `length`: nullopt when the body ends with the connection.
Result<void> ReadPlain(Stream& stream, std::string& buffer, std::optional<uint64_t> length,
                       BodyTarget& target) {
  uint64_t done = 0;
  for (;;) {
    if (length && buffer.size() > *length - done) buffer.resize(*length - done);
    TRY(target.Take(buffer));
    done += buffer.size();
    buffer.clear();
    if (length && done == *length) return {};
    const size_t got = TRY(stream.Read(buffer));
    if (got == 0) {
      if (!length) return {};
      return Error(ErrorCode::kUnavailable, "the reply was cut off");
    }
  }
}

Result<ClientResponse> Exchange(Stream& stream, const std::string& host,
                                const ClientRequest& request, const ClientOptions& options,
                                const BodySink& sink) {
  TRY(stream.Write(RequestText(request, host)));
  std::string buffer;
  ResponseHead head = TRY(ReadHead(stream, buffer));
  ClientResponse response;
  response.status = head.status;
  response.headers = std::move(head.headers);
  // An error's body is collected even when the caller streams: it is the message.
  const BodySink none;
  BodyTarget target(head.status < 300 ? sink : none, options.max_body_bytes, response.body);
  if (head.chunked) {
    TRY(ReadChunked(stream, buffer, target));
  } else if (head.status != 204 && head.status != 304) {
    TRY(ReadPlain(stream, buffer, head.content_length, target));
  }
  return response;
}

}  // namespace

Result<ClientResponse> FetchUnix(const std::string& socket_path, const ClientRequest& request,
                                 const ClientOptions& options, const BodySink& sink) {
  Result<UniqueFd> fd = ConnectUnix(socket_path);
  if (!fd) return Error(ErrorCode::kUnavailable, fd.error().message());
  PlainStream stream(std::move(*fd), options.idle_timeout_ms);
  return Exchange(stream, "localhost", request, options, sink).WithContext(socket_path);
}

Result<ClientResponse> FetchTls(const std::string& address, const std::string& ca_file,
                                const ClientRequest& request, const ClientOptions& options,
                                const BodySink& sink) {
  const HostPort target = TRY(SplitAddress(address));
  UniqueFd fd = TRY(ConnectTcp(target, address, options.connect_timeout_ms));
  const std::unique_ptr<Stream> stream =
      TRY(TlsStream::Connect(std::move(fd), target.host, ca_file, options.idle_timeout_ms)
              .WithContext(address));
  return Exchange(*stream, address, request, options, sink).WithContext(address);
}

}  // namespace skerry::http
