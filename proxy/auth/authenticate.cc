#include "proxy/auth/authenticate.h"

#include <array>

namespace skerry::proxy {

namespace {

constexpr std::string_view kScheme = "bearer ";
constexpr std::string_view kAdminScheme = "Bearer ";  // admin compares it to the letter
constexpr size_t kAdminSecretDigits = 64;
constexpr std::string_view kInferenceScope = "inference";
// Hashed in place of a secret that is not there.
constexpr std::string_view kNoSecret = "0000000000000000000000000000000000000000000";
static_assert(kNoSecret.size() == policy::kTokenSecretSize);

bool HasScheme(std::string_view value) {
  if (value.size() < kScheme.size()) return false;
  for (size_t i = 0; i < kScheme.size(); ++i) {
    const char c = value[i];
    if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != kScheme[i]) return false;
  }
  return true;
}

std::string_view BearerText(const std::string* authorization) {
  if (authorization == nullptr || !HasScheme(*authorization)) return {};
  std::string_view text = std::string_view(*authorization).substr(kScheme.size());
  while (text.starts_with(' ')) text.remove_prefix(1);
  return text;
}

}  // namespace

std::string_view AuthFailureName(AuthFailure failure) {
  switch (failure) {
    case AuthFailure::kNone:
      return "none";
    case AuthFailure::kMissing:
      return "missing token";
    case AuthFailure::kMalformed:
      return "malformed token";
    case AuthFailure::kUnknown:
      return "unknown token";
    case AuthFailure::kWrong:
      return "wrong token";
    case AuthFailure::kExpired:
      return "expired token";
    case AuthFailure::kScope:
      return "token without scope 'inference'";
  }
  return "unknown";
}

AuthOutcome Authenticate(const policy::Policy& policy, const policy::TokenKey& key,
                         const std::string* authorization, int64_t now_ms) {
  const std::string_view text = BearerText(authorization);
  const Result<policy::TokenParts> parts = policy::ParseToken(text);
  const std::string_view secret = parts ? parts->secret : kNoSecret;
  const policy::TokenHash hash = policy::HashSecret(key, secret);
  const policy::Token* token = parts ? policy.FindToken(parts->id) : nullptr;
  const policy::TokenHash none{};
  const bool same = policy::SameHash(hash, token != nullptr ? token->hash : none);
  if (text.empty()) return {nullptr, AuthFailure::kMissing};
  if (!parts) return {nullptr, AuthFailure::kMalformed};
  if (token == nullptr) return {nullptr, AuthFailure::kUnknown};
  if (!same) return {nullptr, AuthFailure::kWrong};
  if (token->Expired(now_ms)) return {nullptr, AuthFailure::kExpired};
  if (!token->HasScope(kInferenceScope)) return {token, AuthFailure::kScope};
  return {token, AuthFailure::kNone};
}

bool HasAdminSecretShape(const std::string* authorization) {
  if (authorization == nullptr || !authorization->starts_with(kAdminScheme)) return false;
  const std::string_view digits = std::string_view(*authorization).substr(kAdminScheme.size());
  return digits.size() == kAdminSecretDigits &&
         digits.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

}  // namespace skerry::proxy
