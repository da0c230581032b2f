// API tokens: made, listed, revoked. A token exists in the database and, while it is in force, in
// the published policy; the secret exists in the answer to its creation only.
#pragma once

#include <string>
#include <vector>

#include "appliance/admin/core.h"
#include "appliance/base/result.h"
#include "appliance/policy/token.h"
#include "appliance/store/store.h"

namespace skerry::admin {

struct TokenRequest {
  std::string label;
  std::vector<std::string> models = {"*"};
  std::vector<std::string> scopes = {"inference"};
  int64_t expires_ms = 0;  // 0: never
};

struct CreatedToken {
  store::TokenRow row;
  policy::TokenText text;
  bool confirmed = false;  // by the proxy
};

// Thread-safe.
class Tokens {
 public:
  explicit Tokens(Core& core) : core_(core) {}

  // After a start: what the database and the policy do not agree on is not in force.
  Result<void> Reconcile();

  Result<std::vector<store::TokenRow>> List();
  Result<CreatedToken> Create(const TokenRequest& request);
  // Returns whether the proxy has confirmed. kNotFound; kAlreadyExists when it was revoked before.
  Result<bool> Revoke(const std::string& id);

 private:
  Core& core_;
};

}  // namespace skerry::admin
