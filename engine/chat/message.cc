#include "engine/chat/message.h"

#include <algorithm>

#include "appliance/base/sha256.h"

namespace skerry::engine {
namespace {

constexpr size_t kIdLength = 9;
constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

void AppendParagraph(std::string_view more, std::string& text) {
  if (!text.empty() && !more.empty()) text += "\n\n";
  text += more;
}

}  // namespace

Turns Normalize(const std::vector<Message>& messages) {
  Turns result;
  std::vector<Message>& turns = result.turns;
  for (const Message& message : messages) {
    if (message.role == Role::kSystem) {
      AppendParagraph(message.content, result.system);
      continue;
    }
    if (turns.empty() && message.role != Role::kUser) turns.emplace_back();
    const bool merge =
        !turns.empty() && turns.back().role == message.role && message.role != Role::kTool;
    if (!merge) {
      turns.push_back(message);
      continue;
    }
    AppendParagraph(message.content, turns.back().content);
    turns.back().tool_calls.insert(turns.back().tool_calls.end(), message.tool_calls.begin(),
                                   message.tool_calls.end());
  }
  if (turns.empty() || turns.back().role == Role::kAssistant) turns.emplace_back();
  for (size_t i = 0; i < turns.size(); ++i) {
    if (turns[i].role == Role::kUser) result.last_user = i;
  }
  return result;
}

std::string NineCharacterId(std::string_view id) {
  const bool fits = id.size() == kIdLength && std::ranges::all_of(id, [](char c) {
                      return kAlphabet.find(c) != std::string_view::npos;
                    });
  if (fits) return std::string(id);
  const Sha256Digest digest = Sha256::Of(id);
  std::string mapped;
  for (size_t i = 0; i < kIdLength; ++i) mapped += kAlphabet[digest.bytes[i] % kAlphabet.size()];
  return mapped;
}

}  // namespace skerry::engine
