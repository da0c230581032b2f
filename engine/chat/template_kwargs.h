// `chat_template_kwargs` of a request: variables that a chat template sees besides the
// conversation, such as `enable_thinking`.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "appliance/base/json.h"
#include "appliance/base/result.h"

namespace skerry::engine {

inline constexpr size_t kMaxTemplateKwargs = 64;             // variables
inline constexpr size_t kMaxTemplateKwargsBytes = 16 << 10;  // of JSON
inline constexpr size_t kMaxTemplateKwargsDepth = 8;

// Whether `kwargs`, whose text is `json`, may be given to a template: within the bounds, and
// nothing that the server itself decides (the conversation, tools, special tokens, functions).
// kInvalidArgument, as the end of a sentence that begins with the field's name.
Result<void> CheckTemplateKwargs(std::string_view json, const Json& kwargs);

// The effort that a request wishes for: `reasoning_effort` among `kwargs` (JSON, or empty), else
// `field`, else what `enable_thinking` among them means: "high" or "none". Empty: it does not say.
std::string ChosenEffort(const std::string& field, std::string_view kwargs);

}  // namespace skerry::engine
