// `/tokenize` and `/detokenize`, in vLLM's shapes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "appliance/http/error.h"
#include "engine/api/service.h"

namespace skerry::engine {

// {"prompt": TEXT, "add_special_tokens": true} as a completion would read it, or {"messages":
// [...]} as a chat would; `now_micros`: the time that chat templates see. {"count",
// "max_model_len", "tokens", "token_strs"}, the last only with "return_token_strs".
std::variant<std::string, http::ApiError> TokenizeRoute(const ServedModel& model,
                                                        std::string_view body, int64_t now_micros);

// {"tokens": [...]} to {"prompt": TEXT}. Control tokens have no text.
std::variant<std::string, http::ApiError> DetokenizeRoute(const ServedModel& model,
                                                          std::string_view body);

}  // namespace skerry::engine
