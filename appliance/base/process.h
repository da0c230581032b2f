// Child processes, with exactly the descriptors they are meant to have.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "appliance/base/result.h"

namespace skerry {

struct SpawnOptions {
  std::vector<std::string> argv;  // argv[0] is the program's path (no PATH search)
  // Whole environment when set; otherwise inherited.
  std::optional<std::vector<std::string>> environment;
  std::vector<std::string> extra_environment;  // "NAME=value", added to the above
  // {descriptor here, descriptor number in the child}. 0, 1, 2 are inherited unless mapped;
  // everything else is closed.
  std::vector<std::pair<int, int>> fds;
  // Descriptors handed over in systemd's way: 3, 4, ... with LISTEN_FDS, LISTEN_PID,
  // LISTEN_FDNAMES. Must not be combined with `fds` targets of 3 and up.
  std::vector<std::pair<int, std::string>> listen_fds;  // {descriptor, name}
  std::string working_directory;                        // empty: unchanged
  bool die_with_parent = true;    // SIGTERM when the spawning thread's process ends
  bool new_process_group = true;  // so that Ctrl-C reaches the parent only
};

// Starts the program; errors of exec (no such file, ...) are returned here, not by the child.
Result<pid_t> Spawn(const SpawnOptions& options);

struct ExitState {
  bool signalled = false;
  int code = 0;                  // exit status, or the signal's number
  std::string Describe() const;  // "exit status 1", "signal 9 (Killed)"
};

// Waits until the child ends, or at most `timeout_ms` (-1: for ever); nullopt when it still runs.
Result<std::optional<ExitState>> WaitForExit(pid_t pid, int timeout_ms = -1);

// SIGTERM, then SIGKILL after `grace_ms`; returns when the child is reaped.
Result<ExitState> StopProcess(pid_t pid, int grace_ms);

// Descriptors passed by systemd (or Spawn::listen_fds) with their names; empty when none. Marks
// them close-on-exec and removes the variables.
std::vector<std::pair<int, std::string>> TakeListenFds();

// Directory of the running program, so that its siblings are found without PATH.
Result<std::string> ProgramDirectory();

// sd_notify(3) by hand: sends `state` to $NOTIFY_SOCKET; no-op without one.
void NotifySystemd(const std::string& state);

}  // namespace skerry
