// One engine as a child process: its start, its log, its crashes and its end. Driven by the
// supervisor's loop, which polls the descriptors and keeps the time.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "appliance/base/result.h"
#include "appliance/base/unique_fd.h"
#include "appliance/supervisor/log_file.h"
#include "appliance/supervisor/protocol.h"
#include "appliance/supervisor/server.h"

namespace skerry::supervisor {

// One thread: the one that called Launch, whose end ends the process. Times are monotonic
// nanoseconds.
class Child {
 public:
  Child(StartRequest request, const ChildOptions& options);
  // Kills what still runs and removes the instance's directory.
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // Starts the process; kNotFound when the store lacks the model.
  Result<void> Launch();

  // Readable when there is output, or the process ended; -1 when there is none.
  int output_fd() const { return output_.get(); }
  int exit_fd() const { return pidfd_.get(); }
  void OnOutput();
  void OnExit(int64_t now_ns);

  // SIGTERM. Ended() is true once nothing runs any more.
  void BeginStop(int64_t now_ns);
  bool stopping() const { return stopping_; }
  bool Ended() const { return stopping_ && pid_ < 0; }

  // When OnDeadline wants to be called: to start again, or to kill.
  std::optional<int64_t> deadline_ns() const { return deadline_ns_; }
  void OnDeadline(int64_t now_ns);

  const StartRequest& request() const { return request_; }
  InstanceInfo Info() const;

 private:
  void PlanRestart(int64_t now_ns);
  std::string Directory() const;

  const StartRequest request_;
  const ChildOptions& options_;
  LogFile log_;
  pid_t pid_ = -1;
  UniqueFd pidfd_;
  UniqueFd output_;
  InstanceState state_ = InstanceState::kRunning;
  bool stopping_ = false;
  int restarts_ = 0;
  int next_delay_ms_;
  std::deque<int64_t> crashes_ns_;  // within the window
  std::optional<int64_t> deadline_ns_;
  std::string detail_;
};

}  // namespace skerry::supervisor
