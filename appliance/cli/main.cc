// The `skerry` program: builds the App tree from the groups of commands, parses, runs what was
// chosen. Every failure is one line "skerry: MESSAGE" on stderr and an exit status of ExitStatus().
#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdlib>
#include <iostream>

#include "appliance/base/process.h"
#include "appliance/cli/command.h"

namespace skerry::cli {
namespace {

using AddCommands = void (*)(CLI::App& app, Context& context);

// The order is the order of the help text. One line per group of commands.
constexpr AddCommands kCommands[] = {
    AddKeysCommands, AddTrustCommands,  AddBundleCommands,   AddImportCommand,
    AddServeCommand, AddModelsCommands, AddReceiptsCommands, AddTokensCommands,
    AddAskCommand,   AddStatusCommand,  AddAuditCommands,    AddDoctorCommand,
};

int Fail(const Error& error) {
  std::cerr << "skerry: " << error.message() << std::endl;
  return ExitStatus(error.code());
}

int Main(int argc, char** argv) {
  // A reader that goes away is an error of the write, not the end of the program.
  std::signal(SIGPIPE, SIG_IGN);
  Context context;
  const char* data = std::getenv("SKERRY_DATA");
  context.data_directory = data != nullptr && *data != '\0' ? data : kDefaultDataDirectory;
  Result<std::string> directory = ProgramDirectory();
  if (!directory) return Fail(directory.error());
  context.program_directory = std::move(*directory);

  CLI::App app("Skerry: an LLM endpoint for networks that never see the Internet", "skerry");
  app.set_version_flag("--version", "skerry " SKERRY_VERSION);
  app.require_subcommand(1);
  for (const AddCommands add : kCommands) add(app, context);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& wanted) {  // --help, --version
    return app.exit(wanted);
  } catch (const CLI::ParseError& error) {
    return Fail(Error(ErrorCode::kInvalidArgument,
                      std::string(error.what()) + "; run with --help for the usage"));
  }
  if (!context.run) return Fail(Error(ErrorCode::kInternal, "the command has nothing to run"));
  const Result<void> result = context.run();
  std::cout.flush();
  return result ? 0 : Fail(result.error());
}

}  // namespace
}  // namespace skerry::cli

int main(int argc, char** argv) { return skerry::cli::Main(argc, argv); }
