#include "engine/tokenizer/internal/json_stages.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "appliance/base/encode.h"
#include "engine/tokenizer/internal/texts.h"

namespace skerry::engine::internal {
namespace {

constexpr int kMaxDepth = 8;  // of sequences

Error Unsupported(std::string_view what, const std::string& type) {
  return Error(ErrorCode::kInvalidArgument,
               std::string(what) + " '" + type.substr(0, 64) + "' is not supported");
}

// A pattern field: {"String": ...} or {"Regex": ...}.
struct Pattern {
  Regex regex;
  size_t max_match_bytes = 0;  // 0: not known
};

Result<Pattern> ReadPattern(const Json& spec) {
  const auto found = spec.find("pattern");
  if (found == spec.end() || !found->is_object() || found->size() != 1) {
    return Error(ErrorCode::kInvalidArgument, "'pattern' must be a String or a Regex");
  }
  if (found->contains("String")) {
    const std::string text = TRY(GetString(*found, "String"));
    Regex regex = TRY(Regex::CreateLiteral(text));
    return Pattern{std::move(regex), text.size()};
  }
  const std::string text = TRY(GetString(*found, "Regex"));
  Regex regex = TRY(Regex::Create(text));
  return Pattern{std::move(regex), 0};
}

Result<std::unique_ptr<Normalizer>> ReadBert(const Json& spec) {
  TRY(RefuseUnknownKeys(
      spec, {"type", "clean_text", "handle_chinese_chars", "strip_accents", "lowercase"}));
  BertNormalizerOptions options;
  options.clean_text = TRY(GetBoolOr(spec, "clean_text", true));
  options.handle_chinese_chars = TRY(GetBoolOr(spec, "handle_chinese_chars", true));
  options.lowercase = TRY(GetBoolOr(spec, "lowercase", true));
  options.strip_accents = options.lowercase;  // what null stands for
  if (spec.contains("strip_accents") && !spec["strip_accents"].is_null()) {
    options.strip_accents = TRY(GetBool(spec, "strip_accents"));
  }
  return std::unique_ptr<Normalizer>(std::make_unique<BertNormalizer>(options));
}

Result<std::unique_ptr<Normalizer>> ReadPrecompiled(const Json& spec) {
  const std::string text = TRY(GetString(spec, "precompiled_charsmap"));
  const std::optional<std::vector<uint8_t>> bytes = Base64Decode(text);
  if (!bytes) return Error(ErrorCode::kCorrupt, "precompiled_charsmap is not base64");
  CharsMap map =
      TRY(CharsMap::Parse({reinterpret_cast<const char*>(bytes->data()), bytes->size()}));
  return std::unique_ptr<Normalizer>(
      std::make_unique<CharsMapNormalizer>(std::move(map), /*longest_match=*/false));
}

const Json* Parts(const Json& spec, const char* key) {
  const auto found = spec.find(key);
  return found != spec.end() && found->is_array() ? &*found : nullptr;
}

class NormalizerReader {
 public:
  bool prepends() const { return prepends_; }

  Result<std::unique_ptr<Normalizer>> Read(const Json& spec, int depth) {
    const std::string type = TRY(GetString(spec, "type"));
    if (type == "Sequence") return ReadSequence(spec, depth);
    if (type == "BertNormalizer") return ReadBert(spec);
    if (type == "Precompiled") return ReadPrecompiled(spec);
    std::unique_ptr<Normalizer> made = TRY(ReadSimple(spec, type));
    if (!made) return Unsupported("the normalizer", type);
    return made;
  }

 private:
  Result<std::unique_ptr<Normalizer>> ReadSequence(const Json& spec, int depth) {
    const Json* list = Parts(spec, "normalizers");
    if (list == nullptr || depth > kMaxDepth) {
      return Error(ErrorCode::kInvalidArgument, "a Sequence needs 'normalizers'");
    }
    std::vector<std::unique_ptr<Normalizer>> parts;
    for (const Json& part : *list) {
      std::unique_ptr<Normalizer> made = TRY(Read(part, depth + 1));
      parts.push_back(std::move(made));
    }
    return std::unique_ptr<Normalizer>(std::make_unique<NormalizerSequence>(std::move(parts)));
  }

