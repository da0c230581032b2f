// skerry-proxy: the front door. The order below is a safety property: the dialer is forked before
// any thread and any use of a TCP socket, the system call filter stands before the first byte of a
// client.
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "appliance/base/log.h"
#include "appliance/base/process.h"
#include "proxy/http/proxy_server.h"
#include "proxy/policy/control.h"
#include "proxy/sandbox/egress_probe.h"
#include "proxy/sandbox/sandbox.h"
#include "proxy/upstream/dialer.h"

namespace skerry::proxy {

namespace {

constexpr int kDrainMs = 30'000;

struct Arguments {
  std::string instance;
  std::string certificate_file;
  std::string key_file;
  std::string policy_directory;
  std::string journal_directory;
  std::string run_directory;
  int admin_port = 0;
  std::string access_log;
  std::string probe_egress;
};

struct Inherited {
  UniqueFd tls;
  UniqueFd control;
};

Result<Inherited> TakeSockets(bool is_api) {
  Inherited sockets;
  for (auto& [fd, name] : TakeListenFds()) {
    if (name == "tls") {
      sockets.tls.Reset(fd);
    } else if (name == "control" && is_api) {
      sockets.control.Reset(fd);
    } else {
      return Error(ErrorCode::kInvalidArgument,
                   "inherited socket '" + name + "' is not known here");
    }
  }
  if (!sockets.tls || (is_api && !sockets.control)) {
    return Error(ErrorCode::kInvalidArgument,
                 std::string("needs inherited sockets (LISTEN_FDS) named 'tls'") +
                     (is_api ? " and 'control'" : "") + ": start it by its unit or skerry serve");
  }
  return sockets;
}

// A socket connected to $NOTIFY_SOCKET, made while that is still possible; empty without one.
UniqueFd ConnectNotify() {
  const char* path = std::getenv("NOTIFY_SOCKET");
  sockaddr_un address{};
  if (path == nullptr || (path[0] != '/' && path[0] != '@')) return {};
  const size_t length = std::strlen(path);
  if (length >= sizeof address.sun_path) return {};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = '\0';
  UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const socklen_t size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
  if (!fd || ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) return {};
  return fd;
}

void Notify(const UniqueFd& socket, std::string_view state) {
  if (socket) ::send(socket.get(), state.data(), state.size(), MSG_NOSIGNAL);
}

// As high as it goes; the limit then in force.
Result<rlim_t> RaiseFileLimit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return ErrnoError("cannot read the limit of open files", errno);
  }
  const rlimit raised{limit.rlim_max, limit.rlim_max};
  return ::setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur : limit.rlim_cur;
}

// The instance's limits, with no more connections than there are descriptors for.
Limits LimitsFor(bool is_api, rlim_t open_files) {
  Limits limits = is_api ? Limits() : AdminLimits();
  limits.max_connections = std::min(limits.max_connections, ConnectionsFor(open_files));
  return limits;
}

// journal/WRITER, made when absent.
Result<std::unique_ptr<FileSystem>> OpenJournalFolder(const std::string& directory,
                                                      const std::string& writer) {
  std::unique_ptr<FileSystem> root = TRY(OpenFiles(directory));
  TRY(MakeDirectories(*root, writer, 0750));
  return OpenFiles(directory + "/" + writer);
}

// Instead of serving: tries every way out with the first connection, and fails when one is open.
Result<void> ProbeEgress(const EgressTargets& targets, const UniqueFd& listener) {
  const int reached = TRY(ServeEgressProbe(targets, listener.get(), STDOUT_FILENO));
  if (reached == 0) return {};
  return Error(
      ErrorCode::kUntrusted,
      std::to_string(reached) + " ways out are not blocked; their lines say \"blocked\":false");
}

