// `skerry models ls|ps|load|unload`; verify and rm have files of their own.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "appliance/base/clock.h"
#include "appliance/base/json.h"
#include "appliance/base/progress.h"
#include "appliance/cli/admin_client.h"
#include "appliance/cli/command.h"
#include "appliance/cli/listing.h"

namespace skerry::cli {

namespace {

constexpr auto kPollPause = std::chrono::milliseconds(200);
constexpr int64_t kPlainLineEveryS = 10;
constexpr int64_t kNanosPerSecond = 1'000'000'000;
constexpr size_t kShownDigest = 19;  // "sha256-" and 12 digits

struct LoadOptions {
  std::string model;
  std::string alias;
  std::vector<std::string> flags;
  bool json = false;
};

Result<void> ListModels(const Context& context, bool json) {
  AdminClient admin = TRY(AdminClient::Connect(context.data_directory));
  const Json reply = TRY(admin.Get("/models"));
  const Json models = ListOf(reply, "models");
  if (json) {
    std::cout << DumpJson(models) << std::endl;
    return {};
  }
  if (models.empty()) {
    std::cout << "No models: import a bundle with skerry import NAME.skb" << std::endl;
    return {};
  }
  Table table({"ID", "VERSION", "RELEASE", "SIZE", "IMPORTED", "STANDING", "DIGEST"});
  for (const Json& model : models) {
    const std::string size = FlagOf(model, "present")
                                 ? FormatBytes(static_cast<uint64_t>(IntOf(model, "size_bytes")))
                                 : std::string("missing");
    std::string imported = TextOf(model, "imported_at").substr(0, 16);
    if (imported.size() == 16) imported[10] = ' ';
    std::string standing = TextOf(model, "standing");
    if (standing != "good" && FlagOf(model, "may_load")) standing = "REVOKED, may load";
    table.Add({TextOf(model, "id"), TextOf(model, "version"),
               std::to_string(IntOf(model, "release_seq")), size, imported, standing,
               TextOf(model, "digest").substr(0, kShownDigest)});
  }
  std::cout << table.Text() << std::flush;
  return {};
}

Result<void> ListInstances(const Context& context, bool json) {
  AdminClient admin = TRY(AdminClient::Connect(context.data_directory));
  const Json reply = TRY(admin.Get("/instances"));
  const Json instances = ListOf(reply, "instances");
  if (json) {
    std::cout << DumpJson(instances) << std::endl;
    return {};
  }
  if (instances.empty()) {
    std::cout << "Nothing is loaded: skerry models load MODEL" << std::endl;
    return {};
  }
  Table table({"ALIAS", "STATE", "MODEL", "INSTANCE", "RESTARTS", "DETAIL"});
  for (const Json& item : instances) {
    const std::string warning = TextOf(item, "warning");
    std::string detail = TextOf(item, "detail");
    if (!warning.empty())
      detail = "REVOKED MODEL: " + warning + (detail.empty() ? "" : "; ") + detail;
    table.Add({TextOf(item, "alias") + (FlagOf(item, "default") ? " (default)" : ""),
               TextOf(item, "state"), TextOf(item, "model_id"), TextOf(item, "id"),
               std::to_string(IntOf(item, "restarts")), detail});
  }
  std::cout << table.Text() << std::flush;
  return {};
}

// "loading 'demo' ... 0:12", renewed on a terminal, a line now and then elsewhere.
class WaitingLine {
 public:
  explicit WaitingLine(std::string alias)
      : alias_(std::move(alias)),
        terminal_(::isatty(STDERR_FILENO) != 0),
        start_ns_(RealClock().MonotonicNanos()) {}
  ~WaitingLine() {
    if (open_) std::cerr << std::endl;
  }
  void Update() {
    const int64_t seconds = (RealClock().MonotonicNanos() - start_ns_) / kNanosPerSecond;
    if (seconds == shown_s_ ||
        (!terminal_ && shown_s_ >= 0 && seconds < shown_s_ + kPlainLineEveryS)) {
      return;
    }
    shown_s_ = seconds;
    std::cerr << (terminal_ ? "\r" : "") << "loading '" << alias_ << "' ... "
              << FormatDuration(seconds) << (terminal_ ? "" : "\n") << std::flush;
    open_ = terminal_;
  }

