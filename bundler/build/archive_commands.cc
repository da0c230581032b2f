#include "bundler/build/archive_commands.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "appliance/base/clock.h"
#include "appliance/base/json.h"
#include "appliance/base/progress.h"
#include "bundler/build/archives.h"
#include "bundler/build/key_commands.h"
#include "bundler/build/sign.h"
#include "bundler/build/template_review.h"
#include "bundler/build/volumes.h"
#include "bundler/format/layout.h"

namespace skerry::build {

namespace {

struct Options {
  std::vector<std::string> files;
  std::vector<std::string> keys;
  std::string passphrase_file;
  std::string trust;
  std::string volume_size;
  std::string out;
  std::vector<std::string> previous;  // release to compare with, or its volumes
  bool yes = false;
  bool force = false;
  bool json = false;
};

std::string FileName(const std::string& path) { return path.substr(path.rfind('/') + 1); }

Result<trust::TrustState> ParseTrust(const std::string& text, const std::string& path) {
  trust::TrustState state;
  state.roots = TRY(trust::ParseRootChain(text).WithContext("'" + path + "'"));
  return state;
}

Result<trust::TrustState> ReadTrust(FileSystem& files, const std::string& path) {
  const std::string text = TRY(ReadAll(files, path, format::kMaxRootFileBytes));
  return ParseTrust(text, path);
}

// The root that the user names, else the bundle's own.
Result<trust::TrustState> TrustFor(FileSystem& files, const File& bundle, const Options& options) {
  if (!options.trust.empty()) return ReadTrust(files, options.trust);
  return OwnTrust(bundle).WithContext("'" + options.files.front() + "'");
}

ProgressPrinter Progress(const std::string& label) {
  return {RealClock(), STDERR_FILENO, ::isatty(STDERR_FILENO) == 1, label};
}

void Show(const reader::SignableBundle& bundle, const Options& options) {
  if (options.json) return;
  const format::Manifest& manifest = bundle.manifest();
  std::cout << "read and checked: " << manifest.id << " " << manifest.version << ", release "
            << manifest.release_seq;
  if (bundle.volume()) {
    std::cout << ", volume " << bundle.volume()->number << " of " << bundle.volume_count();
  }
  std::cout << "\n  digest sha256-" << bundle.digest().Hex() << std::endl;
}

Result<void> RunSign(const Options& options) {
  const std::unique_ptr<FileSystem> files = TRY(OpenFiles("."));
  const std::string root_text = TRY(ReadAll(*files, options.trust, format::kMaxRootFileBytes));
  const trust::TrustState trust = TRY(ParseTrust(root_text, options.trust));
  const Reviewed reviewed =
      TRY(ReviewBundle(*files, options.files, trust, {options.previous, root_text, options.yes}));
  // Now that the signer has seen what is signed.
  const std::vector<SecretKey> keys = TRY(ReadKeys(*files, options.keys, options.passphrase_file));
  ProgressPrinter progress = Progress("checking");
  SignOptions sign;
  sign.digest = reviewed.digest;
  sign.read.progress = [&](uint64_t done, uint64_t total) { progress.Update(done, total); };
  sign.show = [&](const reader::SignableBundle& bundle) { Show(bundle, options); };
  const SignedBundle done = TRY(SignBundle(*files, options.files, trust, keys, sign));
  const uint64_t missing = done.needed > done.signatures ? done.needed - done.signatures : 0;
  if (options.json) {
    std::cout << DumpJson(
                     {{"changed_files", done.changed_files},
                      {"digest", "sha256-" + done.digest.Hex()},
                      {"restored_files", done.restored_files},
                      {"signatures", done.signatures},
                      {"signatures_missing", missing},
                      {"signatures_needed", done.needed},
                      {"templates",
                       reviewed.no_templates.empty() ? TemplatesJson(reviewed.templates) : Json()}})
              << "\n";
    return {};
  }
  PrintTemplates(reviewed.templates);
  if (!reviewed.no_templates.empty()) {
    std::cout << "templates not looked at: " << reviewed.no_templates << "\n";
  }
  if (done.restored_files > 0) {
    std::cout << "put back  the signatures of " << done.restored_files
              << " file(s) that an interrupted signing had left\n";
  }
  std::cout << (done.changed_files > 0 ? "signed    " : "unchanged ") << done.signatures << " of "
            << done.needed << " needed signatures"
            << (missing > 0 ? ": no appliance accepts it yet" : "") << "\n";
  return {};
}

Result<void> RunSplit(const Options& options) {
  const std::unique_ptr<FileSystem> files = TRY(OpenFiles("."));
  const std::string& path = options.files.front();
  const uint64_t max_bytes = TRY(ParseVolumeSize(options.volume_size));
  const std::string folder = options.out.empty() ? ParentDirectory(path) : options.out;
  const std::unique_ptr<FileSystem> output = TRY(OpenFiles(folder));
  const std::unique_ptr<File> file = TRY(files->OpenRead(path));
  const trust::TrustState trust = TRY(TrustFor(*files, *file, options));
  ProgressPrinter progress = Progress("splitting");
  CopyOptions copy;
  copy.overwrite = options.force;
  copy.progress = [&](uint64_t done, uint64_t total) { progress.Update(done, total); };
  const std::vector<std::string> names =
      TRY(SplitBundle(*file, trust, max_bytes, *output, FileName(path), copy)
              .WithContext("'" + path + "'"));
  Json paths = Json::array();
  for (const std::string& name : names) paths.push_back(folder == "." ? name : folder + "/" + name);
  if (options.json) {
    std::cout << DumpJson({{"paths", paths}}) << "\n";
    return {};
  }
  for (const Json& name : paths) std::cout << name.get<std::string>() << "\n";
  return {};
}

Result<void> RunJoin(const Options& options) {
  const std::unique_ptr<FileSystem> files = TRY(OpenFiles("."));
  const std::unique_ptr<FileSystem> output = TRY(OpenFiles(ParentDirectory(options.out)));
  std::vector<std::unique_ptr<File>> open;
  std::vector<reader::NamedFile> volumes;
  for (const std::string& path : options.files) {
    std::unique_ptr<File> file = TRY(files->OpenRead(path));
    volumes.push_back({path, file.get()});
    open.push_back(std::move(file));
  }
  const trust::TrustState trust = TRY(TrustFor(*files, *open.front(), options));
  ProgressPrinter progress = Progress("joining");
  CopyOptions copy;
  copy.overwrite = options.force;
  copy.progress = [&](uint64_t done, uint64_t total) { progress.Update(done, total); };
  TRY(JoinVolumes(volumes, trust, *output, FileName(options.out), copy));
  if (options.json) {
    std::cout << DumpJson({{"bundle", options.out}}) << "\n";
  } else {
    std::cout << options.out << "\n";
  }
  return {};
}

using Run = std::function<Result<void>()>;
using Command = Result<void> (*)(const Options& options);

// A command whose options live as long as its callback.
CLI::App* Add(CLI::App& bundle, Run& run, const std::string& name, const std::string& description,
              Command command, std::shared_ptr<Options>& options) {
  options = std::make_shared<Options>();
  CLI::App* app = bundle.add_subcommand(name, description);
  app->add_flag("--json", options->json, "Print the result as JSON");
  app->callback(
      [&run, command, owned = options] { run = [command, owned] { return command(*owned); }; });
  return app;
}

}  // namespace

void AddSign(CLI::App& bundle, Run& run) {
  std::shared_ptr<Options> options;
  CLI::App* app = Add(bundle, run, "sign", "Read a bundle to its end and add signatures to it",
                      RunSign, options);
  app->add_option("files", options->files, "Bundle, or volumes of one")
      ->required()
      ->type_name("NAME.skb");
  app->add_option("--key", options->keys, "Secret release key (repeatable)")
      ->required()
      ->allow_extra_args(false)
      ->type_name("FILE");
  AddPassphraseOption(*app, options->passphrase_file);
  app->add_option("--trust", options->trust, "Trust root that the appliances have")
      ->required()
      ->type_name("root.json");
  AddReviewOptions(*app, options->previous, options->yes);
}

void AddSplit(CLI::App& bundle, Run& run) {
  std::shared_ptr<Options> options;
  CLI::App* app =
      Add(bundle, run, "split", "Cut a bundle into volumes; needs no key", RunSplit, options);
  app->add_option("file", options->files, "Bundle")->required()->expected(1)->type_name("NAME.skb");
  app->add_option("--volume-size", options->volume_size,
                  "No volume is longer: fat32, dvd, bd25, or bytes (4GB, 700MB)")
      ->required()
      ->type_name("SIZE");
  app->add_option("--out-dir", options->out, "Where to write them (default: beside the bundle)")
      ->type_name("DIR");
  app->add_option("--trust", options->trust, "Trust root (default: the one that travels along)")
      ->type_name("root.json");
  app->add_flag("--force", options->force, "Overwrite existing volumes");
}

void AddJoin(CLI::App& bundle, Run& run) {
  std::shared_ptr<Options> options;
  CLI::App* app =
      Add(bundle, run, "join", "Put volumes together again; needs no key", RunJoin, options);
  app->add_option("files", options->files, "All volumes of a bundle, in any order")
      ->required()
      ->type_name("NAME.01-of-12.skb");
  app->add_option("-o,--out", options->out, "Bundle to write")->required()->type_name("NAME.skb");
  app->add_option("--trust", options->trust, "Trust root (default: the one that travels along)")
      ->type_name("root.json");
  app->add_flag("--force", options->force, "Overwrite an existing bundle");
}

}  // namespace skerry::build