  // Null for a type that is none of these.
  Result<std::unique_ptr<Normalizer>> ReadSimple(const Json& spec, const std::string& type) {
    std::unique_ptr<Normalizer> made;
    constexpr std::pair<const char*, unicode::NormalForm> kForms[] = {
        {"NFC", unicode::NormalForm::kNfc},
        {"NFD", unicode::NormalForm::kNfd},
        {"NFKC", unicode::NormalForm::kNfkc},
        {"NFKD", unicode::NormalForm::kNfkd}};
    for (const auto& [name, form] : kForms) {
      if (type == name) made = std::make_unique<NormalFormNormalizer>(form);
    }
    if (type == "Lowercase") made = std::make_unique<LowercaseNormalizer>();
    if (type == "StripAccents") made = std::make_unique<StripAccentsNormalizer>();
    if (made) {
      TRY(RefuseUnknownKeys(spec, {"type"}));
    } else if (type == "Strip") {
      TRY(RefuseUnknownKeys(spec, {"type", "strip_left", "strip_right"}));
      const bool left = TRY(GetBoolOr(spec, "strip_left", true));
      const bool right = TRY(GetBoolOr(spec, "strip_right", true));
      made = std::make_unique<StripNormalizer>(left, right);
    } else if (type == "Prepend") {
      TRY(RefuseUnknownKeys(spec, {"type", "prepend"}));
      std::string prefix = TRY(GetString(spec, "prepend"));
      prepends_ = true;
      made = std::make_unique<PrependNormalizer>(std::move(prefix));
    } else if (type == "Replace") {
      TRY(RefuseUnknownKeys(spec, {"type", "pattern", "content"}));
      Pattern pattern = TRY(ReadPattern(spec));
      std::string content = TRY(GetString(spec, "content"));
      made = std::make_unique<ReplaceNormalizer>(std::move(pattern.regex), pattern.max_match_bytes,
                                                 std::move(content));
    }
    return made;
  }

  bool prepends_ = false;
};

Result<SplitBehavior> ReadBehavior(const Json& spec, const char* fallback) {
  const std::string name = TRY(GetStringOr(spec, "behavior", fallback));
  if (name == "Removed") return SplitBehavior::kRemoved;
  if (name == "Isolated") return SplitBehavior::kIsolated;
  if (name == "MergedWithPrevious") return SplitBehavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return SplitBehavior::kMergedWithNext;
  if (name == "Contiguous") return SplitBehavior::kContiguous;
  return Unsupported("the behavior", name);
}

Result<std::unique_ptr<PreTokenizer>> SplitAt(std::string_view pattern, SplitBehavior behavior,
                                              bool invert = false) {
  Regex regex = TRY(Regex::Create(pattern));
  return std::unique_ptr<PreTokenizer>(
      std::make_unique<SplitPreTokenizer>(std::move(regex), behavior, invert));
}

class PreTokenizerReader {
 public:
  Result<void> Read(const Json& spec, int depth) {
    const std::string type = TRY(GetString(spec, "type"));
    if (type == "Sequence") {
      const Json* list = Parts(spec, "pretokenizers");
      if (list == nullptr || depth > kMaxDepth) {
        return Error(ErrorCode::kInvalidArgument, "a Sequence needs 'pretokenizers'");
      }
      for (const Json& part : *list) TRY(Read(part, depth + 1));
      return {};
    }
    // What stands behind ByteLevel looks at its characters.
    if (over_bytes_ && !words_are_byte_level_) {
      words_are_byte_level_ = true;
      stages_.push_back(std::make_unique<ByteLevelPreTokenizer>());
    }
    if (type == "ByteLevel") return ReadByteLevel(spec);
    if (type == "Metaspace") return ReadMetaspace(spec);
    return ReadSplitter(spec, type);
  }

  PreTokenizerSpec Finish() {
    PreTokenizerSpec spec;
    spec.over_bytes = over_bytes_;
    spec.words_are_byte_level = words_are_byte_level_;
    spec.prepends = prepends_;
    if (stages_.size() == 1) {
      spec.pre_tokenizer = std::move(stages_[0]);
    } else if (!stages_.empty()) {
      spec.pre_tokenizer = std::make_unique<PreTokenizerSequence>(std::move(stages_));
    }
    return spec;
  }

