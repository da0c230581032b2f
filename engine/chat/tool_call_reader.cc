#include "engine/chat/tool_call_reader.h"

#include "engine/chat/internal/readers.h"
#include "engine/chat/json_text.h"

namespace skerry::engine {
namespace {

class PlainReader final : public ToolCallReader {
 public:
  Step Push(std::string_view text) override { return {std::string(text), {}}; }
  Step Mark(std::string_view) override { return {}; }
  Step Finish(bool) override { return {}; }
};

}  // namespace

std::string_view ToolNotationName(ToolNotation notation) {
  switch (notation) {
    case ToolNotation::kNone:
      return "none";
    case ToolNotation::kMistralList:
      return "mistral-list";
    case ToolNotation::kMistralNamed:
      return "mistral-named";
    case ToolNotation::kHermes:
      return "hermes";
    case ToolNotation::kLlama:
      return "llama";
  }
  return "none";
}

ToolNotation RecognizeNotation(std::string_view chat_template) {
  const auto has = [&](std::string_view part) {
    return chat_template.find(part) != std::string_view::npos;
  };
  if (!has("tools")) return ToolNotation::kNone;
  if (has("[TOOL_CALLS]")) {
    return has("[ARGS]") ? ToolNotation::kMistralNamed : ToolNotation::kMistralList;
  }
  // The same tags hold XML in other models.
  if (has("<tool_call>") && !has("<function=") && !has("<arg_key>") && has("\"name\"")) {
    return ToolNotation::kHermes;
  }
  if (has("<|start_header_id|>") && has("\"parameters\"")) return ToolNotation::kLlama;
  return ToolNotation::kNone;
}

std::vector<std::string_view> NotationTokens(ToolNotation notation) {
  switch (notation) {
    case ToolNotation::kNone:
      return {};
    case ToolNotation::kMistralList:
      return {"[TOOL_CALLS]"};
    case ToolNotation::kMistralNamed:
      return {"[TOOL_CALLS]", "[CALL_ID]", "[ARGS]"};
    case ToolNotation::kHermes:
      return {"<tool_call>", "</tool_call>"};
    case ToolNotation::kLlama:
      return {"<|python_tag|>"};
  }
  return {};
}

std::vector<NotationPart> ForcedCall(ToolNotation notation, std::string_view name) {
  // {"name": "x", "KEY":
  const auto object = [&](std::string_view key) {
    if (name.empty()) return std::string("{\"name\": \"");
    return "{\"name\": " + QuoteJson(name) + ", \"" + std::string(key) + "\":";
  };
  switch (notation) {
    case ToolNotation::kNone:
      return {};
    case ToolNotation::kMistralList:
      return {{true, "[TOOL_CALLS]"}, {false, "[" + object("arguments")}};
    case ToolNotation::kMistralNamed:
      if (name.empty()) return {{true, "[TOOL_CALLS]"}};
      return {{true, "[TOOL_CALLS]"}, {false, std::string(name)}, {true, "[ARGS]"}};
    case ToolNotation::kHermes:
      return {{true, "<tool_call>"}, {false, "\n" + object("arguments")}};
    case ToolNotation::kLlama:
      return {{false, object("parameters")}};
  }
  return {};
}

std::unique_ptr<ToolCallReader> MakeToolCallReader(ToolNotation notation,
                                                   std::vector<std::string> offered) {
  switch (notation) {
    case ToolNotation::kNone:
      break;
    case ToolNotation::kMistralList:
      return internal::MakeListReader(std::move(offered));
    case ToolNotation::kMistralNamed:
      return internal::MakeNamedReader(std::move(offered));
    case ToolNotation::kHermes:
      return internal::MakeHermesReader(std::move(offered));
    case ToolNotation::kLlama:
      return internal::MakeLlamaReader(std::move(offered));
  }
  return std::make_unique<PlainReader>();
}

}  // namespace skerry::engine
