#include "engine/chat/answer_reader.h"

#include <utility>

#include "engine/chat/internal/readers.h"

namespace skerry::engine {
namespace {

class PlainReader final : public AnswerReader {
 public:
  Step Push(std::string_view text) override { return {"", std::string(text), {}}; }
  Step Mark(std::string_view) override { return {}; }
  Step Finish(bool) override { return {}; }
};

std::unique_ptr<AnswerReader> MakeToolReader(const AnswerNotation& notation) {
  switch (notation.tools) {
    case ToolNotation::kNone:
    case ToolNotation::kHarmony:
      break;
    case ToolNotation::kMistralList:
      return internal::MakeListReader(notation.offered);
    case ToolNotation::kMistralNamed:
      return internal::MakeNamedReader(notation.offered);
    case ToolNotation::kHermes:
      return internal::MakeHermesReader(notation.offered);
    case ToolNotation::kLlama:
      return internal::MakeLlamaReader(notation.offered);
    case ToolNotation::kQwenXml:
    case ToolNotation::kGlm:
      return internal::MakeXmlReader(notation.tools, notation.offered);
  }
  return std::make_unique<PlainReader>();
}

}  // namespace

std::vector<std::string_view> MarkTokens(const AnswerNotation& notation) {
  std::vector<std::string_view> tokens = NotationTokens(notation.tools);
  if (!notation.reasoning_by_token) return tokens;
  for (const std::string_view token : ReasoningTokens(notation.reasoning)) tokens.push_back(token);
  return tokens;
}

std::unique_ptr<AnswerReader> MakeAnswerReader(const AnswerNotation& notation) {
  if (notation.reasoning == ReasoningNotation::kHarmony) {
    return internal::MakeHarmonyReader(notation.split_reasoning,
                                       notation.tools == ToolNotation::kHarmony, notation.offered);
  }
  std::unique_ptr<AnswerReader> reader = MakeToolReader(notation);
  const ReasoningMarks marks = MarksOf(notation.reasoning);
  if (marks.begin.empty()) return reader;
  return internal::MakeReasoningReader(marks, notation.reasoning_by_token, notation.starts_inside,
                                       std::move(reader));
}

}  // namespace skerry::engine
