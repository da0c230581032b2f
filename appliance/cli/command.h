// One file per group of commands registers itself in the App tree here; main.cc runs what was
// chosen.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "appliance/base/result.h"

namespace CLI {
class App;
}

namespace skerry::cli {

inline constexpr char kDefaultDataDirectory[] = "/var/lib/skerry";

// What every command shares.
struct Context {
  std::string data_directory;     // --data, else $SKERRY_DATA, else /var/lib/skerry
  std::string program_directory;  // where the sibling programs lie
  // Set by the chosen subcommand's callback; main runs it after parsing. Its error is printed as
  // "skerry: MESSAGE" and gives the exit status (ExitStatus).
  std::function<Result<void>()> run;
};

// Replaces this process by the sibling program `program` (e.g. "skerry-bundler") with `arguments`
// after its name; returns only when that fails.
Result<void> ReplaceBySibling(const Context& context, const std::string& program,
                              const std::vector<std::string>& arguments);

// A line on the standard error when `expires` (a bundle's, "2027-06-30") is past by this machine's
// clock: a warning and never a refusal, since a machine that is cut off may not know the day.
void WarnIfPast(const std::optional<std::string>& expires);

// Adds `--data DIR` to a command that works on an appliance.
void AddDataOption(CLI::App& command, Context& context);

void AddKeysCommands(CLI::App& app, Context& context);      // keys generate
void AddTrustCommands(CLI::App& app, Context& context);     // trust init|accept|show
void AddBundleCommands(CLI::App& app, Context& context);    // bundle create|verify|inspect
void AddImportCommand(CLI::App& app, Context& context);     // import
void AddServeCommand(CLI::App& app, Context& context);      // serve
void AddModelsCommands(CLI::App& app, Context& context);    // models ls|ps|load|unload|verify|rm
void AddReceiptsCommands(CLI::App& app, Context& context);  // receipts ls|show|verify|key
void AddTokensCommands(CLI::App& app, Context& context);    // tokens create|ls|revoke
void AddAskCommand(CLI::App& app, Context& context);        // ask
void AddStatusCommand(CLI::App& app, Context& context);     // status
void AddAuditCommands(CLI::App& app, Context& context);     // audit verify|ls
void AddDoctorCommand(CLI::App& app, Context& context);     // doctor
// Parts of the groups above.
void AddModelsVerifyCommand(CLI::App& models, Context& context);
void AddModelsRmCommand(CLI::App& models, Context& context);
void AddBundleInspectCommand(CLI::App& bundle, Context& context);

}  // namespace skerry::cli
