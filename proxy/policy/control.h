// The proxy's control socket: admin names a policy generation, the proxy answers when it is in
// force. One JSON object per line in each direction; see docs/architecture.md.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "appliance/base/result.h"
#include "appliance/base/unique_fd.h"
#include "proxy/policy/policy_store.h"

namespace skerry::proxy {

// A line and its answer each have this long: admin is served one command at a time and never slow.
inline constexpr int kControlLineTimeoutMs = 5'000;

// Runs on a thread of its own.
class ControlServer {
 public:
  // Puts a loaded policy in force for every new and running request; returns when that is so.
  using ApplyPolicy = std::function<void(PolicyPtr policy)>;

  static Result<std::unique_ptr<ControlServer>> Start(UniqueFd listener, PolicyStore& store,
                                                      ApplyPolicy apply,
                                                      int line_timeout_ms = kControlLineTimeoutMs);
  // Ends the thread; a command under way is finished first.
  ~ControlServer();

 private:
  ControlServer(UniqueFd listener, UniqueFd stop, PolicyStore& store, ApplyPolicy apply,
                int line_timeout_ms);
  void Run();
  void Serve(int client);
  // nullopt: closed, too long, not whole in time, or the server ends.
  std::optional<std::string> ReadCommand(int client);
  std::string Answer(const std::string& line);
  Result<uint64_t> Execute(const std::string& line);

  const UniqueFd listener_;
  const UniqueFd stop_;  // eventfd
  PolicyStore& store_;
  const ApplyPolicy apply_;
  const int line_timeout_ms_;
  std::thread thread_;
};

}  // namespace skerry::proxy
