// The proxy itself: accepts TLS connections, judges each request, records it and sends it on. One
// thread runs everything; what must not block (the disk, connecting) happens elsewhere and reports
// back.
#pragma once

#include <memory>
#include <string>

#include "appliance/audit/journal.h"
#include "appliance/base/clock.h"
#include "appliance/base/result.h"
#include "appliance/base/unique_fd.h"
#include "proxy/http/route.h"
#include "proxy/limits/limits.h"
#include "proxy/logs/access_log.h"
#include "proxy/policy/policy_store.h"
#include "proxy/tls/context.h"

namespace skerry::proxy {

// What a server is made of. Pointers and references outlive it.
struct ProxyParts {
  Instance instance = Instance::kApi;
  UniqueFd listener;  // listening TCP socket
  UniqueFd dialer;    // of ForkDialer
  const TlsContext* tls = nullptr;
  Limits limits;
  const Clock* clock = &RealClock();
  AccessLog* access_log = nullptr;  // may be null
  // The API instance only:
  audit::Writer* journal = nullptr;
  PolicyPtr policy;
};

class ProxyServer {
 public:
  static Result<std::unique_ptr<ProxyServer>> Create(ProxyParts parts);
  virtual ~ProxyServer() = default;

  // Serves on the calling thread until Stop, SIGTERM or SIGINT; running requests then have
  // `drain_ms` to finish (a second signal cuts them). kUnavailable when the dialer has ended: start
  // the program again.
  virtual Result<void> Run(int drain_ms) = 0;
  virtual void Stop() = 0;  // thread-safe

  // Puts `policy` in force and returns when it judges every new request and every running request
  // that it does not allow has been cut. Thread-safe; not from the serving thread.
  virtual void ApplyPolicy(PolicyPtr policy) = 0;
};

}  // namespace skerry::proxy
