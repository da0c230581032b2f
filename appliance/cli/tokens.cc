// `skerry tokens create|ls|revoke`.
#include <CLI/CLI.hpp>
#include <iostream>
#include <nlohmann/json.hpp>

#include "appliance/base/clock.h"
#include "appliance/base/json.h"
#include "appliance/cli/admin_client.h"
#include "appliance/cli/command.h"
#include "appliance/cli/listing.h"

namespace skerry::cli {

namespace {

struct CreateOptions {
  std::string label;
  std::vector<std::string> models;
  std::string expires;
  bool json = false;
};

struct ListOptions {
  bool all = false;
  bool json = false;
};

struct RevokeOptions {
  std::string id;
  bool json = false;
};

void WarnUnlessConfirmed(const Json& reply) {
  const Result<bool> confirmed = GetBool(reply, "confirmed");
  if (confirmed && *confirmed) return;
  std::cerr << "skerry: the change is published, but the proxy has not confirmed it: it is in "
               "force once the proxy runs"
            << std::endl;
}

Result<void> Create(const Context& context, const CreateOptions& options) {
  Json request = {{"label", options.label}};
  if (!options.models.empty()) request["models"] = options.models;
  if (!options.expires.empty()) {
    const int64_t duration_ms = TRY(ParseDurationMs(options.expires).WithContext("--expires"));
    request["expires_ms"] = RealClock().UnixMillis() + duration_ms;
  }
  AdminClient admin = TRY(AdminClient::Connect(context.data_directory));
  const Json created = TRY(admin.Post("/tokens", request));
  const std::string token = TRY(GetString(created, "token"));
  const std::string id = TRY(GetString(created, "id"));
  WarnUnlessConfirmed(created);
  if (options.json) {
    std::cout << DumpJson(created) << std::endl;
  } else {
    std::cout << token << std::endl;
    std::cerr << "Token '" << id << "' is shown this once: keep it now." << std::endl;
  }
  return {};
}

std::string StateOf(const Json& token, int64_t now_ms) {
  if (IntOf(token, "revoked_ms") != 0) return "revoked";
  const int64_t expires_ms = IntOf(token, "expires_ms");
  return expires_ms != 0 && expires_ms <= now_ms ? "expired" : "valid";
}

Result<void> List(const Context& context, const ListOptions& options) {
  AdminClient admin = TRY(AdminClient::Connect(context.data_directory));
  const Json reply = TRY(admin.Get("/tokens"));
  const int64_t now_ms = RealClock().UnixMillis();
  Json shown = Json::array();
  Table table({"ID", "LABEL", "MODELS", "CREATED", "EXPIRES", "STATE"});
  for (const Json& token : ListOf(reply, "tokens")) {
    const std::string state = StateOf(token, now_ms);
    if (state == "revoked" && !options.all) continue;
    shown.push_back(token);
    table.Add({TextOf(token, "id"), TextOf(token, "label"), Join(StringsOf(token, "models")),
               FormatDay(IntOf(token, "created_ms")), FormatDay(IntOf(token, "expires_ms")),
               state});
  }
  if (options.json) {
    std::cout << DumpJson(shown) << std::endl;
  } else if (shown.empty()) {
    std::cout << "No tokens: make one with skerry tokens create --label NAME" << std::endl;
  } else {
    std::cout << table.Text() << std::flush;
  }
  return {};
}

Result<void> Revoke(const Context& context, const RevokeOptions& options) {
  AdminClient admin = TRY(AdminClient::Connect(context.data_directory));
  const Json reply = TRY(admin.Delete("/tokens/" + EncodeSegment(options.id)));
  WarnUnlessConfirmed(reply);
  if (options.json) {
    std::cout << DumpJson(reply) << std::endl;
  } else {
    std::cout << "Token '" << options.id << "' is revoked." << std::endl;
  }
  return {};
}

}  // namespace

void AddTokensCommands(CLI::App& app, Context& context) {
  CLI::App* tokens = app.add_subcommand("tokens", "API tokens");
  tokens->require_subcommand(1);

  CLI::App* create = tokens->add_subcommand("create", "Make a token; it is shown once");
  AddDataOption(*create, context);
  auto create_options = std::make_shared<CreateOptions>();
  create->add_option("--label", create_options->label, "What it is for, e.g. kibana")->required();
  create->add_option("--model", create_options->models,
                     "Alias that it may use (repeatable; all, when not given)");
  create->add_option("--expires", create_options->expires, "Valid for so long: 90m, 12h, 30d, 8w")
      ->type_name("DURATION");
  create->add_flag("--json", create_options->json, "Print JSON");
  create->callback([&context, create_options] {
    context.run = [&context, create_options] { return Create(context, *create_options); };
  });

  CLI::App* list = tokens->add_subcommand("ls", "List tokens (never their secrets)");
  AddDataOption(*list, context);
  auto list_options = std::make_shared<ListOptions>();
  list->add_flag("--all", list_options->all, "Revoked ones, too");
  list->add_flag("--json", list_options->json, "Print JSON");
  list->callback([&context, list_options] {
    context.run = [&context, list_options] { return List(context, *list_options); };
  });

  CLI::App* revoke = tokens->add_subcommand("revoke", "End a token; returns when it is in force");
  AddDataOption(*revoke, context);
  auto revoke_options = std::make_shared<RevokeOptions>();
  revoke->add_option("id", revoke_options->id, "The token's id, as listed")
      ->required()
      ->type_name("ID");
  revoke->add_flag("--json", revoke_options->json, "Print JSON");
  revoke->callback([&context, revoke_options] {
    context.run = [&context, revoke_options] { return Revoke(context, *revoke_options); };
  });
}

}  // namespace skerry::cli
