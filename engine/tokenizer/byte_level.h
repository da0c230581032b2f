// How byte-level vocabularies spell bytes: each as one printable character (GPT-2's table).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace skerry::engine {

// The character that stands for `byte`.
uint32_t ByteLevelChar(uint8_t byte);

// The bytes that `text` (valid UTF-8) spells; nullopt when a character of it stands for none.
std::optional<std::string> DecodeByteLevel(std::string_view text);
std::string EncodeByteLevel(std::string_view bytes);

}  // namespace skerry::engine
