#include "bundler/build/source_kinds.h"

#include <algorithm>
#include <array>

namespace skerry::build {

namespace {

template <size_t N>
bool IsOneOf(std::string_view text, const std::string_view (&list)[N]) {
  return std::find(std::begin(list), std::end(list), text) != std::end(list);
}

template <size_t N>
bool EndsWithOneOf(std::string_view text, const std::string_view (&list)[N]) {
  return std::any_of(std::begin(list), std::end(list),
                     [&](std::string_view suffix) { return text.ends_with(suffix); });
}

// `.msc` and its like are ModelScope's, the others git's, Hugging Face's and the Finder's.
constexpr std::string_view kLeftBehind[] = {".git",   ".gitattributes", ".gitignore",
                                            ".cache", ".huggingface",   ".DS_Store",
                                            ".msc",   ".mdl",           ".mv"};
constexpr std::string_view kUnfinishedSuffixes[] = {".incomplete", ".part", ".crdownload", ".aria2",
                                                    ".downloading"};
// Folders in which publishers repeat the weights for other programs.
constexpr std::string_view kOtherFolders[] = {"onnx", "original", "openvino", "coreml", "flax"};
constexpr std::string_view kOtherSuffixes[] = {".bin", ".pt",   ".pth",     ".ckpt", ".h5",
                                               ".pkl", ".onnx", ".msgpack", ".ot",   ".tflite"};
constexpr std::string_view kModelSuffixes[] = {
    ".safetensors", ".gguf", ".safetensors.index.json", ".jinja", ".txt", ".md", ".tiktoken"};
// By their last part, in any folder: embedding models have `1_Pooling/config.json`.
constexpr std::string_view kModelNames[] = {"config.json",
                                            "generation_config.json",
                                            "params.json",
                                            "preprocessor_config.json",
                                            "processor_config.json",
                                            "video_preprocessor_config.json",
                                            "tokenizer.json",
                                            "tokenizer_config.json",
                                            "tokenizer.model",
                                            "spiece.model",
                                            "sentencepiece.bpe.model",
                                            "tiktoken.model",
                                            "vocab.json",
                                            "special_tokens_map.json",
                                            "added_tokens.json",
                                            "chat_template.json",
                                            "tekken.json",
                                            "modules.json",
                                            "sentence_bert_config.json",
                                            "config_sentence_transformers.json",
                                            "quantize_config.json",
                                            "quantization_config.json",
                                            "hf_quant_config.json"};
constexpr std::string_view kDocumentPrefixes[] = {"license", "licence", "notice", "use_policy",
                                                  "copying"};

std::string Folded(std::string_view text) {
  std::string folded(text);
  for (char& c : folded) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return folded;
}

bool IsDocument(std::string_view name) {
  const std::string folded = Folded(name);
  if (folded == "readme.md") return true;
  const std::string_view suffix =
      std::string_view(folded).substr(std::min(folded.size(), folded.rfind('.')));
  // LICENSE, LICENSE.txt, LICENSE-MODEL, LICENSE-2.0: not license.py.
  constexpr std::string_view kTexts[] = {"", ".txt", ".md", ".rst", ".0"};
  return IsOneOf(suffix, kTexts) &&
         std::any_of(std::begin(kDocumentPrefixes), std::end(kDocumentPrefixes),
                     [&](std::string_view prefix) { return folded.starts_with(prefix); });
}

std::string_view LastPart(std::string_view name) { return name.substr(name.rfind('/') + 1); }
std::string_view FirstPart(std::string_view name) { return name.substr(0, name.find('/')); }

}  // namespace

NameKind KindOfName(std::string_view name) {
  const std::string_view last = LastPart(name);
  if (IsOneOf(last, kLeftBehind) || last.ends_with(".lock")) return NameKind::kLeftBehind;
  if (EndsWithOneOf(last, kUnfinishedSuffixes)) return NameKind::kUnfinished;
  if (IsOneOf(FirstPart(name), kOtherFolders)) return NameKind::kOtherWeights;
  if (last == name && IsDocument(name)) return NameKind::kDocument;
  if (last.ends_with(".gguf") && Folded(last).find("mmproj") != std::string::npos) {
    return NameKind::kProjector;
  }
  // Mistral also publishes versions by suffix: tokenizer.model.v3.
  if (EndsWithOneOf(last, kModelSuffixes) || IsOneOf(last, kModelNames) || last == "merges.txt" ||
      last.starts_with("tokenizer.model.v")) {
    return NameKind::kModel;
  }
  if (EndsWithOneOf(last, kOtherSuffixes)) return NameKind::kOtherWeights;
  return NameKind::kUnknown;
}

std::string ExcludePattern(std::string_view name) {
  if (IsOneOf(FirstPart(name), kOtherFolders)) return std::string(FirstPart(name));
  // pytorch_model-00001-of-00002.bin and pytorch_model.bin.
  const std::string_view last = LastPart(name);
  const size_t dot = last.rfind('.');
  const size_t digits = last.find("-0");
  const std::string folder(name.substr(0, name.size() - last.size()));
  if (digits == std::string_view::npos || digits > dot) return std::string(name);
  return folder + std::string(last.substr(0, digits)) + "*" + std::string(last.substr(dot));
}

std::optional<GgufPart> ParseGgufPart(std::string_view name) {
  constexpr std::string_view kPattern = "-00001-of-00001.gguf";
  if (name.size() <= kPattern.size() || !name.ends_with(".gguf")) return std::nullopt;
  const std::string_view tail = name.substr(name.size() - kPattern.size());
  if (tail[0] != '-' || tail.substr(6, 4) != "-of-") return std::nullopt;
  auto number = [](std::string_view digits) {
    int value = 0;
    for (const char c : digits) {
      if (c < '0' || c > '9') return -1;
      value = value * 10 + (c - '0');
    }
    return value;
  };
  GgufPart part{name.substr(0, name.size() - kPattern.size()), number(tail.substr(1, 5)),
                number(tail.substr(10, 5))};
  if (part.part < 1 || part.part > part.count) return std::nullopt;
  return part;
}

}  // namespace skerry::build
