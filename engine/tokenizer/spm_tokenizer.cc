#include "engine/tokenizer/spm_tokenizer.h"

#include <algorithm>
#include <queue>
#include <utility>

#include "engine/tokenizer/utf8.h"

namespace skerry::engine {
namespace {

constexpr std::string_view kSpaceSymbol = "\xE2\x96\x81";  // U+2581
// Texts are encoded in parts of about this size where that cannot change the ids: the working space
// is many times that of the text.
constexpr size_t kPartBytes = 64 << 10;

// Where a space symbol stands behind anything else, from `start` on; npos: nowhere.
size_t FindSpaceBehind(std::string_view text, size_t start) {
  for (size_t at = text.find(kSpaceSymbol, start); at != std::string_view::npos;
       at = text.find(kSpaceSymbol, at + kSpaceSymbol.size())) {
    if (at > 0 && !text.substr(0, at).ends_with(kSpaceSymbol)) return at;
  }
  return std::string_view::npos;
}

std::string ReplaceAll(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  out.reserve(text.size());
  while (true) {
    const size_t at = text.find(from);
    out += text.substr(0, at);
    if (at == std::string_view::npos) return out;
    out += to;
    text.remove_prefix(at + from.size());
  }
}

std::string CollapseSpaces(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == ' ' && (out.empty() || out.back() == ' ')) continue;
    out += c;
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

}  // namespace

// A part of the text that is one piece so far; parts form a doubly linked list over the vector.
struct SpmTokenizer::Symbol {
  size_t start = 0;
  size_t length = 0;  // 0: merged into its left neighbour
  int64_t previous = -1;
  int64_t next = -1;
  bool frozen = false;  // a user-defined piece, never merged
};

// A pair of neighbours whose joined text is a piece.
struct SpmTokenizer::Merge {
  float score = 0;
  int64_t left = 0;
  int64_t right = 0;
  size_t length = 0;  // of both when the pair was found: tells whether either changed since

