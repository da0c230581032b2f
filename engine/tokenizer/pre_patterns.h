// How texts are cut into words, by the names that GGUF files give it (tokenizer.ggml.pre): a GGUF
// file does not hold the patterns themselves.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "appliance/base/result.h"
#include "engine/tokenizer/pre_tokenizer.h"

namespace skerry::engine {

struct PrePattern {
  std::span<const std::string_view> names;     // all that mean this
  std::span<const std::string_view> patterns;  // each cuts what the one before left
  bool whole_words_first = false;              // BpeOptions
  bool nfc = false;                            // texts are brought into NFC before
  bool add_bos = false;                        // where the file does not say
};

// kInvalidArgument with the names there are for one that is not among them.
Result<const PrePattern*> FindPrePattern(std::string_view name);
Result<std::unique_ptr<PreTokenizer>> MakePreTokenizer(const PrePattern& pattern);

}  // namespace skerry::engine
