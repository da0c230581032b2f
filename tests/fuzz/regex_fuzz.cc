// libFuzzer target: patterns, each in the first line, on the text behind it. Both ways of matching
// must agree.
#include <cstdlib>

#include "engine/tokenizer/regex.h"
#include "engine/tokenizer/utf8.h"
#include "engine/unicode/code_points.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace skerry::engine;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const size_t border = std::min(input.find('\n'), size);
  const std::string pattern = ToValidUtf8(input.substr(0, border));
  const auto regex = Regex::Create(pattern);
  if (!regex) return 0;
  const std::string text = ToValidUtf8(input.substr(std::min(border + 1, size))).substr(0, 400);
  if (!IsValidUtf8(text)) return 0;
  for (size_t at = 0; at < text.size(); at += unicode::CharBytes(text[at])) {
    const size_t end = regex->MatchByThreads(text, at);
    if (end != Regex::kNone && (end <= at || end > text.size())) abort();
    if (regex->has_table() && regex->MatchByTable(text, at) != end) abort();
  }
  return 0;
}
