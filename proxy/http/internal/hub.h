// What the sessions of a server share. The loop's thread only.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <memory>
#include <string>
#include <unordered_set>

#include "appliance/audit/journal.h"
#include "appliance/base/clock.h"
#include "proxy/http/body.h"
#include "proxy/http/internal/asio.h"
#include "proxy/http/internal/dial_client.h"
#include "proxy/http/proxy_server.h"
#include "proxy/limits/limits.h"
#include "proxy/logs/audit_records.h"

namespace skerry::proxy {

class Session;

struct Hub {
  Hub(ProxyParts& parts, asio::io_context& loop, std::function<void()> on_dialer_lost);

  const Instance instance;
  const Limits limits;
  const Clock& clock;
  AccessLog* const access_log;
  audit::Writer* const journal;
  PolicyPtr policy;  // replaced by ApplyPolicy
  const int64_t start_seconds;

  asio::io_context& context;
  DialClient dialer;
  MemoryBudget bodies;
  RefusalFloods refusals;
  std::unordered_set<Session*> sessions;
  bool stopping = false;

  // InspectBody; a long body is inspected on the worker thread so that the loop goes on. `body`
  // must not change meanwhile.
  Task<Result<BodyFacts>> Inspect(const std::string& body);
  // The record's sequence once it is durable, or why it is not.
  Task<Result<uint64_t>> Record(Json fields);
  // Queues a record nobody waits for; what cannot be queued is logged.
  void RecordLater(Json fields);

  // "req-" and 32 hex digits.
  std::string NewRequestId();
  // The Date header's value, made once per second.
  const std::string& HttpDate();

 private:
  std::string random_;  // bytes not used yet
  int64_t date_second_ = -1;
  std::string date_;
  asio::thread_pool worker_{1};  // last: its thread ends before the rest
};

}  // namespace skerry::proxy