 private:
  Result<void> Add(Result<std::unique_ptr<PreTokenizer>> made) {
    if (!made) return std::move(made).error();
    stages_.push_back(std::move(*made));
    return {};
  }

  Result<void> ReadByteLevel(const Json& spec) {
    TRY(RefuseUnknownKeys(spec, {"type", "add_prefix_space", "trim_offsets", "use_regex"}));
    if (over_bytes_) return Error(ErrorCode::kInvalidArgument, "ByteLevel stands twice");
    over_bytes_ = true;
    const bool prefix = TRY(GetBoolOr(spec, "add_prefix_space", true));
    const bool use_regex = TRY(GetBoolOr(spec, "use_regex", true));
    if (prefix) {
      prepends_ = true;
      stages_.push_back(std::make_unique<PrefixSpacePreTokenizer>());
    }
    if (use_regex) return Add(SplitAt(kGpt2Pattern, SplitBehavior::kIsolated));
    return {};
  }

  Result<void> ReadMetaspace(const Json& spec) {
    TRY(RefuseUnknownKeys(
        spec, {"type", "replacement", "str_rep", "add_prefix_space", "prepend_scheme", "split"}));
    std::string replacement = TRY(GetString(spec, "replacement"));
    const bool legacy_prefix = TRY(GetBoolOr(spec, "add_prefix_space", true));
    const std::string scheme =
        TRY(GetStringOr(spec, "prepend_scheme", legacy_prefix ? "always" : "never"));
    const bool split = TRY(GetBoolOr(spec, "split", true));
    PrefixScheme prefix = PrefixScheme::kNever;
    if (scheme == "always") {
      prefix = PrefixScheme::kAlways;
    } else if (scheme == "first") {
      prefix = PrefixScheme::kFirst;
    } else if (scheme != "never") {
      return Unsupported("the prepend_scheme", scheme);
    }
    prepends_ = prepends_ || prefix != PrefixScheme::kNever;
    auto made = TRY(MetaspacePreTokenizer::Create(std::move(replacement), prefix, split));
    stages_.push_back(std::move(made));
    return {};
  }

  Result<void> ReadSplitter(const Json& spec, const std::string& type) {
    if (type == "Split") {
      TRY(RefuseUnknownKeys(spec, {"type", "pattern", "behavior", "invert"}));
      Pattern pattern = TRY(ReadPattern(spec));
      const SplitBehavior behavior = TRY(ReadBehavior(spec, ""));
      const bool invert = TRY(GetBoolOr(spec, "invert", false));
      stages_.push_back(
          std::make_unique<SplitPreTokenizer>(std::move(pattern.regex), behavior, invert));
      return {};
    }
    if (type == "Digits") {
      TRY(RefuseUnknownKeys(spec, {"type", "individual_digits"}));
      const bool individual = TRY(GetBoolOr(spec, "individual_digits", false));
      return Add(
          SplitAt("\\p{N}", individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous));
    }
    if (type == "Punctuation") {
      TRY(RefuseUnknownKeys(spec, {"type", "behavior"}));
      const SplitBehavior behavior = TRY(ReadBehavior(spec, "Isolated"));
      return Add(SplitAt(kPunctuationPattern, behavior));
    }
    if (type == "Whitespace") {
      return Add(SplitAt("\\w+|[^\\w\\s]+", SplitBehavior::kRemoved, /*invert=*/true));
    }
    if (type == "WhitespaceSplit") return Add(SplitAt("\\s", SplitBehavior::kRemoved));
    if (type == "BertPreTokenizer") {
      TRY(Add(SplitAt("\\s", SplitBehavior::kRemoved)));
      return Add(SplitAt(kPunctuationPattern, SplitBehavior::kIsolated));
    }
    if (type == "CharDelimiterSplit") {
      const std::string delimiter = TRY(GetString(spec, "delimiter"));
      Regex regex = TRY(Regex::CreateLiteral(delimiter));
      stages_.push_back(
          std::make_unique<SplitPreTokenizer>(std::move(regex), SplitBehavior::kRemoved, false));
      return {};
    }
    return Unsupported("the pre-tokenizer", type);
  }

