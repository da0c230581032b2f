// The supervisor of `skerry serve`: engines as child processes of the foreground program. It starts
// them, keeps their logs, brings crashed ones back and stops them.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "appliance/base/result.h"
#include "appliance/base/unique_fd.h"
#include "appliance/supervisor/protocol.h"

namespace skerry::supervisor {

inline constexpr size_t kMaxInstances = 64;
inline constexpr size_t kMaxClients = 64;

struct ChildOptions {
  std::string data_directory;  // absolute; has store/ and run/engine/
  std::string engine_program;  // absolute path of skerry-engine
  uid_t allowed_uid = 0;       // who may connect
  int stop_grace_ms = kStopGraceMs;
  int first_restart_ms = 1'000;  // then twice as long after each crash ...
  int max_restart_ms = 30'000;   // ... up to this
  int crash_window_ms = 60'000;  // so many crashes within this time: failed
  int max_crashes = 5;
  size_t max_log_bytes = 4 << 20;
};

// Runs on a thread of its own, which is the parent of the engines: they end with it.
class ChildSupervisor {
 public:
  // Serves the protocol on `listener`, a listening Unix socket.
  static Result<std::unique_ptr<ChildSupervisor>> Start(UniqueFd listener,
                                                        const ChildOptions& options);
  // Stops every engine (SIGTERM to all at once, SIGKILL after the grace) and joins the thread.
  ~ChildSupervisor();

 private:
  class Loop;
  explicit ChildSupervisor(std::unique_ptr<Loop> loop);
  std::unique_ptr<Loop> loop_;
};

}  // namespace skerry::supervisor
