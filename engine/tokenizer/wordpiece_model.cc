#include "engine/tokenizer/wordpiece_model.h"

#include <algorithm>

namespace skerry::engine {

WordPieceModel::WordPieceModel(const WordPieceVocabulary& vocabulary)
    : unknown_(vocabulary.unknown), max_word_chars_(vocabulary.max_word_chars) {
  for (const auto& [text, id] : vocabulary.beginnings) beginnings_.Insert(text, id);
  for (const auto& [text, id] : vocabulary.continuations) continuations_.Insert(text, id);
}

void WordPieceModel::Encode(std::string_view word, WordCache&, std::vector<TokenId>& ids) const {
  const auto begins_char = [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; };
  const auto chars = static_cast<size_t>(std::ranges::count_if(word, begins_char));
  const size_t before = ids.size();
  for (size_t at = 0; at < word.size() && chars <= max_word_chars_;) {
    const internal::ByteTrie& trie = at == 0 ? beginnings_ : continuations_;
    uint32_t node = internal::ByteTrie::kRoot;
    size_t end = 0;
    TokenId best = internal::ByteTrie::kNone;
    for (size_t i = at; i < word.size(); ++i) {
      node = trie.Walk(node, word[i]);
      if (node == internal::ByteTrie::kNowhere) break;
      if (trie.ValueOf(node) == internal::ByteTrie::kNone) continue;
      best = trie.ValueOf(node);
      end = i + 1;
    }
    if (best == internal::ByteTrie::kNone) break;
    ids.push_back(best);
    at = end;
    if (at == word.size()) return;
  }
  ids.resize(before);
  if (!word.empty()) ids.push_back(unknown_);
}

}  // namespace skerry::engine
