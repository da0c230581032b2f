#include "engine/tokenizer/vocab_txt.h"

#include <nlohmann/json.hpp>

#include "engine/tokenizer/internal/added_list.h"
#include "engine/tokenizer/internal/texts.h"
#include "engine/tokenizer/utf8.h"

namespace skerry::engine {
namespace {

// The role's token of the configuration, else BERT's.
std::string RoleName(const Json& config, const char* key, const char* fallback) {
  const auto found = config.find(key);
  const std::string name = found == config.end() ? "" : internal::TokenText(*found);
  return name.empty() ? fallback : name;
}

Result<void> ReadLines(std::string_view text, PipelineParts& parts) {
  if (!IsValidUtf8(text)) return Error(ErrorCode::kCorrupt, "is not UTF-8");
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.size() > PipelineTokenizer::kMaxTokenBytes ||
        parts.tokens.size() == PipelineTokenizer::kMaxTokens) {
      return Error(ErrorCode::kExhausted,
                   "line " + std::to_string(parts.tokens.size() + 1) + " is too long or too many");
    }
    parts.tokens.push_back({std::string(line), "", false});
  }
  return {};
}

}  // namespace

Result<PipelineParts> ReadVocabTxt(std::string_view text, const Json& config) {
  PipelineParts parts;
  TRY(ReadLines(text, parts));
  const std::string unknown = RoleName(config, "unk_token", "[UNK]");
  TRY(internal::MakeWordPiece("##", unknown, 100, parts));
  BertNormalizerOptions options;
  options.lowercase = TRY(GetBoolOr(config, "do_lower_case", true));
  options.handle_chinese_chars = TRY(GetBoolOr(config, "tokenize_chinese_chars", true));
  options.strip_accents = options.lowercase;
  if (config.contains("strip_accents") && !config["strip_accents"].is_null()) {
    options.strip_accents = TRY(GetBool(config, "strip_accents"));
  }
  TRY(internal::AddBertStages(options, parts));
  parts.bos = internal::FindByName(parts, RoleName(config, "cls_token", "[CLS]"));
  parts.eos = internal::FindByName(parts, RoleName(config, "sep_token", "[SEP]"));
  parts.add_bos = parts.bos.has_value();
  parts.add_eos = parts.eos.has_value();
  const auto mark = [&](const std::optional<TokenId>& id) {
    if (id) internal::MarkControl(*id, parts);
  };
  mark(parts.bos);
  mark(parts.eos);
  mark(internal::FindByName(parts, RoleName(config, "pad_token", "[PAD]")));
  mark(internal::FindByName(parts, RoleName(config, "mask_token", "[MASK]")));
  mark(internal::FindByName(parts, unknown));
  return parts;
}

}  // namespace skerry::engine
