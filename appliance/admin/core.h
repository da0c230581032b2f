// What the parts of the admin service share: the database, the policy, the journal, the supervisor.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "appliance/admin/publisher.h"
#include "appliance/audit/journal.h"
#include "appliance/base/clock.h"
#include "appliance/base/files.h"
#include "appliance/base/json.h"
#include "appliance/base/result.h"
#include "appliance/settings/settings.h"
#include "appliance/store/store.h"
#include "appliance/supervisor/protocol.h"

namespace skerry::admin {

// Opens a folder as the root of a FileSystem.
using OpenFolder = std::function<Result<std::unique_ptr<FileSystem>>(const std::string& path)>;
Result<std::unique_ptr<FileSystem>> OpenRealFolder(const std::string& path);

// Thread-safe.
class Core {
 public:
  // Opens everything below `data_directory`, which has the layout of docs/architecture.md. `clock`
  // must outlive the object. `open` is what the data directory and the journal's folder are opened
  // with; database and policy are always real files.
  static Result<std::unique_ptr<Core>> Open(const std::string& data_directory, const Clock& clock,
                                            const OpenFolder& open = OpenRealFolder);

  const std::string& data_directory() const { return data_directory_; }
  const Clock& clock() const { return clock_; }
  const settings::Settings& settings() const { return settings_; }  // as of Open
  FileSystem& files() { return *files_; }                           // rooted at the data directory
  Publisher& publisher() { return *publisher_; }
  supervisor::Client& supervisor() { return supervisor_; }

  // Calls `use(store)` alone. No other lock is taken while it runs.
  template <typename Use>
  auto WithStore(Use use) {
    const std::lock_guard lock(store_mu_);
    return use(*store_);
  }

  // Makes an audit record durable before the change that it tells of. `target` names what changes;
  // `before` and `after` may be null. kUnavailable when it cannot be recorded: then do not change
  // it.
  Result<void> Record(const std::string& action, const std::string& target, const Json& before,
                      const Json& after);
  // A record that such a change did not come about after all. Best effort.
  void RecordFailure(const std::string& action, const std::string& target, const Error& why);

 private:
  Core(std::string data_directory, const Clock& clock);

  const std::string data_directory_;
  const Clock& clock_;
  settings::Settings settings_;
  std::unique_ptr<FileSystem> files_;
  std::unique_ptr<Publisher> publisher_;
  supervisor::Client supervisor_;
  std::mutex store_mu_;
  std::unique_ptr<store::Store> store_;  // guarded by store_mu_
  std::unique_ptr<FileSystem> journal_files_;
  std::unique_ptr<audit::Writer> journal_;
};

}  // namespace skerry::admin
