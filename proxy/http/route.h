// Which requests the proxy knows. Pure; refusals come in OpenAI's shape.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "appliance/http/error.h"
#include "appliance/http/head.h"
#include "appliance/policy/policy.h"

namespace skerry::proxy {

enum class Instance { kApi, kAdmin };

enum class Route {
  kListModels,  // answered from the policy
  kInference,   // body inspected, sent to the alias's instance
  kAdminApi,    // sent on as it is
};

// A request that goes no further.
struct Refusal {
  http::ApiError error;
  http::HeaderList headers;  // e.g. www-authenticate, allow, retry-after
  std::string audit_reason;  // for request-refused; empty: error.code
};

std::variant<Route, Refusal> FindRoute(Instance instance, std::string_view method,
                                       std::string_view path);

// The alias a request is for. `model` is what its body names, if anything; one that the token may
// not use is treated as if it did not exist.
std::variant<const policy::Alias*, Refusal> FindModel(const policy::Policy& policy,
                                                      const policy::Token& token,
                                                      const std::optional<std::string>& model);

// GET /v1/models: the aliases that `token` may use.
std::string ModelsBody(const policy::Policy& policy, const policy::Token& token,
                       int64_t created_seconds);

}  // namespace skerry::proxy
