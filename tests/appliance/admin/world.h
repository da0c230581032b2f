// What surrounds the admin service, in miniature: a data directory with models, a supervisor,
// engines on Unix sockets and the proxy's control socket. Each notes what it was asked.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "appliance/audit/verify.h"
#include "appliance/base/control.h"
#include "appliance/base/files.h"
#include "appliance/base/json.h"
#include "appliance/base/sha256.h"
#include "appliance/base/testing/fixtures.h"
#include "appliance/base/unix_socket.h"
#include "appliance/http/server.h"
#include "appliance/policy/reader.h"
#include "appliance/supervisor/protocol.h"
#include "bundler/format/manifest.h"

namespace skerry::admin {

// Asks again and again until `done`, at most ten seconds.
inline bool Eventually(const std::function<bool()>& done) {
  for (int i = 0; i < 2'000; ++i) {
    if (done()) return true;
    ::usleep(5'000);
  }
  return false;
}

// Answers control lines on a socket, one per connection, on a thread of its own.
class ControlServer {
 public:
  using Answer = std::function<std::string(const std::string& line)>;
  ControlServer(const std::string& path, Answer answer)
      : listener_(ListenUnix(path).value()), answer_(std::move(answer)) {
    thread_ = std::thread([this] { Run(); });
  }
  ~ControlServer() {
    stopping_ = true;
    thread_.join();
  }

 private:
  void Run() {
    while (!stopping_) {
      pollfd wait{listener_.get(), POLLIN, 0};
      if (::poll(&wait, 1, 20) != 1) continue;
      const Result<UniqueFd> client = AcceptUnix(listener_.get());
      if (!client) continue;
      const Result<std::string> line = ReadLine(client->get(), kMaxControlLineBytes);
      if (line) (void)WriteFully(client->get(), answer_(*line)).has_value();
    }
  }
  const UniqueFd listener_;
  const Answer answer_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

class World {
 public:
  World() : files_(OpenFiles(path()).value()) {
    for (const char* folder :
         {"store", "policy", "admin", "journal/api", "journal/admin", "run/engine"}) {
      EXPECT_TRUE(MakeDirectories(*files_, folder).has_value());
    }
    Write("run/admin.secret", secret());
  }

  const std::string& path() const { return directory_.path(); }
  FileSystem& files() { return *files_; }
  static std::string secret() { return std::string(64, '7'); }
  void Write(const std::string& name, const std::string& content) {
    EXPECT_TRUE(WriteAtomically(*files_, name, content).has_value());
  }

  // A model as the importer leaves it; returns its digest.
  std::string AddModel(const std::string& id = "acme/tiny", uint64_t release_seq = 1) {
    format::Manifest manifest;
    manifest.id = id;
    manifest.version = "1.0." + std::to_string(release_seq);
    manifest.release_seq = release_seq;
    manifest.files.push_back(
        {"config.json", 2, Sha256::Of(std::string_view("a")), Sha256::Of(std::string_view("b"))});
    const Result<std::string> text = format::SerializeManifest(manifest);
    EXPECT_TRUE(text.has_value()) << text.error().message();
    const std::string digest = "sha256-" + Sha256::Of(std::string_view(*text)).Hex();
    const std::string folder = "store/" + digest;
    EXPECT_TRUE(MakeDirectories(*files_, folder + "/files").has_value());
    EXPECT_TRUE(MakeDirectories(*files_, folder + "/bundle").has_value());
    Write(folder + "/files/config.json", "{}");
    Write(folder + "/bundle/manifest", *text);
    Write(folder + "/import.json", DumpJson({{"digest", digest},
                                             {"id", id},
                                             {"version", manifest.version},
                                             {"release_seq", release_seq},
                                             {"imported_at", "2025-01-31T23:59:59.123Z"}}));
    return digest;
  }

  // --- the supervisor ---
  void StartSupervisor() {
    supervisor_ = std::make_unique<ControlServer>(
        path() + "/run/supervisor.sock",
        [this](const std::string& line) { return Supervise(line); });
  }
  // As if the supervisor had ended with all engines and was started anew.
  void EndEngines() {
    const std::lock_guard lock(mu_);
    engines_.clear();
  }
  std::vector<std::string> Running() {
    const std::lock_guard lock(mu_);
    std::vector<std::string> ids;
    for (const auto& [id, engine] : engines_) ids.push_back(id);
    return ids;
  }
  supervisor::StartRequest StartedAs(const std::string& id) {
    const std::lock_guard lock(mu_);
    return engines_.at(id).request;
  }
  void SetInfo(const std::string& id, supervisor::InstanceState state, int restarts,
               const std::string& detail) {
    const std::lock_guard lock(mu_);
    engines_.at(id).info = {id, state, restarts, detail};
  }
  std::atomic<bool> healthy = true;  // engines answer /health with 200, else with 503
  std::string health = "{}";         // and with this, from before they are started
  std::atomic<bool> crash = false;   // new engines crash while they load

  // --- the proxy ---
  void StartProxy() {
    proxy_ = std::make_unique<ControlServer>(
        path() + "/run/proxy-api.sock", [this](const std::string& line) { return Load(line); });
  }
  uint64_t loaded_generation() const { return loaded_generation_; }

  // What happened outside, in order: "start ID", "stop ID", "load: ALIASES; N tokens".
  std::vector<std::string> Events() {
    const std::lock_guard lock(mu_);
    return events_;
  }

  policy::Policy Published() {
    auto files = OpenFiles(path() + "/policy").value();
    return policy::ReadPolicy(*files).value().policy;
  }

  // Actions in journal/admin, failures with a '!'.
  std::vector<std::string> Recorded() {
    auto files = OpenFiles(path() + "/journal/admin").value();
    const audit::Verification verified = audit::VerifyJournal(*files).value();
    EXPECT_FALSE(verified.broken.has_value());
    std::vector<std::string> actions;
    const std::vector<std::string> lines = audit::LastRecords(*files, 1'000).value();
    for (const std::string& line : lines) {
      const Json record = ParseJson(line).value();
      actions.push_back(record["event"]["action"].get<std::string>() +
                        (record["event"]["outcome"] == "failure" ? "!" : ""));
    }
    return actions;
  }

 private:
  struct Engine {
    supervisor::StartRequest request;
    supervisor::InstanceInfo info;
    std::unique_ptr<http::Server> server;
  };

  std::string Supervise(const std::string& line) {
    const Result<supervisor::Request> request = supervisor::ParseRequest(line);
    if (!request) return ControlReply(request.error());
    const std::lock_guard lock(mu_);
    if (const auto* start = std::get_if<supervisor::StartRequest>(&*request)) {
      events_.push_back("start " + start->id);
      if (engines_.count(start->id) == 0) engines_[start->id] = MakeEngine(*start);
      return ControlReply(Json{{"ok", true}});
    }
    if (const auto* stop = std::get_if<supervisor::StopRequest>(&*request)) {
      events_.push_back("stop " + stop->id);
      if (engines_.erase(stop->id) == 0) {
        return ControlReply(Error(ErrorCode::kNotFound, "no instance"));
      }
      return ControlReply(Json{{"ok", true}});
    }
    std::vector<supervisor::InstanceInfo> list;
    for (const auto& [id, engine] : engines_) list.push_back(engine.info);
    return ControlReply(supervisor::ListToJson(list));
  }

  Engine MakeEngine(const supervisor::StartRequest& request) {
    Engine engine;
    engine.request = request;
    engine.info.id = request.id;
    if (crash) {
      engine.info.state = supervisor::InstanceState::kWaiting;
      engine.info.detail = "exit status 1: tensor 'x' is cut off";
      return engine;
    }
    const std::string folder = "run/engine/" + request.id;
    EXPECT_TRUE(MakeDirectories(*files_, folder).has_value());
    UniqueFd listener = ListenUnix(path() + "/" + folder + "/sock").value();
    const http::Handler handler = [this](const http::Request& asked,
                                         std::shared_ptr<http::Responder> answer) {
      EXPECT_EQ(asked.head.path, "/health");
      http::Response response;
      response.status = healthy ? 200 : 503;
      response.body = health;
      answer->Send(std::move(response));
    };
    engine.server = http::Server::Start(std::move(listener), {}, handler).value();
    return engine;
  }

  std::string Load(const std::string& line) {
    const Json request = ParseJson(line).value();
    const policy::Policy policy = Published();
    EXPECT_EQ(request["op"], "load");
    EXPECT_GE(policy.generation, request["generation"].get<uint64_t>());
    std::string event = "load:";
    for (const auto& [name, alias] : policy.aliases) event += " " + name;
    event += "; " + std::to_string(policy.tokens.size()) + " tokens";
    const std::lock_guard lock(mu_);
    if (policy.generation > loaded_generation_) events_.push_back(event);
    loaded_generation_ = policy.generation;
    return ControlReply(Json{{"generation", policy.generation}});
  }

  testing::TemporaryDirectory directory_;
  const std::unique_ptr<FileSystem> files_;
  std::mutex mu_;
  std::map<std::string, Engine> engines_;  // guarded by mu_
  std::vector<std::string> events_;        // guarded by mu_
  std::atomic<uint64_t> loaded_generation_ = 0;
  std::unique_ptr<ControlServer> supervisor_;
  std::unique_ptr<ControlServer> proxy_;
};

}  // namespace skerry::admin
