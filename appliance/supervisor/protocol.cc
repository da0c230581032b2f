#include "appliance/supervisor/protocol.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "appliance/base/control.h"

namespace skerry::supervisor {

namespace {

constexpr int kCallTimeoutMs = 10'000;
// Stopping may take the whole grace and the time to free the memory.
constexpr int kStopTimeoutMs = kStopGraceMs + 15'000;
constexpr size_t kMaxFlagBytes = 64;
constexpr std::string_view kDigestPrefix = "sha256-";

struct FlagRow {
  std::string_view name;
  bool has_value;
};
// vLLM's names where one exists. Nothing here names a file, an address or code.
constexpr FlagRow kFlags[] = {
    {"--max-model-len", true},
    {"--max-num-seqs", true},
    {"--gpu-memory-utilization", true},
    {"--tensor-parallel-size", true},
    {"--tool-call-parser", true},
    {"--reasoning-parser", true},
    {"--tokenizer-mode", true},
    {"--config-format", true},
    {"--load-format", true},
    {"--enable-auto-tool-choice", false},
    {"--threads", true},
};

struct StateRow {
  InstanceState state;
  std::string_view name;
};
constexpr StateRow kStates[] = {{InstanceState::kRunning, "running"},
                                {InstanceState::kWaiting, "waiting"},
                                {InstanceState::kFailed, "failed"}};

Error Invalid(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

bool IsHex(std::string_view text) {
  return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool IsFlagValue(std::string_view value) {
  return !value.empty() && value.size() <= kMaxFlagBytes && value[0] != '-' &&
         std::all_of(value.begin(), value.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '.' || c == '_' || c == '-';
         });
}

struct Encoder {
  Json operator()(const StartRequest& request) const {
    return {
        {"op", "start"}, {"id", request.id}, {"model", request.model}, {"flags", request.flags}};
  }
  Json operator()(const StopRequest& request) const { return {{"op", "stop"}, {"id", request.id}}; }
  Json operator()(const ListRequest&) const { return {{"op", "list"}}; }
};

Result<std::string> IdFrom(const Json& json) {
  std::string id = TRY(GetString(json, "id"));
  if (!IsInstanceId(id)) return Invalid("field 'id' must be 8 hex digits");
  return id;
}

Result<Request> StartFrom(const Json& json) {
  TRY(RefuseUnknownKeys(json, {"op", "id", "model", "flags"}));
  StartRequest request;
  request.id = TRY(IdFrom(json));
  request.model = TRY(GetString(json, "model"));
  if (!IsModelDigest(request.model)) {
    return Invalid("field 'model' must be 'sha256-' and 64 hex digits");
  }
  const auto flags = json.find("flags");
  if (flags != json.end()) {
    if (!flags->is_array()) return Invalid("field 'flags' must be an array");
    for (const Json& flag : *flags) {
      if (!flag.is_string()) return Invalid("field 'flags' must hold strings");
      request.flags.push_back(flag.get<std::string>());
    }
  }
  TRY(CheckFlags(request.flags));
  return Request(std::move(request));
}

Result<InstanceInfo> InfoFrom(const Json& json) {
  InstanceInfo info;
  info.id = TRY(IdFrom(json));
  const std::string name = TRY(GetString(json, "state"));
  const auto* row = std::find_if(std::begin(kStates), std::end(kStates),
                                 [&](const StateRow& candidate) { return candidate.name == name; });
  if (row == std::end(kStates)) return Invalid("field 'state' is unknown");
  info.state = row->state;
  const int64_t restarts = TRY(GetInt(json, "restarts"));
  info.restarts = static_cast<int>(restarts);
  info.detail = TRY(GetString(json, "detail"));
  return info;
}

Result<void> ExpectOk(const Result<Json>& reply) {
  if (!reply) return reply.error();
  const bool ok = TRY(GetBool(*reply, "ok"));
  if (!ok) return Error(ErrorCode::kCorrupt, "the supervisor's answer makes no sense");
  return {};
}

}  // namespace

std::string_view InstanceStateName(InstanceState state) {
  for (const StateRow& row : kStates) {
    if (row.state == state) return row.name;
  }
  return "unknown";
}

bool IsInstanceId(std::string_view id) { return id.size() == 8 && IsHex(id); }

bool IsModelDigest(std::string_view digest) {
  return digest.size() == kDigestPrefix.size() + 64 && digest.starts_with(kDigestPrefix) &&
         IsHex(digest.substr(kDigestPrefix.size()));
}

Result<void> CheckFlags(const std::vector<std::string>& flags) {
  if (flags.size() > kMaxFlags) {
    return Invalid("more than " + std::to_string(kMaxFlags) + " flags");
  }
  for (size_t i = 0; i < flags.size(); ++i) {
    const auto* row =
        std::find_if(std::begin(kFlags), std::end(kFlags),
                     [&](const FlagRow& candidate) { return candidate.name == flags[i]; });
    const std::string quoted = "flag '" + flags[i].substr(0, kMaxFlagBytes) + "'";
    if (row == std::end(kFlags)) {
      std::string known;
      for (const FlagRow& flag : kFlags)
        known += (known.empty() ? "" : ", ") + std::string(flag.name);
      return Invalid(quoted + " is not one that an engine may be given; it may be one of " + known);
    }
    if (!row->has_value) continue;
    if (i + 1 == flags.size()) return Invalid(quoted + " needs a value");
    if (!IsFlagValue(flags[++i]))
      return Invalid("the value of " + quoted + " is not a plain word or number");
  }
  return {};
}

Result<Request> ParseRequest(std::string_view line) {
  const Json json = TRY(ParseJson(line, {.max_bytes = kMaxControlLineBytes}));
  if (!json.is_object()) return Invalid("a request must be an object");
  const std::string op = TRY(GetString(json, "op"));
  if (op == "start") return StartFrom(json);
  if (op == "stop") {
    TRY(RefuseUnknownKeys(json, {"op", "id"}));
    std::string id = TRY(IdFrom(json));
    return Request(StopRequest{std::move(id)});
  }
  if (op == "list") {
    TRY(RefuseUnknownKeys(json, {"op"}));
    return Request(ListRequest{});
  }
  return Invalid("unknown op '" + op.substr(0, 40) + "'");
}

Json RequestToJson(const Request& request) { return std::visit(Encoder{}, request); }

Json ListToJson(const std::vector<InstanceInfo>& instances) {
  Json list = Json::array();
  for (const InstanceInfo& info : instances) {
    list.push_back({{"id", info.id},
                    {"state", std::string(InstanceStateName(info.state))},
                    {"restarts", info.restarts},
                    {"detail", info.detail}});
  }
  return {{"instances", std::move(list)}};
}

Result<void> Client::Start(const StartRequest& request) {
  return ExpectOk(CallControl(socket_path_, RequestToJson(request), kCallTimeoutMs));
}

Result<void> Client::Stop(const std::string& id) {
  return ExpectOk(CallControl(socket_path_, RequestToJson(StopRequest{id}), kStopTimeoutMs));
}

Result<std::vector<InstanceInfo>> Client::List() {
  const Json reply = TRY(CallControl(socket_path_, RequestToJson(ListRequest{}), kCallTimeoutMs));
  const auto list = reply.find("instances");
  if (list == reply.end() || !list->is_array()) {
    return Error(ErrorCode::kCorrupt, "the supervisor's answer has no 'instances'");
  }
  std::vector<InstanceInfo> instances;
  for (const Json& item : *list) {
    InstanceInfo info = TRY(InfoFrom(item));
    instances.push_back(std::move(info));
  }
  return instances;
}

}  // namespace skerry::supervisor
