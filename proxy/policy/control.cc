#include "proxy/policy/control.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "appliance/base/json.h"
#include "appliance/base/log.h"
#include "appliance/base/unix_socket.h"

namespace skerry::proxy {

namespace {

constexpr size_t kMaxLineBytes = 64 << 10;
constexpr int kClientTimeoutSeconds = 5;  // admin is served one command at a time and never slow

}  // namespace

Result<std::unique_ptr<ControlServer>> ControlServer::Start(UniqueFd listener, PolicyStore& store,
                                                            ApplyPolicy apply) {
  UniqueFd stop(::eventfd(0, EFD_CLOEXEC));
  if (!stop) return ErrnoError("cannot make an event descriptor", errno);
  std::unique_ptr<ControlServer> server(
      new ControlServer(std::move(listener), std::move(stop), store, std::move(apply)));
  server->thread_ = std::thread([raw = server.get()] { raw->Run(); });
  return server;
}

ControlServer::ControlServer(UniqueFd listener, UniqueFd stop, PolicyStore& store,
                             ApplyPolicy apply)
    : listener_(std::move(listener)),
      stop_(std::move(stop)),
      store_(store),
      apply_(std::move(apply)) {}

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
  const timeval timeout{kClientTimeoutSeconds, 0};
  ::setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  ::setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
  for (;;) {
    const Result<std::string> line = ReadLine(client, kMaxLineBytes);
    if (!line) return;
    if (!WriteFully(client, Answer(*line) + "\n")) return;
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
