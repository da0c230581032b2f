#include "appliance/settings/settings.h"

#include <nlohmann/json.hpp>

#include "appliance/base/config.h"
#include "appliance/base/json.h"

namespace skerry::settings {

namespace {

constexpr size_t kMaxBytes = 64 << 10;

Result<RevokedModels> ParseRevokedModels(const std::string& text) {
  for (const RevokedModels policy : {RevokedModels::kRefuse, RevokedModels::kWarn}) {
    if (text == RevokedModelsName(policy)) return policy;
  }
  return Error(ErrorCode::kInvalidArgument, "'revoked_models' must be \"refuse\" or \"warn\"");
}

Result<void> ReadTrust(const Json& table, Settings& settings) {
  if (!table.is_object()) return Error(ErrorCode::kInvalidArgument, "it must be a table");
  TRY(RefuseUnknownKeys(table, {"revoked_models"}));
  const std::string revoked_models = TRY(GetStringOr(
      table, "revoked_models", std::string(RevokedModelsName(settings.revoked_models))));
  settings.revoked_models = TRY(ParseRevokedModels(revoked_models));
  return {};
}

Result<Settings> FromJson(const Json& json) {
  Settings settings;
  TRY(RefuseUnknownKeys(json, {"trust"}));
  if (json.contains("trust")) TRY(ReadTrust(json["trust"], settings).WithContext("[trust]"));
  return settings;
}

}  // namespace

std::string_view RevokedModelsName(RevokedModels policy) {
  return policy == RevokedModels::kWarn ? "warn" : "refuse";
}

Result<Settings> ParseSettings(std::string_view text) {
  const Json json = TRY(ParseToml(text, kSettingsPath));
  return FromJson(json).WithContext(kSettingsPath);
}

Result<Settings> ReadSettings(FileSystem& files) {
  const Result<std::string> text = ReadAll(files, kSettingsPath, kMaxBytes);
  if (text) return ParseSettings(*text);
  if (text.error().code() == ErrorCode::kNotFound) return Settings();
  return text.error();
}

}  // namespace skerry::settings
