#include "proxy/policy/control.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <nlohmann/json.hpp>

#include "appliance/base/json.h"
#include "appliance/base/log.h"
#include "appliance/base/unix_socket.h"

namespace skerry::proxy {

namespace {

constexpr size_t kMaxLineBytes = 64 << 10;

}  // namespace

Result<std::unique_ptr<ControlServer>> ControlServer::Start(UniqueFd listener, PolicyStore& store,
                                                            ApplyPolicy apply,
                                                            int line_timeout_ms) {
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
  if (!stop) return ErrnoError("cannot make an event descriptor", errno);
  std::unique_ptr<ControlServer> server(new ControlServer(
      std::move(listener), std::move(stop), store, std::move(apply), line_timeout_ms));
  server->thread_ = std::thread([raw = server.get()] { raw->Run(); });
  return server;
}

ControlServer::ControlServer(UniqueFd listener, UniqueFd stop, PolicyStore& store,
                             ApplyPolicy apply, int line_timeout_ms)
    : listener_(std::move(listener)),
      stop_(std::move(stop)),
      store_(store),
      apply_(std::move(apply)),
      line_timeout_ms_(line_timeout_ms) {}

ControlServer::~ControlServer() {
  ::eventfd_write(stop_.get(), 1);
  if (thread_.joinable()) thread_.join();
}

void ControlServer::Run() {
  for (;;) {
    pollfd waits[] = {{listener_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
    if (::poll(waits, 2, -1) < 0 && errno != EINTR) {
      return LogError(ErrnoError("the control socket cannot be waited for", errno).message());
    }
    if ((waits[1].revents & POLLIN) != 0) return;
    if ((waits[0].revents & POLLIN) == 0) continue;
    const Result<UniqueFd> client = AcceptUnix(listener_.get());
    if (!client) {
      LogError("control socket: " + client.error().message());
      continue;
    }
    Serve(client->get());
  }
}

void ControlServer::Serve(int client) {
  const timeval timeout{line_timeout_ms_ / 1000, line_timeout_ms_ % 1000 * 1000};
  ::setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
  for (;;) {
    const std::optional<std::string> line = ReadCommand(client);
    if (!line) return;
    if (!WriteFully(client, Answer(*line) + "\n")) return;
  }
}

std::optional<std::string> ControlServer::ReadCommand(int client) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + std::chrono::milliseconds(line_timeout_ms_);
  std::string line;
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) return std::nullopt;
    pollfd waits[] = {{client, POLLIN, 0}, {stop_.get(), POLLIN, 0}};
    if (::poll(waits, 2, static_cast<int>(left)) < 0 && errno != EINTR) return std::nullopt;
    if ((waits[1].revents & POLLIN) != 0) return std::nullopt;
    if (waits[0].revents == 0) continue;
    char c;
    const ssize_t got = ::read(client, &c, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return std::nullopt;
    if (c == '\n') return line;
    if (line.size() == kMaxLineBytes) return std::nullopt;
    line.push_back(c);
  }
}

Result<uint64_t> ControlServer::Execute(const std::string& line) {
  const Json command = TRY(ParseJson(line));
  TRY(RefuseUnknownKeys(command, {"op", "generation"}));
  const std::string op = TRY(GetString(command, "op"));
  if (op != "load") return Error(ErrorCode::kInvalidArgument, "unknown op '" + op + "'");
  const int64_t generation = TRY(GetInt(command, "generation"));
  if (generation < 0) return Error(ErrorCode::kInvalidArgument, "generation must not be negative");
  const PolicyPtr policy = TRY(store_.Load(static_cast<uint64_t>(generation)));
  apply_(policy);
  LogInfo("policy generation " + std::to_string(policy->policy.generation) + " is in force");
  return policy->policy.generation;
}

std::string ControlServer::Answer(const std::string& line) {
  const Result<uint64_t> done = Execute(line);
  if (done) return DumpJson({{"generation", *done}});
  LogError("control command refused: " + done.error().message());
  return DumpJson({{"error",
                    {{"code", std::string(ErrorCodeName(done.error().code()))},
                     {"message", done.error().message()}}}});
}

}  // namespace skerry::proxy
