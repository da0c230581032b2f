// bundle create.
#include <CLI/CLI.hpp>

#include "appliance/cli/command.h"
#include "appliance/cli/signing.h"

namespace skerry::cli {

void AddBundleCommands(CLI::App& app, Context& context) {
  CLI::App* bundle = app.add_subcommand("bundle", "Signed bundles");
  bundle->require_subcommand(1);
  AddBundlerCommand(*bundle, context, "create", "Pack and sign a model (connected side)",
                    {"bundle", "create"});
}

}  // namespace skerry::cli