  std::vector<std::unique_ptr<PreTokenizer>> stages_;
  bool over_bytes_ = false;
  bool words_are_byte_level_ = false;
  bool prepends_ = false;
};

// The id of a [token, id] pair.
Result<TokenId> PairId(const Json& spec, const char* key) {
  const auto found = spec.find(key);
  std::optional<TokenId> id;
  if (found != spec.end() && found->is_array() && found->size() == 2) id = AsTokenId((*found)[1]);
  if (!id) {
    return Error(ErrorCode::kInvalidArgument,
                 "field '" + std::string(key) + "' must be a token and its id");
  }
  return *id;
}

Result<TokenId> TemplateTokenId(const Json& spec, const std::string& name) {
  const auto tokens = spec.find("special_tokens");
  if (tokens != spec.end() && tokens->is_object() && tokens->contains(name)) {
    const Json& token = (*tokens)[name];
    const Json* ids = Parts(token, "ids");
    const std::optional<TokenId> id =
        ids != nullptr && ids->size() == 1 ? AsTokenId((*ids)[0]) : std::nullopt;
    if (id) return *id;
  }
  return Error(ErrorCode::kInvalidArgument,
               "the template's token '" + name.substr(0, 64) + "' is not one of 'special_tokens'");
}

Result<Surroundings> ReadTemplate(const Json& spec) {
  const Json* single = Parts(spec, "single");
  if (single == nullptr) return Error(ErrorCode::kInvalidArgument, "a template needs 'single'");
  Surroundings around;
  bool behind = false;
  for (const Json& item : *single) {
    if (item.is_object() && item.contains("Sequence")) {
      behind = true;
      continue;
    }
    if (!item.is_object() || !item.contains("SpecialToken")) {
      return Error(ErrorCode::kInvalidArgument, "a template's part must be a token or a text");
    }
    const std::string name = TRY(GetString(item["SpecialToken"], "id"));
    std::optional<TokenId>& place = behind ? around.behind : around.before;
    if (place) {
      return Error(ErrorCode::kInvalidArgument,
                   "a template with more than one token on a side of the text is not supported");
    }
    place = TRY(TemplateTokenId(spec, name));
  }
  return around;
}

}  // namespace

Result<NormalizerSpec> ReadNormalizer(const Json& spec) {
  if (spec.is_null()) return NormalizerSpec{};
  NormalizerReader reader;
  std::unique_ptr<Normalizer> normalizer = TRY(reader.Read(spec, 0).WithContext("normalizer"));
  return NormalizerSpec{std::move(normalizer), reader.prepends()};
}

Result<PreTokenizerSpec> ReadPreTokenizer(const Json& spec) {
  if (spec.is_null()) return PreTokenizerSpec{};
  PreTokenizerReader reader;
  TRY(reader.Read(spec, 0).WithContext("pre_tokenizer"));
  return reader.Finish();
}

Result<Surroundings> ReadPostProcessor(const Json& spec) {
  if (spec.is_null()) return Surroundings{};
  const std::string type = TRY(GetString(spec, "type").WithContext("post_processor"));
  if (type == "ByteLevel") return Surroundings{};
  if (type == "TemplateProcessing") return ReadTemplate(spec).WithContext("post_processor");
  if (type == "BertProcessing" || type == "RobertaProcessing") {
    const TokenId before = TRY(PairId(spec, "cls").WithContext("post_processor"));
    const TokenId behind = TRY(PairId(spec, "sep").WithContext("post_processor"));
    return Surroundings{before, behind};
  }
  const Json* list = Parts(spec, "processors");
  if (type != "Sequence" || list == nullptr) return Unsupported("the post_processor", type);
  Surroundings around;
  for (const Json& part : *list) {
    const std::string part_type = TRY(GetString(part, "type").WithContext("post_processor"));
    if (part_type == "Sequence") return Unsupported("the nested post_processor", part_type);
    const Surroundings more = TRY(ReadPostProcessor(part));
    if ((more.before && around.before) || (more.behind && around.behind)) {
      return Error(ErrorCode::kInvalidArgument,
                   "post_processor: several templates that add tokens are not supported");
    }
    if (more.before) around.before = more.before;
    if (more.behind) around.behind = more.behind;
  }
  return around;
}

}  // namespace skerry::engine::internal
