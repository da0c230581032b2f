// `skerry serve`: the whole appliance in the foreground, as child processes, without systemd. It
// plays systemd's part: makes the sockets, hands them over, starts things in order and again when
// they end.
#include <openssl/rand.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "appliance/base/clock.h"
#include "appliance/base/encode.h"
#include "appliance/base/files.h"
#include "appliance/base/json.h"
#include "appliance/base/log.h"
#include "appliance/base/unix_socket.h"
#include "appliance/ca/ca.h"
#include "appliance/cli/command.h"
#include "appliance/cli/directory_lock.h"
#include "appliance/cli/importer_socket.h"
#include "appliance/cli/layout.h"
#include "appliance/cli/listen.h"
#include "appliance/cli/services.h"
#include "appliance/settings/settings.h"
#include "appliance/supervisor/server.h"

namespace skerry::cli {

namespace {

constexpr int kStartTimeoutMs = 30'000;
// Longer than the time the proxies give running replies.
constexpr int kStopGraceMs = 35'000;
constexpr char kDefaultListen[] = "127.0.0.1:8443";
constexpr char kDefaultAdminListen[] = "127.0.0.1:8444";

struct ServeOptions {
  std::string listen = kDefaultListen;
  std::string admin_listen = kDefaultAdminListen;
  std::vector<std::string> hosts;
};

std::string HostName() {
  char name[256] = "";
  ::gethostname(name, sizeof name - 1);
  return name;
}

// One run of the appliance on one data directory.
class Appliance {
 public:
  Appliance(std::string data, std::string programs, ServeOptions options)
      : data_(std::move(data)), programs_(std::move(programs)), options_(std::move(options)) {}
  ~Appliance() { Stop(); }

  Result<void> Start();
  // Until SIGINT or SIGTERM, or until a service cannot be kept running.
  Result<void> Run(int signals);
  void Stop();

  const ca::EnsureResult& certificates() const { return certificates_; }
  bool has_trust_root() const { return files_->Exists("trust/root.json"); }
  const std::string& api_address() const { return api_address_; }
  const std::string& admin_address() const { return admin_address_; }

 private:
  std::string Path(const std::string& name) const { return data_ + "/" + name; }
  Result<void> PrepareFiles();
  Result<void> OpenPorts();
  Result<void> OpenControlSockets();
  Result<void> StartServices();
  Result<SpawnOptions> ProxyCommand(const std::string& instance) const;

