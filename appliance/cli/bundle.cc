// bundle create|verify; inspect has a file of its own.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "appliance/base/control.h"
#include "appliance/base/files.h"
#include "appliance/base/json.h"
#include "appliance/base/progress.h"
#include "appliance/cli/bundle_common.h"
#include "appliance/cli/command.h"
#include "appliance/cli/signing.h"
#include "bundler/format/layout.h"
#include "bundler/format/names.h"
#include "bundler/inspect/model.h"
#include "bundler/reader/verify.h"

namespace skerry::cli {

namespace {

struct Options {
  std::vector<std::string> files;
  std::string trust;
  bool deep = false;
  bool json = false;
};

// What was verified, and what else there is to say about it.
struct Verified {
  std::vector<std::unique_ptr<File>> files;  // that the set reads
  reader::VolumeSet set;
  std::optional<inspect::ModelFormat> model_format;  // of a complete set
};

Result<Verified> Verify(const Context& context, const Options& options) {
  const trust::TrustState trust = TRY(ReadTrust(context, options.trust));
  const std::unique_ptr<FileSystem> files = TRY(OpenFiles("."));
  Verified verified;
  std::vector<reader::NamedFile> archives;
  for (const std::string& path : options.files) {
    std::unique_ptr<File> file = TRY(files->OpenRead(path));
    archives.push_back({path, file.get()});
    verified.files.push_back(std::move(file));
  }
  ProgressPrinter progress(RealClock(), STDERR_FILENO, ::isatty(STDERR_FILENO) == 1, "verifying");
  reader::VerifyOptions verify;
  verify.deep = options.deep;
  verify.read.progress = [&](uint64_t done, uint64_t total) { progress.Update(done, total); };
  verified.set = TRY(reader::VerifyArchives(archives, trust, verify));
  if (!verified.set.IsComplete()) return verified;
  const reader::VolumeSet& set = verified.set;
  verified.model_format =
      TRY(inspect::InspectFiles(
              set.parts().front().bundle.manifest(),
              [&](size_t idx) -> Result<std::unique_ptr<File>> { return set.OpenFile(idx); })
              .WithContext("'" + set.parts().front().name + "'"));
  return verified;
}

void PrintJson(const Verified& verified) {
  const reader::VolumeSet& set = verified.set;
  const reader::VerifiedBundle& bundle = set.parts().front().bundle;
  const format::Manifest& manifest = bundle.manifest();
  Json archives = Json::array();
  uint64_t bytes = 0;
  for (const auto* parts : {&set.parts(), &set.duplicates()}) {
    for (const reader::VolumeSet::Part& part : *parts) {
      archives.push_back({{"bytes", part.bundle.bundle_bytes()},
                          {"duplicate", parts == &set.duplicates()},
                          {"file", part.name},
                          {"volume", VolumeNumber(part.bundle.volume())}});
    }
  }
  for (const reader::VolumeSet::Part& part : set.parts()) bytes += part.bundle.bundle_bytes();
  const Json json = {
      {"archives", std::move(archives)},
      {"bundle_bytes", bytes},
      {"digest", "sha256-" + bundle.digest().Hex()},
      {"expires", OrNull(manifest.expires)},
      {"id", manifest.id},
      {"missing", set.Missing()},
      {"model_digest", bundle.model_digest().Hex()},
      {"model_format",
       verified.model_format ? Json(inspect::ModelFormatName(*verified.model_format)) : Json()},
      {"release_seq", manifest.release_seq},
      {"root_version", bundle.root_version()},
      {"signers", KeyIdList(bundle.signers())},
      {"valid", true},
      {"version", manifest.version},
      {"volume", set.parts().size() == 1 ? VolumeNumber(bundle.volume()) : Json()},
      {"volumes", set.volume_count()}};
  std::cout << DumpJson(json) << "\n";
}

void PrintText(const Verified& verified) {
  const reader::VolumeSet& set = verified.set;
  const reader::VerifiedBundle& bundle = set.parts().front().bundle;
  const format::Manifest& manifest = bundle.manifest();
  for (const auto* parts : {&set.parts(), &set.duplicates()}) {
    for (const reader::VolumeSet::Part& part : *parts) {
      std::cout << "valid     '" << part.name << "', "
                << (part.bundle.volume() ? reader::DescribeVolume(part.bundle) + ", " : "")
                << FormatBytes(part.bundle.bundle_bytes()) << ", every byte"
                << (parts == &set.duplicates() ? "; given twice, not needed" : "") << "\n";
    }
  }
  if (!set.IsComplete()) {
    std::cout << "MISSING   " << set.DescribeMissing()
              << ": what was given is valid, but it is not the whole bundle, and whether its files "
                 "are a model was not checked\n";
  }
  std::cout << "model     " << manifest.id << " " << manifest.version << ", release "
            << manifest.release_seq << "\n"
            << "digest    sha256-" << bundle.digest().Hex() << "\n";
  for (const trust::KeyId& id : bundle.signers()) {
    std::cout << "signed by " << trust::Grouped(id) << "\n";
  }
}

Result<void> VerifyAndPrint(const Context& context, const Options& options) {
  const Verified verified = TRY(Verify(context, options));
  options.json ? PrintJson(verified) : PrintText(verified);
  WarnIfPast(verified.set.parts().front().bundle.manifest().expires);
  return {};
}

Result<void> RunVerify(const Context& context, const Options& options) {
  Result<void> result = VerifyAndPrint(context, options);
  if (!result && options.json) {
    Json json = ErrorToJson(result.error());
    json["valid"] = false;
    std::cout << DumpJson(json) << "\n";
  }
  return result;
}

}  // namespace

void AddBundleCommands(CLI::App& app, Context& context) {
  CLI::App* bundle = app.add_subcommand("bundle", "Signed bundles");
  bundle->require_subcommand(1);
  AddBundlerCommand(*bundle, context, "create", "Pack and sign a model (connected side)",
                    {"bundle", "create"});
  AddBundlerCommand(*bundle, context, "sign", "Add signatures to a bundle (connected side)",
                    {"bundle", "sign"});
  AddBundlerCommand(*bundle, context, "split", "Cut a bundle into volumes (connected side)",
                    {"bundle", "split"});
  AddBundlerCommand(*bundle, context, "join", "Put volumes together again (connected side)",
                    {"bundle", "join"});
  const auto options = std::make_shared<Options>();  // lives as long as the callbacks

  CLI::App* verify = bundle->add_subcommand(
      "verify", "Read every byte and check it: exit status 0 valid, 1 refused");
  verify->add_option("files", options->files, "Bundle, or volumes of one bundle")
      ->required()
      ->type_name("NAME.skb ...");
  verify->add_option("--trust", options->trust, "Trust root; none: the one that the appliance has")
      ->type_name("root.json");
  verify->add_flag("--deep", options->deep, "Also compare the SHA-256 of whole files");
  verify->add_flag("--json", options->json, "Print JSON");
  AddDataOption(*verify, context);
  verify->callback(
      [&context, options] { context.run = [&] { return RunVerify(context, *options); }; });

  AddBundleInspectCommand(*bundle, context);
}

}  // namespace skerry::cli
