#include "proxy/policy/policy_store.h"

#include "appliance/base/log.h"
#include "appliance/policy/reader.h"

namespace skerry::proxy {

Result<std::unique_ptr<PolicyStore>> PolicyStore::Open(std::unique_ptr<FileSystem> files) {
  std::unique_ptr<PolicyStore> store(new PolicyStore(std::move(files)));
  Result<PolicyPtr> first = store->Read();
  if (!first && first.error().code() == ErrorCode::kNotFound) {
    LogWarning("no policy has been published yet: every request is refused until there is one");
    auto nobody = std::make_shared<PolicySnapshot>();
    nobody->key = policy::MakeKey();
    store->current_ = std::move(nobody);
    return store;
  }
  if (!first) return std::move(first).error();
  store->current_ = std::move(first).value();
  return store;
}

PolicyPtr PolicyStore::current() const {
  const std::scoped_lock lock(mu_);
  return current_;
}

Result<PolicyPtr> PolicyStore::Read() {
  auto snapshot = std::make_shared<PolicySnapshot>();
  snapshot->key = TRY(policy::ReadKey(*files_));
  policy::ReadOutcome outcome = TRY(policy::ReadPolicy(*files_));
  for (const std::string& warning : outcome.warnings) LogError(warning);
  snapshot->policy = std::move(outcome.policy);
  return PolicyPtr(std::move(snapshot));
}

Result<PolicyPtr> PolicyStore::Load(uint64_t generation) {
  const std::scoped_lock load_lock(load_mu_);
  PolicyPtr loaded = current();
  if (loaded->policy.generation < generation) loaded = TRY(Read());
  if (loaded->policy.generation < generation) {
    return Error(ErrorCode::kUnavailable, "the published policy is at generation " +
                                              std::to_string(loaded->policy.generation) +
                                              ", not at " + std::to_string(generation) +
                                              " or later; the one in force stays");
  }
  const std::scoped_lock lock(mu_);
  current_ = loaded;
  return loaded;
}

}  // namespace skerry::proxy
