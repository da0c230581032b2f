// `skerry-engine tokenize`: token ids of texts, for comparing with another implementation.
#pragma once

#include <string>
#include <string_view>

#include "appliance/base/result.h"

namespace skerry::engine {

struct TokenizeCommand {
  std::string model_path;  // as LoadTokenizer takes it; tokenizer files are enough
  bool special = false;    // names of control tokens in the text become them; begin token as the
                           // checkpoint wants it
  bool json = false;       // the input is a JSON array of strings, the output one array per string
};

// One JSON document and a newline: [ids], or [[ids], ...].
Result<std::string> RunTokenize(const TokenizeCommand& command, std::string_view input);

// Longest input that the program reads.
inline constexpr size_t kMaxTokenizeInput = 64 << 20;

}  // namespace skerry::engine
