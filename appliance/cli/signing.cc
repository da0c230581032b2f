// keys, trust init|rotate|revoke|permit|sign, bundle create. They sign, and signing code is not
// part of an appliance: these commands hand their arguments to the program skerry-bundler beside
// this one, options unread.
#include <unistd.h>

#include <CLI/CLI.hpp>

#include "appliance/cli/command.h"
#include "appliance/cli/signing.h"

namespace skerry::cli {

CLI::App* AddBundlerCommand(CLI::App& parent, Context& context, const std::string& name,
                            const std::string& description, std::vector<std::string> path) {
  CLI::App* command = parent.add_subcommand(name, description);
  command->prefix_command();  // everything after the name is kept as it is
  command->set_help_flag();   // --help too: skerry-bundler knows the options
  command->callback([command, &context, path = std::move(path)] {
    context.run = [command, &context, path]() -> Result<void> {
      if (::access((context.program_directory + "/skerry-bundler").c_str(), X_OK) != 0) {
        return Error(
            ErrorCode::kUnavailable,
            "this machine has no 'skerry-bundler' beside 'skerry': keys are made and bundles "
            "are signed on the connected side");
      }
      std::vector<std::string> arguments = path;
      for (std::string& word : command->remaining()) arguments.push_back(std::move(word));
      return ReplaceBySibling(context, "skerry-bundler", arguments);
    };
  });
  return command;
}

void AddKeysCommands(CLI::App& app, Context& context) {
  CLI::App* keys = app.add_subcommand("keys", "Signing keys (connected side)");
  keys->require_subcommand(1);
  AddBundlerCommand(*keys, context, "generate", "Make a key pair", {"keys", "generate"});
  AddBundlerCommand(*keys, context, "passphrase", "Set, change or remove the passphrase of a key",
                    {"keys", "passphrase"});
  AddBundlerCommand(*keys, context, "show", "Print role and id of a key", {"keys", "show"});
}

}  // namespace skerry::cli
