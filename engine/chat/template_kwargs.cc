#include "engine/chat/template_kwargs.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace skerry::engine {
namespace {

// What the server gives every template, and what transformers would take for something else.
constexpr std::string_view kReserved[] = {
    "messages",        "tools",        "conversation", "chat_template", "add_generation_prompt",
    "raise_exception", "strftime_now", "tokenize",     "return_dict",   "continue_final_message"};

bool IsReserved(std::string_view key) {
  return key.ends_with("_token") || std::ranges::find(kReserved, key) != std::end(kReserved);
}

size_t Depth(const Json& value) {
  if (!value.is_structured()) return 0;
  size_t deepest = 0;
  for (const Json& item : value) deepest = std::max(deepest, Depth(item));
  return deepest + 1;
}

}  // namespace

Result<void> CheckTemplateKwargs(std::string_view json, const Json& kwargs) {
  const auto refuse = [](const std::string& why) {
    return Error(ErrorCode::kInvalidArgument, why);
  };
  if (json.size() > kMaxTemplateKwargsBytes) {
    return refuse("is longer than " + std::to_string(kMaxTemplateKwargsBytes) + " bytes");
  }
  if (kwargs.size() > kMaxTemplateKwargs) {
    return refuse("holds more than " + std::to_string(kMaxTemplateKwargs) + " variables");
  }
  if (Depth(kwargs) > kMaxTemplateKwargsDepth) {
    return refuse("is nested deeper than " + std::to_string(kMaxTemplateKwargsDepth));
  }
  for (const auto& [key, value] : kwargs.items()) {
    if (IsReserved(key)) return refuse("must not set '" + key + "', which the server decides");
  }
  return {};
}

std::string ChosenEffort(const std::string& field, std::string_view kwargs) {
  const Result<Json> parsed = ParseJson(kwargs);
  if (!parsed || !parsed->is_object()) return field;
  if (const auto effort = parsed->find("reasoning_effort");
      effort != parsed->end() && effort->is_string()) {
    return effort->get<std::string>();
  }
  if (!field.empty()) return field;
  const auto thinking = parsed->find("enable_thinking");
  if (thinking == parsed->end() || !thinking->is_boolean()) return field;
  return thinking->get<bool>() ? "high" : "none";
}

}  // namespace skerry::engine
