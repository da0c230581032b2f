#include "proxy/http/route.h"

#include <nlohmann/json.hpp>

#include "appliance/base/json.h"

namespace skerry::proxy {

namespace {

constexpr std::string_view kAdminPrefix = "/admin/api/v1/";
constexpr size_t kMaxNamedModels = 20;
constexpr size_t kMaxQuotedModel = 128;

struct Row {
  std::string_view path;
  std::string_view method;
  Route route;
};
constexpr Row kApiRoutes[] = {
    {"/v1/chat/completions", "POST", Route::kInference},
    {"/v1/completions", "POST", Route::kInference},
    {"/v1/embeddings", "POST", Route::kInference},
    {"/v1/models", "GET", Route::kListModels},
};
constexpr std::string_view kAdminMethods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};

Refusal NoRoute() {
  return {{404, "there is nothing at this path", "not_found", ""}, {}, "unknown path"};
}
Refusal WrongMethod(std::string allowed) {
  return {{405, "this path is for " + allowed + " only", "method_not_allowed", ""},
          {{"allow", allowed}},
          "method not allowed"};
}

Refusal NoModel(const policy::Policy& policy, const policy::Token& token,
                const std::optional<std::string>& model) {
  std::string usable;
  size_t count = 0;
  for (const auto& [name, alias] : policy.aliases) {
    if (!token.AllowsModel(name)) continue;
    if (++count > kMaxNamedModels) {
      usable += ", ...";
      break;
    }
    usable += (usable.empty() ? "" : ", ") + name;
  }
  std::string message = model ? "the model '" + model->substr(0, kMaxQuotedModel) +
                                    "' does not exist or is not for this token"
                              : "the request names no model and there is no default for this token";
  message += usable.empty() ? "; no model is served to it now" : "; it may use: " + usable;
  return {{404, std::move(message), "model_not_found", "model"}, {}, "model not found"};
}

}  // namespace

std::variant<Route, Refusal> FindRoute(Instance instance, std::string_view method,
                                       std::string_view path) {
  if (instance == Instance::kAdmin) {
    if (!path.starts_with(kAdminPrefix)) return NoRoute();
    for (std::string_view allowed : kAdminMethods) {
      if (method == allowed) return Route::kAdminApi;
    }
    return WrongMethod("GET, POST, PUT, PATCH, DELETE");
  }
  for (const Row& row : kApiRoutes) {
    if (row.path != path) continue;
    if (row.method != method) return WrongMethod(std::string(row.method));
    return row.route;
  }
  return NoRoute();
}

std::variant<const policy::Alias*, Refusal> FindModel(const policy::Policy& policy,
                                                      const policy::Token& token,
                                                      const std::optional<std::string>& model) {
  const policy::Alias* alias = model ? policy.FindAlias(*model) : policy.DefaultAlias();
  if (alias == nullptr || !token.AllowsModel(alias->name)) return NoModel(policy, token, model);
  return alias;
}

std::string ModelsBody(const policy::Policy& policy, const policy::Token& token,
                       int64_t created_seconds) {
  Json data = Json::array();
  for (const auto& [name, alias] : policy.aliases) {
    if (!token.AllowsModel(name)) continue;
    data.push_back(
        {{"id", name}, {"object", "model"}, {"created", created_seconds}, {"owned_by", "skerry"}});
  }
  return DumpJsonAscii({{"object", "list"}, {"data", std::move(data)}});
}

}  // namespace skerry::proxy
