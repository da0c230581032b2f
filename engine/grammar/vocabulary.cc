#include "engine/grammar/vocabulary.h"

#include <algorithm>
#include <optional>

#include "engine/grammar/internal/nfa.h"
#include "engine/tokenizer/utf8.h"

namespace skerry::engine {
namespace {

using internal::SliceChars;
using internal::TokenSlice;
using internal::TokenTrie;

struct Entry {
  std::string_view bytes;
  uint32_t token = 0;
};

// `entries`: sorted by their bytes, which differ and are not empty.
TokenTrie BuildTrie(const std::vector<Entry>& entries) {
  TokenTrie trie;
  std::vector<size_t> path;  // nodes from the root to the last one
  const auto close = [&](size_t length) {
    for (; path.size() > length; path.pop_back()) {
      trie.nodes[path.back()].n_nodes = static_cast<uint32_t>(trie.nodes.size() - path.back());
    }
  };
  std::string_view previous;
  for (const Entry& entry : entries) {
    const auto [differs, _] = std::ranges::mismatch(previous, entry.bytes);
    const auto shared = static_cast<size_t>(differs - previous.begin());
    close(shared);
    for (size_t i = shared; i < entry.bytes.size(); ++i) {
      TokenTrie::Node node{};
      node.byte = static_cast<uint8_t>(entry.bytes[i]);
      node.depth = static_cast<uint32_t>(i) & 0xFF;
      node.token = TokenTrie::kNoToken;
      path.push_back(trie.nodes.size());
      trie.nodes.push_back(node);
    }
    trie.nodes.back().token = entry.token & TokenTrie::kNoToken;
    previous = entry.bytes;
  }
  close(0);
  return trie;
}

// How many characters `bytes` has, when all are in `chars`.
std::optional<size_t> CountChars(const SliceChars& chars, std::string_view bytes) {
  size_t count = 0;
  while (!bytes.empty()) {
    const auto lead = static_cast<uint8_t>(bytes[0]);
    if (lead < 0x80 ? !chars.ascii[lead] : !chars.others) return std::nullopt;
    const Utf8Step step = NextUtf8(bytes);
    if (step.kind != Utf8Kind::kComplete) return std::nullopt;
    bytes.remove_prefix(step.length);
    ++count;
  }
  return count;
}

template <typename Holds>
SliceChars CharsWhere(bool others, Holds holds) {
  SliceChars chars;
  chars.others = others;
  for (int c = 0; c < 128; ++c) chars.ascii[static_cast<size_t>(c)] = holds(static_cast<char>(c));
  return chars;
}

// Tokens of single bytes could spell a control token among them.
bool HasControlBytes(std::string_view bytes) {
  return bytes.find(static_cast<char>(internal::kControlBegin)) != std::string_view::npos ||
         bytes.find(static_cast<char>(internal::kControlEnd)) != std::string_view::npos;
}

bool IsIn(char c, char first, char last) { return first <= c && c <= last; }

// From the most to the fewest: what may stand inside a JSON string; text without the characters
// that markers of tool calls and thoughts are made of; words of programs; small letters.
std::vector<SliceChars> AllSliceChars() {
  return {CharsWhere(true, [](char c) { return c >= ' ' && c != '"' && c != '\\'; }),
          CharsWhere(true,
                     [](char c) {
                       return (c >= ' ' || c == '\n') && c != 0x7F &&
                              std::string_view("\"\\<>[]{}|/`").find(c) == std::string_view::npos;
                     }),
          CharsWhere(false,
                     [](char c) {
                       return IsIn(c, 'a', 'z') || IsIn(c, 'A', 'Z') || IsIn(c, '0', '9') ||
                              c == '_';
                     }),
          CharsWhere(false, [](char c) { return IsIn(c, 'a', 'z'); })};
}

}  // namespace

std::string ControlText(std::string_view name) {
  std::string text(1, static_cast<char>(internal::kControlBegin));
  text += name;
  text += static_cast<char>(internal::kControlEnd);
  return text;
}

Result<TokenVocabulary> TokenVocabulary::Create(const Tokenizer& tokenizer,
                                                std::span<const TokenId> stop_tokens,
                                                int32_t n_tokens) {
  constexpr int32_t kMaxTokens = 1 << 23;
  if (n_tokens < tokenizer.vocab_size() || n_tokens > kMaxTokens) {
    return Error(ErrorCode::kInvalidArgument, "a model of " + std::to_string(n_tokens) +
                                                  " tokens does not fit a tokenizer of " +
                                                  std::to_string(tokenizer.vocab_size()));
  }
  TokenVocabulary vocabulary;
  vocabulary.n_tokens_ = n_tokens;
  vocabulary.adds_leading_space_ = tokenizer.adds_leading_space();
  for (const TokenId stop : stop_tokens) {
    if (stop >= 0 && stop < n_tokens) vocabulary.stop_tokens_.push_back(stop);
  }
  std::ranges::sort(vocabulary.stop_tokens_);
  for (TokenId id = 0; id < n_tokens; ++id) {
    vocabulary.starts_.push_back(static_cast<uint32_t>(vocabulary.bytes_.size()));
    if (vocabulary.IsStop(id)) continue;
    const bool control = tokenizer.IsControl(id);
    const std::string bytes =
        control ? ControlText(tokenizer.TokenName(id)) : std::string(tokenizer.TokenBytes(id));
    if (!control && HasControlBytes(bytes)) continue;
    if (bytes.size() <= TokenTrie::kMaxTokenBytes) vocabulary.bytes_ += bytes;
  }
  vocabulary.starts_.push_back(static_cast<uint32_t>(vocabulary.bytes_.size()));
  vocabulary.BuildTries();
  return vocabulary;
}

void TokenVocabulary::BuildTries() {
  std::vector<Entry> entries;
  for (TokenId id = 0; id < n_tokens_; ++id) {
    if (!Bytes(id).empty()) entries.push_back({Bytes(id), static_cast<uint32_t>(id)});
  }
  std::ranges::sort(entries, [](const Entry& a, const Entry& b) {
    return a.bytes != b.bytes ? a.bytes < b.bytes : a.token < b.token;
  });
  std::vector<Entry> listed;
  for (const Entry& entry : entries) {
    if (!listed.empty() && listed.back().bytes == entry.bytes) {
      twins_.push_back({entry.token, listed.back().token});
    } else {
      listed.push_back(entry);
    }
  }
  trie_ = BuildTrie(listed);
  for (const SliceChars& chars : AllSliceChars()) {
    TokenSlice slice;
    slice.chars = chars;
    slice.up_to.assign(TokenSlice::kMaxChars + 1, std::vector<uint32_t>(mask_words()));
    std::vector<Entry> others;
    for (const Entry& entry : listed) {
      const std::optional<size_t> count = CountChars(chars, entry.bytes);
      if (!count || *count > TokenSlice::kMaxChars) {
        others.push_back(entry);
        continue;
      }
      slice.up_to[*count][entry.token / 32] |= uint32_t{1} << entry.token % 32;
    }
    for (size_t n = 1; n < slice.up_to.size(); ++n) {
      for (size_t word = 0; word < mask_words(); ++word) {
        slice.up_to[n][word] |= slice.up_to[n - 1][word];
      }
      AddTwins(slice.up_to[n]);
    }
    slice.others = BuildTrie(others);
    slices_.push_back(std::move(slice));
  }
}

bool TokenVocabulary::IsStop(TokenId token) const {
  return std::ranges::binary_search(stop_tokens_, token);
}

std::string_view TokenVocabulary::Bytes(TokenId token) const {
  if (token < 0 || token >= n_tokens_) return {};
  const auto at = static_cast<size_t>(token);
  return std::string_view(bytes_).substr(starts_[at], starts_[at + 1] - starts_[at]);
}

void TokenVocabulary::AddTwins(std::span<uint32_t> mask) const {
  for (const Twin& twin : twins_) {
    const uint32_t bit = mask[twin.listed / 32] >> twin.listed % 32 & 1;
    mask[twin.token / 32] |= bit << twin.token % 32;
  }
}

}  // namespace skerry::engine