 private:
  const std::string alias_;
  const bool terminal_;
  const int64_t start_ns_;
  int64_t shown_s_ = -1;
  bool open_ = false;
};

Result<Json> AwaitLoaded(AdminClient& admin, const std::string& id, const std::string& alias) {
  WaitingLine line(alias);
  for (;;) {
    Json status = TRY(admin.Get("/instances/" + id));
    const std::string state = TRY(GetString(status, "state"));
    if (state == "ready") return status;
    if (state == "failed") {
      const std::string detail = TRY(GetString(status, "detail"));
      return Error(ErrorCode::kUnavailable, "'" + alias + "' could not be loaded: " + detail);
    }
    line.Update();
    std::this_thread::sleep_for(kPollPause);
  }
}

Result<void> Load(const Context& context, const LoadOptions& options) {
  AdminClient admin = TRY(AdminClient::Connect(context.data_directory));
  Json request = {{"model", options.model}, {"flags", options.flags}};
  if (!options.alias.empty()) request["alias"] = options.alias;
  const Json accepted = TRY(admin.Post("/instances", request));
  const std::string id = TRY(GetString(accepted, "id"));
  const std::string alias = TRY(GetString(accepted, "alias"));
  const std::string warning = TextOf(accepted, "warning");
  if (!warning.empty()) {
    std::cerr << "skerry: WARNING: a revoked model is loaded, because skerry.toml allows it: "
              << warning << std::endl;
  }
  const Json loaded = TRY(AwaitLoaded(admin, id, alias));
  if (!FlagOf(loaded, "confirmed")) {
    std::cerr << "skerry: the proxy has not confirmed the alias yet" << std::endl;
  }
  if (options.json) {
    std::cout << DumpJson(loaded) << std::endl;
  } else {
    std::cout << "'" << alias << "' is ready (instance " << id << ")." << std::endl;
  }
  return {};
}

Result<void> Unload(const Context& context, const std::string& name, bool json) {
  AdminClient admin = TRY(AdminClient::Connect(context.data_directory));
  const Json reply = TRY(admin.Delete("/instances/" + EncodeSegment(name)));
  if (json) {
    std::cout << DumpJson(reply) << std::endl;
  } else {
    std::cout << "'" << TextOf(reply, "alias") << "' is unloaded." << std::endl;
  }
  return {};
}

void AddListCommand(CLI::App& models, Context& context, const std::string& name,
                    const std::string& help, Result<void> (*run)(const Context&, bool)) {
  CLI::App* command = models.add_subcommand(name, help);
  AddDataOption(*command, context);
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "Print JSON");
  command->callback([&context, json, run] {
    context.run = [&context, json, run] { return run(context, *json); };
  });
}

}  // namespace

void AddModelsCommands(CLI::App& app, Context& context) {
  CLI::App* models = app.add_subcommand("models", "Imported models and what is loaded");
  models->require_subcommand(1);
  AddListCommand(*models, context, "ls", "List the verified models in the store", ListModels);
  AddListCommand(*models, context, "ps", "List what is loaded", ListInstances);

  AddModelsVerifyCommand(*models, context);
  AddModelsRmCommand(*models, context);

  CLI::App* load = models->add_subcommand("load", "Load a model and wait until it answers");
  AddDataOption(*load, context);
  auto options = std::make_shared<LoadOptions>();
  load->add_option("model", options->model,
                   "Id (ORG/NAME, newest release) or digest (8 digits of it are enough)")
      ->required()
      ->type_name("MODEL");
  load->add_option("--alias", options->alias, "Public name (the id's last part, when not given)");
  load->add_option("flags", options->flags, "Flags for the engine, after --")
      ->type_name("-- FLAG...");
  load->add_flag("--json", options->json, "Print JSON");
  load->callback([&context, options] {
    context.run = [&context, options] { return Load(context, *options); };
  });

  CLI::App* unload = models->add_subcommand("unload", "Stop a loaded model");
  AddDataOption(*unload, context);
  auto name = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  unload->add_option("name", *name, "Alias or instance id")->required()->type_name("ALIAS");
  unload->add_flag("--json", *json, "Print JSON");
  unload->callback([&context, name, json] {
    context.run = [&context, name, json] { return Unload(context, *name, *json); };
  });
}

}  // namespace skerry::cli
