// What the proxy enforces, in memory: tokens by id, aliases by name, at one generation. A value
// type.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "appliance/base/result.h"
#include "appliance/policy/token.h"

namespace skerry::policy {

inline constexpr size_t kMaxLabelBytes = 128;
inline constexpr size_t kMaxAliasBytes = 128;
inline constexpr size_t kMaxModelsPerToken = 64;
inline constexpr size_t kMaxScopesPerToken = 16;
inline constexpr size_t kMaxInstancesPerAlias = 64;
inline constexpr size_t kMaxTokens = 100'000;
inline constexpr size_t kMaxAliases = 1'000;

struct Token {
  std::string id;
  TokenHash hash{};
  std::string label;
  std::vector<std::string> models;  // alias names, or "*" alone
  std::vector<std::string> scopes;  // "inference"
  int64_t created_ms = 0;
  int64_t expires_ms = 0;  // 0: never

  bool AllowsModel(std::string_view alias) const;
  bool HasScope(std::string_view scope) const;
  bool Expired(int64_t now_ms) const { return expires_ms != 0 && now_ms >= expires_ms; }
  bool operator==(const Token&) const = default;
};

struct Alias {
  std::string name;
  std::vector<std::string> instances;  // ids of 8 hex digits
  bool is_default = false;
  bool operator==(const Alias&) const = default;
};

struct PutToken {
  Token token;
};
struct DeleteToken {
  std::string id;
};
struct PutAlias {
  Alias alias;
};
struct DeleteAlias {
  std::string name;
};
using Op = std::variant<PutToken, DeleteToken, PutAlias, DeleteAlias>;

struct Policy {
  uint64_t generation = 0;
  std::map<std::string, Token, std::less<>> tokens;
  std::map<std::string, Alias, std::less<>> aliases;

  const Token* FindToken(std::string_view id) const;
  const Alias* FindAlias(std::string_view name) const;
  const Alias* DefaultAlias() const;  // nullptr when no alias is the default
  bool operator==(const Policy&) const = default;
};

// 1 to kMaxAliasBytes of 0-9A-Za-z._:/- beginning with a letter or digit.
bool IsAliasName(std::string_view name);
// 8 hex digits, lower case.
bool IsInstanceId(std::string_view id);

// kInvalidArgument naming the field that breaks a rule of docs/formats/policy.md.
Result<void> CheckToken(const Token& token);
Result<void> CheckAlias(const Alias& alias);

// Applies `ops` in order and sets the generation, or changes nothing: kInvalidArgument for a value
// that breaks a rule, kNotFound for deleting what is not there, kExhausted beyond the limits above.
Result<void> Apply(const std::vector<Op>& ops, uint64_t generation, Policy& policy);

}  // namespace skerry::policy
