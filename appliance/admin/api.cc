#include "appliance/admin/api.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "appliance/admin/store_models.h"
#include "appliance/base/control.h"
#include "appliance/base/json.h"

namespace skerry::admin {

namespace {

constexpr std::string_view kPrefix = "/admin/api/v1/";
constexpr size_t kMaxSegments = 2;

Error Invalid(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

std::string_view StandingName(const trust::Standing& standing) {
  if (standing.good()) return "good";
  return standing.revoked() ? "revoked" : "unreadable";
}

ApiReply Reply(int status, const Json& json) { return {status, DumpJson(json)}; }

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> DecodeSegment(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded.push_back(text[i]);
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = HexDigit(text[i + 1]);
    const int low = HexDigit(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    decoded.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return decoded;
}

// "tokens/0a1b" -> {"tokens", "0a1b"}; nullopt for what no route has.
std::optional<std::vector<std::string>> Segments(std::string_view path) {
  if (!path.starts_with(kPrefix)) return std::nullopt;
  path.remove_prefix(kPrefix.size());
  std::vector<std::string> segments;
  for (;;) {
    const size_t slash = path.find('/');
    auto decoded = DecodeSegment(path.substr(0, slash));
    if (!decoded || decoded->empty() || segments.size() == kMaxSegments) return std::nullopt;
    segments.push_back(std::move(*decoded));
    if (slash == std::string_view::npos) return segments;
    path.remove_prefix(slash + 1);
  }
}

// A bad body is the caller's mistake, whatever the parser calls it.
Result<Json> ParseBody(const std::string& body) {
  Result<Json> json = ParseJson(body, {.max_bytes = kMaxBodyBytes, .allow_floats = false});
  if (!json) return Invalid("the request's body: " + json.error().message());
  if (!json->is_object()) return Invalid("the request's body must be a JSON object");
  return json;
}

// Absent leaves `strings` as it is.
Result<void> GetStrings(const Json& object, const char* key, std::vector<std::string>& strings) {
  const auto found = object.find(key);
  if (found == object.end()) return {};
  const Error error = Invalid("field '" + std::string(key) + "' must be an array of strings");
  if (!found->is_array()) return error;
  strings.clear();
  for (const Json& item : *found) {
    if (!item.is_string()) return error;
    strings.push_back(item.get<std::string>());
  }
  return {};
}

Json ToJson(const store::TokenRow& row) {
  return {{"id", row.id},
          {"label", row.label},
          {"models", row.models},
          {"scopes", row.scopes},
          {"created_ms", row.created_ms},
          {"expires_ms", row.expires_ms},
          {"revoked_ms", row.revoked_ms}};
}

Json ToJson(const store::ModelRow& row, bool present) {
  return {{"digest", row.digest},
          {"id", row.id},
          {"version", row.version},
          {"release_seq", row.release_seq},
          {"size_bytes", row.size_bytes},
          {"imported_at", row.imported_at},
          {"present", present}};
}

Json ToJson(const InstanceStatus& status) {
  return {{"id", status.row.iid},
          {"alias", status.row.alias},
          {"default", status.is_default},
          {"model", status.row.model},
          {"model_id", status.model_id},
          {"flags", status.row.flags},
          {"created_ms", status.row.created_ms},
          {"state", std::string(LoadStateName(status.state))},
          {"detail", status.detail},
          {"restarts", status.restarts},
          {"confirmed", status.confirmed},
          {"warning", status.warning}};
}

}  // namespace

ApiReply ErrorReply(const Error& error) { return ErrorReply(error, HttpStatus(error.code())); }
ApiReply ErrorReply(const Error& error, int status) { return Reply(status, ErrorToJson(error)); }

ApiReply Api::Handle(const ApiRequest& request) {
  if (request.body.size() > kMaxBodyBytes) {
    return ErrorReply(Error(ErrorCode::kExhausted, "the request's body is larger than 1 MiB"), 413);
  }
  Result<ApiReply> reply = Route(request);
  return reply ? std::move(*reply) : ErrorReply(reply.error());
}

Result<ApiReply> Api::Route(const ApiRequest& request) {
  const Error unknown(ErrorCode::kNotFound, "there is no such page in the admin API");
  const auto segments = Segments(request.path);
  if (!segments) return unknown;
  const std::string& name = segments->front();
  const bool is_get = request.method == "GET";
  const bool is_post = request.method == "POST";
  bool known = true;
  if (segments->size() == 1) {
    if (name == "status" && is_get) return GetStatus();
    if (name == "tokens" && is_get) return GetTokens();
    if (name == "tokens" && is_post) return PostToken(request.body);
    if (name == "models" && is_get) return GetModels();
    if (name == "models" && is_post) return PostModel(request.body);
    if (name == "instances" && is_get) return GetInstances();
    if (name == "instances" && is_post) return PostInstance(request.body);
    known = name == "status" || name == "tokens" || name == "models" || name == "instances";
  } else {
    const std::string& item = segments->back();
    const bool is_delete = request.method == "DELETE";
    if (name == "tokens" && is_delete) return DeleteToken(item);
    if (name == "models" && is_delete) return DeleteModel(item);
    if (name == "trust" && item == "reload" && is_post) return PostTrustReload();
    if (name == "instances" && is_get) return GetInstance(item);
    if (name == "instances" && is_delete) return DeleteInstance(item);
    known = name == "tokens" || name == "models" || name == "instances" ||
            (name == "trust" && item == "reload");
  }
  if (!known) return unknown;
  return ErrorReply(Invalid("'" + request.path + "' has no method " + request.method), 405);
}

Result<ApiReply> Api::GetStatus() {
  const std::vector<store::TokenRow> tokens = TRY(tokens_.List());
  const std::vector<ModelStatus> models = TRY(models_.List());
  const TrustKeeper::Summary trust = trust_.Summarize();
  const auto revoked = std::count_if(models.begin(), models.end(), [](const ModelStatus& model) {
    return model.standing.revoked();
  });
  const int64_t now_ms = core_.clock().UnixMillis();
  size_t active = 0;
  for (const store::TokenRow& row : tokens) {
    if (row.revoked_ms == 0 && (row.expires_ms == 0 || row.expires_ms > now_ms)) ++active;
  }
  Json instances = Json::array();
  for (const InstanceStatus& status : instances_.List()) instances.push_back(ToJson(status));
  const policy::Policy policy = core_.publisher().Current();
  const settings::RevokedModels revoked_policy = core_.settings().revoked_models;
  return Reply(200, {{"generation", policy.generation},
                     {"proxy", {{"confirmed", core_.publisher().Confirm(policy.generation)}}},
                     {"supervisor", {{"answers", core_.supervisor().List().has_value()}}},
                     {"tokens", active},
                     {"models", models.size()},
                     {"revoked_models", revoked},
                     {"trust",
                      {{"root_version", trust.root_version},
                       {"revocations", trust.revocations},
                       {"revoked_models", settings::RevokedModelsName(revoked_policy)},
                       {"floors", trust.floors}}},
                     {"instances", std::move(instances)}});
}

Result<ApiReply> Api::GetTokens() {
  const std::vector<store::TokenRow> rows = TRY(tokens_.List());
  Json tokens = Json::array();
  for (const store::TokenRow& row : rows) tokens.push_back(ToJson(row));
  return Reply(200, {{"tokens", std::move(tokens)}});
}

Result<ApiReply> Api::PostToken(const std::string& body) {
  const Json json = TRY(ParseBody(body));
  TRY(RefuseUnknownKeys(json, {"label", "models", "scopes", "expires_ms"}));
  TokenRequest request;
  request.label = TRY(GetString(json, "label"));
  TRY(GetStrings(json, "models", request.models));
  TRY(GetStrings(json, "scopes", request.scopes));
  request.expires_ms = TRY(GetIntOr(json, "expires_ms", 0));
  const CreatedToken created = TRY(tokens_.Create(request));
  Json reply = ToJson(created.row);
  reply["token"] = std::string(policy::View(created.text));
  reply["confirmed"] = created.confirmed;
  return Reply(201, reply);
}

Result<ApiReply> Api::DeleteToken(const std::string& id) {
  const bool confirmed = TRY(tokens_.Revoke(id));
  return Reply(200, {{"id", id}, {"confirmed", confirmed}});
}

Result<ApiReply> Api::GetModels() {
  const std::vector<ModelStatus> list = TRY(models_.List());
  Json models = Json::array();
  for (const ModelStatus& model : list) {
    Json json = ToJson(model.row, model.present);
    json["standing"] = StandingName(model.standing);
    json["standing_detail"] = model.standing.text;
    json["may_load"] = model.may_load;
    json["templates"] = model.templates ? TemplatesToJson(*model.templates) : Json();
    models.push_back(std::move(json));
  }
  return Reply(200, {{"models", std::move(models)}});
}

Result<ApiReply> Api::PostModel(const std::string& body) {
  const Json json = TRY(ParseBody(body));
  TRY(RefuseUnknownKeys(json, {"digest"}));
  const std::string digest = TRY(GetString(json, "digest"));
  const RegisteredModel registered = TRY(models_.Register(digest));
  // The list that came with it may revoke what runs.
  const std::vector<std::string> unloaded = TRY(instances_.UnloadRevoked());
  Json reply = ToJson(registered.row, true);
  reply["unloaded"] = unloaded;
  reply["already_registered"] = registered.already_registered;
  return Reply(registered.already_registered ? 200 : 201, reply);
}

Result<ApiReply> Api::DeleteModel(const std::string& name) {
  const RemovedModel removed = TRY(models_.Remove(name));
  return Reply(
      200, {{"digest", removed.digest}, {"id", removed.id}, {"size_bytes", removed.size_bytes}});
}

// A command has changed trust/.
Result<ApiReply> Api::PostTrustReload() {
  TRY(trust_.Refresh());
  const std::vector<std::string> unloaded = TRY(instances_.UnloadRevoked());
  const TrustKeeper::Summary trust = trust_.Summarize();
  return Reply(200, {{"root_version", trust.root_version},
                     {"revocations", trust.revocations},
                     {"unloaded", unloaded}});
}

Result<ApiReply> Api::GetInstances() {
  Json instances = Json::array();
  for (const InstanceStatus& status : instances_.List()) instances.push_back(ToJson(status));
  return Reply(200, {{"instances", std::move(instances)}});
}

Result<ApiReply> Api::PostInstance(const std::string& body) {
  const Json json = TRY(ParseBody(body));
  TRY(RefuseUnknownKeys(json, {"model", "alias", "flags"}));
  LoadRequest request;
  request.model = TRY(GetString(json, "model"));
  request.alias = TRY(GetStringOr(json, "alias", ""));
  TRY(GetStrings(json, "flags", request.flags));
  const InstanceStatus status = TRY(instances_.Load(request));
  return Reply(202, ToJson(status));
}

Result<ApiReply> Api::GetInstance(const std::string& iid) {
  const InstanceStatus status = TRY(instances_.Get(iid));
  return Reply(200, ToJson(status));
}

Result<ApiReply> Api::DeleteInstance(const std::string& name) {
  const UnloadResult result = TRY(instances_.Unload(name));
  return Reply(200, {{"id", result.iid}, {"alias", result.alias}, {"confirmed", result.confirmed}});
}

}  // namespace skerry::admin
