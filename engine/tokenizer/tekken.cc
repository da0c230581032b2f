#include "engine/tokenizer/tekken.h"

#include <nlohmann/json.hpp>
#include <unordered_map>

#include "appliance/base/encode.h"
#include "engine/tokenizer/bpe_model.h"
#include "engine/tokenizer/byte_level.h"
#include "engine/tokenizer/utf8.h"

namespace skerry::engine {
namespace {

// The special tokens of files up to version 7 that do not list them (mistral-common, tekken.py).
constexpr std::string_view kFirstSpecials[] = {"<unk>",
                                               "<s>",
                                               "</s>",
                                               "[INST]",
                                               "[/INST]",
                                               "[AVAILABLE_TOOLS]",
                                               "[/AVAILABLE_TOOLS]",
                                               "[TOOL_RESULTS]",
                                               "[/TOOL_RESULTS]",
                                               "[TOOL_CALLS]",
                                               "[IMG]",
                                               "<pad>",
                                               "[IMG_BREAK]",
                                               "[IMG_END]",
                                               "[PREFIX]",
                                               "[MIDDLE]",
                                               "[SUFFIX]",
                                               "[SYSTEM_PROMPT]",
                                               "[/SYSTEM_PROMPT]",
                                               "[TOOL_CONTENT]"};

Error Bad(const std::string& what) { return Error(ErrorCode::kCorrupt, what); }

struct Sizes {
  size_t specials = 0;
  size_t all = 0;
};

Result<Sizes> ReadSizes(const Json& config) {
  const int64_t specials = TRY(GetInt(config, "default_num_special_tokens").WithContext("config"));
  const int64_t all = TRY(GetInt(config, "default_vocab_size").WithContext("config"));
  if (specials < 0 || all <= specials ||
      all > static_cast<int64_t>(PipelineTokenizer::kMaxTokens)) {
    return Bad("config: default_vocab_size " + std::to_string(all) +
               " and default_num_special_tokens " + std::to_string(specials) + " do not fit");
  }
  return Sizes{static_cast<size_t>(specials), static_cast<size_t>(all)};
}

Result<void> PutSpecial(size_t rank, const std::string& text, bool control, PipelineParts& parts) {
  if (!parts.tokens[rank].name.empty()) {
    return Bad("special_tokens: rank " + std::to_string(rank) + " stands twice");
  }
  parts.tokens[rank] = {text, text, control};
  parts.added.push_back({text, static_cast<TokenId>(rank)});
  return {};
}

bool MayOmitSpecials(const std::string& version) {
  return version.empty() || version == "v1" || version == "v2" || version == "v3" ||
         version == "v7";
}

Result<void> ReadSpecials(const Json& file, const std::string& version, const Sizes& sizes,
                          PipelineParts& parts) {
  const auto found = file.find("special_tokens");
  if (found == file.end() || found->is_null()) {
    if (!MayOmitSpecials(version)) return Bad("version " + version + " without special_tokens");
    for (size_t i = 0; i < std::min(std::size(kFirstSpecials), sizes.specials); ++i) {
      TRY(PutSpecial(i, std::string(kFirstSpecials[i]), true, parts));
    }
  } else if (!found->is_array() || found->size() > sizes.specials) {
    return Bad("special_tokens must be an array of at most " + std::to_string(sizes.specials));
  } else {
    for (const Json& item : *found) {
      const int64_t rank = TRY(GetInt(item, "rank").WithContext("special_tokens"));
      const std::string text = TRY(GetString(item, "token_str").WithContext("special_tokens"));
      const bool control = TRY(GetBoolOr(item, "is_control", true).WithContext("special_tokens"));
      if (rank < 0 || rank >= static_cast<int64_t>(sizes.specials) || text.empty() ||
          text.size() > PipelineTokenizer::kMaxTokenBytes) {
        return Bad("special_tokens: rank " + std::to_string(rank) + " is bad");
      }
      TRY(PutSpecial(static_cast<size_t>(rank), text, control, parts));
    }
  }
  for (size_t i = 0; i < sizes.specials; ++i) {
    if (!parts.tokens[i].name.empty()) continue;
    TRY(PutSpecial(i, "<SPECIAL_" + std::to_string(i) + ">", true, parts));
  }
  return {};
}

// Bytes of the ordinary tokens, behind the specials; the ranks beyond the vocabulary are not used.
Result<std::vector<std::string>> ReadVocabulary(const Json& file, const Sizes& sizes) {
  const auto found = file.find("vocab");
  const size_t wanted = sizes.all - sizes.specials;
  if (found == file.end() || !found->is_array() || found->size() < wanted) {
    return Bad("vocab must be an array of at least " + std::to_string(wanted) + " tokens");
  }
  std::vector<std::string> tokens(sizes.specials);
  tokens.reserve(sizes.all);
  for (size_t rank = 0; rank < wanted; ++rank) {
    const Json& item = (*found)[rank];
    const int64_t own = TRY(GetInt(item, "rank").WithContext("vocab"));
    const std::string text = TRY(GetString(item, "token_bytes").WithContext("vocab"));
    const auto bytes = Base64Decode(text);
    if (own != static_cast<int64_t>(rank) || !bytes || bytes->empty() ||
        bytes->size() > PipelineTokenizer::kMaxTokenBytes) {
      return Bad("vocab: token " + std::to_string(rank) + " is bad or out of order");
    }
    tokens.emplace_back(bytes->begin(), bytes->end());
  }
  return tokens;
}

// Every way to make a token of two: the rank of a pair is that of what it makes.
std::vector<BpeMerge> AllMerges(const std::vector<std::string>& tokens) {
  std::unordered_map<std::string_view, TokenId> ids;
  ids.reserve(tokens.size());
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (!tokens[i].empty()) ids.emplace(tokens[i], static_cast<TokenId>(i));
  }
  std::vector<BpeMerge> merges;
  merges.reserve(tokens.size() * 2);
  for (size_t i = 0; i < tokens.size(); ++i) {
    const std::string_view text = tokens[i];
    for (size_t cut = 1; cut < text.size(); ++cut) {
      const auto left = ids.find(text.substr(0, cut));
      const auto right = ids.find(text.substr(cut));
      if (left == ids.end() || right == ids.end()) continue;
      merges.push_back(
          {left->second, right->second, static_cast<TokenId>(i), static_cast<uint32_t>(i)});
    }
  }
  return merges;
}

std::optional<TokenId> FindSpecial(const PipelineParts& parts, std::string_view name) {
  for (const AddedToken& token : parts.added) {
    if (token.text == name) return token.id;
  }
  return std::nullopt;
}

}  // namespace

