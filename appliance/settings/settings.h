// skerry.toml: what the operator of an appliance decides (docs/operate/settings.md).
#pragma once

#include <string_view>

#include "appliance/base/files.h"
#include "appliance/base/result.h"

namespace skerry::settings {

inline constexpr char kSettingsPath[] = "skerry.toml";  // below the data directory

// [trust] revoked_models: what becomes of a model that was revoked after its import.
enum class RevokedModels {
  kRefuse,  // it is unloaded and not loaded again
  kWarn,    // it goes on and may be loaded; log, audit and every listing say so
};
std::string_view RevokedModelsName(RevokedModels policy);  // "refuse", "warn"

struct Settings {
  RevokedModels revoked_models = RevokedModels::kRefuse;
};

// kInvalidArgument naming the file and the line or key.
Result<Settings> ParseSettings(std::string_view text);
// Of the data directory `files`; without a file the defaults.
Result<Settings> ReadSettings(FileSystem& files);

}  // namespace skerry::settings
