#include "appliance/policy/document.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "appliance/base/encode.h"
#include "appliance/base/json.h"

namespace skerry::policy {

namespace {

constexpr size_t kGenerationDigits = 20;
constexpr int64_t kFormat = 1;

Error Corrupt(std::string message) { return Error(ErrorCode::kCorrupt, std::move(message)); }

Json ToJson(const Token& token) {
  return {{"id", token.id},
          {"hash", HexEncode(token.hash)},
          {"label", token.label},
          {"models", token.models},
          {"scopes", token.scopes},
          {"created_ms", token.created_ms},
          {"expires_ms", token.expires_ms}};
}

Json ToJson(const Alias& alias) {
  return {{"name", alias.name}, {"instances", alias.instances}, {"default", alias.is_default}};
}

struct OpEncoder {
  Json operator()(const PutToken& op) const {
    return {{"op", "put_token"}, {"token", ToJson(op.token)}};
  }
  Json operator()(const DeleteToken& op) const { return {{"op", "delete_token"}, {"id", op.id}}; }
  Json operator()(const PutAlias& op) const {
    return {{"op", "put_alias"}, {"alias", ToJson(op.alias)}};
  }
  Json operator()(const DeleteAlias& op) const {
    return {{"op", "delete_alias"}, {"name", op.name}};
  }
};

Result<const Json*> Member(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return Corrupt("field '" + std::string(key) + "' is missing");
  return &*found;
}

Result<std::vector<std::string>> Strings(const Json& object, const char* key) {
  const Json* array = TRY(Member(object, key));
  if (!array->is_array()) return Corrupt("field '" + std::string(key) + "' must be an array");
  std::vector<std::string> strings;
  for (const Json& item : *array) {
    if (!item.is_string()) return Corrupt("field '" + std::string(key) + "' must hold strings");
    strings.push_back(item.get<std::string>());
  }
  return strings;
}

Result<Token> TokenFrom(const Json& json) {
  TRY(RefuseUnknownKeys(json,
                        {"id", "hash", "label", "models", "scopes", "created_ms", "expires_ms"}));
  Token token;
  token.id = TRY(GetString(json, "id"));
  const std::string hash = TRY(GetString(json, "hash"));
  if (!HexDecode(hash, token.hash)) return Corrupt("field 'hash' must be 64 hex digits");
  token.label = TRY(GetString(json, "label"));
  token.models = TRY(Strings(json, "models"));
  token.scopes = TRY(Strings(json, "scopes"));
  token.created_ms = TRY(GetInt(json, "created_ms"));
  token.expires_ms = TRY(GetInt(json, "expires_ms"));
  return token;
}

Result<Alias> AliasFrom(const Json& json) {
  TRY(RefuseUnknownKeys(json, {"name", "instances", "default"}));
  Alias alias;
  alias.name = TRY(GetString(json, "name"));
  alias.instances = TRY(Strings(json, "instances"));
  alias.is_default = TRY(GetBool(json, "default"));
  return alias;
}

Result<Op> OpFrom(const Json& json) {
  if (!json.is_object()) return Corrupt("an op must be an object");
  const std::string name = TRY(GetString(json, "op"));
  if (name == "put_token") {
    TRY(RefuseUnknownKeys(json, {"op", "token"}));
    const Json* token = TRY(Member(json, "token"));
    Token parsed = TRY(TokenFrom(*token));
    return Op(PutToken{std::move(parsed)});
  }
  if (name == "delete_token") {
    TRY(RefuseUnknownKeys(json, {"op", "id"}));
    std::string id = TRY(GetString(json, "id"));
    return Op(DeleteToken{std::move(id)});
  }
  if (name == "put_alias") {
    TRY(RefuseUnknownKeys(json, {"op", "alias"}));
    const Json* alias = TRY(Member(json, "alias"));
    Alias parsed = TRY(AliasFrom(*alias));
    return Op(PutAlias{std::move(parsed)});
  }
  if (name == "delete_alias") {
    TRY(RefuseUnknownKeys(json, {"op", "name"}));
    std::string alias = TRY(GetString(json, "name"));
    return Op(DeleteAlias{std::move(alias)});
  }
  return Corrupt("unknown op '" + name.substr(0, 40) + "'");
}

Result<uint64_t> GenerationFrom(const Json& json) {
  const int64_t generation = TRY(GetInt(json, "generation"));
  if (generation < 1) return Corrupt("field 'generation' must be 1 or more");
  return static_cast<uint64_t>(generation);
}

Result<Policy> BaseFrom(const Json& json) {
  TRY(RefuseUnknownKeys(json, {"format", "generation", "tokens", "aliases"}));
  const int64_t format = TRY(GetInt(json, "format"));
  if (format != kFormat) return Corrupt("format " + std::to_string(format) + " is not known");
  const uint64_t generation = TRY(GenerationFrom(json));
  const Json* tokens = TRY(Member(json, "tokens"));
  const Json* aliases = TRY(Member(json, "aliases"));
  if (!tokens->is_array() || !aliases->is_array()) {
    return Corrupt("'tokens' and 'aliases' must be arrays");
  }
  std::vector<Op> ops;
  for (const Json& item : *tokens) {
    Token token = TRY(TokenFrom(item));
    ops.emplace_back(PutToken{std::move(token)});
  }
  for (const Json& item : *aliases) {
    Alias alias = TRY(AliasFrom(item));
    ops.emplace_back(PutAlias{std::move(alias)});
  }
  Policy policy;
  TRY(Apply(ops, generation, policy));
  if (policy.tokens.size() != tokens->size() || policy.aliases.size() != aliases->size()) {
    return Corrupt("a token or an alias appears twice");
  }
  return policy;
}

Result<Delta> DeltaFrom(const Json& json) {
  TRY(RefuseUnknownKeys(json, {"generation", "ops"}));
  Delta delta;
  delta.generation = TRY(GenerationFrom(json));
  const Json* ops = TRY(Member(json, "ops"));
  if (!ops->is_array()) return Corrupt("'ops' must be an array");
  for (const Json& item : *ops) {
    Op op = TRY(OpFrom(item));
    delta.ops.push_back(std::move(op));
  }
  return delta;
}

// Whatever is wrong with a document that lies on the disk, it is corrupt.
template <typename T>
Result<T> AsCorrupt(Result<T> result) {
  if (result) return result;
  return Corrupt(result.error().message());
}

std::string Digits(uint64_t generation) {
  std::string digits = std::to_string(generation);
  return std::string(kGenerationDigits - digits.size(), '0') + digits;
}

std::optional<uint64_t> Between(std::string_view name, std::string_view before,
                                std::string_view after) {
  if (name.size() != before.size() + kGenerationDigits + after.size() ||
      !name.starts_with(before) || !name.ends_with(after)) {
    return std::nullopt;
  }
  const std::string_view digits = name.substr(before.size(), kGenerationDigits);
  uint64_t generation = 0;
  const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), generation);
  if (end.ec != std::errc() || end.ptr != digits.data() + digits.size()) return std::nullopt;
  return generation;
}

}  // namespace

