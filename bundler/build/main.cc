// The program skerry-bundler: the commands that make keys, trust roots and bundles. `skerry`
// executes it; it is not part of an appliance.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <functional>
#include <iostream>

#include "bundler/build/bundle_commands.h"
#include "bundler/build/key_commands.h"
#include "bundler/build/trust_commands.h"

namespace skerry::build {
namespace {

using Run = std::function<Result<void>()>;

int Fail(const Error& error) {
  std::cerr << "skerry: " << error.message() << std::endl;
  return ExitStatus(error.code());
}

int Main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  // Every file of the model is open at once, so that none is exchanged between the two passes.
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  Run run;
  CLI::App app("Makes keys, trust roots and bundles", "skerry");
  app.require_subcommand(1);
  AddKeyCommands(app, run);
  AddTrustCommands(app, run);
  AddBundleCommands(app, run);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& wanted) {
    return app.exit(wanted);
  } catch (const CLI::ParseError& error) {
    return Fail(Error(ErrorCode::kInvalidArgument,
                      std::string(error.what()) + "; run with --help for the usage"));
  }
  const Result<void> result = run();
  std::cout.flush();
  return result ? 0 : Fail(result.error());
}

}  // namespace
}  // namespace skerry::build

int main(int argc, char** argv) { return skerry::build::Main(argc, argv); }
