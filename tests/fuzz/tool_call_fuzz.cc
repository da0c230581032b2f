// Fuzz target: answers of models, which are as untrusted as what made the model say them. However
// an answer is cut into pieces, the client gets the same text and calls, only of offered names, and
// arguments that are JSON objects.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "appliance/base/json.h"
#include "engine/chat/tool_call_reader.h"

namespace {

using namespace skerry;
using namespace skerry::engine;

struct Answer {
  std::string text;
  std::vector<ToolCall> calls;
};

// Bytes 0, 1 and 2 stand for the notation's control tokens.
Answer Read(ToolNotation notation, std::string_view answer, size_t step) {
  const auto reader = MakeToolCallReader(notation, {"f", "get_weather"});
  const auto tokens = NotationTokens(notation);
  Answer all;
  const auto add = [&](ToolCallReader::Step read) {
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
  add(reader->Finish(/*cut=*/false));
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const ToolNotation notation : {ToolNotation::kMistralList, ToolNotation::kMistralNamed,
                                      ToolNotation::kHermes, ToolNotation::kLlama}) {
    const Answer whole = Read(notation, text, size + 1);
    const Answer bytes = Read(notation, text, 1);
    if (whole.text != bytes.text || whole.calls.size() != bytes.calls.size()) abort();
    for (size_t i = 0; i < whole.calls.size(); ++i) {
      const ToolCall& call = whole.calls[i];
      if (call.name != bytes.calls[i].name || call.arguments != bytes.calls[i].arguments) abort();
      if (call.name != "f" && call.name != "get_weather") abort();
      JsonLimits limits;
      limits.max_bytes = ToolCallReader::kMaxBytes;
      const auto parsed = ParseJson(call.arguments, limits);
      if (!parsed || !parsed->is_object()) abort();
    }
  }
  return 0;
}
