#include "appliance/admin/core.h"

#include <nlohmann/json.hpp>

#include "appliance/base/log.h"

namespace skerry::admin {

namespace {

constexpr char kWriter[] = "admin";
// There are no accounts yet: whoever has the admin secret is the operator.
constexpr char kOperator[] = "operator";

Json Fields(const std::string& action, const std::string& target) {
  return {{"event", {{"action", action}}},
          {"user", {{"name", kOperator}}},
          {"skerry", {{"target", target}}}};
}

}  // namespace

Core::Core(std::string data_directory, const Clock& clock)
    : data_directory_(std::move(data_directory)),
      clock_(clock),
      supervisor_(data_directory_ + "/run/supervisor.sock") {}

Result<std::unique_ptr<FileSystem>> OpenRealFolder(const std::string& path) {
  return OpenFiles(path);
}

Result<std::unique_ptr<Core>> Core::Open(const std::string& data_directory, const Clock& clock,
                                         const OpenFolder& open) {
  std::unique_ptr<Core> core(new Core(data_directory, clock));
  core->files_ = TRY(open(data_directory));
  core->settings_ = TRY(settings::ReadSettings(*core->files_));
  for (const char* folder : {"admin", "policy", "journal", "journal/admin", "store"}) {
    TRY(MakeDirectories(*core->files_, folder));
  }
  core->journal_files_ = TRY(open(data_directory + "/journal/" + kWriter));
  core->journal_ = TRY(audit::Writer::Open(*core->journal_files_, kWriter, clock));
  if (core->journal_->torn_bytes() > 0) {
    LogWarning("the audit journal ended in a torn line of " +
               std::to_string(core->journal_->torn_bytes()) +
               " bytes, which was never acknowledged; it was cut off");
  }
  core->store_ = TRY(store::Store::Open(data_directory + "/admin/skerry.db"));
  core->publisher_ = TRY(Publisher::Open(data_directory));
  for (const std::string& warning : core->publisher_->warnings()) LogWarning(warning);
  return core;
}

Result<void> Core::Record(const std::string& action, const std::string& target, const Json& before,
                          const Json& after) {
  Json fields = Fields(action, target);
  // Written ahead of the change: a failure record follows when the change does not come about.
  fields["event"]["outcome"] = "unknown";
  if (!before.is_null()) fields["skerry"]["before"] = before;
  if (!after.is_null()) fields["skerry"]["after"] = after;
  const Result<uint64_t> sequence = journal_->AppendAndWait(std::move(fields));
  if (sequence) return {};
  return Error(ErrorCode::kUnavailable, "nothing was changed, because it could not be recorded: " +
                                            sequence.error().message());
}

void Core::RecordFailure(const std::string& action, const std::string& target, const Error& why) {
  Json fields = Fields(action, target);
  fields["event"]["outcome"] = "failure";
  fields["event"]["reason"] = why.message();
  const Result<uint64_t> sequence = journal_->AppendAndWait(std::move(fields));
  if (!sequence) LogError("audit: " + sequence.error().message());
}

}  // namespace skerry::admin
