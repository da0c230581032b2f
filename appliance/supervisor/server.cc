#include "appliance/supervisor/server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <vector>

#include "appliance/base/clock.h"
#include "appliance/base/control.h"
#include "appliance/base/log.h"
#include "appliance/base/unix_socket.h"
#include "appliance/supervisor/child.h"

namespace skerry::supervisor {

namespace {

constexpr int64_t kNanosPerMilli = 1'000'000;
constexpr int64_t kRequestTimeoutNs = 10'000 * kNanosPerMilli;
// Answers are a line; a peer that does not read it loses it.
constexpr size_t kReadBytes = 4 << 10;

int64_t Now() { return RealClock().MonotonicNanos(); }

}  // namespace

// One thread does everything, so nothing here needs a lock; only `wake_` is touched from outside.
class ChildSupervisor::Loop {
 public:
  Loop(UniqueFd listener, const ChildOptions& options, UniqueFd wake)
      : listener_(std::move(listener)), options_(options), wake_(std::move(wake)) {
    ::fcntl(listener_.get(), F_SETFL, O_NONBLOCK);
    thread_ = std::thread([this] { Run(); });
  }
  ~Loop() {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t put = ::write(wake_.get(), &one, sizeof one);
    thread_.join();
  }

 private:
  struct Connection {
    UniqueFd fd;
    std::string line;
    int64_t deadline_ns = 0;
    std::string stopping;  // id whose end it waits for
  };

  void Run();
  bool Wait();
  void Accept();
  void OnClient(Connection& client);
  void Execute(Connection& client);
  Result<Json> Start(const StartRequest& request);
  void Reap();
  static void Answer(Connection& client, const Result<Json>& result);

