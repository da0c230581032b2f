#include "engine/formats/gguf_parts.h"

#include <algorithm>

namespace skerry::engine {
namespace {

constexpr std::string_view kSuffix = ".gguf";
constexpr std::string_view kPattern = "-00001-of-00001.gguf";
constexpr size_t kDigits = 5;
constexpr std::string_view kOf = "-of-";

// -1 when a character is no digit.
int Number(std::string_view digits) {
  int value = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return -1;
    value = value * 10 + (c - '0');
  }
  return value;
}

std::string FiveDigits(int value) {
  const std::string digits = std::to_string(value);
  return std::string(kDigits - std::min(kDigits, digits.size()), '0') + digits;
}

}  // namespace

std::string GgufPartName::Part(int other) const {
  return stem + "-" + FiveDigits(other) + std::string(kOf) + FiveDigits(count) +
         std::string(kSuffix);
}

std::optional<GgufPartName> ParseGgufPartName(std::string_view name) {
  if (name.size() <= kPattern.size() || !name.ends_with(kSuffix)) return std::nullopt;
  const size_t stem_size = name.size() - kPattern.size();
  const std::string_view tail = name.substr(stem_size);
  if (tail[0] != '-' || tail.substr(1 + kDigits, kOf.size()) != kOf) return std::nullopt;
  GgufPartName part{std::string(name.substr(0, stem_size)), Number(tail.substr(1, kDigits)),
                    Number(tail.substr(1 + kDigits + kOf.size(), kDigits))};
  if (part.number < 1 || part.number > part.count) return std::nullopt;
  return part;
}

std::vector<std::string> GgufCheckpoints(std::span<const std::string> names) {
  std::vector<std::string> out;
  for (const std::string& name : names) {
    if (!name.ends_with(kSuffix)) continue;
    const std::optional<GgufPartName> part = ParseGgufPartName(name);
    bool earlier = false;  // a part before it is there
    for (int other = 1; part && other < part->number && !earlier; ++other) {
      earlier = std::ranges::find(names, part->Part(other)) != names.end();
    }
    if (!earlier) out.push_back(name);
  }
  return out;
}

}  // namespace skerry::engine
