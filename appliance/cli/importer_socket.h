// The listening side of run/import.sock under `skerry serve`: one importer process per connection,
// as systemd's Accept=yes would start it.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "appliance/base/result.h"
#include "appliance/base/unique_fd.h"

namespace skerry::cli {

// Serves on a thread of its own until destroyed. Imports still running then are ended.
class ImporterSocket {
 public:
  // `program`: path of skerry-import; `data_directory` is passed on. Only peers of this user id (or
  // root) are served, at most four at a time.
  static Result<std::unique_ptr<ImporterSocket>> Start(UniqueFd listener, std::string program,
                                                       std::string data_directory);
  ~ImporterSocket();

 private:
  ImporterSocket(UniqueFd listener, std::string program, std::string data_directory,
                 std::pair<UniqueFd, UniqueFd> stop);
  void Serve();
  void ServeOne();

  const UniqueFd listener_;
  const std::string program_;
  const std::string data_directory_;
  UniqueFd stop_reader_;
  UniqueFd stop_writer_;
  std::vector<pid_t> running_;  // the serving thread only
  std::thread thread_;          // last: it uses the others
};

}  // namespace skerry::cli
