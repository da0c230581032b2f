#include "engine/tokenizer/tokenizer.h"

#include <algorithm>
#include <unordered_map>

namespace skerry::engine {

std::vector<TokenId> EncodeWithControl(const Tokenizer& tokenizer, std::string_view text) {
  std::unordered_map<std::string_view, TokenId> names;
  size_t longest = 0;
  for (TokenId id = 0; id < tokenizer.vocab_size(); ++id) {
    if (!tokenizer.IsControl(id)) continue;
    names.emplace(tokenizer.TokenName(id), id);
    longest = std::max(longest, tokenizer.TokenName(id).size());
  }
  std::vector<TokenId> ids;
  if (tokenizer.add_bos() && tokenizer.bos()) ids.push_back(*tokenizer.bos());
  size_t text_start = 0;
  const auto flush = [&](size_t end) {
    const std::vector<TokenId> part = tokenizer.Encode(text.substr(text_start, end - text_start));
    ids.insert(ids.end(), part.begin(), part.end());
  };
  for (size_t at = 0; at < text.size();) {
    size_t length = std::min(longest, text.size() - at);
    while (length > 0 && !names.contains(text.substr(at, length))) --length;
    if (length == 0) {
      ++at;
      continue;
    }
    flush(at);
    ids.push_back(names.at(text.substr(at, length)));
    at += length;
    text_start = at;
  }
  flush(text.size());
  return ids;
}

}  // namespace skerry::engine
