#include "bundler/build/bundle_commands.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "appliance/base/clock.h"
#include "appliance/base/json.h"
#include "appliance/base/progress.h"
#include "bundler/build/create.h"
#include "bundler/build/secret_key.h"
#include "bundler/build/source_stores.h"
#include "bundler/format/layout.h"
#include "bundler/inspect/model.h"

namespace skerry::build {

namespace {

using Run = std::function<Result<void>()>;

struct CreateCommandOptions {
  std::string model;
  std::string id;
  std::string version;
  uint64_t release_seq = 0;
  std::string expires;  // empty: never
  std::vector<std::string> keys;
  std::string trust;
  std::string revocations;
  std::string from_ollama;
  std::string from_lmstudio;
  std::string store;
  SourceOptions source;
  std::vector<std::string> documents;  // paths; their file name is the document's name
  std::string out;
  bool json = false;
};
std::string FileName(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

void PrintCreated(const Created& created, const CreateCommandOptions& options,
                  const Source& source) {
  if (options.json) {
    const Json json = {{"bundle", options.out},
                       {"bundle_bytes", created.bundle_bytes},
                       {"digest", "sha256-" + created.digest.Hex()},
                       {"files", created.manifest.files.size()},
                       {"id", created.manifest.id},
                       {"left_out", source.left_out},
                       {"model_format", inspect::ModelFormatName(created.model_format)},
                       {"release_seq", created.manifest.release_seq},
                       {"version", created.manifest.version}};
    std::cout << DumpJson(json) << "\n";
    return;
  }
  for (const std::string& name : source.left_out) std::cout << "left out  " << name << "\n";
  std::cout << "bundle    " << options.out << " (" << FormatBytes(created.bundle_bytes) << ", "
            << created.manifest.files.size() << " files)\n"
            << "model     " << created.manifest.id << " " << created.manifest.version
            << ", release " << created.manifest.release_seq << "\n"
            << "digest    sha256-" << created.digest.Hex() << "\n";
}

// Paths of the user's as they are below "/", without links in the folders that lead there: the
// model, its documents and the bundle may lie on different file systems.
Result<std::vector<SourceFile>> NamedDocuments(const std::vector<std::string>& paths) {
  std::vector<SourceFile> documents;
  for (const std::string& path : paths) {
    std::string resolved = TRY(ResolveSource(path));
    documents.push_back({FileName(path), std::move(resolved)});
  }
  return documents;
}

// Those of the folder travel unless the user named one of the same name.
std::vector<SourceFile> AllDocuments(std::vector<SourceFile> named, Source& source) {
  for (SourceFile& document : source.documents) {
    const bool taken = std::any_of(named.begin(), named.end(), [&](const SourceFile& other) {
      return other.name == document.name;
    });
    if (taken) {
      source.left_out.push_back(document.name);
    } else {
      named.push_back(std::move(document));
    }
  }
  std::sort(named.begin(), named.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.name < b.name; });
  return named;
}

Result<std::vector<SecretKey>> ReadKeys(FileSystem& files, const std::vector<std::string>& paths) {
  std::vector<SecretKey> keys;
  for (const std::string& path : paths) {
    SecretKey key = TRY(ReadSecretKey(files, path));
    keys.push_back(std::move(key));
  }
  return keys;
}

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

Result<Source> FindSource(FileSystem& machine, const CreateCommandOptions& options) {
  const int named = int{!options.model.empty()} + int{!options.from_ollama.empty()} +
                    int{!options.from_lmstudio.empty()};
  if (named != 1) {
    return Error(ErrorCode::kInvalidArgument,
                 "name one model: a folder or *.gguf file, or --from-ollama, or --from-lmstudio");
  }
  const StorePlaces places{options.store, Environment("OLLAMA_MODELS"), Environment("HOME")};
  if (!options.from_ollama.empty()) return ListOllama(machine, options.from_ollama, places);
  if (!options.from_lmstudio.empty()) {
    return ListLmStudio(machine, options.from_lmstudio, places, options.source);
  }
  const std::string model = TRY(ResolveSource(options.model));
  return ListSource(machine, model, options.source);
}

Result<void> RunCreate(const CreateCommandOptions& options) {
  const std::unique_ptr<FileSystem> files = TRY(OpenFiles("."));
  const std::unique_ptr<FileSystem> machine = TRY(OpenFiles("/", Symlinks::kRefuse));
  const std::vector<SecretKey> keys = TRY(ReadKeys(*files, options.keys));
  CreateOptions create;
  create.id = options.id;
  create.version = options.version;
  create.release_seq = options.release_seq;
  if (!options.expires.empty()) create.expires = options.expires;
  create.root_text = TRY(ReadAll(*files, options.trust, format::kMaxRootBytes));
  if (!options.revocations.empty()) {
    create.revocations_text =
        TRY(ReadAll(*files, options.revocations, format::kMaxRevocationsBytes));
  }
  std::vector<SourceFile> documents = TRY(NamedDocuments(options.documents));
  const std::string context =
      "cannot pack '" + options.model + options.from_ollama + options.from_lmstudio + "'";
  Source source = TRY(FindSource(*machine, options).WithContext(context));
  create.documents = AllDocuments(std::move(documents), source);
  ProgressPrinter progress(RealClock(), STDERR_FILENO, ::isatty(STDERR_FILENO) == 1, "packing");
  create.progress = [&](uint64_t done, uint64_t total) { progress.Update(done, total); };
  const Created created =
      TRY(CreateBundle(*machine, source, create, keys, *files, options.out).WithContext(context));
  PrintCreated(created, options, source);
  return {};
}

void AddCreate(CLI::App& bundle, Run& run) {
  const auto owned = std::make_shared<CreateCommandOptions>();  // lives as long as the callback
  CreateCommandOptions& options = *owned;
  CLI::App* command = bundle.add_subcommand("create", "Pack and sign a model");
  command->add_option("model", options.model, "Model folder or *.gguf file");
  command->add_option("--from-ollama", options.from_ollama, "Take a model of Ollama's instead")
      ->type_name("NAME[:TAG]");
  command
      ->add_option("--from-lmstudio", options.from_lmstudio, "Take a model of LM Studio's instead")
      ->type_name("ORG/NAME[/FILE]");
  command
      ->add_option("--store", options.store,
                   "Where Ollama or LM Studio keeps its models (default: where it usually does)")
      ->type_name("DIR");
  command->add_option("--id", options.id, "Name of the model")->required()->type_name("ORG/NAME");
  command->add_option("--version", options.version, "Its version, for people")->required();
  command->add_option("--seq", options.release_seq, "Release sequence, growing with every release")
      ->required()
      ->type_name("N");
  command
      ->add_option("--expires", options.expires,
                   "Last day of the model's use (UTC); later readers warn and go on")
      ->type_name("YYYY-MM-DD");
  command->add_option("--key", options.keys, "Secret release key (repeatable)")
      ->required()
      ->allow_extra_args(false)
      ->type_name("FILE");
  command->add_option("--trust", options.trust, "Trust root that the appliances have")
      ->required()
      ->type_name("root.json");
  command->add_option("--revocations", options.revocations, "Revocation list that travels along")
      ->type_name("FILE");
  command
      ->add_option("--include", options.source.include,
                   "Take files of this pattern as part of the model, whatever their names "
                   "(repeatable)")
      ->allow_extra_args(false)
      ->type_name("PATTERN");
  command
      ->add_option("--exclude", options.source.exclude,
                   "Leave out files of this pattern (repeatable)")
      ->allow_extra_args(false)
      ->type_name("PATTERN");
  command
      ->add_option("--document", options.documents,
                   "Licence, model card or SBOM that travels along (repeatable)")
      ->allow_extra_args(false)
      ->type_name("FILE");
  command->add_option("-o,--out", options.out, "Bundle to write")
      ->required()
      ->type_name("NAME.skb");
  command->add_flag("--json", options.json, "Print the result as JSON");
  command->callback([&run, owned] { run = [owned] { return RunCreate(*owned); }; });
}

}  // namespace

void AddBundleCommands(CLI::App& app, Run& run) {
  CLI::App* bundle = app.add_subcommand("bundle", "Signed bundles");
  bundle->require_subcommand(1);
  AddCreate(*bundle, run);
}

}  // namespace skerry::build
