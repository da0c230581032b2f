#include "appliance/base/process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "appliance/base/unique_fd.h"

extern char** environ;

namespace skerry {

namespace {

constexpr int kFirstListenFd = 3;  // SD_LISTEN_FDS_START
constexpr char kPidPlaceholder[] = "LISTEN_PID=0000000000";

// What the child needs, all allocated before fork: after it only async-signal-safe calls are
// allowed.
struct ChildPlan {
  std::vector<char*> argv;
  std::vector<char*> envp;
  std::vector<std::pair<int, int>> fds;  // {here, child}
  char* listen_pid = nullptr;            // digits to fill in
  const char* working_directory = nullptr;
  bool die_with_parent = false;
  bool new_process_group = false;
  pid_t parent = 0;
  int error_pipe = -1;
};

void WritePid(char* digits, pid_t pid) {
  char reversed[16];
  int count = 0;
  for (; pid > 0; pid /= 10) reversed[count++] = static_cast<char>('0' + pid % 10);
  while (count > 0) *digits++ = reversed[--count];
  *digits = '\0';
}

[[noreturn]] void FailChild(int error_pipe) {
  const int saved = errno;
  [[maybe_unused]] const ssize_t put = ::write(error_pipe, &saved, sizeof saved);
  ::_exit(127);
}

// A copy of `fd` with a number of `least` or more that is in use for nothing else.
int CopyAbove(const ChildPlan& plan, int fd, int least) {
  const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, least);
  if (copy >= 0) return copy;
  if (errno == EINVAL) errno = EMFILE;  // `least` is beyond RLIMIT_NOFILE
  FailChild(plan.error_pipe);
}

// Two steps, so that no source and not the error pipe is overwritten before it is copied: first to
// free numbers above all targets, then to the targets.
void MapDescriptors(ChildPlan& plan) {
  int highest = 2;
  for (const auto& pair : plan.fds) highest = std::max(highest, pair.second);
  plan.error_pipe = CopyAbove(plan, plan.error_pipe, highest + 1);
  for (auto& pair : plan.fds) pair.first = CopyAbove(plan, pair.first, highest + 1);
  for (const auto& pair : plan.fds) {
    if (::dup2(pair.first, pair.second) < 0) FailChild(plan.error_pipe);
  }
  // Everything that is not standard or mapped goes away, here or at exec.
  for (int fd = 3; fd <= highest; ++fd) {
    bool mapped = false;
    for (const auto& pair : plan.fds) mapped = mapped || pair.second == fd;
    if (!mapped) ::close(fd);
  }
  ::syscall(SYS_close_range, highest + 1, ~0U, CLOSE_RANGE_CLOEXEC);
}

[[noreturn]] void RunChild(ChildPlan& plan) {
  if (plan.new_process_group) ::setpgid(0, 0);
  if (plan.die_with_parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != plan.parent) ::_exit(127);  // the parent ended in between
  }
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int number = 1; number < NSIG; ++number) {
    if (number != SIGKILL && number != SIGSTOP) ::signal(number, SIG_DFL);
  }
  if (plan.working_directory != nullptr && ::chdir(plan.working_directory) != 0) {
    FailChild(plan.error_pipe);
  }
  MapDescriptors(plan);
  if (plan.listen_pid != nullptr) WritePid(plan.listen_pid, ::getpid());
  ::execve(plan.argv[0], plan.argv.data(), plan.envp.data());
  FailChild(plan.error_pipe);
}

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> Environment(const SpawnOptions& options) {
  std::vector<std::string> environment;
  if (options.environment) {
    environment = *options.environment;
  } else {
    for (char** entry = environ; *entry != nullptr; ++entry) {
      if (std::strncmp(*entry, "LISTEN_", 7) != 0) environment.emplace_back(*entry);
    }
  }
  environment.insert(environment.end(), options.extra_environment.begin(),
                     options.extra_environment.end());
  return environment;
}

}  // namespace

