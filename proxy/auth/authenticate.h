// Who sends a request: the check of its bearer token against the policy. Pure; the same work is
// done whatever is wrong, so that time tells a guesser nothing.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "appliance/policy/policy.h"
#include "appliance/policy/token.h"

namespace skerry::proxy {

enum class AuthFailure {
  kNone,
  kMissing,    // no Authorization, or not "Bearer ..."
  kMalformed,  // not a token of ours, or mistyped (checksum)
  kUnknown,    // no such id: never made, or revoked
  kWrong,      // the id is known, the secret is not its secret
  kExpired,
  kScope,  // valid, but not for inference
};

// As it stands in the audit: "missing token", "expired token", ...
std::string_view AuthFailureName(AuthFailure failure);

struct AuthOutcome {
  const policy::Token* token = nullptr;  // in the policy given; set when failure is kNone or kScope
  AuthFailure failure = AuthFailure::kMissing;
};

// `authorization` is the header's value, nullptr when there is none. Computes exactly one keyed
// hash.
AuthOutcome Authenticate(const policy::Policy& policy, const policy::TokenKey& key,
                         const std::string* authorization, int64_t now_ms);

// Whether it is "Bearer " and 64 hex digits, as the admin API's secret is: what is not needs no
// look at the request's body. The secret itself is admin's to compare.
bool HasAdminSecretShape(const std::string* authorization);

}  // namespace skerry::proxy
