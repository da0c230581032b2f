#include "appliance/cli/importer_socket.h"

#include <poll.h>
#include <unistd.h>

#include "appliance/base/log.h"
#include "appliance/base/process.h"
#include "appliance/base/unix_socket.h"

namespace skerry::cli {

namespace {

constexpr size_t kMaxImports = 4;
constexpr int kPollMs = 1'000;  // how soon an ended importer is reaped
constexpr int kStopGraceMs = 5'000;

constexpr char kBusy[] =
    "{\"error\":{\"code\":\"unavailable\",\"message\":\"four imports are running: try again when "
    "one "
    "has ended\"}}\n";

}  // namespace

Result<std::unique_ptr<ImporterSocket>> ImporterSocket::Start(UniqueFd listener,
                                                              std::string program,
                                                              std::string data_directory) {
  std::pair<UniqueFd, UniqueFd> stop = TRY(StreamPair());
  return std::unique_ptr<ImporterSocket>(new ImporterSocket(
      std::move(listener), std::move(program), std::move(data_directory), std::move(stop)));
}

ImporterSocket::ImporterSocket(UniqueFd listener, std::string program, std::string data_directory,
                               std::pair<UniqueFd, UniqueFd> stop)
    : listener_(std::move(listener)),
      program_(std::move(program)),
      data_directory_(std::move(data_directory)),
      stop_reader_(std::move(stop.first)),
      stop_writer_(std::move(stop.second)),
      thread_([this] { Serve(); }) {}

ImporterSocket::~ImporterSocket() {
  stop_writer_.Reset();
  thread_.join();
}

void ImporterSocket::Serve() {
  for (;;) {
    pollfd waits[] = {{listener_.get(), POLLIN, 0}, {stop_reader_.get(), POLLIN | POLLHUP, 0}};
    ::poll(waits, 2, running_.empty() ? -1 : kPollMs);
    std::erase_if(running_, [](pid_t pid) {
      const Result<std::optional<ExitState>> state = WaitForExit(pid, 0);
      return !state || state->has_value();
    });
    if (waits[1].revents != 0) break;
    if ((waits[0].revents & POLLIN) != 0) ServeOne();
  }
  for (const pid_t pid : running_) (void)StopProcess(pid, kStopGraceMs);
}

void ImporterSocket::ServeOne() {
  const Result<UniqueFd> connection = AcceptUnix(listener_.get());
  if (!connection) {
    LogError("import socket: " + connection.error().message());
    ::usleep(100'000);  // out of descriptors, say: do not spin
    return;
  }
  const Result<uid_t> peer = PeerUid(connection->get());
  if (!peer || (*peer != ::getuid() && *peer != 0)) {
    LogWarning("import socket: refused a connection from another user");
    return;
  }
  if (running_.size() >= kMaxImports) {
    (void)WriteFully(connection->get(), kBusy);
    return;
  }
  SpawnOptions options;
  options.argv = {program_, "--data", data_directory_};
  options.fds = {{connection->get(), 0}};
  const Result<pid_t> pid = Spawn(options);
  if (!pid) {
    LogError("import socket: " + pid.error().message());
    return;
  }
  running_.push_back(*pid);
}

}  // namespace skerry::cli
