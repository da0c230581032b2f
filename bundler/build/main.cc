// The program skerry-bundler: the commands that make keys, trust roots and bundles. `skerry`
// executes it; it is not part of an appliance.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <functional>
#include <iostream>

#include "bundler/build/bundle_commands.h"
#include "bundler/build/commands.h"

namespace skerry::build {
namespace {

using Run = std::function<Result<void>()>;

void AddGenerate(CLI::App& app, Run& run, GenerateOptions& options) {
  CLI::App* keys = app.add_subcommand("keys", "Signing keys");
  keys->require_subcommand(1);
  CLI::App* command = keys->add_subcommand("generate", "Make a key pair");
  command->add_option("--role", options.role, "What the key may sign: root, release or revoke")
      ->required();
  command->add_option("--out", options.out, "Secret key to write, mode 0600; NAME.pub beside it")
      ->required()
      ->type_name("NAME.key");
  command->callback([&] { run = [&] { return RunGenerate(options); }; });
}

void AddInit(CLI::App& app, Run& run, InitOptions& options) {
  CLI::App* trust = app.add_subcommand("trust", "Trust roots");
  trust->require_subcommand(1);
  CLI::App* command = trust->add_subcommand("init", "Make a trust root, version 1");
  command->add_option("--root-key", options.root_keys, "Secret root key that signs (repeatable)")
      ->required()
      ->allow_extra_args(false)
      ->type_name("FILE");
  command->add_option("--release-key", options.release_keys, "Public release key (repeatable)")
      ->required()
      ->allow_extra_args(false)
      ->type_name("FILE");
  command
      ->add_option("--revoke-key", options.revoke_keys,
                   "Public revoke key (repeatable; default: the root keys)")
      ->allow_extra_args(false)
      ->type_name("FILE");
  command
      ->add_option("--threshold", options.thresholds,
                   "Signatures that a role needs, e.g. release=2 (repeatable; default 1)")
      ->allow_extra_args(false)
      ->type_name("ROLE=N");
  command->add_option("--out", options.out, "File to write")->required()->type_name("root.json");
  command->callback([&] { run = [&] { return RunInit(options); }; });
}

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
  GenerateOptions generate;
  InitOptions init;
  CLI::App app("Makes keys, trust roots and bundles", "skerry");
  app.require_subcommand(1);
  AddGenerate(app, run, generate);
  AddInit(app, run, init);
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
