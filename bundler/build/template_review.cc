#include "bundler/build/template_review.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "bundler/build/previous.h"
#include "bundler/format/names.h"
#include "bundler/reader/volume_set.h"

namespace skerry::build {

namespace {

using format::Quote;

// A line of the terminal.
bool Agrees(const std::string& question) {
  std::cerr << question << " [y/N] " << std::flush;
  std::string answer;
  return std::getline(std::cin, answer) && (answer == "y" || answer == "yes");
}

}  // namespace

void AddReviewOptions(CLI::App& command, std::vector<std::string>& previous, bool& yes) {
  command
      .add_option("--previous", previous,
                  "The release before (or all its volumes, repeatable): shows what changed in the "
                  "chat templates and asks before signing it")
      ->allow_extra_args(false)
      ->type_name("OLD.skb");
  command.add_flag("--yes", yes, "Sign changed chat templates without asking");
}

Result<void> ReviewTemplates(FileSystem& files, const std::string& id,
                             std::span<const inspect::ChatTemplate> templates,
                             const ReviewOptions& options) {
  if (options.previous.empty()) return {};
  const PreviousRelease previous =
      TRY(ReadPrevious(files, options.previous, options.previous_trust).WithContext("--previous"));
  if (previous.id != id) {
    std::cerr << "skerry: warning: the release to compare with is of '" << previous.id << "'"
              << std::endl;
  }
  const std::string changes = DescribeChanges(previous, templates);
  if (changes.empty()) {
    std::cerr << "The chat templates are those of release " << previous.release_seq << "."
              << std::endl;
    return {};
  }
  std::cerr << "The chat templates " << changes << std::endl;
  const bool asks = !options.yes && ::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1;
  if (!asks || Agrees("Sign these templates?")) return {};
  return Error(ErrorCode::kCancelled, "nothing was signed and nothing written");
}

Result<Reviewed> ReviewBundle(FileSystem& files, std::span<const std::string> paths,
                              const trust::TrustState& trust, const ReviewOptions& options) {
  std::vector<std::unique_ptr<File>> open;
  reader::SignableSet set;
  bool counts = true;
  for (const std::string& path : paths) {
    std::unique_ptr<File> file = TRY(files.OpenRead(path));
    reader::UnverifiedBundle unverified =
        TRY(reader::UnverifiedBundle::Open(*file).WithContext(Quote(path)));
    reader::SignableBundle bundle =
        TRY(std::move(unverified).VerifyForSigning(trust).WithContext(Quote(path)));
    counts = counts && !bundle.signers().empty();
    TRY(set.Add(path, std::move(bundle)));
    open.push_back(std::move(file));
  }
  const reader::SignableBundle& bundle = set.parts().front().bundle;
  Reviewed reviewed{bundle.digest(), {}, ""};
  if (!counts) {
    reviewed.no_templates = "no signature counts under this trust root";
  } else if (!set.IsComplete()) {
    reviewed.no_templates = set.DescribeMissing() + " was not given";
  } else {
    const std::string context = Quote(set.parts().front().name);
    const reader::ChunkHashes hashes = TRY(bundle.ReadHashes().WithContext(context));
    reviewed.templates =
        TRY(inspect::ReadTemplates(inspect::FilesOf(bundle.manifest(), [&](size_t idx) {
              return set.OpenChecked(idx, hashes);
            })).WithContext(context));
    TRY(ReviewTemplates(files, bundle.manifest().id, reviewed.templates, options));
    return reviewed;
  }
  if (options.previous.empty()) return reviewed;
  return Error(ErrorCode::kInvalidArgument,
               "--previous: the chat templates cannot be compared: " + reviewed.no_templates);
}

Json TemplatesJson(std::span<const inspect::ChatTemplate> templates) {
  Json listed = Json::array();
  for (const inspect::ChatTemplate& item : templates) {
    listed.push_back({{"name", item.name}, {"sha256", item.sha256.Hex()}});
  }
  return listed;
}

void PrintTemplates(std::span<const inspect::ChatTemplate> templates) {
  for (const inspect::ChatTemplate& item : templates) {
    std::cout << "template  " << item.name << ", sha256 " << item.sha256.Hex() << "\n";
  }
}

}  // namespace skerry::build
