// The parts of a chat body that have a shape of their own.
#pragma once

#include <nlohmann/json.hpp>
#include <string_view>
#include <vector>

#include "engine/api/internal/fields.h"
#include "engine/api/request.h"

namespace skerry::engine::internal {

void ParseMessages(Fields& fields, std::vector<Message>& messages);
// `body`: the text of the whole body, for schemas as the client wrote them.
void ParseTools(Fields& fields, std::string_view body, ChatRequest& request);

}  // namespace skerry::engine::internal
