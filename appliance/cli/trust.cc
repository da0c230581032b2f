// trust init|accept|show.
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "appliance/base/files.h"
#include "appliance/base/json.h"
#include "appliance/cli/command.h"
#include "appliance/cli/signing.h"
#include "bundler/format/layout.h"
#include "bundler/trust/trust_store.h"

namespace skerry::cli {

namespace {

struct Options {
  std::string file;
  std::string fingerprint;
  bool json = false;
};

Result<void> Accept(const Context& context, const Options& options) {
  const Sha256Digest fingerprint = TRY(trust::FromGrouped(options.fingerprint));
  const std::unique_ptr<FileSystem> files = TRY(OpenFiles("."));
  const std::string text = TRY(ReadAll(*files, options.file, format::kMaxRootFileBytes));
  TRY(MakeDirectories(*files, context.data_directory, 0755));
  const std::unique_ptr<FileSystem> data = TRY(OpenFiles(context.data_directory));
  const trust::TrustLock lock = TRY(trust::TrustLock::Take(context.data_directory));
  const trust::RootChain roots =
      TRY(trust::AcceptRoots(*data, text, fingerprint).WithContext("'" + options.file + "'"));
  std::cout << "accepted  trust root version " << roots.newest().root.version << " in '"
            << context.data_directory << "'\n";
  return {};
}

Json ToJson(const trust::SignedRoot& root) {
  Json roles = Json::object();
  for (const trust::RoleName name : trust::kRoleNames) {
    const trust::Role& role = root.root.At(name);
    Json keys = Json::array();
    for (const trust::KeyId& id : role.keys) keys.push_back(id.Hex());
    roles[std::string(trust::RoleText(name))] = {{"keys", std::move(keys)},
                                                 {"threshold", role.threshold}};
  }
  return {{"fingerprint", root.fingerprint.Hex()},
          {"roles", std::move(roles)},
          {"version", root.root.version}};
}

Result<void> Show(const Context& context, const Options& options) {
  trust::TrustState state;
  if (options.file.empty()) {
    const std::unique_ptr<FileSystem> data = TRY(OpenFiles(context.data_directory));
    state = TRY(trust::LoadTrust(*data));
  } else {
    const std::unique_ptr<FileSystem> files = TRY(OpenFiles("."));
    const std::string text = TRY(ReadAll(*files, options.file, format::kMaxRootFileBytes));
    state.roots = TRY(trust::ParseRootChain(text).WithContext("'" + options.file + "'"));
  }
  if (options.json) {
    std::cout << DumpJson(ToJson(state.roots.newest())) << "\n";
    return {};
  }
  std::cout << "version      " << state.root().version << "\n"
            << "fingerprint  " << trust::Grouped(state.roots.newest().fingerprint) << "\n";
  for (const trust::RoleName name : trust::kRoleNames) {
    const trust::Role& role = state.root().At(name);
    std::cout << trust::RoleText(name) << ": " << role.threshold << " of " << role.keys.size()
              << "\n";
    for (const trust::KeyId& id : role.keys) std::cout << "  " << trust::Grouped(id) << "\n";
  }
  if (state.revocations.sequence > 0) {
    std::cout << "revocations: list " << state.revocations.sequence << ", "
              << state.revocations.keys.size() << " keys, " << state.revocations.bundles.size()
              << " bundles, " << state.revocations.models.size() << " models\n";
  }
  return {};
}

}  // namespace

void AddTrustCommands(CLI::App& app, Context& context) {
  CLI::App* trust = app.add_subcommand("trust", "Trust roots: whose signatures count");
  trust->require_subcommand(1);
  AddBundlerCommand(*trust, context, "init", "Make a trust root (connected side)",
                    {"trust", "init"});
  const auto options = std::make_shared<Options>();  // lives as long as the callbacks

  CLI::App* accept = trust->add_subcommand("accept", "Install a trust root on an appliance");
  accept->add_option("file", options->file, "Root that 'trust init' made")->required();
  accept
      ->add_option("--fingerprint", options->fingerprint,
                   "Its fingerprint, as it came by another way than the file")
      ->required()
      ->type_name("HEX");
  AddDataOption(*accept, context);
  accept->callback(
      [&context, options] { context.run = [&] { return Accept(context, *options); }; });

  CLI::App* show = trust->add_subcommand("show", "Print a root, or the appliance's own");
  show->add_option("file", options->file, "Root file; none: the one in force");
  show->add_flag("--json", options->json, "Print JSON");
  AddDataOption(*show, context);
  show->callback([&context, options] { context.run = [&] { return Show(context, *options); }; });
}

}  // namespace skerry::cli