  // The best score first, the leftmost of equals.
  bool operator<(const Merge& other) const {
    return score != other.score ? score < other.score : left > other.left;
  }
};

Result<std::unique_ptr<SpmTokenizer>> SpmTokenizer::Create(SpmModel model, bool add_bos) {
  std::unique_ptr<SpmTokenizer> tokenizer(new SpmTokenizer(std::move(model), add_bos));
  TRY(tokenizer->Index());
  return tokenizer;
}

Result<void> SpmTokenizer::Index() {
  byte_ids_.assign(256, -1);
  std::vector<AddedToken> added;
  bytes_.resize(model_.pieces.size());
  for (size_t i = 0; i < model_.pieces.size(); ++i) {
    const SpmPiece& piece = model_.pieces[i];
    const auto id = static_cast<TokenId>(i);
    switch (piece.type) {
      case PieceType::kControl:
        added.push_back(piece.AsAdded(id));
        continue;
      case PieceType::kUnknown:
        if (piece.added) added.push_back(piece.AsAdded(id));
        bytes_[i] = model_.unknown_surface;
        continue;
      case PieceType::kByte: {
        const int value = BytePieceValue(piece.text);
        if (value < 0) {
          return Error(ErrorCode::kCorrupt, "tokenizer: byte piece " + std::to_string(id) +
                                                " is not of the form <0x00>");
        }
        byte_ids_[value] = id;
        bytes_[i] = std::string(1, static_cast<char>(value));
        continue;
      }
      case PieceType::kUserDefined:
        if (!IsPlainName(piece.text)) {
          added.push_back(piece.AsAdded(id));
          bytes_[i] = ReplaceAll(piece.text, kSpaceSymbol, " ");
          continue;
        }
        user_defined_.emplace(piece.text, id);
        max_user_defined_bytes_ = std::max(max_user_defined_bytes_, piece.text.size());
        if (!piece.text.empty()) begins_user_defined_[static_cast<uint8_t>(piece.text[0])] = true;
        break;
      case PieceType::kUnused:
        bytes_[i] = piece.text;
        continue;
      case PieceType::kNormal:
        // Text still becomes it by merging.
        if (piece.added) added.push_back(piece.AsAdded(id));
        break;
    }
    pieces_.emplace(piece.text, id);
    max_piece_bytes_ = std::max(max_piece_bytes_, piece.text.size());
    if (FindSpaceBehind(piece.text, 0) != std::string_view::npos) splits_at_spaces_ = false;
    bytes_[i] = ReplaceAll(piece.text, kSpaceSymbol, " ");
  }
  added_ = AddedTokens(std::move(added));
  if (model_.byte_fallback && std::ranges::find(byte_ids_, -1) != byte_ids_.end()) {
    return Error(ErrorCode::kCorrupt, "tokenizer: byte fallback without all 256 byte pieces");
  }
  if (!model_.byte_fallback && model_.unk_id < 0) {
    return Error(ErrorCode::kCorrupt, "tokenizer: neither byte fallback nor an unknown token");
  }
  return {};
}

std::string SpmTokenizer::Normalize(std::string_view text, bool prefix) const {
  std::string out(text);
  if (model_.remove_extra_whitespaces) out = CollapseSpaces(out);
  if (out.empty()) return out;
  if (prefix) out.insert(0, " ");
  return model_.escape_whitespaces ? ReplaceAll(out, " ", kSpaceSymbol) : out;
}

size_t SpmTokenizer::MatchUserDefined(std::string_view text) const {
  for (size_t n = std::min(max_user_defined_bytes_, text.size()); n > 0; --n) {
    if (user_defined_.contains(text.substr(0, n))) return n;
  }
  return 0;
}

std::vector<SpmTokenizer::Symbol> SpmTokenizer::Split(std::string_view text) const {
  std::vector<Symbol> symbols;
  for (size_t at = 0; at < text.size();) {
    Symbol symbol;
    symbol.start = at;
    if (begins_user_defined_[static_cast<uint8_t>(text[at])]) {
      symbol.length = MatchUserDefined(text.substr(at));
      symbol.frozen = symbol.length > 0;
    }
    if (!symbol.frozen) symbol.length = NextUtf8(text.substr(at)).length;
    at += symbol.length;
    symbol.previous = static_cast<int64_t>(symbols.size()) - 1;
    symbol.next = at < text.size() ? static_cast<int64_t>(symbols.size()) + 1 : -1;
    symbols.push_back(symbol);
  }
  return symbols;
}

TokenId SpmTokenizer::FindPiece(std::string_view text) const {
  const auto found = pieces_.find(text);
  return found == pieces_.end() ? -1 : found->second;
}

void SpmTokenizer::MergeAll(std::string_view text, std::vector<Symbol>& symbols) const {
  std::priority_queue<Merge> agenda;
  const auto consider = [&](int64_t left, int64_t right) {
    if (left < 0 || right < 0 || symbols[left].frozen || symbols[right].frozen) return;
    const size_t length = symbols[left].length + symbols[right].length;
    if (length > max_piece_bytes_) return;
    const TokenId piece = FindPiece(text.substr(symbols[left].start, length));
    if (piece >= 0) agenda.push({model_.pieces[piece].score, left, right, length});
  };
  for (size_t i = 1; i < symbols.size(); ++i) {
    consider(static_cast<int64_t>(i) - 1, static_cast<int64_t>(i));
  }
  while (!agenda.empty()) {
    const Merge merge = agenda.top();
    agenda.pop();
    Symbol& left = symbols[merge.left];
    Symbol& right = symbols[merge.right];
    if (left.length == 0 || right.length == 0 || left.length + right.length != merge.length) {
      continue;
    }
    left.length = merge.length;
    right.length = 0;
    left.next = right.next;
    if (right.next >= 0) symbols[right.next].previous = merge.left;
    consider(left.previous, merge.left);
    consider(merge.left, left.next);
  }
}

void SpmTokenizer::AppendIds(std::string_view text, TokenId piece,
                             std::vector<TokenId>& ids) const {
  if (piece >= 0) {
    ids.push_back(piece);
  } else if (model_.byte_fallback) {
    for (const char c : text) ids.push_back(byte_ids_[static_cast<uint8_t>(c)]);
  } else if (ids.empty() || ids.back() != model_.unk_id) {
    ids.push_back(model_.unk_id);  // neighbours that are unknown are one token
  }
}

std::vector<TokenId> SpmTokenizer::EncodeValid(std::string_view text,
                                               std::span<const TextRange> trusted) const {
  std::vector<TokenId> ids;
  WordCachePool::Lease cache(caches_);
  for (const AddedTokens::Part& part : added_.Split(text, trusted)) {
    if (part.id >= 0) {
      ids.push_back(part.id);
      continue;
    }
    const bool prefix =
        model_.add_dummy_prefix && (part.start == 0 || model_.prefix_behind_added_tokens);
    EncodeRun(text.substr(part.start, part.end - part.start), prefix, *cache, ids);
  }
  return ids;
}

void SpmTokenizer::EncodeRun(std::string_view text, bool prefix, WordCache& cache,
                             std::vector<TokenId>& ids) const {
  const std::string normalized = Normalize(text, prefix);
  for (size_t start = 0; start < normalized.size();) {
    const size_t end = PartEnd(normalized, start);
    const std::string_view part = std::string_view(normalized).substr(start, end - start);
    start = end;
    if (!caches_words() || !WordCache::Fits(part)) {
      EncodePart(part, ids);
      continue;
    }
    WordCache::Entry& entry = cache.PlaceOf(part);
    if (entry.Holds(part)) {
      ids.insert(ids.end(), entry.Ids().begin(), entry.Ids().end());
      continue;
    }
    const size_t before = ids.size();
    EncodePart(part, ids);
    WordCache::Put(entry, part, {ids.data() + before, ids.size() - before});
  }
}

void SpmTokenizer::EncodePart(std::string_view part, std::vector<TokenId>& ids) const {
  std::vector<Symbol> symbols = Split(part);
  MergeAll(part, symbols);
  for (int64_t at = 0; at >= 0; at = symbols[at].next) {
    const std::string_view piece = part.substr(symbols[at].start, symbols[at].length);
    AppendIds(piece, FindPiece(piece), ids);
  }
}

// The end of the part that begins at `start`. Where no piece has a space behind another character,
// nothing is ever merged across such a place, so both sides are encoded as they are together: word
// by word, or in larger parts where the ids of a word may depend on the one before.
size_t SpmTokenizer::PartEnd(std::string_view text, size_t start) const {
  if (!splits_at_spaces_) return text.size();
  const size_t least = caches_words() ? 1 : kPartBytes;
  if (text.size() - start <= least) return text.size();
  return std::min(FindSpaceBehind(text, start + least), text.size());
}

// A token stands for at most the longest piece's bytes of the normalised text, which is shorter
// than the text only where spaces are collapsed. Without byte fallback any length may be one
// unknown token.
size_t SpmTokenizer::LeastTokens(size_t text_bytes) const {
  if (model_.remove_extra_whitespaces || !model_.byte_fallback) return 0;
  return text_bytes / std::max<size_t>(max_piece_bytes_, 1);
}

std::optional<TokenId> SpmTokenizer::FindControl(std::string_view name) const {
  return added_.Find(name);
}

std::string_view SpmTokenizer::TokenName(TokenId id) const {
  if (id < 0 || id >= vocab_size()) return "";
  return model_.pieces[id].text;
}

std::string_view SpmTokenizer::TokenBytes(TokenId id) const {
  if (id < 0 || id >= vocab_size()) return "";
  return bytes_[id];
}

bool SpmTokenizer::IsControl(TokenId id) const {
  return id >= 0 && id < vocab_size() && model_.pieces[id].type == PieceType::kControl;
}

}  // namespace skerry::engine
