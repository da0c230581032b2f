// The supervisor's protocol (docs/architecture.md): what may be asked, checked the same way by
// every implementation, and the client's calls. No request carries a path.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "appliance/base/json.h"
#include "appliance/base/result.h"

namespace skerry::supervisor {

inline constexpr size_t kMaxFlags = 32;
inline constexpr int kStopGraceMs = 35'000;  // from SIGTERM to SIGKILL

struct StartRequest {
  std::string id;     // 8 hex digits
  std::string model;  // "sha256-" and 64 hex digits
  std::vector<std::string> flags;
  bool operator==(const StartRequest&) const = default;
};
struct StopRequest {
  std::string id;
};
struct ListRequest {};
using Request = std::variant<StartRequest, StopRequest, ListRequest>;

enum class InstanceState {
  kRunning,
  kWaiting,  // crashed, to be started again
  kFailed,   // crashed too often; stays so until it is stopped
};
std::string_view InstanceStateName(InstanceState state);

struct InstanceInfo {
  std::string id;
  InstanceState state = InstanceState::kRunning;
  int restarts = 0;
  std::string detail;  // how it last ended, with its last words; empty before
};

bool IsInstanceId(std::string_view id);
bool IsModelDigest(std::string_view digest);
// kInvalidArgument naming the first flag that an engine may not be started with.
Result<void> CheckFlags(const std::vector<std::string>& flags);

// Parses and checks one request; kInvalidArgument or kCorrupt.
Result<Request> ParseRequest(std::string_view line);
Json RequestToJson(const Request& request);
Json ListToJson(const std::vector<InstanceInfo>& instances);

// Calls to the supervisor at a socket. Thread-safe; each call is a connection of its own and
// blocks.
class Client {
 public:
  explicit Client(std::string socket_path) : socket_path_(std::move(socket_path)) {}

  // Returns when the process exists, not when it is ready. kNotFound for a model that the store
  // lacks, kAlreadyExists for an id in use with other arguments.
  Result<void> Start(const StartRequest& request);
  // Returns once it has ended. kNotFound for an unknown id.
  Result<void> Stop(const std::string& id);
  Result<std::vector<InstanceInfo>> List();

 private:
  const std::string socket_path_;
};

}  // namespace skerry::supervisor
