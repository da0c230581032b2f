#include "appliance/cli/command.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <iostream>

#include "appliance/base/clock.h"
#include "bundler/format/names.h"

namespace skerry::cli {

void AddDataOption(CLI::App& command, Context& context) {
  command
      .add_option("--data", context.data_directory,
                  "Data directory of the appliance ($SKERRY_DATA, else /var/lib/skerry)")
      ->type_name("DIR");
}

Result<void> ReplaceBySibling(const Context& context, const std::string& program,
                              const std::vector<std::string>& arguments) {
  const std::string path = context.program_directory + "/" + program;
  std::vector<char*> argv = {const_cast<char*>(path.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  ::execv(path.c_str(), argv.data());
  return ErrnoError("cannot run '" + path + "'", errno);
}

void WarnIfPast(const std::optional<std::string>& expires) {
  if (!expires || !format::IsPastDay(*expires, RealClock())) return;
  std::cerr << "skerry: warning: the model was meant to be replaced after " << *expires
            << ", which is past by this machine's clock; ask for a newer release" << std::endl;
}

}  // namespace skerry::cli