  const std::string data_;
  const std::string programs_;
  const ServeOptions options_;
  std::unique_ptr<FileSystem> files_;
  std::unique_ptr<DirectoryLock> lock_;
  ca::EnsureResult certificates_;
  UniqueFd api_socket_;
  UniqueFd admin_socket_;
  UniqueFd control_socket_;
  std::string api_address_;
  std::string admin_address_;
  std::unique_ptr<supervisor::ChildSupervisor> supervisor_;
  std::unique_ptr<ImporterSocket> importer_;
  std::unique_ptr<Services> services_;
};

Result<void> Appliance::PrepareFiles() {
  const std::unique_ptr<FileSystem> machine = TRY(OpenFiles("/"));
  TRY(MakeDirectories(*machine, data_, 0700));
  files_ = TRY(OpenFiles(data_));
  DirectoryLock lock = TRY(DirectoryLock::Take(data_, "skerry serve"));
  lock_ = std::make_unique<DirectoryLock>(std::move(lock));
  // A mistake in it is said here rather than in the log of a service that does not start.
  TRY(settings::ReadSettings(*files_));
  // A killed appliance may have left facts about itself.
  TRY(RemoveTree(*files_, "run"));
  TRY(MakeLayout(*files_));
  ca::Hosts hosts = {"localhost", "127.0.0.1", "::1"};
  for (const std::string& text : {options_.listen, options_.admin_listen}) {
    const ListenAddress address = TRY(ParseListenAddress(text));
    if (address.host != "0.0.0.0" && address.host != "::") hosts.push_back(address.host);
  }
  if (const std::string name = HostName(); !name.empty()) hosts.push_back(name);
  hosts.insert(hosts.end(), options_.hosts.begin(), options_.hosts.end());
  certificates_ = TRY(ca::EnsureCertificates(*files_, "tls", hosts, RealClock()));
  uint8_t secret[32];
  if (RAND_bytes(secret, sizeof secret) != 1) {
    return Error(ErrorCode::kInternal, "no random numbers from OpenSSL");
  }
  return WriteAtomically(*files_, "run/admin.secret", HexEncode(secret), 0600);
}

Result<void> Appliance::OpenPorts() {
  const ListenAddress api = TRY(ParseListenAddress(options_.listen).WithContext("--listen"));
  const ListenAddress admin =
      TRY(ParseListenAddress(options_.admin_listen).WithContext("--admin-listen"));
  api_socket_ = TRY(ListenTcp(api));
  admin_socket_ = TRY(ListenTcp(admin));
  api_address_ = TRY(LocalAddress(api_socket_.get()));
  admin_address_ = TRY(LocalAddress(admin_socket_.get()));
  return {};
}

Result<void> Appliance::OpenControlSockets() {
  control_socket_ = TRY(ListenUnix(Path("run/proxy-api.sock")));
  UniqueFd supervisor_socket = TRY(ListenUnix(Path("run/supervisor.sock")));
  supervisor::ChildOptions engines;
  engines.data_directory = data_;
  engines.engine_program = programs_ + "/skerry-engine";
  engines.allowed_uid = ::getuid();
  supervisor_ = TRY(supervisor::ChildSupervisor::Start(std::move(supervisor_socket), engines));
  UniqueFd import_socket = TRY(ListenUnix(Path("run/import.sock")));
  importer_ =
      TRY(ImporterSocket::Start(std::move(import_socket), programs_ + "/skerry-import", data_));
  return {};
}

Result<SpawnOptions> Appliance::ProxyCommand(const std::string& instance) const {
  SpawnOptions options;
  options.argv = {programs_ + "/skerry-proxy",
                  "--instance",
                  instance,
                  "--cert",
                  Path("tls/server.pem"),
                  "--key",
                  Path("tls/server.key"),
                  "--run-dir",
                  Path("run")};
  if (instance == "api") {
    options.argv.insert(options.argv.end(),
                        {"--policy", Path("policy"), "--journal", Path("journal")});
    options.listen_fds = {{api_socket_.get(), "tls"}, {control_socket_.get(), "control"}};
  } else {
    std::string port = TRY(ReadAll(*files_, "run/admin.port", 16));
    while (!port.empty() && port.back() == '\n') port.pop_back();
    options.argv.insert(options.argv.end(), {"--admin-port", port});
    options.listen_fds = {{admin_socket_.get(), "tls"}};
  }
  return options;
}

Result<void> Appliance::StartServices() {
  services_ = TRY(Services::Create(Path("run/notify.sock")));
  const auto admin = [this]() -> Result<SpawnOptions> {
    SpawnOptions options;
    options.argv = {programs_ + "/skerry-admin", "--data", data_, "--port", "0", "--port-file",
                    Path("run/admin.port")};
    return options;
  };
  TRY(services_->Start({"skerry-admin", admin}, kStartTimeoutMs));
  for (const std::string instance : {"api", "admin"}) {
    const auto proxy = [this, instance] { return ProxyCommand(instance); };
    TRY(services_->Start({"skerry-proxy@" + instance, proxy}, kStartTimeoutMs));
  }
  return {};
}

Result<void> Appliance::Start() {
  TRY(OpenPorts());  // before anything is written: a taken port leaves no half-made appliance
  TRY(PrepareFiles());
  TRY(OpenControlSockets());
  TRY(StartServices());
  const Json facts = {{"api", api_address_}, {"admin", admin_address_}, {"pid", ::getpid()}};
  return WriteAtomically(*files_, "run/serve.json", DumpJson(facts) + "\n", 0600);
}

Result<void> Appliance::Run(int signals) {
  for (;;) {
    std::vector<pollfd> waits = {{signals, POLLIN, 0}};
    for (const int fd : services_->ExitFds()) waits.push_back({fd, POLLIN, 0});
    if (::poll(waits.data(), waits.size(), -1) < 0) continue;
    if (waits[0].revents != 0) return {};
    TRY(services_->RestartEnded([](const std::string& line) { LogWarning(line); }));
  }
}

void Appliance::Stop() {
  if (lock_ == nullptr) return;  // nothing was started: another process may own this directory
  (void)files_->Remove("run/serve.json");
  if (services_ != nullptr) services_->StopAll(kStopGraceMs);
  services_.reset();
  importer_.reset();
  supervisor_.reset();
  // What is left below run/ means nothing once nobody listens.
  (void)RemoveTree(*files_, "run");
  lock_.reset();
}

// Blocks the signals that end `serve`, so that they arrive on the returned descriptor only.
Result<UniqueFd> EndSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGHUP);
  if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0)
    return ErrnoError("cannot block signals", errno);
  UniqueFd fd(::signalfd(-1, &set, SFD_CLOEXEC));
  if (!fd) return ErrnoError("cannot receive signals", errno);
  return fd;
}

Result<void> Serve(const Context& context, const ServeOptions& options) {
  InitLogging("skerry");
  const UniqueFd signals = TRY(EndSignals());
  const std::string data = TRY(AbsolutePath(context.data_directory));
  Appliance appliance(data, context.program_directory, options);
  TRY(appliance.Start());
  std::cout
      << "Skerry runs on " << data << "\n"
      << "  API    https://" << appliance.api_address() << "/v1\n"
      << "  admin  https://" << appliance.admin_address() << "\n"
      << "  CA     " << data << "/tls/ca.pem\n"
      << "         SHA-256 " << appliance.certificates().ca.fingerprint << "\n"
      << (appliance.has_trust_root()
              ? ""
              : "No trust root yet, so nothing can be imported: skerry trust accept root.json "
                "--fingerprint HEX --data " +
                    data + "\n")
      << "Press Ctrl-C to stop." << std::endl;
  NotifySystemd("READY=1");
  const Result<void> ended = appliance.Run(signals.get());
  std::cout << "Stopping." << std::endl;
  appliance.Stop();
  return ended;
}

}  // namespace

void AddServeCommand(CLI::App& app, Context& context) {
  CLI::App* command =
      app.add_subcommand("serve", "Run the whole appliance in the foreground, without systemd");
  AddDataOption(*command, context);
  auto options = std::make_shared<ServeOptions>();
  command->add_option("--listen", options->listen, "Where clients connect (ADDRESS:PORT)")
      ->capture_default_str();
  command->add_option("--admin-listen", options->admin_listen, "Where operators connect")
      ->capture_default_str();
  command->add_option("--host", options->hosts,
                      "A further name or address the certificate is for (repeatable)");
  command->callback([&context, options] {
    context.run = [&context, options] { return Serve(context, *options); };
  });
}

}  // namespace skerry::cli
