// The JSON list a model writes behind its tool call token, read while it is generated.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/chat/message.h"

namespace skerry::engine {

// One answer's parser. One thread.
class ToolCallParser {
 public:
  static constexpr size_t kMaxBytes = 1 << 20;

  // `offered`: the only names a call may have; empty allows any. A call of another name makes the
  // text malformed: a client must never be told to run what it did not offer.
  explicit ToolCallParser(std::vector<std::string> offered = {}) : offered_(std::move(offered)) {}

  // Calls that are complete with `text`. Their ids are empty: the server gives its own.
  std::vector<ToolCall> Push(std::string_view text);

  // Whether at least one call was read.
  bool any() const { return any_; }
  // Whether the text is not such a list, or is longer than kMaxBytes.
  bool malformed() const { return state_ == State::kMalformed; }
  // What did not become a call, as the model wrote it: a broken or unfinished part.
  std::string Rest() const;

 private:
  enum class State { kBeforeList, kBeforeItem, kInItem, kAfterItem, kAfterList, kMalformed };

  bool Step(char c);
  bool EndItem(std::vector<ToolCall>& calls);

  std::vector<std::string> offered_;
  State state_ = State::kBeforeList;
  bool any_ = false;
  size_t total_ = 0;
  std::string text_;  // since the end of the last call
  size_t item_at_ = 0;
  int depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
};

}  // namespace skerry::engine
