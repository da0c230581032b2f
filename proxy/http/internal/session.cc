#include "proxy/http/internal/session.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "appliance/base/log.h"
#include "appliance/http/error.h"
#include "appliance/http/reply.h"

namespace skerry::proxy {

namespace {

constexpr size_t kBudgetStepBytes = 256 << 10;

Refusal BadRequest(int status, const std::string& message) {
  return {{status, message, status == 408 ? "request_timeout" : "bad_request", ""}, {}, ""};
}
Refusal TooLarge(size_t limit) {
  return {{413, "the request body is larger than " + std::to_string(limit) + " bytes",
           "request_too_large", ""},
          {},
          ""};
}
Refusal NoMemory() {
  return {{503, "too many request bodies are held at once; try again", "overloaded", ""},
          {{"retry-after", "1"}},
          ""};
}

http::HeaderList JsonHeaders() { return {{"content-type", "application/json"}}; }

}  // namespace

Session::Session(Hub& hub, StreamSocket socket, TlsStream tls, Peer peer)
    : hub_(hub),
      client_(std::move(socket), std::move(tls)),
      upstream_(hub.context),
      peer_(std::move(peer)) {
  hub_.sessions.insert(this);
}

Session::~Session() { hub_.sessions.erase(this); }

void Session::Sweep(ClientIo::Time now) {
  client_.Sweep(now);
  upstream_.Sweep(now);
}

void Session::Judge(const policy::Policy& policy) {
  if (!busy_ || work_.token_id.empty()) return;
  const policy::Token* token = policy.FindToken(work_.token_id);
  const bool allowed = token != nullptr && policy::SameHash(token->hash, work_.token_hash) &&
                       !token->Expired(hub_.clock.UnixMillis()) &&
                       (work_.alias.empty() || token->AllowsModel(work_.alias));
  if (!allowed) Interrupt(End::kRevoked);
}

void Session::Drain() {
  close_after_ = true;
  if (!busy_) client_.Interrupt();
}

void Session::Cut() { Interrupt(End::kShutdown); }

void Session::Interrupt(End end) {
  if (end_ == End::kNone) end_ = end;
  upstream_.Close();
  client_.Interrupt();
}

Task<void> Session::Run() {
  client_.SetDeadline(hub_.limits.handshake_timeout_ms);
  const IoStatus shaken = co_await client_.Handshake();
  bool again = shaken == IoStatus::kOk;
  while (again) {
    again = co_await ServeRequest();
    busy_ = false;
    upstream_.Close();
    client_.StopWatching();
    if (close_after_ || hub_.stopping) again = false;
  }
  if (hub_.stopping) linger_ = false;
  client_.ClearInterrupt();
  co_await client_.Finish(linger_, hub_.limits.linger_timeout_ms);
}

Task<bool> Session::ServeRequest() {
  work_ = Work();
  body_share_.reset();
  client_.ReleaseInput();
  client_.SetDeadline(hub_.limits.idle_timeout_ms);
  if (client_.input().empty()) {
    const IoStatus first = co_await client_.Fill();
    if (first != IoStatus::kOk) co_return false;
  }
  busy_ = true;
  work_.id = hub_.NewRequestId();
  work_.started_ns = hub_.clock.MonotonicNanos();
  const bool readable = co_await ReadHead();
  if (!readable) co_return false;
  std::optional<Refusal> refusal = JudgeHead();
  if (!refusal) refusal = co_await ReadBody();
  client_.ClearDeadline();
  if (!refusal && work_.route == Route::kInference) refusal = co_await ChooseModel();
  if (!refusal && work_.route == Route::kListModels) {
    const policy::Token* token = work_.policy->policy.FindToken(work_.token_id);
    std::string body = ModelsBody(work_.policy->policy, *token, hub_.start_seconds);
    const bool sent = co_await Reply(200, JsonHeaders(), std::move(body));
    LogAccess();
    co_return sent&& KeepAlive();
  }
  if (!refusal) refusal = co_await Forward();
  if (refusal) {
    const bool sent = co_await Refuse(std::move(*refusal));
    co_return sent&& KeepAlive();
  }
  RecordCompleted();
  LogAccess();
  co_return KeepAlive() && work_.failure.empty();
}

bool Session::KeepAlive() const {
  return work_.head.keep_alive && !close_after_ && !hub_.stopping && end_ == End::kNone;
}

Task<bool> Session::ReadHead() {
  client_.SetDeadline(hub_.limits.head_timeout_ms);
  size_t searched = 0;
  for (;;) {
    const std::string& input = client_.input();
    const size_t end = http::FindHeadEnd(input, searched);
    std::optional<Refusal> refusal;
    if (end != std::string::npos) {
      Result<http::RequestHead> head =
          http::CheckRequestHead(std::string_view(input).substr(0, end));
      if (head) {
        work_.head = std::move(head).value();
        work_.has_head = true;
        client_.input().erase(0, end);
        work_.body_unread =
            work_.head.chunked || work_.head.content_length.value_or(0) > client_.input().size();
        if (!work_.body_unread) work_.body_in_input = work_.head.content_length.value_or(0);
        co_return true;
      }
      refusal = BadRequest(http::HeadErrorStatus(head.error()), head.error().message());
    } else {
      const Result<void> possible = http::CheckPartialRequestHead(input);
      if (!possible) {
        refusal = BadRequest(http::HeadErrorStatus(possible.error()), possible.error().message());
      }
    }
    searched = input.size();
    if (!refusal) {
      const IoStatus filled = co_await client_.Fill();
      if (filled == IoStatus::kOk) continue;
      if (filled != IoStatus::kTimeout) co_return false;
      refusal = BadRequest(408, "the request head did not arrive in time");
    }
    work_.body_unread = true;  // where this request would end is not known
    co_await Refuse(std::move(*refusal));
    co_return false;
  }
}

std::optional<Refusal> Session::JudgeHead() {
  if (hub_.instance == Instance::kApi) {
    work_.policy = hub_.policy;
    const AuthOutcome who = Authenticate(work_.policy->policy, work_.policy->key,
                                         http::FindHeader(work_.head.headers, "authorization"),
                                         hub_.clock.UnixMillis());
    if (who.token != nullptr) {
      work_.token_id = who.token->id;
      work_.token_hash = who.token->hash;
      work_.token_label = who.token->label;
    }
    if (who.failure == AuthFailure::kScope) {
      return Refusal{{403, "this token is not for inference", "permission_denied", ""},
                     {},
                     std::string(AuthFailureName(who.failure))};
    }
    if (who.failure != AuthFailure::kNone) {
      const bool missing = who.failure == AuthFailure::kMissing;
      return Refusal{{401,
                      missing ? "no API token: send the header 'Authorization: Bearer sk-...'"
                              : "the API token is not valid: mistyped, revoked or expired",
                      "invalid_api_key", ""},
                     {{"www-authenticate", "Bearer"}},
                     std::string(AuthFailureName(who.failure))};
    }
  }
  if (hub_.instance == Instance::kAdmin &&
      !HasAdminSecretShape(http::FindHeader(work_.head.headers, "authorization"))) {
    return Refusal{
        {401, "no admin secret: send the header 'Authorization: Bearer ' and its 64 hex digits",
         "invalid_api_key", ""},
        {{"www-authenticate", "Bearer"}},
        ""};
  }
  std::variant<Route, Refusal> route = FindRoute(hub_.instance, work_.head.method, work_.head.path);
  if (Refusal* refusal = std::get_if<Refusal>(&route)) return std::move(*refusal);
  work_.route = std::get<Route>(route);
  return std::nullopt;
}

Task<std::optional<Refusal>> Session::ReadBody() {
  std::string& input = client_.input();
  const bool has_body = work_.head.chunked || work_.head.content_length.value_or(0) > 0;
  if (!has_body) co_return std::nullopt;
  const size_t limit = hub_.limits.max_body_bytes;
  if (work_.head.content_length.value_or(0) > limit) co_return TooLarge(limit);
  body_share_.emplace(hub_.bodies);
  const size_t first = std::min<uint64_t>(work_.head.content_length.value_or(0), kBudgetStepBytes);
  if (!body_share_->GrowTo(first)) co_return NoMemory();
  if (work_.head.expect_continue && input.empty()) {
    const std::string interim = http::SerializeHead(100, {});
    const IoStatus written = co_await client_.Write(interim, hub_.limits.write_timeout_ms);
    if (written != IoStatus::kOk) co_return EndRefusal();
  }
  client_.SetDeadline(hub_.limits.body_timeout_ms);
  if (work_.head.chunked) {
    std::optional<Refusal> refusal = co_await ReadChunkedBody();
    co_return refusal;
  }
  const size_t size = static_cast<size_t>(*work_.head.content_length);
  for (;;) {
    // Only what has arrived takes its share: an announced length costs its sender nothing.
    const size_t steps = input.size() / kBudgetStepBytes + 1;
    if (!body_share_->GrowTo(std::min(size, steps * kBudgetStepBytes))) co_return NoMemory();
    if (input.size() >= size) break;
    const IoStatus filled = co_await client_.Fill();
    if (filled == IoStatus::kTimeout) {
      co_return BadRequest(408, "the request body did not arrive in time");
    }
    if (filled != IoStatus::kOk) co_return EndRefusal();
  }
  if (input.size() == size) {
    work_.body = std::move(input);
    input.clear();
  } else {
    work_.body = input.substr(0, size);
    input.erase(0, size);
  }
  work_.body_unread = false;
  work_.body_in_input = 0;
  co_return std::nullopt;
}

Task<std::optional<Refusal>> Session::ReadChunkedBody() {
  std::string& input = client_.input();
  const size_t limit = hub_.limits.max_body_bytes;
  http::ChunkedDecoder decoder;
  for (;;) {
    // One byte over the limit is enough to know that it is exceeded.
    const Result<size_t> taken = decoder.Feed(input, work_.body, limit - work_.body.size() + 1);
    if (!taken) co_return BadRequest(400, "the chunked body has " + taken.error().message());
    input.erase(0, *taken);
    if (work_.body.size() > limit) co_return TooLarge(limit);
    const size_t steps = work_.body.size() / kBudgetStepBytes + 1;
    if (!body_share_->GrowTo(steps * kBudgetStepBytes)) co_return NoMemory();
    if (decoder.done()) break;
    const IoStatus filled = co_await client_.Fill();
    if (filled == IoStatus::kTimeout) {
      co_return BadRequest(408, "the request body did not arrive in time");
    }
    if (filled != IoStatus::kOk) co_return EndRefusal();
  }
  work_.body_unread = false;
  co_return std::nullopt;
}

Task<std::optional<Refusal>> Session::ChooseModel() {
  Result<BodyFacts> facts = co_await hub_.Inspect(work_.body);
  if (!facts) {
    co_return Refusal{{400, facts.error().message(), "invalid_body", ""}, {}, ""};
  }
  // The body may have taken its time: judge by the policy of now.
  work_.policy = hub_.policy;
  const policy::Policy& policy = work_.policy->policy;
  const policy::Token* token = policy.FindToken(work_.token_id);
  if (token == nullptr || end_ != End::kNone) {
    if (end_ == End::kNone) end_ = End::kRevoked;
    co_return EndRefusal();
  }
  auto found = FindModel(policy, *token, facts->model);
  if (Refusal* refusal = std::get_if<Refusal>(&found)) co_return std::move(*refusal);
  const policy::Alias& alias = *std::get<const policy::Alias*>(found);
  work_.alias = alias.name;
  work_.instances = alias.instances;
  co_return std::nullopt;
}

std::optional<Refusal> Session::EndRefusal() const {
  switch (end_) {
    case End::kRevoked:
      return Refusal{{401, "the API token was revoked", "invalid_api_key", ""},
                     {{"www-authenticate", "Bearer"}},
                     "token revoked"};
    case End::kShutdown:
      return Refusal{
          {503, "the server is stopping; try again", "stopping", ""}, {{"retry-after", "5"}}, ""};
    default:
      return Refusal{{499, "the client closed its connection", "client_closed", ""}, {}, ""};
  }
}

http::HeaderList Session::ReplyHeaders() const {
  return {{"date", ""},  // filled in by the caller, which may write the cache
          {"x-request-id", work_.id},
          {"strict-transport-security", "max-age=31536000"},
          {"x-content-type-options", "nosniff"},
          {"cache-control", "no-store"}};
}

Task<bool> Session::Reply(int status, http::HeaderList headers, std::string body) {
  if (end_ == End::kClientGone) co_return false;
  // A revoked or stopped request still gets its answer, and nothing after it.
  if (end_ != End::kNone) {
    close_after_ = true;
    client_.ClearInterrupt();
  }
  http::HeaderList all = ReplyHeaders();
  all[0].second = hub_.HttpDate();
  all.insert(all.end(), std::make_move_iterator(headers.begin()),
             std::make_move_iterator(headers.end()));
  all.emplace_back("content-length", std::to_string(body.size()));
  if (!KeepAlive()) {
    close_after_ = true;
    all.emplace_back("connection", "close");
  }
  const std::string bytes = http::SerializeHead(status, all) + body;
  work_.status = status;
  const IoStatus written = co_await client_.Write(bytes, hub_.limits.write_timeout_ms);
  if (written == IoStatus::kOk) work_.reply_bytes = body.size();
  co_return written == IoStatus::kOk;
}

Task<bool> Session::Refuse(Refusal refusal) {
  if (refusal.error.code == "client_closed") end_ = End::kClientGone;
  if (work_.body_unread) {
    close_after_ = true;
    linger_ = true;
  } else {
    // All of the body has arrived with the head: skip it, the connection stays usable.
    client_.input().erase(0, work_.body_in_input);
  }
  if (!work_.has_head) close_after_ = true;
  if (!work_.recorded) RecordRefusal(refusal);
  if (work_.failure.empty()) {
    work_.failure = refusal.audit_reason.empty() ? refusal.error.code : refusal.audit_reason;
  }
  http::HeaderList headers = std::move(refusal.headers);
  headers.emplace_back("content-type", "application/json");
  std::string body = http::ErrorBody(refusal.error);
  const bool sent = co_await Reply(refusal.error.status, std::move(headers), std::move(body));
  if (work_.status == 0) work_.status = refusal.error.status;
  RecordCompleted();
  LogAccess();
  co_return sent;
}

void Session::RecordRefusal(const Refusal& refusal) {
  constexpr int kRecorded[] = {401, 403, 404, 429};
  const bool recorded = std::find(std::begin(kRecorded), std::end(kRecorded),
                                  refusal.error.status) != std::end(kRecorded);
  if (hub_.journal == nullptr || !recorded) return;
  hub_.refusals.Add(
      {work_.id, peer_.ip, refusal.error.status,
       refusal.audit_reason.empty() ? refusal.error.code : refusal.audit_reason, work_.token_id, 0},
      hub_.clock.MonotonicNanos());
}

void Session::RecordCompleted() {
  if (!work_.recorded) return;
  work_.recorded = false;
  CompletedRecord record;
  record.request_id = work_.id;
  record.status = work_.status;
  record.body_bytes = work_.reply_bytes;
  record.usage = work_.usage;
  record.duration_ns = hub_.clock.MonotonicNanos() - work_.started_ns;
  record.success = work_.failure.empty() && work_.status < 400;
  record.reason = work_.failure;
  if (!record.success && record.reason.empty()) record.reason = "refused by the model";
  hub_.RecordLater(ToJson(record));
}

void Session::LogAccess() {
  if (hub_.access_log == nullptr) return;
  const std::string* referer = http::FindHeader(work_.head.headers, "referer");
  const std::string* agent = http::FindHeader(work_.head.headers, "user-agent");
  AccessEntry entry;
  entry.remote_address = peer_.ip;
  entry.user = work_.token_label;
  entry.unix_millis = hub_.clock.UnixMillis();
  entry.method = work_.head.method;
  entry.path = work_.head.path;
  entry.status = work_.status;
  entry.body_bytes = work_.reply_bytes;
  if (referer != nullptr) entry.referer = std::string_view(*referer).substr(0, referer->find('?'));
  if (agent != nullptr) entry.user_agent = *agent;
  hub_.access_log->Write(entry);
}

}  // namespace skerry::proxy
