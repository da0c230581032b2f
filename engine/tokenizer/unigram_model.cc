#include "engine/tokenizer/unigram_model.h"

#include <algorithm>
#include <limits>

#include "engine/tokenizer/spm_model.h"
#include "engine/unicode/code_points.h"

namespace skerry::engine {
namespace {

// How much worse than the worst piece an unknown character is (sentencepiece, unigram_model.cc).
constexpr double kUnknownPenalty = 10;
// Keeps a user-defined piece just below its length times the best score (same file).
constexpr double kUserDefinedPenalty = 0.1;

}  // namespace

Result<std::unique_ptr<UnigramModel>> UnigramModel::Create(std::vector<UnigramPiece> pieces,
                                                           std::optional<TokenId> unknown,
                                                           bool byte_fallback) {
  std::unique_ptr<UnigramModel> model(new UnigramModel());
  model->byte_fallback_ = byte_fallback;
  model->unknown_ = unknown.value_or(kNoToken);
  model->byte_ids_.fill(kNoToken);
  model->scores_.resize(pieces.size());
  double least = std::numeric_limits<double>::max();
  double most = std::numeric_limits<double>::lowest();
  for (const UnigramPiece& piece : pieces) {
    if (!piece.used || piece.user_defined) continue;
    least = std::min(least, piece.score);
    most = std::max(most, piece.score);
  }
  if (least > most) least = most = 0;
  for (size_t i = 0; i < pieces.size(); ++i) {
    const UnigramPiece& piece = pieces[i];
    const auto id = static_cast<TokenId>(i);
    const int byte = BytePieceValue(piece.text);
    if (byte >= 0) model->byte_ids_[static_cast<size_t>(byte)] = id;
    if (!piece.used || piece.text.empty()) continue;
    model->trie_.Insert(piece.text, id);
    model->max_piece_bytes_ = std::max(model->max_piece_bytes_, piece.text.size());
    model->scores_[i] = piece.user_defined
                            ? static_cast<double>(piece.text.size()) * most - kUserDefinedPenalty
                            : piece.score;
  }
  model->unknown_score_ = least - kUnknownPenalty;
  const bool all_bytes = std::ranges::find(model->byte_ids_, kNoToken) == model->byte_ids_.end();
  if (byte_fallback && !all_bytes) {
    return Error(ErrorCode::kCorrupt, "byte fallback without all 256 byte pieces");
  }
  if (!byte_fallback && !unknown) {
    return Error(ErrorCode::kCorrupt, "neither byte fallback nor an unknown token");
  }
  return model;
}

void UnigramModel::Encode(std::string_view word, WordCache& cache,
                          std::vector<TokenId>& ids) const {
  if (!WordCache::Fits(word)) {
    EncodeWord(word, ids);
    return;
  }
  WordCache::Entry& entry = cache.PlaceOf(word);
  if (entry.Holds(word)) {
    ids.insert(ids.end(), entry.Ids().begin(), entry.Ids().end());
    return;
  }
  const size_t before = ids.size();
  EncodeWord(word, ids);
  WordCache::Put(entry, word, {ids.data() + before, ids.size() - before});
}

void UnigramModel::EncodeWord(std::string_view word, std::vector<TokenId>& ids) const {
  struct Best {
    double score = 0;
    uint32_t start = 0;  // of the last piece
    TokenId id = kNoToken;
    bool reached = false;
  };
  std::vector<Best> best(word.size() + 1);  // of the ways to spell what ends here
  best[0].reached = true;
  const auto offer = [&](size_t start, size_t end, TokenId id, double score) {
    const double sum = best[start].score + score;
    if (best[end].reached && sum <= best[end].score) return;
    best[end] = {sum, static_cast<uint32_t>(start), id, true};
  };
  for (size_t start = 0; start < word.size();) {
    const size_t next = start + unicode::CharBytes(word[start]);
    bool has_single = false;
    uint32_t node = internal::ByteTrie::kRoot;
    for (size_t i = start; i < word.size(); ++i) {
      node = trie_.Walk(node, word[i]);
      if (node == internal::ByteTrie::kNowhere) break;
      const TokenId id = trie_.ValueOf(node);
      if (id == internal::ByteTrie::kNone) continue;
      offer(start, i + 1, id, scores_[static_cast<size_t>(id)]);
      has_single = has_single || i + 1 == next;
    }
    if (!has_single) offer(start, next, kNoToken, unknown_score_);
    start = next;
  }
  std::vector<size_t> ends;
  for (size_t end = word.size(); end > 0; end = best[end].start) ends.push_back(end);
  bool behind_unknown = false;
  for (size_t i = ends.size(); i-- > 0;) {
    const Best& piece = best[ends[i]];
    if (piece.id != kNoToken) {
      ids.push_back(piece.id);
    } else {
      AppendUnknown(word.substr(piece.start, ends[i] - piece.start), behind_unknown, ids);
    }
    behind_unknown = piece.id == kNoToken;
  }
}

// Neighbours that are unknown are one token.
void UnigramModel::AppendUnknown(std::string_view text, bool behind_unknown,
                                 std::vector<TokenId>& ids) const {
  if (byte_fallback_) {
    for (const char byte : text) ids.push_back(byte_ids_[static_cast<uint8_t>(byte)]);
  } else if (!behind_unknown) {
    ids.push_back(unknown_);
  }
}

}  // namespace skerry::engine
