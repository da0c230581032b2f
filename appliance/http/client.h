// A small blocking HTTP/1.1 client for programs of ours: admin asking an engine's health over its
// Unix socket, the CLI asking the appliance over TLS. Not for the proxy, which never blocks.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "appliance/base/result.h"
#include "appliance/http/head.h"

namespace skerry::http {

struct ClientRequest {
  std::string method = "GET";
  std::string target = "/";
  HeaderList headers;  // host, content-length and connection are added
  std::string body;
};

struct ClientResponse {
  int status = 0;
  HeaderList headers;
  std::string body;
};

// Called with each piece of the body as it arrives; returning false ends the request.
using BodySink = std::function<bool(std::string_view piece)>;

struct ClientOptions {
  int connect_timeout_ms = 5'000;
  int idle_timeout_ms = 60'000;  // between two pieces of the reply
  size_t max_body_bytes = 64 << 20;
};

// Over a Unix socket. One request per connection. kUnavailable when nobody listens or the peer
// closes early, kCorrupt for a reply that is not HTTP.
Result<ClientResponse> FetchUnix(const std::string& socket_path, const ClientRequest& request,
                                 const ClientOptions& options = {}, const BodySink& sink = nullptr);

// Over TLS 1.2 or newer to "host:port" (host: an IP address or localhost; names are not resolved),
// verified against the CA certificates in `ca_file` (PEM) and the host. kUntrusted when that fails.
Result<ClientResponse> FetchTls(const std::string& address, const std::string& ca_file,
                                const ClientRequest& request, const ClientOptions& options = {},
                                const BodySink& sink = nullptr);

}  // namespace skerry::http
