#include "proxy/logs/audit_records.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <iterator>
#include <nlohmann/json.hpp>

namespace skerry::proxy {

namespace {

constexpr int64_t kWindowNs = 60'000'000'000;
constexpr uint64_t kSingleRecords = 10;  // of one address in one minute
constexpr size_t kMaxAddresses = 10'000;
constexpr std::string_view kOtherAddresses = "other";  // shared by all beyond that

bool TakeNumber(std::string_view& text, std::string_view name, uint64_t& number) {
  if (!text.starts_with(name)) return false;
  text.remove_prefix(name.size());
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc()) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return true;
}

// What counts as one sender: an IPv4 address, an IPv6 network of 64 bits.
std::string SenderOf(const std::string& address) {
  constexpr size_t kNetworkBytes = 8;
  in6_addr binary{};
  char text[INET6_ADDRSTRLEN] = "";
  if (::inet_pton(AF_INET6, address.c_str(), &binary) != 1) return address;
  std::fill(binary.s6_addr + kNetworkBytes, std::end(binary.s6_addr), uint8_t{0});
  ::inet_ntop(AF_INET6, &binary, text, sizeof text);
  return std::string(text) + "/64";
}

}  // namespace

std::optional<Usage> ParseUsage(std::string_view text) {
  constexpr size_t kMaxFinish = 32;
  Usage usage;
  if (!TakeNumber(text, "prompt=", usage.prompt) ||
      !TakeNumber(text, " completion=", usage.completion) || !text.starts_with(" finish=")) {
    return std::nullopt;
  }
  text.remove_prefix(std::string_view(" finish=").size());
  if (text.empty() || text.size() > kMaxFinish) return std::nullopt;
  for (char c : text) {
    if (!((c >= 'a' && c <= 'z') || c == '_')) return std::nullopt;
  }
  usage.finish = text;
  return usage;
}

Json ToJson(const AdmittedRecord& record) {
  return {{"event", {{"action", "request-admitted"}, {"outcome", "unknown"}}},
          {"user", {{"id", record.token_id}, {"name", record.token_label}}},
          {"source", {{"ip", record.source_ip}, {"port", record.source_port}}},
          {"http",
           {{"request",
             {{"id", record.request_id},
              {"method", record.method},
              {"body", {{"bytes", record.body_bytes}}}}}}},
          {"url", {{"path", record.path}}},
          {"gen_ai", {{"request", {{"model", record.model}}}}},
          {"skerry", {{"instance", record.instance}, {"lease", record.lease_tokens}}}};
}

Json ToJson(const CompletedRecord& record) {
  Json json = {
      {"event",
       {{"action", "request-completed"},
        {"outcome", record.success ? "success" : "failure"},
        {"duration", record.duration_ns}}},
      {"http",
       {{"request", {{"id", record.request_id}}},
        {"response", {{"status_code", record.status}, {"body", {{"bytes", record.body_bytes}}}}}}}};
  if (!record.reason.empty()) json["event"]["reason"] = record.reason;
  if (record.usage) {
    json["gen_ai"] = {
        {"usage",
         {{"input_tokens", record.usage->prompt}, {"output_tokens", record.usage->completion}}},
        {"response", {{"finish_reasons", Json::array({record.usage->finish})}}}};
  }
  return json;
}

Json ToJson(const RefusedRecord& record) {
  std::string reason = record.reason;
  if (record.more_refusals > 0) {
    reason += " (last of " + std::to_string(record.more_refusals) +
              " refusals that were not recorded one by one)";
  }
  Json json = {
      {"event", {{"action", "request-refused"}, {"outcome", "failure"}, {"reason", reason}}},
      {"source", Json::object()},
      {"http",
       {{"request", {{"id", record.request_id}}}, {"response", {{"status_code", record.status}}}}}};
  // ECS has an IP address there; what stands for many addresses is no IP.
  json["source"][record.source_ip == kOtherAddresses ? "address" : "ip"] = record.source_ip;
  if (!record.token_id.empty()) json["user"] = {{"id", record.token_id}};
  return json;
}

void RefusalFloods::Report(Window& window) {
  if (window.held_back == 0) return;
  window.last.more_refusals = window.held_back;
  sink_(window.last);
  window.held_back = 0;
}

void RefusalFloods::Add(RefusedRecord record, int64_t now_ns) {
  std::string sender = SenderOf(record.source_ip);
  auto found = windows_.find(sender);
  if (found == windows_.end()) {
    if (windows_.size() >= kMaxAddresses) record.source_ip = sender = kOtherAddresses;
    found = windows_.try_emplace(std::move(sender)).first;
  }
  Window& window = found->second;
  if (now_ns >= window.end_ns) {
    Report(window);
    window.end_ns = now_ns + kWindowNs;
    window.seen = 0;
  }
  if (++window.seen <= kSingleRecords) return sink_(record);
  ++window.held_back;
  window.last = std::move(record);
}

void RefusalFloods::Flush(int64_t now_ns) {
  for (auto at = windows_.begin(); at != windows_.end();) {
    if (now_ns < at->second.end_ns) {
      ++at;
      continue;
    }
    Report(at->second);
    at = windows_.erase(at);
  }
}

void RefusalFloods::FlushAll() {
  for (auto& [address, window] : windows_) Report(window);
  windows_.clear();
}

}  // namespace skerry::proxy
