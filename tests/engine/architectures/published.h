// Published configurations with one key changed, for the architectures' tests.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "engine/architectures/internal/readers.h"

namespace skerry::engine::testing {

inline Result<ModelConfig> Read(const Json& config) {
  return internal::ReadHuggingFaceConfig(config.dump(), "");
}

// The message that refuses `config` with `key` set to `value`; empty when it is read.
inline std::string Refusal(Json config, const std::string& key, const Json& value) {
  config[key] = value;
  const Result<ModelConfig> read = Read(config);
  return read ? "" : read.error().message();
}

inline Result<ModelConfig> ReadWith(Json config, const std::string& key, const Json& value) {
  config[key] = value;
  return Read(config);
}

inline Result<ModelConfig> ReadWithout(Json config, const std::string& key) {
  config.erase(key);
  return Read(config);
}

}  // namespace skerry::engine::testing