Result<pid_t> Spawn(const SpawnOptions& options) {
  ChildPlan plan;
  std::vector<std::string> environment = Environment(options);
  plan.fds = options.fds;
  if (!options.listen_fds.empty()) {
    std::string names;
    for (size_t i = 0; i < options.listen_fds.size(); ++i) {
      plan.fds.emplace_back(options.listen_fds[i].first, kFirstListenFd + static_cast<int>(i));
      names += (i == 0 ? "" : ":") + options.listen_fds[i].second;
    }
    environment.push_back("LISTEN_FDS=" + std::to_string(options.listen_fds.size()));
    environment.push_back("LISTEN_FDNAMES=" + names);
    environment.push_back(kPidPlaceholder);
  }
  plan.argv = Pointers(options.argv);
  plan.envp = Pointers(environment);
  if (!options.listen_fds.empty()) {
    plan.listen_pid = environment.back().data() + std::strlen("LISTEN_PID=");
  }
  if (!options.working_directory.empty()) {
    plan.working_directory = options.working_directory.c_str();
  }
  plan.die_with_parent = options.die_with_parent;
  plan.new_process_group = options.new_process_group;
  plan.parent = ::getpid();

  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return ErrnoError("cannot make a pipe", errno);
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  plan.error_pipe = write_end.get();

  const pid_t pid = ::fork();
  if (pid < 0) return ErrnoError("cannot start a process", errno);
  if (pid == 0) RunChild(plan);
  write_end.Reset();
  int child_errno = 0;
  ssize_t got;
  do {
    got = ::read(read_end.get(), &child_errno, sizeof child_errno);
  } while (got < 0 && errno == EINTR);
  if (got == static_cast<ssize_t>(sizeof child_errno)) {
    ::waitpid(pid, nullptr, 0);
    return ErrnoError("cannot run '" + options.argv[0] + "'", child_errno);
  }
  return pid;
}

std::string ExitState::Describe() const {
  if (!signalled) return "exit status " + std::to_string(code);
  const char* name = ::strsignal(code);
  return "signal " + std::to_string(code) + " (" + (name == nullptr ? "?" : name) + ")";
}

Result<std::optional<ExitState>> WaitForExit(pid_t pid, int timeout_ms) {
  if (timeout_ms >= 0) {
    const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    if (pidfd) {
      pollfd wait{pidfd.get(), POLLIN, 0};
      int ready;
      do {
        ready = ::poll(&wait, 1, timeout_ms);
      } while (ready < 0 && errno == EINTR);
      if (ready == 0) return std::optional<ExitState>();
    }
  }
  int status = 0;
  pid_t reaped;
  do {
    reaped = ::waitpid(pid, &status, 0);
  } while (reaped < 0 && errno == EINTR);
  if (reaped < 0) return ErrnoError("cannot wait for process " + std::to_string(pid), errno);
  ExitState state;
  state.signalled = WIFSIGNALED(status);
  state.code = state.signalled ? WTERMSIG(status) : WEXITSTATUS(status);
  return std::optional<ExitState>(state);
}

Result<ExitState> StopProcess(pid_t pid, int grace_ms) {
  ::kill(pid, SIGTERM);
  std::optional<ExitState> state = TRY(WaitForExit(pid, grace_ms));
  if (!state) {
    ::kill(pid, SIGKILL);
    state = TRY(WaitForExit(pid, -1));
  }
  return *state;
}

std::vector<std::pair<int, std::string>> TakeListenFds() {
  std::vector<std::pair<int, std::string>> fds;
  const char* pid = std::getenv("LISTEN_PID");
  const char* count_text = std::getenv("LISTEN_FDS");
  if (pid != nullptr && count_text != nullptr && std::atol(pid) == ::getpid()) {
    const char* names_text = std::getenv("LISTEN_FDNAMES");
    std::string names = names_text == nullptr ? "" : names_text;
    const int count = std::clamp(std::atoi(count_text), 0, 256);
    for (int i = 0; i < count; ++i) {
      const size_t colon = names.find(':');
      ::fcntl(kFirstListenFd + i, F_SETFD, FD_CLOEXEC);
      fds.emplace_back(kFirstListenFd + i, names.substr(0, colon));
      names = colon == std::string::npos ? "" : names.substr(colon + 1);
    }
  }
  ::unsetenv("LISTEN_PID");
  ::unsetenv("LISTEN_FDS");
  ::unsetenv("LISTEN_FDNAMES");
  return fds;
}

Result<std::string> ProgramDirectory() {
  char path[PATH_MAX];
  const ssize_t size = ::readlink("/proc/self/exe", path, sizeof path);
  if (size < 0) return ErrnoError("cannot read /proc/self/exe", errno);
  const std::string whole(path, static_cast<size_t>(size));
  return whole.substr(0, whole.rfind('/'));
}

void NotifySystemd(const std::string& state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr || (path[0] != '/' && path[0] != '@')) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const size_t length = std::strlen(path);
  if (length >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = '\0';
  const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return;
  ::sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL,
           reinterpret_cast<const sockaddr*>(&address),
           static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length));
}

}  // namespace skerry