  UniqueFd listener_;
  const ChildOptions options_;
  const UniqueFd wake_;
  std::map<std::string, std::unique_ptr<Child>> children_;
  std::vector<std::unique_ptr<Connection>> clients_;
  bool shutting_down_ = false;
  std::thread thread_;
};

void ChildSupervisor::Loop::Run() {
  for (;;) {
    if (Wait()) {
      shutting_down_ = true;
      for (auto& [id, child] : children_) child->BeginStop(Now());
    }
    Reap();
    std::erase_if(clients_, [](const auto& client) { return !client->fd; });
    if (shutting_down_ && children_.empty()) return;
  }
}

// Waits for anything and handles it; true when the supervisor is to end.
bool ChildSupervisor::Loop::Wait() {
  std::vector<pollfd> polled;
  polled.push_back({shutting_down_ ? -1 : wake_.get(), POLLIN, 0});
  const bool may_accept = !shutting_down_ && clients_.size() < kMaxClients;
  polled.push_back({may_accept ? listener_.get() : -1, POLLIN, 0});
  int64_t deadline = INT64_MAX;
  std::vector<Child*> children;
  for (const auto& [id, child] : children_) {
    children.push_back(child.get());
    polled.push_back({child->output_fd(), POLLIN, 0});
    polled.push_back({child->exit_fd(), POLLIN, 0});
    deadline = std::min(deadline, child->deadline_ns().value_or(INT64_MAX));
  }
  const size_t first_client = polled.size();
  std::vector<Connection*> clients;
  for (const auto& client : clients_) {
    clients.push_back(client.get());
    polled.push_back({client->fd.get(), POLLIN, 0});
    if (client->stopping.empty()) deadline = std::min(deadline, client->deadline_ns);
  }
  int timeout_ms = -1;
  if (deadline != INT64_MAX) {
    const int64_t rest = (deadline - Now() + kNanosPerMilli - 1) / kNanosPerMilli;
    timeout_ms = static_cast<int>(std::clamp<int64_t>(rest, 0, 60'000));
  }
  if (::poll(polled.data(), polled.size(), timeout_ms) < 0) return false;

  const int64_t now = Now();
  for (size_t i = 0; i < children.size(); ++i) {
    if (polled[2 + 2 * i].revents != 0) children[i]->OnOutput();
    if (polled[3 + 2 * i].revents != 0) children[i]->OnExit(now);
    if (children[i]->deadline_ns().value_or(INT64_MAX) <= now) children[i]->OnDeadline(now);
  }
  for (size_t i = 0; i < clients.size(); ++i) {
    if (polled[first_client + i].revents != 0) OnClient(*clients[i]);
    if (clients[i]->fd && clients[i]->stopping.empty() && clients[i]->deadline_ns <= now) {
      clients[i]->fd.Reset();
    }
  }
  if (polled[1].revents != 0) Accept();
  return polled[0].revents != 0;
}

void ChildSupervisor::Loop::Accept() {
  auto client = std::make_unique<Connection>();
  client->fd = UniqueFd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!client->fd) return;
  const Result<uid_t> uid = PeerUid(client->fd.get());
  if (!uid || *uid != options_.allowed_uid) {
    Answer(*client, Error(ErrorCode::kDenied, "this user may not command the supervisor"));
    return;
  }
  client->deadline_ns = Now() + kRequestTimeoutNs;
  clients_.push_back(std::move(client));
}

void ChildSupervisor::Loop::OnClient(Connection& client) {
  char bytes[kReadBytes];
  const ssize_t got = ::recv(client.fd.get(), bytes, sizeof bytes, 0);
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (got <= 0) {  // gone; what it asked for goes on
    client.fd.Reset();
    return;
  }
  if (!client.stopping.empty()) return;  // one request per connection
  client.line.append(bytes, static_cast<size_t>(got));
  const size_t end = client.line.find('\n');
  if (end == std::string::npos) {
    if (client.line.size() > kMaxControlLineBytes) {
      Answer(client, Error(ErrorCode::kExhausted, "the request is too long"));
    }
    return;
  }
  client.line.resize(end);
  Execute(client);
}

void ChildSupervisor::Loop::Execute(Connection& client) {
  const Result<Request> request = ParseRequest(client.line);
  if (!request) return Answer(client, request.error());
  if (shutting_down_) {
    return Answer(client, Error(ErrorCode::kUnavailable, "the appliance is stopping"));
  }
  if (const auto* start = std::get_if<StartRequest>(&*request)) {
    return Answer(client, Start(*start));
  }
  if (const auto* stop = std::get_if<StopRequest>(&*request)) {
    const auto found = children_.find(stop->id);
    if (found == children_.end()) {
      return Answer(client, Error(ErrorCode::kNotFound, "no instance '" + stop->id + "' runs"));
    }
    found->second->BeginStop(Now());
    client.stopping = stop->id;  // answered by Reap
    return;
  }
  std::vector<InstanceInfo> list;
  for (const auto& [id, child] : children_) list.push_back(child->Info());
  Answer(client, ListToJson(list));
}

Result<Json> ChildSupervisor::Loop::Start(const StartRequest& request) {
  const auto found = children_.find(request.id);
  if (found != children_.end()) {
    Child& child = *found->second;
    if (child.stopping()) {
      return Error(ErrorCode::kUnavailable, "instance '" + request.id + "' is being stopped");
    }
    const bool failed = child.Info().state == InstanceState::kFailed;
    if (!failed && !(child.request() == request)) {
      return Error(ErrorCode::kAlreadyExists,
                   "instance '" + request.id + "' already runs with other arguments");
    }
    if (!failed) return Json{{"ok", true}};
    children_.erase(found);
  }
  if (children_.size() >= kMaxInstances) {
    return Error(ErrorCode::kExhausted,
                 "already " + std::to_string(kMaxInstances) + " instances: stop one first");
  }
  auto child = std::make_unique<Child>(request, options_);
  TRY(child->Launch());
  children_.emplace(request.id, std::move(child));
  return Json{{"ok", true}};
}

// Removes what has ended and tells those who waited for it.
void ChildSupervisor::Loop::Reap() {
  for (auto it = children_.begin(); it != children_.end();) {
    if (!it->second->Ended()) {
      ++it;
      continue;
    }
    const std::string id = it->first;
    it = children_.erase(it);
    for (const auto& client : clients_) {
      if (client->stopping == id && client->fd) Answer(*client, Json{{"ok", true}});
    }
  }
}

// Sends and closes. A line fits into an empty socket buffer.
void ChildSupervisor::Loop::Answer(Connection& client, const Result<Json>& result) {
  const Result<void> sent = WriteFully(client.fd.get(), ControlReply(result));
  if (!sent) LogWarning("a supervisor answer was lost: " + sent.error().message());
  client.fd.Reset();
}

ChildSupervisor::ChildSupervisor(std::unique_ptr<Loop> loop) : loop_(std::move(loop)) {}
ChildSupervisor::~ChildSupervisor() = default;

Result<std::unique_ptr<ChildSupervisor>> ChildSupervisor::Start(UniqueFd listener,
                                                                const ChildOptions& options) {
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC));
  if (!wake) return ErrnoError("cannot make an event descriptor", errno);
  auto loop = std::make_unique<Loop>(std::move(listener), options, std::move(wake));
  return std::unique_ptr<ChildSupervisor>(new ChildSupervisor(std::move(loop)));
}

}  // namespace skerry::supervisor