Result<Tekken> ReadTekken(const Json& file) {
  if (!file.is_object() || !file.contains("config") || !file["config"].is_object()) {
    return Bad("must be an object with 'config'");
  }
  const Json& config = file["config"];
  const std::string pattern = TRY(GetString(config, "pattern").WithContext("config"));
  const Sizes sizes = TRY(ReadSizes(config));
  Tekken tekken;
  tekken.version = TRY(GetStringOr(config, "version", "").WithContext("config"));
  PipelineParts& parts = tekken.parts;
  parts.tokens.resize(sizes.all);
  TRY(ReadSpecials(file, tekken.version, sizes, parts));
  std::vector<std::string> tokens = TRY(ReadVocabulary(file, sizes));
  for (size_t i = sizes.specials; i < sizes.all; ++i) {
    const std::string& bytes = tokens[i];
    parts.tokens[i] = {IsValidUtf8(bytes) ? bytes : EncodeByteLevel(bytes), bytes, false};
  }
  Regex regex = TRY(Regex::Create(pattern).WithContext("config"));
  parts.pre_tokenizer = std::make_unique<SplitPreTokenizer>(
      std::move(regex), SplitBehavior::kIsolated, /*invert=*/false);
  const std::vector<BpeMerge> merges = AllMerges(tokens);
  BpeOptions options;
  options.whole_words_first = true;
  parts.model = TRY(BpeModel::Create(std::move(tokens), merges, options));
  parts.bos = FindSpecial(parts, "<s>");
  parts.eos = FindSpecial(parts, "</s>");
  parts.add_bos = parts.bos.has_value();
  return tekken;
}

}  // namespace skerry::engine
