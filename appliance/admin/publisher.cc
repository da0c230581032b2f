#include "appliance/admin/publisher.h"

#include <nlohmann/json.hpp>

#include "appliance/base/control.h"
#include "appliance/base/log.h"

namespace skerry::admin {

namespace {
constexpr int kConfirmTimeoutMs = 10'000;
}

Result<std::unique_ptr<Publisher>> Publisher::Open(const std::string& data_directory) {
  std::unique_ptr<FileSystem> files = TRY(OpenFiles(data_directory + "/policy"));
  std::unique_ptr<policy::Writer> writer = TRY(policy::Writer::Open(*files));
  return std::unique_ptr<Publisher>(
      new Publisher(std::move(files), std::move(writer), data_directory + "/run/proxy-api.sock"));
}

Result<uint64_t> Publisher::Publish(const std::vector<policy::Op>& ops) {
  const std::lock_guard lock(mu_);
  return writer_->Publish(ops).WithContext("policy");
}

bool Publisher::Confirm(uint64_t generation) {
  const Result<Json> reply = CallControl(
      proxy_socket_, Json{{"op", "load"}, {"generation", generation}}, kConfirmTimeoutMs);
  std::string reason;
  if (!reply) {
    reason = reply.error().message();
  } else if (const Result<int64_t> loaded = GetInt(*reply, "generation"); !loaded) {
    reason = loaded.error().message();
  } else if (static_cast<uint64_t>(*loaded) < generation) {
    reason = "it still has generation " + std::to_string(*loaded);
  }
  if (reason.empty()) return true;
  LogWarning("policy generation " + std::to_string(generation) +
             " is published, but the proxy has not confirmed it: " + reason);
  return false;
}

policy::Policy Publisher::Current() const {
  const std::lock_guard lock(mu_);
  return writer_->policy();
}

policy::NewToken Publisher::MakeToken() const { return policy::MakeToken(writer_->key()); }

}  // namespace skerry::admin
