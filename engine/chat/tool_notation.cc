#include "engine/chat/tool_notation.h"

#include "engine/chat/json_text.h"

namespace skerry::engine {

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
    case ToolNotation::kQwenXml:
      return "qwen-xml";
    case ToolNotation::kGlm:
      return "glm";
    case ToolNotation::kHarmony:
      return "harmony";
  }
  return "none";
}

Result<ToolNotation> ParseToolCallParser(std::string_view name, bool mistral_named) {
  if (name == "mistral") {
    return mistral_named ? ToolNotation::kMistralNamed : ToolNotation::kMistralList;
  }
  struct Known {
    std::string_view name;
    ToolNotation notation;
  };
  static constexpr Known kKnown[] = {
      {"hermes", ToolNotation::kHermes},     {"llama3_json", ToolNotation::kLlama},
      {"llama4_json", ToolNotation::kLlama}, {"qwen3_coder", ToolNotation::kQwenXml},
      {"qwen3_xml", ToolNotation::kQwenXml}, {"glm45", ToolNotation::kGlm},
      {"glm47", ToolNotation::kGlm},         {"openai", ToolNotation::kHarmony},
      {"none", ToolNotation::kNone},
  };
  std::string all = "auto, mistral";
  for (const Known& known : kKnown) {
    if (known.name == name) return known.notation;
    all += ", " + std::string(known.name);
  }
  return Error(ErrorCode::kInvalidArgument,
               "parser '" + std::string(name.substr(0, 64)) + "' is not known; known are " + all);
}

ToolNotation RecognizeNotation(std::string_view chat_template) {
  const auto has = [&](std::string_view part) {
    return chat_template.find(part) != std::string_view::npos;
  };
  if (!has("tools")) return ToolNotation::kNone;
  if (has("[TOOL_CALLS]")) {
    return has("[ARGS]") ? ToolNotation::kMistralNamed : ToolNotation::kMistralList;
  }
  if (has("<|channel|>") && has("<|message|>") && has("functions.")) return ToolNotation::kHarmony;
  // The same tags hold JSON, or one of two kinds of XML.
  if (has("<tool_call>")) {
    if (has("<function=")) return has("<parameter=") ? ToolNotation::kQwenXml : ToolNotation::kNone;
    if (has("<arg_key>")) return ToolNotation::kGlm;
    if (has("\"name\"")) return ToolNotation::kHermes;
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
    case ToolNotation::kQwenXml:
      return {"<tool_call>", "</tool_call>"};
    case ToolNotation::kGlm:
      return {"<tool_call>", "</tool_call>", "<arg_key>",
              "</arg_key>",  "<arg_value>",  "</arg_value>"};
    case ToolNotation::kLlama:
      return {"<|python_tag|>"};
    case ToolNotation::kHarmony:
      return {"<|start|>", "<|channel|>", "<|constrain|>", "<|message|>", "<|end|>"};
  }
  return {};
}

std::vector<NotationPart> ForcedCall(ToolNotation notation, std::string_view name) {
  // {"name": "x", "KEY":
  const auto object = [&](std::string_view key) {
    if (name.empty()) return std::string("{\"name\": \"");
    return "{\"name\": " + QuoteJson(name) + ", \"" + std::string(key) + "\":";
  };
  const std::string plain(name);
  switch (notation) {
    case ToolNotation::kNone:
      return {};
    case ToolNotation::kMistralList:
      return {{true, "[TOOL_CALLS]"}, {false, "[" + object("arguments")}};
    case ToolNotation::kMistralNamed:
      if (name.empty()) return {{true, "[TOOL_CALLS]"}};
      return {{true, "[TOOL_CALLS]"}, {false, plain}, {true, "[ARGS]"}};
    case ToolNotation::kHermes:
      return {{true, "<tool_call>"}, {false, "\n" + object("arguments")}};
    case ToolNotation::kLlama:
      return {{false, object("parameters")}};
    case ToolNotation::kQwenXml:
      return {{true, "<tool_call>"}, {false, "\n<function=" + (name.empty() ? "" : plain + ">\n")}};
    case ToolNotation::kGlm:
      if (name.empty()) return {{true, "<tool_call>"}};
      return {{true, "<tool_call>"}, {false, plain + "\n"}};
    case ToolNotation::kHarmony:
      if (name.empty()) return {{true, "<|channel|>"}, {false, "commentary to=functions."}};
      return {{true, "<|channel|>"},
              {false, "commentary to=functions." + plain + " "},
              {true, "<|constrain|>"},
              {false, "json"},
              {true, "<|message|>"}};
  }
  return {};
}

}  // namespace skerry::engine
