// `skerry bundle inspect`: what a bundle says of itself, and, once its signatures hold under a
// trust root, what its files say. Before that nothing of them is looked at.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "appliance/base/files.h"
#include "appliance/base/json.h"
#include "appliance/base/progress.h"
#include "appliance/cli/bundle_common.h"
#include "appliance/cli/command.h"
#include "bundler/inspect/facts.h"
#include "bundler/inspect/fit.h"
#include "bundler/inspect/model.h"
#include "bundler/inspect/templates.h"
#include "bundler/reader/volume_set.h"

namespace skerry::cli {

namespace {

constexpr size_t kMaxProfileBytes = 1 << 20;

using Claims = reader::UnverifiedBundle::Claims;

struct Options {
  std::vector<std::string> files;
  std::string trust;
  std::string box;  // profile of a machine
  bool json = false;
};

// What the files say.
struct Contents {
  uint64_t root_version = 0;
  uint64_t signatures = 0;  // that count
  uint64_t signatures_needed = 0;
  std::optional<std::vector<inspect::ChatTemplate>> templates;
  std::string no_templates;  // why they are not known
  std::optional<inspect::Fit> fit;

  bool IsSigned() const { return signatures >= signatures_needed; }
};

// The archives that the user gave.
struct Given {
  std::vector<std::unique_ptr<File>> files;
  std::vector<reader::UnverifiedBundle> bundles;
  Claims claims;  // of the first
};

Result<Given> Open(const Options& options) {
  const std::unique_ptr<FileSystem> files = TRY(OpenFiles("."));
  Given given;
  for (const std::string& path : options.files) {
    const std::string context = "'" + path + "'";
    std::unique_ptr<File> file = TRY(files->OpenRead(path));
    reader::UnverifiedBundle bundle =
        TRY(reader::UnverifiedBundle::Open(*file).WithContext(context));
    Claims claims = TRY(bundle.ReadClaims().WithContext(context));
    if (given.files.empty()) {
      given.claims = std::move(claims);
    } else if (claims.digest != given.claims.digest) {
      return Error(ErrorCode::kInvalidArgument, context + " is of another bundle than '" +
                                                    options.files.front() +
                                                    "'; give one bundle, or volumes of one");
    }
    given.files.push_back(std::move(file));
    given.bundles.push_back(std::move(bundle));
  }
  return given;
}

Result<inspect::Fit> CheckBox(const std::string& path, const inspect::ModelFiles& model,
                              const format::Manifest& manifest) {
  const std::unique_ptr<FileSystem> files = TRY(OpenFiles("."));
  const std::string text = TRY(ReadAll(*files, path, kMaxProfileBytes));
  const inspect::BoxProfile box =
      TRY(inspect::ParseBoxProfile(text).WithContext("profile '" + path + "'"));
  const inspect::ModelFormat model_format = TRY(inspect::InspectModel(model));
  const inspect::ModelFacts facts = TRY(inspect::ReadFacts(model, model_format));
  return inspect::CheckFit(facts, inspect::ImportBytes(manifest), box);
}

// A bundle that waits for further signers may be looked at, but not one that nobody signed.
Result<reader::SignableBundle> Verify(reader::UnverifiedBundle bundle,
                                      const trust::TrustState& trust) {
  reader::SignableBundle signable = TRY(std::move(bundle).VerifyForSigning(trust));
  if (!signable.signers().empty()) return signable;
  return Error(ErrorCode::kUntrusted, "none of its signatures counts under root version " +
                                          std::to_string(signable.root_version()));
}

Result<Contents> ReadContents(Given& given, const Options& options,
                              const trust::TrustState& trust) {
  reader::SignableSet set;
  for (size_t i = 0; i < given.bundles.size(); ++i) {
    const std::string& name = options.files[i];
    reader::SignableBundle bundle =
        TRY(Verify(std::move(given.bundles[i]), trust).WithContext("'" + name + "'"));
    TRY(set.Add(name, std::move(bundle)));
  }
  const reader::SignableBundle& bundle = set.parts().front().bundle;
  const format::Manifest& manifest = bundle.manifest();
  const reader::ChunkHashes hashes =
      TRY(bundle.ReadHashes().WithContext("'" + set.parts().front().name + "'"));
  const inspect::ModelFiles model =
      inspect::FilesOf(manifest, [&](size_t idx) { return set.OpenChecked(idx, hashes); });
  Contents contents;
  contents.root_version = bundle.root_version();
  contents.signatures_needed = bundle.release_role().threshold;
  contents.signatures = UINT64_MAX;
  for (const reader::SignableSet::Part& part : set.parts()) {
    contents.signatures = std::min<uint64_t>(contents.signatures, part.bundle.signers().size());
  }
  if (!options.box.empty()) contents.fit = TRY(CheckBox(options.box, model, manifest));
  Result<std::vector<inspect::ChatTemplate>> templates = inspect::ReadTemplates(model);
  if (templates) {
    contents.templates = std::move(*templates);
  } else if (templates.error().code() == ErrorCode::kNotFound) {
    contents.no_templates = templates.error().message();
  } else {
    return templates.error();
  }
  return contents;
}

Json FilesJson(const std::vector<format::FileEntry>& entries) {
  Json array = Json::array();
  for (const format::FileEntry& entry : entries) {
    array.push_back({{"name", entry.name}, {"sha256", entry.sha256.Hex()}, {"size", entry.size}});
  }
  return array;
}

Json TemplatesJson(const std::optional<Contents>& contents) {
  if (!contents || !contents->templates) return nullptr;
  Json array = Json::array();
  for (const inspect::ChatTemplate& item : *contents->templates) {
    array.push_back({{"name", item.name}, {"sha256", item.sha256.Hex()}});
  }
  return array;
}

Json FitJson(const std::optional<Contents>& contents) {
  if (!contents || !contents->fit) return nullptr;
  const inspect::Fit& fit = *contents->fit;
  return {{"context_tokens", fit.context_tokens}, {"fits", fit.problems.empty()},
          {"import_bytes", fit.import_bytes},     {"kv_bytes", fit.kv_bytes},
          {"memory_bytes", fit.memory_bytes},     {"problems", fit.problems},
          {"weight_bytes", fit.weight_bytes}};
}

void PrintJson(const Claims& claims, const std::optional<Contents>& contents) {
  const format::Manifest& manifest = claims.manifest;
  const Json json = {{"digest", "sha256-" + claims.digest.Hex()},
                     {"documents", FilesJson(manifest.documents)},
                     {"expires", OrNull(manifest.expires)},
                     {"files", FilesJson(manifest.files)},
                     {"fit", FitJson(contents)},
                     {"id", manifest.id},
                     {"kind", format::KindName(manifest.kind)},
                     {"release_seq", manifest.release_seq},
                     {"root_version", contents ? Json(contents->root_version) : Json()},
                     {"signatures_counted", contents ? Json(contents->signatures) : Json()},
                     {"signatures_hold", contents ? Json(contents->IsSigned()) : Json()},
                     {"signatures_needed", contents ? Json(contents->signatures_needed) : Json()},
                     {"signers", KeyIdList(claims.signers)},
                     {"templates", TemplatesJson(contents)},
                     {"verified", false},
                     {"version", manifest.version},
                     {"volume", VolumeNumber(claims.volume)},
                     {"volumes", claims.volume_count}};
  std::cout << DumpJson(json) << "\n";
}

void PrintClaims(const Claims& claims, const std::optional<Contents>& contents, size_t archives) {
  const format::Manifest& manifest = claims.manifest;
  if (contents && !contents->IsSigned()) {
    std::cout << "SIGNED BY " << contents->signatures << " of " << contents->signatures_needed
              << " under root version " << contents->root_version
              << ": no appliance accepts it yet; 'skerry bundle sign' adds signatures\n";
  } else if (contents) {
    std::cout << "The signatures hold under root version " << contents->root_version
              << "; NOT every byte was read: 'skerry bundle verify' does that\n";
  } else {
    std::cout << "NOT VERIFIED: what the bundle says of itself; 'skerry bundle verify' checks it\n";
  }
  std::cout << format::KindName(manifest.kind) << "     " << manifest.id << " " << manifest.version
            << ", release " << manifest.release_seq << "\n"
            << "digest    sha256-" << claims.digest.Hex() << "\n";
  if (claims.volume && archives == 1) {
    std::cout << "volume    " << claims.volume->number << " of " << claims.volume_count << "\n";
  }
  for (const trust::KeyId& id : claims.signers) {
    std::cout << "signed by " << trust::Grouped(id) << "\n";
  }
  for (const auto* entries : {&manifest.files, &manifest.documents}) {
    for (const format::FileEntry& entry : *entries) {
      std::cout << entry.sha256.Hex() << "  " << entry.name << " (" << FormatBytes(entry.size)
                << (entries == &manifest.documents ? ", document)" : ")") << "\n";
    }
  }
}

void PrintContents(const Contents& contents) {
  if (!contents.templates) {
    std::cout << "templates not read: " << contents.no_templates << "\n";
  } else if (contents.templates->empty()) {
    std::cout << "templates none\n";
  } else {
    for (const inspect::ChatTemplate& item : *contents.templates) {
      std::cout << "template  " << item.name << ", sha256 " << item.sha256.Hex() << "\n";
    }
  }
  if (!contents.fit) return;
  const inspect::Fit& fit = *contents.fit;
  std::cout << "import    takes " << FormatBytes(fit.import_bytes) << " of the store\n"
            << "memory    " << FormatBytes(fit.memory_bytes) << ": weights "
            << FormatBytes(fit.weight_bytes);
  if (fit.kv_bytes > 0) {
    std::cout << ", " << FormatBytes(fit.kv_bytes) << " for a request of " << fit.context_tokens
              << " tokens";
  }
  std::cout << "\n";
}

// The files' contents when the bundle's signatures hold; why not, when nobody insists on them.
Result<std::optional<Contents>> LookInside(const Context& context, Given& given,
                                           const Options& options, std::string& why_not) {
  const bool insists = !options.trust.empty() || !options.box.empty();
  const Result<trust::TrustState> trust = ReadTrust(context, options.trust);
  if (!trust && !options.trust.empty()) return trust.error();
  if (!trust) {
    why_not = "there is no trust root to check the signatures with; give --trust root.json";
    if (insists) return Error(ErrorCode::kUntrusted, why_not);
    return std::optional<Contents>();
  }
  Result<Contents> contents = ReadContents(given, options, *trust);
  if (contents) return std::optional<Contents>(std::move(*contents));
  if (insists) return contents.error();
  why_not = contents.error().message();
  return std::optional<Contents>();
}

Result<void> RunInspect(const Context& context, const Options& options) {
  Given given = TRY(Open(options));
  std::string why_not;
  const Result<std::optional<Contents>> looked = LookInside(context, given, options, why_not);
  const std::optional<Contents> contents = looked ? *looked : std::nullopt;
  if (options.json) {
    PrintJson(given.claims, contents);
  } else {
    PrintClaims(given.claims, contents, given.files.size());
    if (contents) PrintContents(*contents);
    if (looked && !contents) {
      std::cout << "templates not read: " << why_not << "\n";
    }
  }
  WarnIfPast(given.claims.manifest.expires);
  if (!looked) return looked.error();
  if (!contents || !contents->fit || contents->fit->problems.empty()) return {};
  std::string problems;
  for (const std::string& problem : contents->fit->problems) problems += "; " + problem;
  return Error(ErrorCode::kExhausted,
               "the model will not fit the machine of '" + options.box + "'" + problems);
}

}  // namespace

void AddBundleInspectCommand(CLI::App& bundle, Context& context) {
  CLI::App* command = bundle.add_subcommand(
      "inspect", "Show what a bundle says of itself, without reading all of it");
  const auto options = std::make_shared<Options>();  // lives as long as the callback
  command->add_option("files", options->files, "Bundle, or volumes of one")
      ->required()
      ->type_name("NAME.skb ...");
  command
      ->add_option("--trust", options->trust,
                   "Trust root under which the signatures must hold before the chat templates are "
                   "looked at; none: the one that the appliance has, if any")
      ->type_name("root.json");
  command
      ->add_option(
          "--for", options->box,
          "Also whether it fits this machine: what 'skerry doctor --profile' printed there")
      ->type_name("box.json");
  command->add_flag("--json", options->json, "Print JSON");
  AddDataOption(*command, context);
  command->callback(
      [&context, options] { context.run = [&] { return RunInspect(context, *options); }; });
}

}  // namespace skerry::cli
