#include "appliance/admin/service.h"

#include <charconv>

#include "appliance/base/log.h"

namespace skerry::admin {

namespace {

constexpr size_t kSecretSize = 64;
constexpr char kSecretFile[] = "run/admin.secret";

Result<std::string> ReadSecret(FileSystem& files) {
  std::string secret = TRY(ReadAll(files, kSecretFile, kSecretSize + 1));
  if (secret.ends_with('\n')) secret.pop_back();
  if (secret.size() != kSecretSize ||
      secret.find_first_not_of("0123456789abcdef") != std::string::npos) {
    return Error(ErrorCode::kCorrupt, std::string("'") + kSecretFile + "' must be 64 hex digits");
  }
  return secret;
}

// The port of an earlier start, so that the proxy in front finds a restarted service; 0 for none.
uint16_t EarlierPort(const std::string& port_file) {
  if (port_file.empty()) return 0;
  const Result<std::unique_ptr<FileSystem>> root = OpenFiles(ParentDirectory(port_file));
  if (!root) return 0;
  const Result<std::string> text = ReadAll(**root, port_file.substr(port_file.rfind('/') + 1), 16);
  uint16_t port = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), port);
  return port;
}

Result<void> WritePort(const std::string& port_file, uint16_t port) {
  if (port_file.empty()) return {};
  const std::unique_ptr<FileSystem> root = TRY(OpenFiles(ParentDirectory(port_file)));
  return WriteAtomically(*root, port_file.substr(port_file.rfind('/') + 1), std::to_string(port));
}

}  // namespace

Service::Service(std::unique_ptr<Core> core)
    : core_(std::move(core)),
      tokens_(*core_),
      trust_(*core_, SKERRY_VERSION),
      models_(*core_, trust_),
      instances_(*core_, models_),
      api_(*core_, tokens_, models_, instances_, trust_) {}

Result<std::unique_ptr<Service>> Service::Start(const ServiceOptions& options, const Clock& clock) {
  std::unique_ptr<Core> core = TRY(Core::Open(options.data_directory, clock));
  const std::string secret = TRY(ReadSecret(core->files()));
  std::unique_ptr<Service> service(new Service(std::move(core)));
  TRY(service->tokens_.Reconcile());
  TRY(service->models_.Reconcile());
  TRY(service->instances_.Start());
  // What was revoked while the service was away. A failure is tried again at the next reload.
  const Result<std::vector<std::string>> unloaded = service->instances_.UnloadRevoked();
  if (!unloaded) LogError("a revoked model is not unloaded: " + unloaded.error().message());
  const uint16_t earlier = options.port == 0 ? EarlierPort(options.port_file) : 0;
  if (earlier != 0) {
    Result<std::unique_ptr<HttpServer>> server = HttpServer::Start(earlier, secret, service->api_);
    if (server) service->server_ = std::move(*server);
  }
  if (service->server_ == nullptr) {
    service->server_ = TRY(HttpServer::Start(options.port, secret, service->api_));
  }
  TRY(WritePort(options.port_file, service->port()));
  return service;
}

}  // namespace skerry::admin
