// Ends a text at the first of some stop strings, also where one begins in one token and ends in
// another.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace skerry::engine {

// One sequence's matcher. One thread.
class StopStrings {
 public:
  // Empty strings are ignored.
  explicit StopStrings(std::vector<std::string> stops);

  struct Step {
    std::string text;      // certain text; never a part of a stop string that is being completed
    bool stopped = false;  // a stop string was found; `text` ends before it, nothing follows
  };
  Step Push(std::string_view text);
  // What was held back, when the text ends otherwise.
  std::string Finish();

 private:
  std::vector<std::string> stops_;
  std::string held_;
};

}  // namespace skerry::engine
