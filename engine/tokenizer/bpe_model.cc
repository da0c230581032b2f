#include "engine/tokenizer/bpe_model.h"

#include <algorithm>
#include <bit>
#include <queue>

#include "engine/tokenizer/spm_model.h"
#include "engine/unicode/code_points.h"

namespace skerry::engine {
namespace {

using unicode::NextCodePoint;

constexpr std::string_view kSpace = "\xE2\x96\x81";  // U+2581
constexpr uint32_t kSpaceChar = 0x2581;
constexpr uint32_t kDirectChars = 0x3000;  // looked up without hashing
// Up to here looking at every pair again is faster than keeping a queue.
constexpr size_t kShortWord = 40;

uint64_t KeyOf(TokenId left, TokenId right) {
  return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

size_t PlaceOf(uint64_t key, size_t places) {
  key *= 0x9E3779B97F4A7C15;  // 2^64 / golden ratio
  return (key ^ key >> 32) & (places - 1);
}

}  // namespace

Result<std::unique_ptr<BpeModel>> BpeModel::Create(std::vector<std::string> tokens,
                                                   const std::vector<BpeMerge>& merges,
                                                   BpeOptions options) {
  std::unique_ptr<BpeModel> model(new BpeModel(options));
  model->tokens_ = std::move(tokens);
  model->IndexTokens();
  TRY(model->IndexMerges(merges));
  return model;
}

void BpeModel::IndexTokens() {
  byte_ids_.fill(kNoToken);
  if (!options_.over_bytes) char_ids_.assign(kDirectChars, kNoToken);
  if (options_.whole_words_first) ids_.reserve(tokens_.size());
  for (size_t i = 0; i < tokens_.size(); ++i) {
    const std::string& text = tokens_[i];
    const auto id = static_cast<TokenId>(i);
    if (text.empty()) continue;
    max_token_bytes_ = std::max(max_token_bytes_, text.size());
    const bool single =
        options_.over_bytes ? text.size() == 1 : text.size() == unicode::CharBytes(text[0]);
    const int byte = options_.over_bytes ? -1 : BytePieceValue(text);
    if (byte >= 0) byte_ids_[static_cast<size_t>(byte)] = id;
    // Longer tokens are reached by merging, unless words are looked up whole.
    if (!single && !options_.whole_words_first) continue;
    if (!ids_.emplace(text, id).second || !single) continue;
    if (options_.over_bytes) {
      byte_ids_[static_cast<uint8_t>(text[0])] = id;
    } else {
      size_t at = 0;
      const uint32_t c = NextCodePoint(text, &at);
      if (c < kDirectChars) char_ids_[c] = id;
    }
  }
}

Result<void> BpeModel::IndexMerges(const std::vector<BpeMerge>& merges) {
  pairs_.resize(std::bit_ceil(merges.size() * 2 + 2));
  const auto inside = [&](TokenId id) {
    return id >= 0 && static_cast<size_t>(id) < tokens_.size();
  };
  for (const BpeMerge& merge : merges) {
    if (!inside(merge.left) || !inside(merge.right) || !inside(merge.joined)) {
      return Error(ErrorCode::kCorrupt, "a merge of tokens that are not in the vocabulary");
    }
    const uint64_t key = KeyOf(merge.left, merge.right);
    size_t place = PlaceOf(key, pairs_.size());
    while (pairs_[place].key != kNoKey && pairs_[place].key != key) {
      place = (place + 1) & (pairs_.size() - 1);
    }
    if (pairs_[place].key == kNoKey) pairs_[place] = {key, merge.rank, merge.joined};
    if (options_.over_bytes) continue;
    const std::string& text = tokens_[static_cast<size_t>(merge.joined)];
    for (size_t at = text.find(kSpace, 1); at != std::string::npos;
         at = text.find(kSpace, at + 1)) {
      size_t before = unicode::PreviousStart(text, at);
      const uint32_t c = NextCodePoint(text, &before);
      if (c != kSpaceChar) joins_space_.insert(c);
    }
  }
  return {};
}

const BpeModel::Pair* BpeModel::Find(TokenId left, TokenId right) const {
  const uint64_t key = KeyOf(left, right);
  size_t place = PlaceOf(key, pairs_.size());
  while (pairs_[place].key != key) {
    if (pairs_[place].key == kNoKey) return nullptr;
    place = (place + 1) & (pairs_.size() - 1);
  }
  return &pairs_[place];
}

TokenId BpeModel::FindToken(std::string_view text) const {
  const auto found = ids_.find(text);
  return found == ids_.end() ? kNoToken : found->second;
}

// A byte that has no token is dropped, and an unknown token may stand for any text.
size_t BpeModel::MaxBytesPerToken() const {
  const bool complete = std::ranges::find(byte_ids_, kNoToken) == byte_ids_.end();
  const bool covers = options_.over_bytes || options_.byte_fallback;
  return complete && covers ? max_token_bytes_ : 0;
}

// The end of the part of `word` that begins at `start`: what can be encoded on its own.
size_t BpeModel::PartEnd(std::string_view word, size_t start) const {
  if (options_.over_bytes || options_.whole_words_first) return word.size();
  for (size_t at = word.find(kSpace, start + 1); at != std::string_view::npos;
       at = word.find(kSpace, at + 1)) {
    size_t before = unicode::PreviousStart(word, at);
    const uint32_t c = NextCodePoint(word, &before);
    if (c != kSpaceChar && !joins_space_.contains(c)) return at;
  }
  return word.size();
}

void BpeModel::Encode(std::string_view word, WordCache& cache, std::vector<TokenId>& ids) const {
  for (size_t start = 0; start < word.size();) {
    const size_t end = PartEnd(word, start);
    const std::string_view part = word.substr(start, end - start);
    const size_t before = ids.size();
    if (!WordCache::Fits(part)) {
      EncodePart(part, ids);
    } else if (WordCache::Entry& entry = cache.PlaceOf(part); entry.Holds(part)) {
      ids.insert(ids.end(), entry.Ids().begin(), entry.Ids().end());
    } else {
      EncodePart(part, ids);
      WordCache::Put(entry, part, {ids.data() + before, ids.size() - before});
    }
    // Unknown neighbours on both sides of a cut.
    if (options_.fuse_unknown && options_.unknown && start > 0 && before > 0 &&
        ids.size() > before && ids[before] == *options_.unknown &&
        ids[before - 1] == *options_.unknown) {
      ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(before));
    }
    start = end;
  }
}

void BpeModel::EncodePart(std::string_view part, std::vector<TokenId>& ids) const {
  if (options_.whole_words_first) {
    const TokenId whole = FindToken(part);
    if (whole != kNoToken) {
      ids.push_back(whole);
      return;
    }
  }
  std::vector<TokenId> symbols;
  symbols.reserve(part.size());
  if (options_.over_bytes) {
    BeginByteIds(part, symbols);
  } else {
    BeginCharIds(part, symbols);
  }
  if (symbols.size() <= kShortWord) {
    MergeShort(symbols);
  } else {
    MergeLong(symbols);
  }
  ids.insert(ids.end(), symbols.begin(), symbols.end());
}

void BpeModel::BeginByteIds(std::string_view part, std::vector<TokenId>& symbols) const {
  for (const char c : part) {
    const TokenId id = byte_ids_[static_cast<uint8_t>(c)];
    if (id != kNoToken) {
      symbols.push_back(id);
    } else if (options_.unknown &&
               !(options_.fuse_unknown && !symbols.empty() && symbols.back() == options_.unknown)) {
      symbols.push_back(*options_.unknown);
    }
  }
}

void BpeModel::BeginCharIds(std::string_view part, std::vector<TokenId>& symbols) const {
  for (size_t at = 0; at < part.size();) {
    const size_t start = at;
    const uint32_t c = NextCodePoint(part, &at);
    const std::string_view bytes = part.substr(start, at - start);
    const TokenId id = c < kDirectChars ? char_ids_[c] : FindToken(bytes);
    if (id != kNoToken) {
      symbols.push_back(id);
      continue;
    }
    const auto known = [&](char byte) { return byte_ids_[static_cast<uint8_t>(byte)] != kNoToken; };
    if (options_.byte_fallback && std::ranges::all_of(bytes, known)) {
      for (const char byte : bytes) symbols.push_back(byte_ids_[static_cast<uint8_t>(byte)]);
    } else if (options_.unknown &&
               !(options_.fuse_unknown && !symbols.empty() && symbols.back() == options_.unknown)) {
      symbols.push_back(*options_.unknown);
    }
  }
}

void BpeModel::MergeShort(std::vector<TokenId>& symbols) const {
  std::array<uint32_t, kShortWord> ranks;  // of the pair that begins at each symbol
  const auto rank_at = [&](size_t i) {
    const Pair* pair = i + 1 < symbols.size() ? Find(symbols[i], symbols[i + 1]) : nullptr;
    return pair == nullptr ? kNoRank : pair->rank;
  };
  for (size_t i = 0; i < symbols.size(); ++i) ranks[i] = rank_at(i);
  while (symbols.size() > 1) {
    size_t best = 0;
    for (size_t i = 1; i < symbols.size(); ++i) {
      if (ranks[i] < ranks[best]) best = i;
    }
    if (ranks[best] == kNoRank) return;
    symbols[best] = Find(symbols[best], symbols[best + 1])->joined;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    std::copy(ranks.begin() + best + 2, ranks.begin() + symbols.size() + 1,
              ranks.begin() + best + 1);
    ranks[best] = rank_at(best);
    if (best > 0) ranks[best - 1] = rank_at(best - 1);
  }
}

void BpeModel::MergeLong(std::vector<TokenId>& symbols) const {
  struct Candidate {
    uint32_t rank;
    uint32_t at;
    TokenId left;
    TokenId right;
    bool operator<(const Candidate& other) const {  // the top of the queue: lowest, leftmost
      return rank != other.rank ? rank > other.rank : at > other.at;
    }
  };
  constexpr uint32_t kEnd = ~uint32_t{0};
  const auto size = static_cast<uint32_t>(symbols.size());
  std::vector<uint32_t> next(size);
  std::vector<uint32_t> previous(size);
  std::priority_queue<Candidate> queue;
  const auto consider = [&](uint32_t at) {
    if (at == kEnd || next[at] == kEnd) return;
    const TokenId left = symbols[at];
    const TokenId right = symbols[next[at]];
    if (const Pair* pair = Find(left, right)) queue.push({pair->rank, at, left, right});
  };
  for (uint32_t i = 0; i < size; ++i) {
    next[i] = i + 1 < size ? i + 1 : kEnd;
    previous[i] = i > 0 ? i - 1 : kEnd;
  }
  for (uint32_t i = 0; i < size; ++i) consider(i);
  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    const uint32_t right = next[best.at];
    if (symbols[best.at] != best.left || right == kEnd || symbols[right] != best.right) continue;
    symbols[best.at] = Find(best.left, best.right)->joined;
    symbols[right] = kNoToken;
    next[best.at] = next[right];
    if (next[right] != kEnd) previous[next[right]] = best.at;
    consider(previous[best.at]);
    consider(best.at);
  }
  std::erase(symbols, kNoToken);
}

}  // namespace skerry::engine
