#include "engine/model/internal/number_text.h"

#include <charconv>

namespace skerry::engine::internal {

Result<std::vector<TokenId>> ParseTokens(std::string_view text) {
  std::vector<TokenId> ids;
  const char* at = text.data();
  const char* const end = at + text.size();
  for (;;) {
    while (at != end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) ++at;
    if (at == end) break;
    TokenId id = 0;
    const auto [next, error] = std::from_chars(at, end, id);
    const bool separated =
        next == end || *next == ' ' || *next == '\t' || *next == '\n' || *next == '\r';
    if (error != std::errc() || !separated) {
      return Error(ErrorCode::kInvalidArgument,
                   "token " + std::to_string(ids.size() + 1) + " of the list is not an id");
    }
    ids.push_back(id);
    at = next;
  }
  if (ids.empty()) return Error(ErrorCode::kInvalidArgument, "no token ids are given");
  return ids;
}

void AppendFloat(std::string& out, float value) {
  char text[32];
  if (!(value - value == 0)) {
    out += "null";
    return;
  }
  const auto result = std::to_chars(text, text + sizeof(text), value);
  out.append(text, result.ptr);
}

void AppendIds(std::string& out, std::span<const TokenId> ids) {
  out += '[';
  for (size_t i = 0; i < ids.size(); ++i) {
    if (i > 0) out += ',';
    out += std::to_string(ids[i]);
  }
  out += ']';
}

}  // namespace skerry::engine::internal
