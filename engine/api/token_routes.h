// `/tokenize` and `/detokenize`, in vLLM's shapes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "appliance/http/error.h"
#include "engine/api/service.h"

namespace skerry::engine {

// Ids of a text of a request, with the begin and end tokens that the checkpoint wants around a
// plain prompt when `add_special`.
std::vector<TokenId> TextTokens(const Tokenizer& tokenizer, const std::string& text,
                                bool add_special);

// {"prompt": TEXT, "add_special_tokens": true} as a completion would read it, or {"messages":
// [...]} as a chat would; `now_micros`: the time that chat templates see. {"count",
// "max_model_len", "tokens", "token_strs"}, the last only with "return_token_strs".
std::variant<std::string, http::ApiError> TokenizeRoute(const ServedModel& model,
                                                        std::string_view body, int64_t now_micros);

// {"tokens": [...]} to {"prompt": TEXT}. Control tokens have no text.
std::variant<std::string, http::ApiError> DetokenizeRoute(const ServedModel& model,
                                                          std::string_view body);

}  // namespace skerry::engine
