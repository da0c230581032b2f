#include "bundler/build/create_command.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "appliance/base/capture.h"
#include "appliance/base/clock.h"
#include "appliance/base/json.h"
#include "appliance/base/process.h"
#include "appliance/base/progress.h"
#include "bundler/build/create.h"
#include "bundler/build/key_commands.h"
#include "bundler/build/sbom.h"
#include "bundler/build/secret_key.h"
#include "bundler/build/source_stores.h"
#include "bundler/build/template_review.h"
#include "bundler/build/volumes.h"
#include "bundler/format/layout.h"
#include "bundler/inspect/facts.h"
#include "bundler/inspect/fit.h"
#include "bundler/inspect/model.h"
#include "bundler/inspect/templates.h"

namespace skerry::build {

namespace {

std::string FileName(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

Json Describe(const Created& created, const Source& source,
              const std::vector<inspect::ChatTemplate>& templates) {
  return {{"bundle", created.paths.front()},
          {"bundle_bytes", created.bundle_bytes},
          {"digest", "sha256-" + created.digest.Hex()},
          {"documents", created.manifest.documents.size()},
          {"files", created.manifest.files.size()},
          {"id", created.manifest.id},
          {"left_out", source.left_out},
          {"model_digest", format::ModelDigest(created.manifest).Hex()},
          {"model_format", inspect::ModelFormatName(created.model_format)},
          {"paths", created.paths},
          {"release_seq", created.manifest.release_seq},
          {"signatures_missing", created.missing_signatures},
          {"signatures_needed", created.needed_signatures},
          {"templates", TemplatesJson(templates)},
          {"version", created.manifest.version}};
}

void PrintCreated(const Created& created, const CreateCommandOptions& options, const Source& source,
                  const std::vector<inspect::ChatTemplate>& templates) {
  if (options.json) {
    std::cout << DumpJson(Describe(created, source, templates)) << "\n";
    return;
  }
  for (const std::string& name : source.left_out) std::cout << "left out  " << name << "\n";
  for (const std::string& path : created.paths) std::cout << "bundle    " << path << "\n";
  std::cout << "size      " << FormatBytes(created.bundle_bytes) << ", "
            << created.manifest.files.size() << " files, " << created.manifest.documents.size()
            << " documents\n"
            << "model     " << created.manifest.id << " " << created.manifest.version
            << ", release " << created.manifest.release_seq << "\n"
            << "digest    sha256-" << created.digest.Hex() << "\n";
  PrintTemplates(templates);
  if (created.missing_signatures == 0) return;
  std::cout << "signed    by " << created.needed_signatures - created.missing_signatures << " of "
            << created.needed_signatures
            << ": no appliance accepts it yet; further signers complete "
            << "it with\n          skerry bundle sign " << created.paths.front()
            << (created.paths.size() > 1 ? " (and the other volumes)" : "")
            << " --key NAME.key --trust " << options.trust << "\n";
}

// The text of a document of the source; empty: it has none.
Result<std::string> TextOf(FileSystem& files, const std::vector<SourceFile>& documents,
                           std::string_view name) {
  for (const SourceFile& document : documents) {
    if (document.name == name) return ReadAll(files, document.path, format::kMaxDocumentBytes);
  }
  return std::string();
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

// Sizes and names of what will be in the bundle, as far as they are known before it is made.
Result<format::Manifest> Outline(FileSystem& files, const Source& source,
                                 const std::vector<SourceFile>& documents) {
  format::Manifest outline;
  for (const SourceFile& file : source.files) {
    const std::unique_ptr<File> open = TRY(files.OpenRead(file.path));
    const uint64_t size = TRY(open->Size());
    outline.files.push_back({file.name, size, {}, {}});
  }
  for (const SourceFile& document : documents) {
    outline.documents.push_back({document.name, format::kMaxDocumentBytes, {}, {}});
  }
  return outline;
}

Result<void> CheckBox(FileSystem& files, const std::string& path, const inspect::ModelFacts& facts,
                      const format::Manifest& outline) {
  const std::string text = TRY(ReadAll(files, path, format::kMaxManifestBytes));
  const inspect::BoxProfile box =
      TRY(inspect::ParseBoxProfile(text).WithContext("profile '" + path + "'"));
  const inspect::Fit fit = inspect::CheckFit(facts, inspect::ImportBytes(outline), box);
  if (fit.problems.empty()) return {};
  std::string problems;
  for (const std::string& problem : fit.problems) problems += "; " + problem;
  return Error(ErrorCode::kExhausted,
               "the model will not fit the machine of '" + path + "'" + problems);
}

// A warning when the engine that came with this program cannot load the model. Another version may.
void WarnOfEngine(const inspect::ModelFacts& facts) {
  const Result<std::string> folder = ProgramDirectory();
  const std::string engine = folder ? *folder + "/skerry-engine" : "";
  if (!folder || ::access(engine.c_str(), X_OK) != 0) return;
  const Result<std::string> printed = CaptureOutput({engine, "capabilities", "--json"});
  if (!printed) return;
  const Result<inspect::EngineSupport> support = inspect::ParseEngineSupport(*printed);
  if (!support) return;
  for (const std::string& reason : inspect::WhyNotLoadable(facts, *support)) {
    std::cerr << "skerry: warning: the engine of this version cannot load the model: " << reason
              << std::endl;
  }
}

}  // namespace

Result<void> RunCreate(const CreateCommandOptions& options) {
  const std::unique_ptr<FileSystem> files = TRY(OpenFiles("."));
  const std::unique_ptr<FileSystem> output = TRY(OpenFiles(ParentDirectory(options.out)));
  const std::unique_ptr<FileSystem> machine = TRY(OpenFiles("/", Symlinks::kRefuse));
  CreateOptions create;
  create.id = options.id;
  create.version = options.version;
  create.release_seq = options.release_seq;
  if (!options.expires.empty()) create.expires = options.expires;
  create.root_text = TRY(ReadAll(*files, options.trust, format::kMaxRootFileBytes));
  if (!options.revocations.empty()) {
    create.revocations_text =
        TRY(ReadAll(*files, options.revocations, format::kMaxRevocationsBytes));
  }
  std::vector<SourceFile> documents = TRY(NamedDocuments(options.documents));
  const std::string context =
      "cannot pack '" + options.model + options.from_ollama + options.from_lmstudio + "'";
  Source source = TRY(FindSource(*machine, options).WithContext(context));
  create.documents = AllDocuments(std::move(documents), source);
  const inspect::ModelFiles model = FilesOf(*machine, source);
  const inspect::ModelFormat model_format = TRY(inspect::InspectModel(model).WithContext(context));
  const inspect::ModelFacts facts = TRY(inspect::ReadFacts(model, model_format));
  if (options.box.empty()) {
    WarnOfEngine(facts);
  } else {
    const format::Manifest outline = TRY(Outline(*machine, source, create.documents));
    TRY(CheckBox(*files, options.box, facts, outline).WithContext(context));
  }
  const std::vector<inspect::ChatTemplate> templates =
      TRY(inspect::ReadTemplates(model).WithContext(context));
  TRY(ReviewTemplates(*files, options.id, templates,
                      {options.previous, create.root_text, options.yes}));
  // Now that the officer has seen what is signed.
  const std::vector<SecretKey> keys = TRY(ReadKeys(*files, options.keys, options.passphrase_file));
  const std::string card = TRY(TextOf(*machine, create.documents, "README.md"));
  create.make_sbom = [&](const format::Manifest& manifest) -> Result<std::string> {
    return MakeSbom(manifest, facts, card);
  };
  if (!options.volume_size.empty()) {
    create.max_volume_bytes = TRY(ParseVolumeSize(options.volume_size));
  }
  create.overwrite = options.force;
  ProgressPrinter progress(RealClock(), STDERR_FILENO, ::isatty(STDERR_FILENO) == 1, "packing");
  create.progress = [&](uint64_t done, uint64_t total) { progress.Update(done, total); };
  Created created = TRY(CreateBundle(*machine, source, create, keys, *output, FileName(options.out))
                            .WithContext(context));
  for (std::string& path : created.paths) {
    path = options.out.substr(0, options.out.size() - FileName(options.out).size()) + path;
  }
  PrintCreated(created, options, source, templates);
  return {};
}

}  // namespace skerry::build
