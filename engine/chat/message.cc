#include "engine/chat/message.h"

#include <algorithm>
#include <map>
#include <utility>

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

bool SaysNothing(const Message& message) {
  return message.role == Role::kAssistant && message.content.empty() && message.reasoning.empty() &&
         message.tool_calls.empty();
}

}  // namespace

Turns Normalize(const std::vector<Message>& messages, SystemPlace place) {
  Turns result;
  std::vector<Message>& turns = result.turns;
  bool begun = false;  // a turn that is no system's stands there
  for (const Message& message : messages) {
    if (message.role == Role::kSystem) {
      if (place == SystemPlace::kInPlace) {
        turns.push_back(message);
      } else {
        AppendParagraph(message.content, result.system);
      }
      continue;
    }
    if (SaysNothing(message)) continue;
    if (turns.empty() && message.role != Role::kUser) turns.emplace_back();
    begun = true;
    const bool merge =
        !turns.empty() && turns.back().role == message.role && message.role != Role::kTool;
    if (!merge) {
      turns.push_back(message);
      continue;
    }
    Message& last = turns.back();
    AppendParagraph(message.content, last.content);
    AppendParagraph(message.reasoning, last.reasoning);
    last.has_content = last.has_content || message.has_content;
    last.tool_calls.insert(last.tool_calls.end(), message.tool_calls.begin(),
                           message.tool_calls.end());
  }
  if (!begun || turns.back().role == Role::kAssistant) turns.emplace_back();
  const auto is_user = [](const Message& turn) { return turn.role == Role::kUser; };
  result.first_user = std::ranges::find_if(turns, is_user) - turns.begin();
  for (size_t i = 0; i < turns.size(); ++i) {
    if (is_user(turns[i])) result.last_user = i;
  }
  return result;
}

void OrderResults(std::vector<Message>& turns) {
  for (size_t i = 0; i < turns.size(); ++i) {
    if (turns[i].tool_calls.empty()) continue;
    std::map<std::string_view, size_t> order;  // no hash: strangers choose the ids
    for (const ToolCall& call : turns[i].tool_calls) order.emplace(call.id, order.size());
    const auto begin = turns.begin() + static_cast<std::ptrdiff_t>(i) + 1;
    const auto end = std::find_if(begin, turns.end(),
                                  [](const Message& turn) { return turn.role != Role::kTool; });
    const auto place = [&](const Message& result) {
      const auto found = order.find(result.tool_call_id);
      return found == order.end() ? order.size() : found->second;
    };
    std::stable_sort(begin, end,
                     [&](const Message& a, const Message& b) { return place(a) < place(b); });
  }
}

std::vector<Message> SplitCalls(std::vector<Message> messages) {
  std::vector<Message> split;
  for (size_t i = 0; i < messages.size(); ++i) {
    if (messages[i].tool_calls.size() < 2) {
      split.push_back(std::move(messages[i]));
      continue;
    }
    Message turn = std::move(messages[i]);
    const std::vector<ToolCall> calls = std::exchange(turn.tool_calls, {});
    const size_t first = i + 1;
    while (i + 1 < messages.size() && messages[i + 1].role == Role::kTool) ++i;
    std::map<std::string, std::vector<size_t>, std::less<>> results;  // by the call's id
    for (size_t at = first; at <= i; ++at) results[messages[at].tool_call_id].push_back(at);
    for (const ToolCall& call : calls) {
      turn.tool_calls = {call};
      split.push_back(std::exchange(turn, Message{}));
      turn.role = Role::kAssistant;
      turn.has_content = false;
      for (const size_t at : results[call.id]) split.push_back(std::move(messages[at]));
      results.erase(call.id);
    }
    for (const auto& [id, others] : results) {
      for (const size_t at : others) split.push_back(std::move(messages[at]));
    }
  }
  return split;
}

void NameResults(std::vector<Message>& messages) {
  std::map<std::string, std::string, std::less<>> names;
  for (Message& message : messages) {
    for (const ToolCall& call : message.tool_calls) names.insert_or_assign(call.id, call.name);
    if (message.role != Role::kTool || !message.name.empty()) continue;
    const auto found = names.find(message.tool_call_id);
    if (found != names.end()) message.name = found->second;
  }
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
