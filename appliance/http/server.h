// HTTP/1.1 server for the engine's socket: hands whole requests to a handler and lets any thread
// answer, at once or as a stream. The heads are checked by appliance/http/head.h before anything
// else. Pipelined requests are answered one after the other; connections stay open after streamed
// replies too.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "appliance/base/result.h"
#include "appliance/base/unique_fd.h"
#include "appliance/http/head.h"

namespace skerry::http {

struct Request {
  RequestHead head;
  std::string body;  // whole, within the server's limit
};

struct Response {
  int status = 200;
  HeaderList
      headers;  // without content-length, transfer-encoding, connection: the server adds these
  std::string body;
};

// The answer to one request. Thread-safe; calls after the client has gone do nothing. Destroying
// the last reference without an answer sends 500.
class Responder {
 public:
  virtual ~Responder() = default;

  // A whole reply.
  virtual void Send(Response response) = 0;

  // A chunked stream: Start once, Write any number of times (one call is one write to the socket),
  // then Finish with optional trailers. Write returns the bytes that still wait for the client, so
  // that a producer can slow down.
  virtual void Start(int status, HeaderList headers) = 0;
  virtual size_t Write(std::string bytes) = 0;
  virtual void Finish(HeaderList trailers = {}) = 0;
  // Ends a started stream so that the client sees it was cut (no final chunk).
  virtual void Abort() = 0;

  // True once the client closed its side or the connection failed.
  virtual bool ClientGone() const = 0;
  // Calls `callback` once when the client goes before Finish or Send; at once if it has gone
  // already. It runs on the server's thread and must not block.
  virtual void OnClientGone(std::function<void()> callback) = 0;
};

using Handler = std::function<void(Request request, std::shared_ptr<Responder> responder)>;

struct ServerOptions {
  size_t max_body_bytes = 32 << 20;
  HeadLimits head_limits;
  int max_connections = 1024;
  int idle_timeout_ms = 75'000;  // between requests on a kept-alive connection
  int head_timeout_ms = 10'000;  // from the first byte to the end of the head
  int body_timeout_ms = 60'000;
  int write_timeout_ms = 60'000;  // without a byte taken by the client
};

// Runs on one thread of its own. Thread-safe.
class Server {
 public:
  // `listener` is a listening Unix or TCP socket. The handler is called on the server's thread and
  // must not block.
  static Result<std::unique_ptr<Server>> Start(UniqueFd listener, ServerOptions options,
                                               Handler handler);
  // Stops accepting, waits for running replies at most `drain_ms`, closes everything, joins the
  // thread.
  virtual void Stop(int drain_ms) = 0;
  virtual ~Server() = default;
};

}  // namespace skerry::http
