#include "engine/tokenizer/internal/texts.h"

#include <nlohmann/json.hpp>

#include "engine/tokenizer/wordpiece_model.h"

namespace skerry::engine::internal {
namespace {

constexpr std::string_view kSpaceSymbol = "\xE2\x96\x81";  // U+2581

constexpr uint64_t kMaxTokenId = PipelineTokenizer::kMaxTokens - 1;

}  // namespace

std::optional<TokenId> AsTokenId(const Json& value) {
  if (!value.is_number_integer()) return std::nullopt;
  const bool huge = value.is_number_unsigned() && value.get<uint64_t>() > kMaxTokenId;
  const auto id = huge ? int64_t{-1} : value.get<int64_t>();
  if (id < 0 || id > static_cast<int64_t>(kMaxTokenId)) return std::nullopt;
  return static_cast<TokenId>(id);
}

std::string SpacesShown(std::string_view piece) {
  std::string out;
  out.reserve(piece.size());
  while (true) {
    const size_t at = piece.find(kSpaceSymbol);
    out += piece.substr(0, at);
    if (at == std::string_view::npos) return out;
    out += ' ';
    piece.remove_prefix(at + kSpaceSymbol.size());
  }
}

Result<void> MakeWordPiece(std::string_view prefix, std::string_view unknown, size_t max_word_chars,
                           PipelineParts& parts) {
  WordPieceVocabulary vocabulary;
  vocabulary.max_word_chars = max_word_chars;
  bool has_unknown = false;
  for (size_t i = 0; i < parts.tokens.size(); ++i) {
    TokenInfo& token = parts.tokens[i];
    const auto id = static_cast<TokenId>(i);
    if (token.name == unknown && !has_unknown) {
      has_unknown = true;
      vocabulary.unknown = id;
    }
    if (!prefix.empty() && token.name.size() > prefix.size() && token.name.starts_with(prefix)) {
      token.bytes = token.name.substr(prefix.size());
      vocabulary.continuations.emplace_back(token.bytes, id);
    } else if (!token.name.empty()) {
      token.bytes = " " + token.name;
      vocabulary.beginnings.emplace_back(token.name, id);
    }
  }
  if (!has_unknown) {
    return Error(ErrorCode::kCorrupt, "the unknown token '" + std::string(unknown.substr(0, 64)) +
                                          "' is not in the vocabulary");
  }
  parts.model = std::make_unique<WordPieceModel>(vocabulary);
  parts.adds_leading_space = true;
  return {};
}

Result<void> AddBertStages(const BertNormalizerOptions& options, PipelineParts& parts) {
  parts.normalizer = std::make_unique<BertNormalizer>(options);
  std::vector<std::unique_ptr<PreTokenizer>> stages;
  Regex space = TRY(Regex::Create("\\s"));
  Regex punctuation = TRY(Regex::Create(kPunctuationPattern));
  stages.push_back(std::make_unique<SplitPreTokenizer>(std::move(space), SplitBehavior::kRemoved,
                                                       /*invert=*/false));
  stages.push_back(std::make_unique<SplitPreTokenizer>(std::move(punctuation),
                                                       SplitBehavior::kIsolated, /*invert=*/false));
  parts.pre_tokenizer = std::make_unique<PreTokenizerSequence>(std::move(stages));
  return {};
}

}  // namespace skerry::engine::internal
