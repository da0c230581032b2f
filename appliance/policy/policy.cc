#include "appliance/policy/policy.h"

#include <algorithm>
#include <optional>

namespace skerry::policy {

namespace {

Error Invalid(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

bool IsAlphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool HasControlCharacter(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

bool IsScope(std::string_view scope) {
  return !scope.empty() && scope.size() <= 32 &&
         std::all_of(scope.begin(), scope.end(),
                     [](char c) { return (c >= 'a' && c <= 'z') || c == '-'; });
}

// Applies ops one by one and remembers what they replaced.
class Applier {
 public:
  explicit Applier(Policy& policy) : policy_(policy) {}

  Result<void> operator()(const PutToken& op) {
    TRY(CheckToken(op.token));
    Remember(op.token.id, policy_.tokens, old_tokens_);
    policy_.tokens[op.token.id] = op.token;
    if (policy_.tokens.size() <= kMaxTokens) return {};
    return Error(ErrorCode::kExhausted,
                 "more than " + std::to_string(kMaxTokens) + " tokens: revoke some first");
  }
  Result<void> operator()(const DeleteToken& op) {
    Remember(op.id, policy_.tokens, old_tokens_);
    if (policy_.tokens.erase(op.id) == 1) return {};
    return Error(ErrorCode::kNotFound, "the policy has no token '" + op.id + "'");
  }
  Result<void> operator()(const PutAlias& op) {
    TRY(CheckAlias(op.alias));
    Remember(op.alias.name, policy_.aliases, old_aliases_);
    policy_.aliases[op.alias.name] = op.alias;
    if (policy_.aliases.size() <= kMaxAliases) return {};
    return Error(ErrorCode::kExhausted, "more than " + std::to_string(kMaxAliases) + " aliases");
  }
  Result<void> operator()(const DeleteAlias& op) {
    Remember(op.name, policy_.aliases, old_aliases_);
    if (policy_.aliases.erase(op.name) == 1) return {};
    return Error(ErrorCode::kNotFound, "the policy has no alias '" + op.name + "'");
  }

  void Undo() {
    Restore(old_tokens_, policy_.tokens);
    Restore(old_aliases_, policy_.aliases);
  }

 private:
  template <typename T>
  using Old = std::map<std::string, std::optional<T>>;  // nullopt: was not there

  template <typename Map, typename T>
  static void Remember(const std::string& key, const Map& map, Old<T>& old) {
    const auto found = map.find(key);
    old.try_emplace(key, found == map.end() ? std::nullopt : std::optional<T>(found->second));
  }
  template <typename Map, typename T>
  static void Restore(Old<T>& old, Map& map) {
    for (auto& [key, value] : old) {
      if (value) {
        map[key] = std::move(*value);
      } else {
        map.erase(key);
      }
    }
  }

  Policy& policy_;
  Old<Token> old_tokens_;
  Old<Alias> old_aliases_;
};

Result<void> ApplyAll(const std::vector<Op>& ops, Policy& policy, Applier& applier) {
  for (const Op& op : ops) TRY(std::visit(applier, op));
  const auto defaults = std::count_if(policy.aliases.begin(), policy.aliases.end(),
                                      [](const auto& item) { return item.second.is_default; });
  if (defaults > 1) return Invalid("more than one alias would be the default");
  return {};
}

}  // namespace

bool Token::AllowsModel(std::string_view alias) const {
  return std::any_of(models.begin(), models.end(),
                     [&](const std::string& model) { return model == "*" || model == alias; });
}

bool Token::HasScope(std::string_view scope) const {
  return std::find(scopes.begin(), scopes.end(), scope) != scopes.end();
}

const Token* Policy::FindToken(std::string_view id) const {
  const auto found = tokens.find(id);
  return found == tokens.end() ? nullptr : &found->second;
}

const Alias* Policy::FindAlias(std::string_view name) const {
  const auto found = aliases.find(name);
  return found == aliases.end() ? nullptr : &found->second;
}

const Alias* Policy::DefaultAlias() const {
  for (const auto& [name, alias] : aliases) {
    if (alias.is_default) return &alias;
  }
  return nullptr;
}

bool IsAliasName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxAliasBytes && IsAlphanumeric(name[0]) &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return IsAlphanumeric(c) || std::string_view("._:/-").find(c) != std::string_view::npos;
         });
}

bool IsInstanceId(std::string_view id) {
  return id.size() == 8 && id.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Result<void> CheckToken(const Token& token) {
  if (!IsTokenId(token.id)) return Invalid("a token's 'id' must be 12 characters 0-9a-z");
  if (token.label.empty() || token.label.size() > kMaxLabelBytes ||
      HasControlCharacter(token.label)) {
    return Invalid("a token's 'label' must have 1 to " + std::to_string(kMaxLabelBytes) +
                   " bytes without control characters");
  }
  if (token.models.empty() || token.models.size() > kMaxModelsPerToken) {
    return Invalid("a token's 'models' must have 1 to " + std::to_string(kMaxModelsPerToken) +
                   " names");
  }
  for (const std::string& model : token.models) {
    if (model == "*" ? token.models.size() != 1 : !IsAliasName(model)) {
      return Invalid("a token's 'models' must be alias names, or '*' alone");
    }
  }
  if (token.scopes.empty() || token.scopes.size() > kMaxScopesPerToken ||
      !std::all_of(token.scopes.begin(), token.scopes.end(), IsScope)) {
    return Invalid("a token's 'scopes' must have 1 to " + std::to_string(kMaxScopesPerToken) +
                   " words of a-z and -");
  }
  if (token.created_ms < 0) return Invalid("a token's 'created_ms' must not be negative");
  if (token.expires_ms < 0) return Invalid("a token's 'expires_ms' must not be negative");
  return {};
}

Result<void> CheckAlias(const Alias& alias) {
  if (!IsAliasName(alias.name)) {
    return Invalid("an alias must have 1 to " + std::to_string(kMaxAliasBytes) +
                   " characters 0-9A-Za-z._:/- and begin with a letter or digit");
  }
  if (alias.instances.size() > kMaxInstancesPerAlias ||
      !std::all_of(alias.instances.begin(), alias.instances.end(), IsInstanceId)) {
    return Invalid("an alias's 'instances' must be at most " +
                   std::to_string(kMaxInstancesPerAlias) + " ids of 8 hex digits");
  }
  return {};
}

Result<void> Apply(const std::vector<Op>& ops, uint64_t generation, Policy& policy) {
  Applier applier(policy);
  Result<void> applied = ApplyAll(ops, policy, applier);
  if (!applied) {
    applier.Undo();
    return applied;
  }
  policy.generation = generation;
  return {};
}

}  // namespace skerry::policy
