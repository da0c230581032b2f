#include "appliance/supervisor/child.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "appliance/base/process.h"

extern char** environ;

namespace skerry::supervisor {

namespace {

constexpr int64_t kNanosPerMilli = 1'000'000;
constexpr size_t kReadBytes = 64 << 10;

// Everything but what would make the engine talk to this process's own service manager.
std::vector<std::string> Environment() {
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    if (!text.starts_with("NOTIFY_SOCKET=") && !text.starts_with("LISTEN_")) {
      environment.emplace_back(text);
    }
  }
  return environment;
}

}  // namespace

Child::Child(StartRequest request, const ChildOptions& options)
    : request_(std::move(request)),
      options_(options),
      log_(Directory() + "/log", options.max_log_bytes),
      next_delay_ms_(options.first_restart_ms) {}

Child::~Child() {
  if (pid_ > 0) (void)StopProcess(pid_, 0).has_value();
  // Socket and logs; what the engine may have added besides stays visible.
  for (const char* name : {"/sock", "/log", "/log.1"}) ::unlink((Directory() + name).c_str());
  ::rmdir(Directory().c_str());
}

std::string Child::Directory() const {
  return options_.data_directory + "/run/engine/" + request_.id;
}

Result<void> Child::Launch() {
  const std::string model = options_.data_directory + "/store/" + request_.model + "/files";
  struct stat info {};
  if (::stat(model.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    return Error(ErrorCode::kNotFound, "the store has no model '" + request_.model + "'");
  }
  if (::mkdir(Directory().c_str(), 0750) != 0 && errno != EEXIST) {
    return ErrnoError("cannot create directory '" + Directory() + "'", errno);
  }
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return ErrnoError("cannot make a pipe", errno);
  UniqueFd read_end(ends[0]);
  const UniqueFd write_end(ends[1]);
  ::fcntl(read_end.get(), F_SETFL, O_NONBLOCK);
  const UniqueFd nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!nothing) return ErrnoError("cannot open '/dev/null'", errno);

  SpawnOptions spawn;
  spawn.argv = {options_.engine_program, "--model", model, "--listen",
                "unix:" + Directory() + "/sock"};
  spawn.argv.insert(spawn.argv.end(), request_.flags.begin(), request_.flags.end());
  spawn.environment = Environment();
  spawn.fds = {{nothing.get(), 0}, {write_end.get(), 1}, {write_end.get(), 2}};
  log_.ForgetLastLine();
  const pid_t pid = TRY(Spawn(spawn));
  pid_ = pid;
  pidfd_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  output_ = std::move(read_end);
  state_ = InstanceState::kRunning;
  deadline_ns_.reset();
  if (!pidfd_) {
    const Error error = ErrnoError("cannot watch process " + std::to_string(pid), errno);
    (void)StopProcess(pid, 0).has_value();
    pid_ = -1;
    return error;
  }
  return {};
}

void Child::OnOutput() {
  char bytes[kReadBytes];
  const ssize_t got = ::read(output_.get(), bytes, sizeof bytes);
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (got <= 0) {
    output_.Reset();
    return;
  }
  log_.Write({bytes, static_cast<size_t>(got)});
}

void Child::OnExit(int64_t now_ns) {
  // Its last words: what fits into a pipe, even if someone else still holds the other end.
  for (int i = 0; i < 4 && output_; ++i) OnOutput();
  const Result<std::optional<ExitState>> ended = WaitForExit(pid_, -1);
  detail_ = ended && *ended ? (*ended)->Describe() : "it ended in an unknown way";
  // Who is killed from outside has said nothing about it.
  const bool killed = ended && *ended && (*ended)->signalled && (*ended)->code == SIGKILL;
  if (!killed && !log_.last_line().empty()) detail_ += ": " + log_.last_line();
  pid_ = -1;
  pidfd_.Reset();
  output_.Reset();
  deadline_ns_.reset();
  if (!stopping_) PlanRestart(now_ns);
}

void Child::PlanRestart(int64_t now_ns) {
  const int64_t window_ns = options_.crash_window_ms * kNanosPerMilli;
  while (!crashes_ns_.empty() && crashes_ns_.front() < now_ns - window_ns) crashes_ns_.pop_front();
  if (crashes_ns_.empty()) next_delay_ms_ = options_.first_restart_ms;
  crashes_ns_.push_back(now_ns);
  if (crashes_ns_.size() >= static_cast<size_t>(options_.max_crashes)) {
    state_ = InstanceState::kFailed;
    return;
  }
  state_ = InstanceState::kWaiting;
  deadline_ns_ = now_ns + next_delay_ms_ * kNanosPerMilli;
  next_delay_ms_ = std::min(next_delay_ms_ * 2, options_.max_restart_ms);
}

void Child::BeginStop(int64_t now_ns) {
  if (stopping_) return;
  stopping_ = true;
  deadline_ns_.reset();
  if (pid_ < 0) return;
  ::kill(pid_, SIGTERM);
  deadline_ns_ = now_ns + options_.stop_grace_ms * kNanosPerMilli;
}

void Child::OnDeadline(int64_t now_ns) {
  deadline_ns_.reset();
  if (stopping_) {
    if (pid_ > 0) ::kill(pid_, SIGKILL);
    return;
  }
  ++restarts_;
  const Result<void> launched = Launch();
  if (launched) return;
  detail_ = launched.error().message();
  PlanRestart(now_ns);
}

InstanceInfo Child::Info() const { return {request_.id, state_, restarts_, detail_}; }

}  // namespace skerry::supervisor