Result<void> Serve(const Arguments& arguments) {
  const bool is_api = arguments.instance == "api";
  ::signal(SIGPIPE, SIG_IGN);
  std::optional<EgressTargets> probe;
  if (!arguments.probe_egress.empty()) probe = TRY(ParseEgressTargets(arguments.probe_egress));
  Inherited sockets = TRY(TakeSockets(is_api));
  DialerConfig dialer;
  if (is_api) {
    dialer.run_directory = arguments.run_directory;
  } else {
    dialer.loopback_port = static_cast<uint16_t>(arguments.admin_port);
  }
  UniqueFd dialer_channel = TRY(ForkDialer(dialer));
  const UniqueFd notify = ConnectNotify();
  const rlim_t open_files = TRY(RaiseFileLimit());
  TRY(EnterSandbox());

  const TlsContext tls = TRY(TlsContext::Load(arguments.certificate_file, arguments.key_file));
  ProxyParts parts;
  parts.limits = LimitsFor(is_api, open_files);
  parts.listener = std::move(sockets.tls);
  parts.dialer = std::move(dialer_channel);
  parts.tls = &tls;
  std::unique_ptr<AccessLog> access_log;
  if (!arguments.access_log.empty()) access_log = TRY(AccessLog::Open(arguments.access_log));
  parts.access_log = access_log.get();

  std::unique_ptr<PolicyStore> policy;
  std::unique_ptr<FileSystem> journal_files;
  std::unique_ptr<audit::Writer> journal;
  if (is_api) {
    std::unique_ptr<FileSystem> policy_files = TRY(OpenFiles(arguments.policy_directory));
    policy = TRY(PolicyStore::Open(std::move(policy_files)));
    parts.policy = policy->current();
    journal_files = TRY(OpenJournalFolder(arguments.journal_directory, arguments.instance));
    journal = TRY(audit::Writer::Open(*journal_files, arguments.instance));
    if (journal->torn_bytes() > 0) {
      LogWarning("the audit journal ended in " + std::to_string(journal->torn_bytes()) +
                 " bytes of a record that was never acknowledged; they were cut off");
    }
    parts.journal = journal.get();
  } else {
    parts.instance = Instance::kAdmin;
  }
  if (probe) {
    Notify(notify, "READY=1");
    return ProbeEgress(*probe, parts.listener);
  }
  std::unique_ptr<ProxyServer> server = TRY(ProxyServer::Create(std::move(parts)));
  std::unique_ptr<ControlServer> control;
  if (is_api) {
    control = TRY(ControlServer::Start(std::move(sockets.control), *policy,
                                       [&](PolicyPtr loaded) { server->ApplyPolicy(loaded); }));
  }
  LogInfo("serving instance '" + arguments.instance + "'" +
          (is_api
               ? " with policy generation " + std::to_string(policy->current()->policy.generation)
               : ""));
  Notify(notify, "READY=1");
  Result<void> served = server->Run(kDrainMs);
  Notify(notify, "STOPPING=1");
  return served;
}

int Main(int argc, char** argv) {
  InitLogging("skerry-proxy");
  Arguments arguments;
  CLI::App app("TLS front door of a Skerry appliance");
  app.add_option("--instance", arguments.instance, "api or admin")
      ->required()
      ->check(CLI::IsMember({"api", "admin"}));
  app.add_option("--cert", arguments.certificate_file, "certificate chain, PEM")->required();
  app.add_option("--key", arguments.key_file, "private key, PEM")->required();
  app.add_option("--policy", arguments.policy_directory, "published policy (api)");
  app.add_option("--journal", arguments.journal_directory, "audit journals (api)");
  app.add_option("--run-dir", arguments.run_directory, "directory of the engines' sockets (api)");
  app.add_option("--admin-port", arguments.admin_port, "admin's port on 127.0.0.1 (admin)")
      ->check(CLI::Range(1, 65535));
  app.add_option("--probe-egress", arguments.probe_egress,
                 "instead of serving, wait for one connection and try every way out towards "
                 "IPV4[,IPV6]; reports JSON lines, status 1 when one is open")
      ->type_name("ADDRESSES");
  app.add_option("--access-log", arguments.access_log, "file for lines in nginx's combined format");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  const bool is_api = arguments.instance == "api";
  if (is_api && (arguments.policy_directory.empty() || arguments.journal_directory.empty() ||
                 arguments.run_directory.empty())) {
    LogError("instance 'api' needs --policy, --journal and --run-dir");
    return 2;
  }
  if (!is_api && arguments.admin_port == 0) {
    LogError("instance 'admin' needs --admin-port");
    return 2;
  }
  const Result<void> served = Serve(arguments);
  if (served) return 0;
  LogError(served.error().message());
  return ExitStatus(served.error().code());
}

}  // namespace

}  // namespace skerry::proxy

int main(int argc, char** argv) { return skerry::proxy::Main(argc, argv); }
