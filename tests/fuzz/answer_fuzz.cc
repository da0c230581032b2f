// Fuzz target: answers of models, which are as untrusted as what made the model say them. However
// an answer is cut into pieces, the client gets the same thoughts, text and calls, only of offered
// names, and arguments that are JSON objects. Tokens of the notation never become text.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "appliance/base/json.h"
#include "engine/chat/answer_reader.h"

namespace {

using namespace skerry;
using namespace skerry::engine;

struct Answer {
  std::string reasoning;
  std::string text;
  std::vector<ToolCall> calls;
};

// Bytes from 0 on stand for the notation's tokens.
Answer Read(const AnswerNotation& notation, std::string_view answer, size_t step, bool cut) {
  const auto reader = MakeAnswerReader(notation);
  const auto tokens = MarkTokens(notation);
  Answer all;
  const auto add = [&](AnswerReader::Step read) {
    all.reasoning += read.reasoning;
    all.text += read.text;
    for (ToolCall& call : read.calls) all.calls.push_back(std::move(call));
  };
  for (size_t at = 0; at < answer.size();) {
    const auto mark = static_cast<unsigned char>(answer[at]);
    if (mark < tokens.size()) {
      add(reader->Mark(tokens[mark]));
      ++at;
      continue;
    }
    size_t end = at;
    while (end < answer.size() && end - at < step &&
           static_cast<unsigned char>(answer[end]) >= tokens.size()) {
      ++end;
    }
    add(reader->Push(answer.substr(at, end - at)));
    at = end;
  }
  add(reader->Finish(cut));
  return all;
}

void CheckCall(const ToolCall& call) {
  if (call.name != "f" && call.name != "get_weather") abort();
  JsonLimits limits;
  limits.max_bytes = 8 * AnswerReader::kMaxBytes;  // escapes make bare text longer
  const auto parsed = ParseJson(call.arguments, limits);
  if (!parsed || !parsed->is_object()) abort();
}

void Check(const AnswerNotation& notation, std::string_view text) {
  for (const bool cut : {false, true}) {
    const Answer whole = Read(notation, text, text.size() + 1, cut);
    const Answer bytes = Read(notation, text, 1, cut);
    if (whole.reasoning != bytes.reasoning || whole.text != bytes.text) abort();
    if (whole.calls.size() != bytes.calls.size()) abort();
    for (size_t i = 0; i < whole.calls.size(); ++i) {
      const ToolCall& call = whole.calls[i];
      if (call.name != bytes.calls[i].name || call.arguments != bytes.calls[i].arguments) abort();
      CheckCall(call);
    }
    // Where only tokens mean something, none of them is shown.
    if (notation.reasoning != ReasoningNotation::kHarmony) continue;
    for (const std::string_view token : MarkTokens(notation)) {
      if (text.find(token) != std::string_view::npos) continue;
      if (whole.text.find(token) != std::string::npos) abort();
      if (whole.reasoning.find(token) != std::string::npos) abort();
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  AnswerNotation notation;
  notation.offered = {{"f", R"({"properties": {"s": {"type": "string"}, "n": {"type": "integer"},
      "o": {"type": "object"}, "l": {"anyOf": [{"type": "array"}, {"type": "null"}]}}})"},
                      {"get_weather", ""}};
  for (const ToolNotation tools :
       {ToolNotation::kNone, ToolNotation::kMistralList, ToolNotation::kMistralNamed,
        ToolNotation::kHermes, ToolNotation::kLlama, ToolNotation::kQwenXml, ToolNotation::kGlm}) {
    notation.tools = tools;
    notation.reasoning = ReasoningNotation::kNone;
    notation.reasoning_by_token = notation.starts_inside = false;
    Check(notation, text);
    notation.reasoning =
        tools < ToolNotation::kHermes ? ReasoningNotation::kMistral : ReasoningNotation::kThink;
    for (const bool by_token : {false, true}) {
      for (const bool inside : {false, true}) {
        notation.reasoning_by_token = by_token;
        notation.starts_inside = inside;
        Check(notation, text);
      }
    }
  }
  notation.reasoning = ReasoningNotation::kHarmony;
  notation.reasoning_by_token = true;
  notation.starts_inside = false;
  for (const ToolNotation tools : {ToolNotation::kNone, ToolNotation::kHarmony}) {
    notation.tools = tools;
    Check(notation, text);
  }
  return 0;
}
