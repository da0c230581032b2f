// `skerry models rm`: by the running appliance, or by skerry-admin started for it alone, which are
// the only ones that write the database.
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "appliance/base/capture.h"
#include "appliance/base/control.h"
#include "appliance/base/files.h"
#include "appliance/base/json.h"
#include "appliance/base/progress.h"
#include "appliance/cli/admin_client.h"
#include "appliance/cli/command.h"
#include "appliance/cli/directory_lock.h"
#include "appliance/cli/layout.h"
#include "appliance/cli/listing.h"

namespace skerry::cli {

namespace {

// Removing the files of a large model takes a while on some file systems.
constexpr int kOfflineTimeoutMs = 600'000;

struct Options {
  std::string model;
  bool json = false;
};

// The caller holds the lock.
Result<Json> RemoveOffline(const Context& context, const std::string& model) {
  const std::unique_ptr<FileSystem> files = TRY(OpenFiles(context.data_directory));
  TRY(MakeLayout(*files));
  const std::string printed =
      TRY(CaptureOutput({context.program_directory + "/skerry-admin", "--data",
                         context.data_directory, "--remove-model", model},
                        kOfflineTimeoutMs));
  const Json answer = TRY(ParseJson(printed).WithContext("skerry-admin"));
  const Error failed(ErrorCode::kInternal, "skerry-admin gave no answer");
  if (!answer.is_object()) return failed;
  if (answer.contains("error")) return ErrorFromJson(answer, failed);
  return answer;
}

Result<Json> Remove(const Context& context, const std::string& model) {
  const Result<DirectoryLock> offline =
      DirectoryLock::Take(context.data_directory, "skerry models rm");
  if (offline) return RemoveOffline(context, model);
  if (offline.error().code() != ErrorCode::kUnavailable) return offline.error();
  Result<AdminClient> admin = AdminClient::Connect(context.data_directory);
  // Used by another command; its error names it.
  if (!admin) return offline.error();
  return admin->Delete("/models/" + EncodeSegment(model));
}

Result<void> RunRemove(const Context& context, const Options& options) {
  const Json removed = TRY(Remove(context, options.model));
  if (options.json) {
    std::cout << DumpJson(removed) << std::endl;
    return {};
  }
  const std::string id = TextOf(removed, "id");
  std::cout << "removed   " << (id.empty() ? "a damaged model" : id) << ", "
            << FormatBytes(static_cast<uint64_t>(IntOf(removed, "size_bytes"))) << "\n"
            << "digest    " << TextOf(removed, "digest") << "\n"
            << "Its receipt and the floor stay: only the highest release that was imported comes "
               "in again "
               "without a permit."
            << std::endl;
  return {};
}

}  // namespace

void AddModelsRmCommand(CLI::App& models, Context& context) {
  CLI::App* command = models.add_subcommand(
      "rm", "Remove a model from the store; unload it first. Receipts and floors stay");
  const auto options = std::make_shared<Options>();  // lives as long as the callback
  command
      ->add_option("model", options->model,
                   "Digest (8 digits of it are enough), or the id of a model with one release here")
      ->required()
      ->type_name("MODEL");
  command->add_flag("--json", options->json, "Print JSON");
  AddDataOption(*command, context);
  command->callback(
      [&context, options] { context.run = [&] { return RunRemove(context, *options); }; });
}

}  // namespace skerry::cli
