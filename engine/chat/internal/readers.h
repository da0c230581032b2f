// One reader for each notation of calls and thoughts, and what they share.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/chat/answer_reader.h"

namespace skerry::engine::internal {

bool IsJsonSpace(char c);

// Finds the end of a JSON object or array that comes in pieces, by its brackets alone.
class JsonExtent {
 public:
  // The next character, the first being the opening bracket; true for the last of the value.
  bool Ends(char c);

 private:
  int depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
};

// Finds one of some tags in text that comes in pieces. What may become a tag is held back, as is
// the white space in front of it.
class TagFinder {
 public:
  explicit TagFinder(std::vector<std::string_view> tags) : tags_(std::move(tags)) {}

  // The next character; the tag that it completes, which is then held, with the space in front.
  // Text that is no tag's goes to `text`.
  std::optional<std::string_view> Follow(char c, std::string& text);
  // What is held, which is forgotten.
  std::string Take();
  bool blank() const;

 private:
  std::vector<std::string_view> tags_;
  std::string held_;
};

// The tools a call may be of; none means any.
class Offered {
 public:
  explicit Offered(std::vector<OfferedTool> tools) : tools_(std::move(tools)) {}
  bool Has(std::string_view name) const;
  // The schema of the parameters of `name`; empty where there is none.
  std::string_view Schema(std::string_view name) const;

 private:
  std::vector<OfferedTool> tools_;
};

// A call from {"name": ..., "arguments" or "parameters": {...}}; nullopt when the text is no such
// object. Arguments that a model quoted are unwrapped.
std::optional<ToolCall> ReadCallObject(std::string_view json);
// Whether `json` is an object, and JSON at all.
bool IsJsonObject(std::string_view json);

std::unique_ptr<AnswerReader> MakeListReader(std::vector<OfferedTool> offered);
std::unique_ptr<AnswerReader> MakeNamedReader(std::vector<OfferedTool> offered);
std::unique_ptr<AnswerReader> MakeHermesReader(std::vector<OfferedTool> offered);
std::unique_ptr<AnswerReader> MakeLlamaReader(std::vector<OfferedTool> offered);
// For kQwenXml and kGlm.
std::unique_ptr<AnswerReader> MakeXmlReader(ToolNotation notation,
                                            std::vector<OfferedTool> offered);
// Without `split_reasoning` thoughts are text; without `calls` every call is.
std::unique_ptr<AnswerReader> MakeHarmonyReader(bool split_reasoning, bool calls,
                                                std::vector<OfferedTool> offered);
// Takes thoughts out; what remains goes to `rest`.
std::unique_ptr<AnswerReader> MakeReasoningReader(ReasoningMarks marks, bool by_token,
                                                  bool starts_inside,
                                                  std::unique_ptr<AnswerReader> rest);

}  // namespace skerry::engine::internal
