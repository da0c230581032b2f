// bundle create|verify|inspect.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "appliance/base/control.h"
#include "appliance/base/files.h"
#include "appliance/base/json.h"
#include "appliance/base/progress.h"
#include "appliance/cli/command.h"
#include "appliance/cli/signing.h"
#include "bundler/format/layout.h"
#include "bundler/import/verify.h"

namespace skerry::cli {

namespace {

struct Options {
  std::string file;
  std::string trust;
  bool deep = false;
  bool json = false;
};

Json KeyIds(const std::vector<trust::KeyId>& ids) {
  Json array = Json::array();
  for (const trust::KeyId& id : ids) array.push_back(id.Hex());
  return array;
}

Result<trust::TrustState> ReadTrust(const Context& context, const Options& options) {
  if (options.trust.empty()) {
    const std::unique_ptr<FileSystem> data = TRY(OpenFiles(context.data_directory));
    return trust::LoadTrust(*data);
  }
  const std::unique_ptr<FileSystem> files = TRY(OpenFiles("."));
  const std::string text = TRY(ReadAll(*files, options.trust, format::kMaxRootBytes));
  trust::TrustState state;
  state.root = TRY(trust::ParseRoot(text).WithContext("'" + options.trust + "'"));
  return state;
}

Result<void> VerifyAndPrint(const Context& context, const Options& options) {
  const trust::TrustState trust = TRY(ReadTrust(context, options));
  const std::unique_ptr<FileSystem> files = TRY(OpenFiles("."));
  const std::unique_ptr<File> file = TRY(files->OpenRead(options.file));
  ProgressPrinter progress(RealClock(), STDERR_FILENO, ::isatty(STDERR_FILENO) == 1, "verifying");
  import::VerifyOptions verify;
  verify.deep = options.deep;
  verify.read.progress = [&](uint64_t done, uint64_t total) { progress.Update(done, total); };
  const import::Verified verified =
      TRY(import::VerifyBundle(*file, trust, verify).WithContext("'" + options.file + "'"));
  const import::VerifiedBundle& bundle = verified.bundle;
  const format::Manifest& manifest = bundle.manifest();
  if (options.json) {
    const Json json = {{"bundle_bytes", bundle.bundle_bytes()},
                       {"digest", "sha256-" + bundle.digest().Hex()},
                       {"id", manifest.id},
                       {"model_digest", bundle.model_digest().Hex()},
                       {"model_format", inspect::ModelFormatName(verified.model_format)},
                       {"release_seq", manifest.release_seq},
                       {"root_version", bundle.root_version()},
                       {"signers", KeyIds(bundle.signers())},
                       {"valid", true},
                       {"version", manifest.version}};
    std::cout << DumpJson(json) << "\n";
    return {};
  }
  std::cout << "valid     '" << options.file << "', " << FormatBytes(bundle.bundle_bytes())
            << ", every byte\n"
            << "model     " << manifest.id << " " << manifest.version << ", release "
            << manifest.release_seq << "\n"
            << "digest    sha256-" << bundle.digest().Hex() << "\n";
  for (const trust::KeyId& id : bundle.signers()) {
    std::cout << "signed by " << trust::Grouped(id) << "\n";
  }
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

Json FilesJson(const std::vector<format::FileEntry>& entries) {
  Json array = Json::array();
  for (const format::FileEntry& entry : entries) {
    array.push_back({{"name", entry.name}, {"sha256", entry.sha256.Hex()}, {"size", entry.size}});
  }
  return array;
}

Result<void> RunInspect(const Options& options) {
  const std::unique_ptr<FileSystem> files = TRY(OpenFiles("."));
  const std::unique_ptr<File> file = TRY(files->OpenRead(options.file));
  const std::string context = "'" + options.file + "'";
  const import::UnverifiedBundle bundle =
      TRY(import::UnverifiedBundle::Open(*file).WithContext(context));
  const import::UnverifiedBundle::Claims claims = TRY(bundle.ReadClaims().WithContext(context));
  const format::Manifest& manifest = claims.manifest;
  if (options.json) {
    const Json json = {{"digest", "sha256-" + claims.digest.Hex()},
                       {"documents", FilesJson(manifest.documents)},
                       {"files", FilesJson(manifest.files)},
                       {"id", manifest.id},
                       {"kind", format::KindName(manifest.kind)},
                       {"release_seq", manifest.release_seq},
                       {"signers", KeyIds(claims.signers)},
                       {"verified", false},
                       {"version", manifest.version}};
    std::cout << DumpJson(json) << "\n";
    return {};
  }
  std::cout << "NOT VERIFIED: what the bundle says of itself; 'skerry bundle verify' checks it\n"
            << format::KindName(manifest.kind) << "     " << manifest.id << " " << manifest.version
            << ", release " << manifest.release_seq << "\n"
            << "digest    sha256-" << claims.digest.Hex() << "\n";
  for (const trust::KeyId& id : claims.signers) {
    std::cout << "signed by " << trust::Grouped(id) << "\n";
  }
  for (const auto* entries : {&manifest.files, &manifest.documents}) {
    for (const format::FileEntry& entry : *entries) {
      std::cout << entry.sha256.Hex() << "  " << entry.name << " (" << FormatBytes(entry.size)
                << (entries == &manifest.documents ? ", document)" : ")") << "\n";
    }
  }
  return {};
}

}  // namespace

void AddBundleCommands(CLI::App& app, Context& context) {
  CLI::App* bundle = app.add_subcommand("bundle", "Signed bundles");
  bundle->require_subcommand(1);
  AddBundlerCommand(*bundle, context, "create", "Pack and sign a model (connected side)",
                    {"bundle", "create"});
  const auto options = std::make_shared<Options>();  // lives as long as the callbacks

  CLI::App* verify = bundle->add_subcommand(
      "verify", "Read every byte and check it: exit status 0 valid, 1 refused");
  verify->add_option("file", options->file, "Bundle")->required()->type_name("NAME.skb");
  verify->add_option("--trust", options->trust, "Trust root; none: the one that the appliance has")
      ->type_name("root.json");
  verify->add_flag("--deep", options->deep, "Also compare the SHA-256 of whole files");
  verify->add_flag("--json", options->json, "Print JSON");
  AddDataOption(*verify, context);
  verify->callback(
      [&context, options] { context.run = [&] { return RunVerify(context, *options); }; });

  CLI::App* inspect =
      bundle->add_subcommand("inspect", "Show what a bundle says of itself, unverified");
  inspect->add_option("file", options->file, "Bundle")->required()->type_name("NAME.skb");
  inspect->add_flag("--json", options->json, "Print JSON");
  inspect->callback([&context, options] { context.run = [&] { return RunInspect(*options); }; });
}

}  // namespace skerry::cli
