// Ids and numbers as the commands read and write them.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/result.h"
#include "engine/device/ids.h"

namespace skerry::engine::internal {

// Ids separated by white space, at least one.
Result<std::vector<TokenId>> ParseTokens(std::string_view text);

// Shortest text that reads back as the same F32; JSON has no NaN, so that is null.
void AppendFloat(std::string& out, float value);
void AppendIds(std::string& out, std::span<const TokenId> ids);  // "[1,2]"

}  // namespace skerry::engine::internal
