#include "engine/tokenizer/pipeline_tokenizer.h"

#include <algorithm>

#include "engine/tokenizer/byte_level.h"

namespace skerry::engine {

PipelineTokenizer::PipelineTokenizer(PipelineParts parts) : parts_(std::move(parts)) {
  // A plain token stands for its own bytes in any text, like one of the model's.
  size_t longest = parts_.model->MaxBytesPerToken();
  for (const AddedToken& token : parts_.added) {
    if (!token.plain) continue;
    if (longest > 0) longest = std::max(longest, token.text.size());
    if (token.strip_left || token.strip_right) longest = 0;
  }
  const bool keeps_all = parts_.pre_tokenizer == nullptr || parts_.pre_tokenizer->KeepsAll();
  if (keeps_all) least_divisor_ = longest;
  added_ = AddedTokens(std::move(parts_.added));
}

Result<std::unique_ptr<PipelineTokenizer>> PipelineTokenizer::Create(PipelineParts parts) {
  const auto size = static_cast<TokenId>(parts.tokens.size());
  for (const AddedToken& token : parts.added) {
    if (token.id < 0 || token.id >= size) {
      return Error(ErrorCode::kCorrupt, "added token '" + token.text + "' has the id " +
                                            std::to_string(token.id) +
                                            ", which is outside of the vocabulary");
    }
  }
  for (const std::optional<TokenId>& id : {parts.bos, parts.eos}) {
    if (id && (*id < 0 || *id >= size)) {
      return Error(ErrorCode::kCorrupt, "the begin or end token " + std::to_string(*id) +
                                            " is outside of the vocabulary");
    }
  }
  return std::unique_ptr<PipelineTokenizer>(new PipelineTokenizer(std::move(parts)));
}

std::vector<TokenId> PipelineTokenizer::EncodeValid(std::string_view text,
                                                    std::span<const TextRange> trusted) const {
  std::vector<TokenId> ids;
  ids.reserve(text.size() / 4 + 4);
  WordCachePool::Lease cache(caches_);
  for (const AddedTokens::Part& part : added_.Split(text, trusted)) {
    if (part.id >= 0) {
      ids.push_back(part.id);
    } else {
      EncodeRun(text.substr(part.start, part.end - part.start), part.start == 0, *cache, ids);
    }
  }
  return ids;
}

void PipelineTokenizer::EncodeRun(std::string_view text, bool first, WordCache& cache,
                                  std::vector<TokenId>& ids) const {
  std::string normalized;
  if (parts_.normalizer) {
    normalized = parts_.normalizer->Normalize(text);
    text = normalized;
  }
  const auto encode = [&](const Piece& word) {
    if (!parts_.words_are_byte_level) {
      parts_.model->Encode(word.text, cache, ids);
    } else if (const auto bytes = DecodeByteLevel(word.text)) {
      parts_.model->Encode(*bytes, cache, ids);
    }
  };
  if (text.empty()) return;
  if (parts_.pre_tokenizer) {
    parts_.pre_tokenizer->Split({text, first}, encode);
  } else {
    encode({text, first});
  }
}

Result<void> PipelineTokenizer::LimitTo(int32_t vocab_size) {
  if (this->vocab_size() <= vocab_size) return {};
  const bool only_added =
      parts_.model_tokens > 0 && parts_.model_tokens <= static_cast<size_t>(vocab_size);
  const bool has_bos = !parts_.bos || *parts_.bos < vocab_size;
  const bool has_eos = !parts_.eos || *parts_.eos < vocab_size;
  if (!only_added || !has_bos || !has_eos) return Tokenizer::LimitTo(vocab_size);
  parts_.tokens.resize(static_cast<size_t>(vocab_size));
  added_ = added_.Below(vocab_size);
  return {};
}

// A token stands for no more bytes of the normalised text than the longest has.
size_t PipelineTokenizer::LeastTokens(size_t text_bytes) const {
  if (least_divisor_ == 0) return 0;
  const size_t bytes = parts_.normalizer ? parts_.normalizer->LeastBytes(text_bytes) : text_bytes;
  return bytes / least_divisor_;
}

std::string_view PipelineTokenizer::TokenName(TokenId id) const {
  return IsInside(id) ? std::string_view(parts_.tokens[static_cast<size_t>(id)].name) : "";
}

std::string_view PipelineTokenizer::TokenBytes(TokenId id) const {
  if (!IsInside(id)) return "";
  const TokenInfo& token = parts_.tokens[static_cast<size_t>(id)];
  return token.control ? std::string_view() : token.bytes;
}

bool PipelineTokenizer::IsControl(TokenId id) const {
  return IsInside(id) && parts_.tokens[static_cast<size_t>(id)].control;
}

}  // namespace skerry::engine