std::string EncodeBase(const Policy& policy) {
  Json tokens = Json::array();
  for (const auto& [id, token] : policy.tokens) tokens.push_back(ToJson(token));
  Json aliases = Json::array();
  for (const auto& [name, alias] : policy.aliases) aliases.push_back(ToJson(alias));
  return DumpJson({{"format", kFormat},
                   {"generation", policy.generation},
                   {"tokens", std::move(tokens)},
                   {"aliases", std::move(aliases)}}) +
         "\n";
}

Result<Policy> ParseBase(std::string_view text) {
  const Json json = TRY(ParseJson(text, {.max_bytes = kMaxBaseBytes, .allow_floats = false}));
  return AsCorrupt(BaseFrom(json));
}

std::string EncodeDelta(const Delta& delta) {
  Json ops = Json::array();
  for (const Op& op : delta.ops) ops.push_back(std::visit(OpEncoder{}, op));
  return DumpJson({{"generation", delta.generation}, {"ops", std::move(ops)}});
}

Result<Delta> ParseDelta(std::string_view line) {
  const Json json = TRY(ParseJson(line, {.max_bytes = kMaxDeltaLineBytes, .allow_floats = false}));
  return AsCorrupt(DeltaFrom(json));
}

std::string BaseName(uint64_t generation) { return "base-" + Digits(generation) + ".json"; }
std::string DeltaName(uint64_t generation) { return "delta-" + Digits(generation) + ".ndjson"; }

std::optional<uint64_t> GenerationOfBase(std::string_view name) {
  return Between(name, "base-", ".json");
}
std::optional<uint64_t> GenerationOfDelta(std::string_view name) {
  return Between(name, "delta-", ".ndjson");
}

}  // namespace skerry::policy
