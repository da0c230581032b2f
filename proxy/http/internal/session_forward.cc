// The part of a session that speaks to an upstream: connect, admit, send, relay.
#include <cerrno>
#include <nlohmann/json.hpp>

#include "appliance/base/log.h"
#include "appliance/http/error.h"
#include "appliance/http/reply.h"
#include "proxy/http/internal/session.h"

namespace skerry::proxy {

namespace {

// What of a request goes on, beside what the proxy says itself.
constexpr std::string_view kForwarded[] = {"content-type", "accept"};
constexpr std::string_view kAdminForwarded[] = {"content-type", "accept", "authorization",
                                                "if-match", "if-none-match"};
// What of a reply does not: framing and connection, what the proxy sets itself, and its own
// channel.
constexpr std::string_view kDropped[] = {"connection",
                                         "keep-alive",
                                         "transfer-encoding",
                                         "content-length",
                                         "trailer",
                                         "te",
                                         "upgrade",
                                         "proxy-connection",
                                         "date",
                                         "server",
                                         "cache-control",
                                         "x-request-id",
                                         "strict-transport-security",
                                         "x-content-type-options",
                                         "alt-svc"};
constexpr std::string_view kOwnPrefix = "skerry-";
constexpr std::string_view kEventStream = "text/event-stream";

bool Passes(std::string_view name) {
  if (name.starts_with(kOwnPrefix)) return false;
  for (std::string_view dropped : kDropped) {
    if (name == dropped) return false;
  }
  return true;
}

void AppendHeader(std::string_view name, std::string_view value, std::string& out) {
  out.append(name).append(": ").append(value).append("\r\n");
}

Refusal Unreachable() {
  return {{503, "the model is not running or is starting; try again", "model_unavailable", ""},
          {{"retry-after", "5"}},
          "upstream unreachable"};
}

http::HeaderList NoTrailers() { return {}; }

Refusal NotRecorded() {
  return {{503, "the request cannot be recorded, so it is not served; try again",
           "audit_unavailable", ""},
          {{"retry-after", "5"}},
          ""};
}

http::ApiError UpstreamError(bool timed_out, bool answering) {
  if (timed_out) {
    return {504, answering ? "the model stopped answering" : "the model did not answer in time",
            "upstream_timeout", ""};
  }
  return {502,
          answering ? "the model failed while it answered"
                    : "the model failed before it answered; try again",
          "upstream_failed", ""};
}

}  // namespace

Task<std::optional<Refusal>> Session::Forward() {
  std::optional<Refusal> refusal = co_await Connect();
  if (refusal) co_return refusal;
  refusal = co_await Admit();
  if (refusal) co_return refusal;
  if (end_ != End::kNone) co_return EndRefusal();
  const auto self = shared_from_this();
  client_.Watch(
      hub_.limits.max_pipelined_bytes, [this] { Interrupt(End::kClientGone); }, self);
  if (end_ != End::kNone) co_return EndRefusal();
  std::string head = UpstreamHead();
  upstream_.SetDeadline(hub_.limits.upstream_head_timeout_ms);
  // A failed send is no verdict: the upstream may have answered before it read everything.
  co_await upstream_.Send(std::move(head), work_.body);
  std::string().swap(work_.body);
  body_share_.reset();
  refusal = co_await Relay();
  co_return refusal;
}

Task<std::optional<Refusal>> Session::Connect() {
  if (hub_.instance == Instance::kAdmin) work_.instances = {""};
  for (const std::string& instance : work_.instances) {
    std::string target = instance.empty() ? std::string(kAdminTarget) : EngineTarget(instance);
    DialAnswer answer = co_await hub_.dialer.Dial(std::move(target));
    if (answer.socket && upstream_.Open(std::move(answer.socket))) {
      work_.instance = instance;
      co_return std::nullopt;
    }
    LogWarning(std::string("cannot reach ") + (instance.empty() ? "admin" : "engine " + instance) +
               ": " + ErrnoError("connect", answer.error_number).message());
  }
  co_return Unreachable();
}

Task<std::optional<Refusal>> Session::Admit() {
  if (hub_.journal == nullptr) co_return std::nullopt;
  AdmittedRecord record;
  record.request_id = work_.id;
  record.token_id = work_.token_id;
  record.token_label = work_.token_label;
  record.source_ip = peer_.ip;
  record.source_port = peer_.port;
  record.method = work_.head.method;
  record.path = work_.head.path;
  record.body_bytes = work_.body.size();
  record.model = work_.alias;
  record.instance = work_.instance;
  record.lease_tokens = kFixedLeaseTokens;
  Json fields = ToJson(record);
  const Result<uint64_t> durable = co_await hub_.Record(std::move(fields));
  if (!durable) {
    LogError("request refused because its audit record is not durable: " +
             durable.error().message());
    co_return NotRecorded();
  }
  work_.recorded = true;
  co_return std::nullopt;
}

std::string Session::UpstreamHead() const {
  const bool admin = hub_.instance == Instance::kAdmin;
  std::string head = work_.head.method + " " + (admin ? work_.head.target : work_.head.path) +
                     " HTTP/1.1\r\nhost: skerry\r\n";
  const std::span<const std::string_view> forwarded =
      admin ? std::span<const std::string_view>(kAdminForwarded) : kForwarded;
  for (std::string_view name : forwarded) {
    const std::string* value = http::FindHeader(work_.head.headers, name);
    if (value != nullptr) AppendHeader(name, *value, head);
  }
  if (!work_.body.empty() || work_.head.method != "GET") {
    AppendHeader("content-length", std::to_string(work_.body.size()), head);
  }
  AppendHeader("skerry-request-id", work_.id, head);
  if (!admin) {
    AppendHeader("skerry-model", work_.alias, head);
    AppendHeader("skerry-tenant", work_.token_id, head);
    AppendHeader("skerry-lease", "tokens=" + std::to_string(kFixedLeaseTokens), head);
  }
  head += "\r\n";
  return head;
}

std::string Session::ClientHead(const http::ResponseHead& head, bool chunked) {
  http::HeaderList headers = ReplyHeaders();
  headers[0].second = hub_.HttpDate();
  for (const auto& [name, value] : head.headers) {
    if (Passes(name)) headers.emplace_back(name, value);
    if (name == "content-type") work_.event_stream = value.starts_with(kEventStream);
    if (name == "skerry-usage") work_.usage = ParseUsage(value);
  }
  if (chunked) {
    headers.emplace_back("transfer-encoding", "chunked");
  } else if (head.content_length && !http::HasNoBody(head.status)) {
    headers.emplace_back("content-length", std::to_string(*head.content_length));
  }
  if (!KeepAlive()) {
    close_after_ = true;
    headers.emplace_back("connection", "close");
  }
  return http::SerializeHead(head.status, headers);
}

Task<std::optional<Refusal>> Session::Relay() {
  Result<http::ResponseHead> head = co_await upstream_.ReadHead();
  if (end_ != End::kNone) co_return EndRefusal();
  if (!head) {
    LogWarning("reply of " + Upstream() + " refused: " + head.error().message());
    co_return Refusal{UpstreamError(upstream_.timed_out(), /*answering=*/false), {}, ""};
  }
  const bool chunked = head->chunked || (!head->content_length && !http::HasNoBody(head->status));
  std::string out = ClientHead(*head, chunked);
  work_.status = head->status;
  const bool whole = co_await RelayBody(chunked, std::move(out));
  if (!whole && work_.failure.empty()) work_.failure = "cut";
  co_return std::nullopt;
}

Task<bool> Session::RelayBody(bool chunked, std::string out) {
  std::string piece;
  UpstreamIo::BodyStatus status = upstream_.TakeBody(piece);
  for (;;) {
    if (status == UpstreamIo::BodyStatus::kEnd) {
      const std::string* usage = http::FindHeader(upstream_.trailers(), "skerry-usage");
      if (usage != nullptr) work_.usage = ParseUsage(*usage);
    }
    if (chunked) {
      http::AppendChunk(piece, out);
      if (status == UpstreamIo::BodyStatus::kEnd) http::AppendLastChunk(NoTrailers(), out);
    } else {
      out += piece;
    }
    if (!out.empty()) {
      const IoStatus written = co_await client_.Write(out, hub_.limits.write_timeout_ms);
      if (written != IoStatus::kOk) {
        if (end_ == End::kNone) end_ = End::kClientGone;
        if (written == IoStatus::kTimeout) work_.failure = "client too slow";
        co_await EndCutReply(chunked, /*sent=*/false);
        co_return false;
      }
      work_.reply_bytes += piece.size();
      if (!piece.empty()) work_.at_event_border = piece.ends_with("\n\n");
    }
    if (status == UpstreamIo::BodyStatus::kEnd) co_return true;
    if (status == UpstreamIo::BodyStatus::kFailed || end_ != End::kNone) {
      if (end_ == End::kNone) {
        LogWarning("reply of " + Upstream() + " broke off: " + upstream_.failure());
      }
      co_await EndCutReply(chunked, /*sent=*/true);
      co_return false;
    }
    out.clear();
    piece.clear();
    upstream_.SetDeadline(hub_.limits.upstream_idle_timeout_ms);
    status = co_await upstream_.ReadBody(piece);
  }
}

std::string Session::Upstream() const {
  return work_.instance.empty() ? "admin" : "engine " + work_.instance;
}

http::ApiError Session::CutError() const {
  switch (end_) {
    case End::kRevoked:
      return {401, "the API token was revoked", "invalid_api_key", ""};
    case End::kShutdown:
      return {503, "the server is stopping", "stopping", ""};
    case End::kClientGone:
      return {499, "the client closed its connection", "client_closed", ""};
    case End::kNone:
      break;
  }
  return UpstreamError(upstream_.timed_out(), /*answering=*/true);
}

// The reply will not become whole. On an event stream the client is told in its own form; elsewhere
// the missing end tells.
Task<void> Session::EndCutReply(bool chunked, bool sent) {
  close_after_ = true;
  const http::ApiError error = CutError();
  if (work_.failure.empty()) work_.failure = error.code;
  if (!sent || !chunked || !work_.event_stream || end_ == End::kClientGone) co_return;
  client_.ClearInterrupt();
  std::string event = work_.at_event_border ? "" : "\n\n";
  event += "event: error\ndata: " + http::ErrorBody(error) + "\n\n";
  std::string out;
  http::AppendChunk(event, out);
  http::AppendLastChunk(NoTrailers(), out);
  co_await client_.Write(out, hub_.limits.write_timeout_ms);
}

}  // namespace skerry::proxy
