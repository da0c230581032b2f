// The `skerry-admin` program: the admin service on a data directory, until SIGTERM or SIGINT.
#include <signal.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <nlohmann/json.hpp>

#include "appliance/admin/offline.h"
#include "appliance/admin/service.h"
#include "appliance/base/control.h"
#include "appliance/base/files.h"
#include "appliance/base/json.h"
#include "appliance/base/log.h"
#include "appliance/base/process.h"

namespace skerry::admin {
namespace {

Result<void> Run(ServiceOptions options) {
  options.data_directory = TRY(AbsolutePath(options.data_directory));
  if (!options.port_file.empty()) options.port_file = TRY(AbsolutePath(options.port_file));
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  // Before any thread exists, so that only sigwait below gets them.
  ::pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  const std::unique_ptr<Service> service = TRY(Service::Start(options));
  LogInfo("serving on 127.0.0.1:" + std::to_string(service->port()));
  NotifySystemd("READY=1");
  int signal_number = 0;
  ::sigwait(&ends, &signal_number);
  NotifySystemd("STOPPING=1");
  LogInfo("stopping");
  return {};
}

// Prints one line of JSON: what was removed, or the error, which is an answer too.
int RemoveAndSay(const std::string& data_directory, const std::string& name) {
  const auto remove = [&]() -> Result<Json> {
    const std::string data = TRY(AbsolutePath(data_directory));
    const RemovedModel removed = TRY(RemoveOffline(data, name));
    return Json{{"digest", removed.digest}, {"id", removed.id}, {"size_bytes", removed.size_bytes}};
  };
  std::cout << ControlReply(remove()) << std::flush;
  return 0;
}

}  // namespace
}  // namespace skerry::admin

int main(int argc, char** argv) {
  ::signal(SIGPIPE, SIG_IGN);
  skerry::InitLogging("skerry-admin");
  skerry::admin::ServiceOptions options;
  CLI::App app("The admin service: tokens, models, instances and the published policy",
               "skerry-admin");
  app.add_option("--data", options.data_directory, "Data directory")->required();
  app.add_option("--port", options.port, "Loopback TCP port; 0 takes any free one");
  app.add_option("--port-file", options.port_file, "Writes the port, as digits, into this file");
  std::string remove;
  app.add_option("--remove-model", remove,
                 "Removes this model instead of serving, while no appliance runs on the directory, "
                 "and prints a line of JSON ('skerry models rm' starts it)");
  CLI11_PARSE(app, argc, argv);
  if (!remove.empty()) return skerry::admin::RemoveAndSay(options.data_directory, remove);
  const skerry::Result<void> result = skerry::admin::Run(std::move(options));
  if (result) return 0;
  skerry::LogError(result.error().message());
  return skerry::ExitStatus(result.error().code());
}
