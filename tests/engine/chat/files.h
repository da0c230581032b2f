// Reading what tests of chat formats are right against.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "appliance/base/files.h"
#include "appliance/base/json.h"

namespace skerry::engine::testing {

inline std::string ReadText(const std::string& path) {
  auto files = OpenFiles("/");
  auto text = ReadAll(**files, path.substr(1));
  EXPECT_TRUE(text) << text.error().message();
  return text ? *text : "";
}

inline Json ReadJson(const std::string& path) {
  JsonLimits limits;
  limits.max_bytes = 16 << 20;
  return ParseJson(ReadText(path), limits).value();
}

}  // namespace skerry::engine::testing
