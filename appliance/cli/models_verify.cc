// `skerry models verify`: from the files alone, whether an appliance runs or not.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "appliance/base/clock.h"
#include "appliance/base/json.h"
#include "appliance/base/progress.h"
#include "appliance/cli/command.h"
#include "appliance/cli/verify_model.h"
#include "bundler/format/layout.h"
#include "bundler/format/manifest.h"

namespace skerry::cli {

namespace {

constexpr size_t kMinDigestDigits = 8;

struct Options {
  std::string model;
  bool all = false;
  bool json = false;
};

// The model's id by its manifest; empty when that cannot be read.
std::string IdOf(FileSystem& files, const std::string& digest) {
  const Result<std::string> text =
      ReadAll(files, "store/" + digest + "/bundle/manifest", format::kMaxManifestBytes);
  if (!text) return "";
  const Result<format::Manifest> manifest = format::ParseManifest(*text);
  return manifest ? manifest->id : "";
}

// All of the store, or those of an id, or those whose digest begins like `options.model`.
Result<std::vector<std::string>> Choose(FileSystem& files, const Options& options) {
  const std::vector<DirectoryEntry> entries = TRY(files.List("store"));
  const std::string wanted =
      options.model.starts_with("sha256-") ? options.model.substr(7) : options.model;
  std::vector<std::string> chosen;
  for (const DirectoryEntry& entry : entries) {
    if (entry.kind != FileKind::kDirectory || !entry.name.starts_with("sha256-")) continue;
    const bool by_digest =
        wanted.size() >= kMinDigestDigits && entry.name.substr(7).starts_with(wanted);
    if (options.all || by_digest || IdOf(files, entry.name) == options.model) {
      chosen.push_back(entry.name);
    }
  }
  if (chosen.empty() && !options.all) {
    return Error(ErrorCode::kNotFound, "the store has no model '" + options.model + "'");
  }
  return chosen;
}

Json ToJson(const ModelReport& report) {
  Json damage = Json::array();
  for (const Damage& item : report.damage) {
    damage.push_back({{"file", item.file},
                      {"what", item.what},
                      {"exact", item.exact},
                      {"first_chunk", item.first_chunk},
                      {"last_chunk", item.last_chunk}});
  }
  return {{"digest", report.digest},       {"id", report.id},
          {"version", report.version},     {"size_bytes", report.size_bytes},
          {"good", report.damage.empty()}, {"damage", std::move(damage)}};
}

// " (chunk 3, from byte 12582912 on)"; nothing where chunks say nothing.
std::string DescribePlace(const Damage& item) {
  if (!item.exact && item.last_chunk == item.first_chunk) return "";
  const std::string last = std::to_string(item.last_chunk);
  std::string chunks = " (chunk " + last;
  if (item.last_chunk != item.first_chunk) {
    chunks = std::string(item.exact ? " (chunks " : " (somewhere in chunks ") +
             std::to_string(item.first_chunk) + " to " + last;
  }
  return chunks + " of 4 MiB, from byte " + std::to_string(item.first_chunk * format::kChunkBytes) +
         " on)";
}

void Print(const ModelReport& report) {
  std::cout << (report.damage.empty() ? "good     " : "DAMAGED  ") << report.id << " "
            << report.version << "  " << report.digest << "\n";
  for (const Damage& item : report.damage) {
    std::cout << "  " << item.file << " " << item.what << DescribePlace(item) << "\n";
  }
}

Result<void> Verify(const Context& context, const Options& options) {
  if (options.all != options.model.empty()) {
    return Error(ErrorCode::kInvalidArgument, "give a model, or --all");
  }
  const std::unique_ptr<FileSystem> files = TRY(OpenFiles(context.data_directory));
  const std::vector<std::string> chosen = TRY(Choose(*files, options));
  Json reports = Json::array();
  size_t damaged = 0;
  for (const std::string& digest : chosen) {
    ModelReport report;
    {
      ProgressPrinter progress(RealClock(), STDERR_FILENO, ::isatty(STDERR_FILENO) == 1,
                               "verifying");
      ModelCheck check;
      check.progress = [&](uint64_t done, uint64_t total) { progress.Update(done, total); };
      Result<ModelReport> verified = VerifyStoredModel(*files, digest, check);
      if (!verified && verified.error().code() != ErrorCode::kCorrupt) return verified.error();
      if (verified) {
        report = std::move(*verified);
      } else {
        report.digest = digest;
        report.damage.push_back({"bundle/manifest", verified.error().message(), 0, 0});
      }
    }
    if (!report.damage.empty()) ++damaged;
    reports.push_back(ToJson(report));
    if (!options.json) Print(report);
  }
  if (options.json) std::cout << DumpJson(reports) << "\n";
  if (damaged == 0) return {};
  return Error(ErrorCode::kCorrupt,
               std::to_string(damaged) + " of " + std::to_string(chosen.size()) +
                   (chosen.size() == 1 ? " model" : " models") +
                   " damaged: 'skerry models rm DIGEST', then import the bundle again");
}

}  // namespace

void AddModelsVerifyCommand(CLI::App& models, Context& context) {
  CLI::App* command =
      models.add_subcommand("verify", "Hash stored models again: are they what was signed?");
  const auto options = std::make_shared<Options>();  // lives as long as the callback
  command->add_option("model", options->model, "Id (all its releases) or digest")
      ->type_name("MODEL");
  command->add_flag("--all", options->all, "Every model in the store");
  command->add_flag("--json", options->json, "Print JSON");
  AddDataOption(*command, context);
  command->callback(
      [&context, options] { context.run = [&] { return Verify(context, *options); }; });
}

}  // namespace skerry::cli
