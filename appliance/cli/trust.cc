// trust init.
#include <CLI/CLI.hpp>

#include "appliance/cli/command.h"
#include "appliance/cli/signing.h"

namespace skerry::cli {

void AddTrustCommands(CLI::App& app, Context& context) {
  CLI::App* trust = app.add_subcommand("trust", "Trust roots: whose signatures count");
  trust->require_subcommand(1);
  AddBundlerCommand(*trust, context, "init", "Make a trust root (connected side)",
                    {"trust", "init"});
}

}  // namespace skerry::cli
