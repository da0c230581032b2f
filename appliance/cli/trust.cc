// trust accept|update|show, and the commands of the connected side.
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "appliance/base/files.h"
#include "appliance/base/json.h"
#include "appliance/cli/admin_client.h"
#include "appliance/cli/command.h"
#include "appliance/cli/directory_lock.h"
#include "appliance/cli/signing.h"
#include "bundler/format/layout.h"
#include "bundler/reader/bundle.h"
#include "bundler/trust/absorb.h"
#include "bundler/trust/trust_store.h"

namespace skerry::cli {

namespace {

struct Options {
  std::string file;
  std::vector<std::string> files;
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

// What a root, list or bundle brought, and whether it was anything new.
struct Brought {
  std::string what;
  bool changed = false;
};

Result<Brought> UpdateRoots(const std::string& text, trust::TrustState& state) {
  const trust::RootChain chain = TRY(trust::ParseRootChain(text));
  std::vector<trust::RootText> later;
  for (const trust::SignedRoot& root : chain.roots) {
    later.push_back({root.root.version, root.text});
    // Another office's file would be passed over in silence where its versions are lower.
    for (const trust::SignedRoot& own : state.roots.roots) {
      if (own.root.version == root.root.version && own.fingerprint != root.fingerprint) {
        return Error(ErrorCode::kUntrusted,
                     "its root version " + std::to_string(root.root.version) +
                         " is another one than the appliance has; nothing was changed. Compare the "
                         "fingerprints with the person who made it");
      }
    }
  }
  const uint64_t before = state.root().version;
  state.roots = TRY(trust::FollowRoots(std::move(state.roots), later));
  return Brought{"root version " + std::to_string(chain.newest().root.version),
                 state.root().version > before};
}

Result<Brought> UpdateList(const std::string& text, trust::TrustState& state) {
  const bool changed = TRY(trust::TakeRevocations(state, text));
  const uint64_t sequence = TRY(trust::PeekSequence(text));
  return Brought{"revocation list " + std::to_string(sequence), changed};
}

// The roots and the list of a bundle. Its signatures by known keys must hold, however many.
Result<Brought> UpdateFromBundle(const File& file, trust::TrustState& state) {
  reader::UnverifiedBundle unverified = TRY(reader::UnverifiedBundle::Open(file));
  const reader::SignableBundle bundle = TRY(std::move(unverified).VerifyForSigning(state));
  const uint64_t before = state.root().version;
  state.roots = TRY(trust::FollowRoots(std::move(state.roots), bundle.roots()));
  Brought brought{"roots up to version " + std::to_string(bundle.root_version()),
                  state.root().version > before};
  if (bundle.revocations_text()) {
    const Brought list = TRY(UpdateList(*bundle.revocations_text(), state));
    brought.what += " and " + list.what;
    brought.changed = brought.changed || list.changed;
  }
  return brought;
}

Result<Brought> UpdateFrom(const File& file, trust::TrustState& state) {
  uint8_t first = 0;
  const size_t got = TRY(file.ReadAt(0, {&first, 1}));
  // A bundle begins with the name of its first member.
  if (got == 1 && first == static_cast<uint8_t>(format::kFormatName[0])) {
    return UpdateFromBundle(file, state);
  }
  const std::string text = TRY(ReadAll(file, format::kMaxRootFileBytes));
  const std::string line = text.substr(0, text.find('\n') + 1);
  if (trust::ParseEnvelope(line, trust::kRevocationsType, format::kMaxRevocationsBytes)) {
    return UpdateList(text, state);
  }
  if (trust::ParseEnvelope(line, trust::kRootType, format::kMaxRootBytes)) {
    return UpdateRoots(text, state);
  }
  return Error(ErrorCode::kCorrupt, "neither a root file, nor a revocation list, nor a bundle");
}

// Has a running appliance read what was written.
Result<void> TellAppliance(const Context& context) {
  Result<AdminClient> admin = AdminClient::Connect(context.data_directory);
  if (!admin) {
    std::cout
        << "another process uses the data directory; an appliance applies it when it starts\n";
    return {};
  }
  const Result<Json> told = admin->Post("/trust/reload", Json::object());
  if (told) {
    std::cout << "applied   by the running appliance\n";
    return {};
  }
  return Error(told.error().code(), "written, but the running appliance did not take it over (" +
                                        told.error().message() + "); restart it to apply");
}

// Whether anything was new. Holds the lock no longer: a running appliance wants it next.
Result<bool> UpdateFiles(const Context& context, const Options& options, FileSystem& files,
                         FileSystem& data) {
  const trust::TrustLock lock = TRY(trust::TrustLock::Take(context.data_directory));
  trust::TrustState state = TRY(trust::LoadTrust(data));
  // First what models brought, which was signed under the roots of their time.
  const std::vector<std::string> warnings = TRY(trust::AbsorbStore(data, state));
  for (const std::string& warning : warnings) std::cout << "warning   " << warning << "\n";
  bool changed = false;
  std::string report;
  // All of it or nothing: a file that is refused changes nothing.
  for (const std::string& path : options.files) {
    const std::unique_ptr<File> file = TRY(files.OpenRead(path));
    const Brought brought = TRY(UpdateFrom(*file, state).WithContext("'" + path + "'"));
    report += std::string(brought.changed ? "taken    " : "old      ") + " '" + path +
              "': " + brought.what + (brought.changed ? "" : ", nothing newer") + "\n";
    changed = changed || brought.changed;
  }
  TRY(trust::SaveTrust(data, state));
  std::cout << report;
  return changed;
}

Result<void> Update(const Context& context, const Options& options) {
  const std::unique_ptr<FileSystem> files = TRY(OpenFiles("."));
  const std::unique_ptr<FileSystem> data = TRY(OpenFiles(context.data_directory));
  const Result<DirectoryLock> offline =
      DirectoryLock::Take(context.data_directory, "skerry trust update");
  if (!offline && offline.error().code() != ErrorCode::kUnavailable) return offline.error();
  const bool changed = TRY(UpdateFiles(context, options, *files, *data));
  return changed && !offline ? TellAppliance(context) : Result<void>();
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

Json HexArray(const std::set<Sha256Digest>& digests) {
  Json array = Json::array();
  for (const Sha256Digest& digest : digests) array.push_back(digest.Hex());
  return array;
}

// The newest root's fields, and all the rest that is kept.
Json StateJson(const trust::TrustState& state) {
  Json json = ToJson(state.roots.newest());
  json["chain"] = Json::array();
  for (const trust::SignedRoot& root : state.roots.roots) {
    json["chain"].push_back(
        {{"fingerprint", root.fingerprint.Hex()}, {"version", root.root.version}});
  }
  const trust::Revocations& list = state.revocations;
  json["revocations"] = nullptr;
  if (list.sequence > 0) {
    json["revocations"] = {{"bundles", HexArray(list.bundles)},
                           {"expired", list.expired},
                           {"keys", HexArray(list.keys)},
                           {"models", HexArray(list.models)},
                           {"sequence", list.sequence}};
  }
  json["floors"] = Json::object();
  for (const auto& [id, floor] : state.floors) {
    json["floors"][id] = {{"digest", floor.digest.Hex()}, {"release_seq", floor.release_seq}};
  }
  json["used_permits"] = HexArray(state.used_permits);
  return json;
}

void PrintRoles(const trust::Root& root) {
  for (const trust::RoleName name : trust::kRoleNames) {
    const trust::Role& role = root.At(name);
    std::cout << trust::RoleText(name) << ": " << role.threshold << " of " << role.keys.size()
              << "\n";
    for (const trust::KeyId& id : role.keys) std::cout << "  " << trust::Grouped(id) << "\n";
  }
}

void PrintState(const trust::TrustState& state) {
  std::cout << "version      " << state.root().version << "\n"
            << "fingerprint  " << trust::Grouped(state.roots.newest().fingerprint) << "\n";
  PrintRoles(state.root());
  for (size_t i = 0; i + 1 < state.roots.roots.size(); ++i) {
    const trust::SignedRoot& root = state.roots.roots[i];
    std::cout << "before: version " << root.root.version << ", " << trust::Grouped(root.fingerprint)
              << "\n";
  }
  const trust::Revocations& list = state.revocations;
  if (list.sequence > 0) {
    std::cout << "revocations: list " << list.sequence << ", " << list.keys.size() << " keys, "
              << list.bundles.size() << " bundles, " << list.models.size() << " models\n";
    for (const trust::KeyId& id : list.keys) std::cout << "  key " << trust::Grouped(id) << "\n";
    for (const auto& [id, release_seq] : list.expired) {
      std::cout << "  expired: " << id << " below release " << release_seq << "\n";
    }
  }
  for (const auto& [id, floor] : state.floors) {
    std::cout << "floor: " << id << " release " << floor.release_seq << ", sha256-"
              << floor.digest.Hex() << "\n";
  }
  if (!state.used_permits.empty()) {
    std::cout << "permits used: " << state.used_permits.size() << "\n";
  }
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
    std::cout << DumpJson(StateJson(state)) << "\n";
  } else {
    PrintState(state);
  }
  return {};
}

}  // namespace

void AddTrustCommands(CLI::App& app, Context& context) {
  CLI::App* trust = app.add_subcommand("trust", "Trust roots: whose signatures count");
  trust->require_subcommand(1);
  AddBundlerCommand(*trust, context, "init", "Make a trust root (connected side)",
                    {"trust", "init"});
  AddBundlerCommand(*trust, context, "rotate", "Append the next root (connected side)",
                    {"trust", "rotate"});
  AddBundlerCommand(*trust, context, "revoke", "Make the next revocation list (connected side)",
                    {"trust", "revoke"});
  AddBundlerCommand(*trust, context, "permit", "Permit one rollback (connected side)",
                    {"trust", "permit"});
  AddBundlerCommand(*trust, context, "sign", "Add signatures to a root, list or permit",
                    {"trust", "sign"});
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

  CLI::App* update =
      trust->add_subcommand("update", "Follow newer roots and take over a newer revocation list");
  update->add_option("files", options->files, "Root files, revocation lists, bundles")
      ->required()
      ->type_name("FILE");
  AddDataOption(*update, context);
  update->callback(
      [&context, options] { context.run = [&] { return Update(context, *options); }; });

  CLI::App* show = trust->add_subcommand("show", "Print a root, or the appliance's own");
  show->add_option("file", options->file, "Root file; none: the one in force");
  show->add_flag("--json", options->json, "Print JSON");
  AddDataOption(*show, context);
  show->callback([&context, options] { context.run = [&] { return Show(context, *options); }; });
}

}  // namespace skerry::cli
