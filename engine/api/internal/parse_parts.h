// The parts of a chat body that have a shape of their own.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "engine/api/internal/fields.h"
#include "engine/api/request.h"

namespace skerry::engine::internal {

// Whether `raw`, a part of a body that was cut out by rules of its own, says what the parsed
// document says: only such text may go on.
bool SaysTheSame(std::string_view raw, const Json& value);

// `body`: the text of the whole body, for arguments and schemas as the client wrote them.
void ParseMessages(Fields& fields, std::string_view body, std::vector<Message>& messages);
// `chat`: log probabilities are asked for as chats do.
void ParseSampling(Fields& fields, const SamplingDefaults& defaults, bool chat,
                   CommonRequest& request);
void ParseTextRule(Fields& fields, std::string_view body, CommonRequest& request);
void ParseTools(Fields& fields, std::string_view body, ChatRequest& request);

}  // namespace skerry::engine::internal
