#include "engine/tokenizer/pre_patterns.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace skerry::engine {
namespace {

// The patterns as the models' own tokenizer.json files have them; the names are those that
// llama.cpp's converter writes (convert_hf_to_gguf_update.py).
#define SKERRY_CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define SKERRY_SPACES "\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

constexpr std::string_view kLlama3[] = {
    SKERRY_CONTRACTIONS
    "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" SKERRY_SPACES};
constexpr std::string_view kQwen2[] = {
    SKERRY_CONTRACTIONS
    "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" SKERRY_SPACES};
constexpr std::string_view kQwen35[] = {SKERRY_CONTRACTIONS
                                        "|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}| "
                                        "?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|" SKERRY_SPACES};
constexpr std::string_view kTekken[] = {
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+|"
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*|"
    "\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" SKERRY_SPACES};
constexpr std::string_view kGpt4o[] = {
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
    "+" SKERRY_CONTRACTIONS
    "?|"
    "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
    "*" SKERRY_CONTRACTIONS
    "?|"
    "\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|" SKERRY_SPACES};
constexpr std::string_view kGpt2[] = {kGpt2Pattern};
constexpr std::string_view kStarcoder[] = {"\\p{N}", kGpt2Pattern};
constexpr std::string_view kFalcon[] = {"[\\p{P}\\$\\+<=>\\^~\\|`]+", kGpt2Pattern,
                                        "[0-9][0-9][0-9]"};
constexpr std::string_view kDeepseek3[] = {
    "\\p{N}{1,3}", "[\u4E00-\u9FA5\u3040-\u309F\u30A0-\u30FF]+",
    "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|"
    "[^\\r\\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+| ?[\\p{P}\\p{S}]+[\\r\\n]*|" SKERRY_SPACES};
constexpr std::string_view kDeepseekCoder[] = {"[\\r\\n]", "\\s?\\p{L}+", "\\s?\\p{P}+",
                                               "[\u4E00-\u9FA5\u0800-\u4E00\uAC00-\uD7FF]+",
                                               "\\p{N}"};
// Letters with case, as that tokenizer lists them.
constexpr std::string_view kDeepseekLlm[] = {
    "[\\r\\n]",
    "\\s?[A-Za-z\\x{B5}\\x{C0}-\\x{D6}\\x{D8}-\\x{F6}\\x{F8}-\\x{1BA}\\x{1BC}-\\x{1BF}"
    "\\x{1C4}-\\x{293}\\x{295}-\\x{2AF}\\x{370}-\\x{373}\\x{376}\\x{377}\\x{37B}-\\x{37D}"
    "\\x{37F}\\x{386}\\x{388}-\\x{38A}\\x{38C}\\x{38E}-\\x{3A1}\\x{3A3}-\\x{3F5}"
    "\\x{3F7}-\\x{481}\\x{48A}-\\x{52F}\\x{531}-\\x{556}\\x{10A0}-\\x{10C5}\\x{13A0}-\\x{13F5}"
    "\\x{13F8}-\\x{13FD}\\x{1C90}-\\x{1CBA}\\x{1CBD}-\\x{1CBF}\\x{1D00}-\\x{1D2B}"
    "\\x{1D6B}-\\x{1D77}\\x{1D79}-\\x{1D9A}\\x{1E00}-\\x{1F15}\\x{1F18}-\\x{1F1D}"
    "\\x{1F20}-\\x{1F45}\\x{1F48}-\\x{1F4D}\\x{1F50}-\\x{1F57}\\x{1F59}\\x{1F5B}\\x{1F5D}"
    "\\x{1F5F}-\\x{1F7D}\\x{1F80}-\\x{1FB4}\\x{1FB6}-\\x{1FBC}\\x{1FBE}\\x{1FC2}-\\x{1FC4}"
    "\\x{1FC6}-\\x{1FCC}\\x{1FD0}-\\x{1FD3}\\x{1FD6}-\\x{1FDB}\\x{1FE0}-\\x{1FEC}"
    "\\x{1FF2}-\\x{1FF4}\\x{1FF6}-\\x{1FFC}\\x{2102}\\x{2107}\\x{210A}-\\x{2113}\\x{2115}"
    "\\x{2119}-\\x{211D}\\x{2124}\\x{2126}\\x{2128}\\x{212A}-\\x{212D}\\x{212F}-\\x{2134}"
    "\\x{2139}\\x{213C}-\\x{213F}\\x{2145}-\\x{2149}\\x{214E}\\x{2183}\\x{2184}"
    "\\x{2C00}-\\x{2C7B}\\x{2C7E}-\\x{2CE4}\\x{2CEB}-\\x{2CEE}\\x{2CF2}\\x{2CF3}"
    "\\x{A640}-\\x{A66D}\\x{A680}-\\x{A69B}\\x{A722}-\\x{A76F}\\x{A771}-\\x{A787}"
    "\\x{A78B}-\\x{A78E}\\x{AB70}-\\x{ABBF}\\x{FB00}-\\x{FB06}\\x{FB13}-\\x{FB17}"
    "\\x{FF21}-\\x{FF3A}\\x{FF41}-\\x{FF5A}\\x{10400}-\\x{1044F}\\x{104B0}-\\x{104D3}"
    "\\x{104D8}-\\x{104FB}\\x{10C80}-\\x{10CB2}\\x{10CC0}-\\x{10CF2}\\x{118A0}-\\x{118DF}"
    "\\x{1E900}-\\x{1E943}]+",
    "\\s?[!-/:-~\uFF01-\uFF0F\uFF1A-\uFF5E\u2018-\u201F\u3000-\u3002]+",
    "\\s+$",
    "[\u4E00-\u9FA5\u0800-\u4E00\uAC00-\uD7FF]+",
    "\\p{N}+"};

#undef SKERRY_CONTRACTIONS
#undef SKERRY_SPACES

constexpr std::string_view kLlama3Names[] = {"llama-bpe", "llama3", "llama-v3", "falcon3"};
constexpr std::string_view kDbrxNames[] = {"dbrx", "smaug-bpe", "chatglm-bpe", "glm4"};
constexpr std::string_view kQwen2Names[] = {"qwen2", "deepseek-r1-qwen", "megrez"};
constexpr std::string_view kQwen35Names[] = {"qwen35"};
constexpr std::string_view kTekkenNames[] = {"tekken", "pixtral"};
constexpr std::string_view kGpt4oNames[] = {"gpt-4o", "llama4"};
constexpr std::string_view kGpt2Names[] = {"gpt-2", "mpt", "olmo", "jais", "phi-2"};
constexpr std::string_view kStarcoderNames[] = {"starcoder", "refact", "command-r", "smollm",
                                                "codeshell", "exaone", "minerva-7b"};
constexpr std::string_view kFalconNames[] = {"falcon"};
constexpr std::string_view kDeepseek3Names[] = {"deepseek-v3"};
constexpr std::string_view kDeepseekCoderNames[] = {"deepseek-coder"};
constexpr std::string_view kDeepseekLlmNames[] = {"deepseek-llm"};

constexpr PrePattern kPatterns[] = {
    {kLlama3Names, kLlama3, /*whole_words_first=*/true, /*nfc=*/false, /*add_bos=*/true},
    {kDbrxNames, kLlama3},
    {kQwen2Names, kQwen2, /*whole_words_first=*/false, /*nfc=*/true},
    {kQwen35Names, kQwen35, /*whole_words_first=*/false, /*nfc=*/true},
    {kTekkenNames, kTekken, /*whole_words_first=*/true, /*nfc=*/false, /*add_bos=*/true},
    {kGpt4oNames, kGpt4o},
    {kGpt2Names, kGpt2},
    {kStarcoderNames, kStarcoder},
    {kFalconNames, kFalcon},
    {kDeepseek3Names, kDeepseek3},
    {kDeepseekCoderNames, kDeepseekCoder},
    {kDeepseekLlmNames, kDeepseekLlm},
};

}  // namespace

Result<const PrePattern*> FindPrePattern(std::string_view name) {
  std::string known;
  for (const PrePattern& pattern : kPatterns) {
    for (const std::string_view known_name : pattern.names) {
      if (known_name == name) return &pattern;
      known += (known.empty() ? "" : ", ") + std::string(known_name);
    }
  }
  return Error(ErrorCode::kInvalidArgument,
               "tokenizer.ggml.pre '" + std::string(name.substr(0, 64)) +
                   "' is not supported; these are: " + known +
                   ". Put the checkpoint's tokenizer.json beside the weights instead");
}

Result<std::unique_ptr<PreTokenizer>> MakePreTokenizer(const PrePattern& pattern) {
  std::vector<std::unique_ptr<PreTokenizer>> stages;
  for (const std::string_view text : pattern.patterns) {
    Regex regex = TRY(Regex::Create(text));
    stages.push_back(std::make_unique<SplitPreTokenizer>(std::move(regex), SplitBehavior::kIsolated,
                                                         /*invert=*/false));
  }
  if (stages.size() == 1) return std::move(stages[0]);
  return std::unique_ptr<PreTokenizer>(std::make_unique<PreTokenizerSequence>(std::move(stages)));
}

}  // namespace skerry::engine
