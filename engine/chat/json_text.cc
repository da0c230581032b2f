#include "engine/chat/json_text.h"

#include <cstdint>

namespace skerry::engine {
namespace {

bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

std::string_view Trim(std::string_view text) {
  while (!text.empty() && IsSpace(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsSpace(text.back())) text.remove_suffix(1);
  return text;
}

// Position behind the string that begins at `at`.
size_t StringEnd(std::string_view json, size_t at) {
  for (++at; at < json.size(); ++at) {
    if (json[at] == '\\') {
      ++at;
    } else if (json[at] == '"') {
      return at + 1;
    }
  }
  return json.size();
}

void AppendUtf8(uint32_t code, std::string& out) {
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xC0 | code >> 6);
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | code >> 12);
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | code >> 18);
    out += static_cast<char>(0x80 | (code >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (code & 0x3F));
  }
}

uint32_t HexFour(std::string_view digits) {
  uint32_t value = 0;
  for (const char c : digits.substr(0, 4)) {
    const uint32_t low = static_cast<uint8_t>(c) & 0x0F;
    value = value * 16 + (c > '9' ? low + 9 : low);
  }
  return value;
}

// `quoted` with its quotes.
std::string Unquote(std::string_view quoted) {
  std::string out;
  if (quoted.size() < 2) return out;
  const std::string_view text = quoted.substr(1, quoted.size() - 2);
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    const char kind = text[++i];
    static constexpr std::string_view kNames = "bfnrt";
    static constexpr std::string_view kValues = "\b\f\n\r\t";
    const size_t named = kNames.find(kind);
    if (kind != 'u') {
      out += named == std::string_view::npos ? kind : kValues[named];
      continue;
    }
    if (i + 4 >= text.size()) return out;
    uint32_t code = HexFour(text.substr(i + 1));
    i += 4;
    if (code >= 0xD800 && code < 0xDC00 && i + 6 < text.size() && text[i + 1] == '\\') {
      code = 0x10000 + ((code - 0xD800) << 10) + (HexFour(text.substr(i + 3)) - 0xDC00);
      i += 6;
    }
    AppendUtf8(code, out);
  }
  return out;
}

// The parts between the commas of the outermost array or object.
std::vector<std::string_view> SplitParts(std::string_view json) {
  std::vector<std::string_view> parts;
  json = Trim(json);
  if (json.size() < 2 || (json[0] != '[' && json[0] != '{')) return parts;
  const std::string_view inner = json.substr(1, json.size() - 2);
  size_t start = 0;
  int depth = 0;
  for (size_t at = 0; at < inner.size();) {
    const char c = inner[at];
    if (c == '"') {
      at = StringEnd(inner, at);
      continue;
    }
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') --depth;
    if (c == ',' && depth == 0) {
      parts.push_back(Trim(inner.substr(start, at - start)));
      start = at + 1;
    }
    ++at;
  }
  const std::string_view last = Trim(inner.substr(start));
  if (!last.empty()) parts.push_back(last);
  return parts;
}

}  // namespace

std::string QuoteJson(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    static constexpr std::string_view kValues = "\"\\\b\f\n\r\t";
    static constexpr std::string_view kNames = "\"\\bfnrt";
    const size_t named = kValues.find(c);
    if (named != std::string_view::npos) {
      out += '\\';
      out += kNames[named];
    } else if (static_cast<uint8_t>(c) < 0x20) {
      static constexpr std::string_view kDigits = "0123456789abcdef";
      out += "\\u00";
      out += kDigits[static_cast<uint8_t>(c) >> 4];
      out += kDigits[static_cast<uint8_t>(c) & 15];
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string PythonJson(std::string_view json) {
  std::string out;
  out.reserve(json.size() + json.size() / 8);
  for (size_t at = 0; at < json.size();) {
    const char c = json[at];
    if (c == '"') {
      const size_t end = StringEnd(json, at);
      out += QuoteJson(Unquote(json.substr(at, end - at)));
      at = end;
      continue;
    }
    if (!IsSpace(c)) out += c;
    if (c == ',' || c == ':') out += ' ';
    ++at;
  }
  return out;
}

std::vector<std::string_view> RawElements(std::string_view array) { return SplitParts(array); }

std::vector<std::pair<std::string, std::string_view>> RawMembers(std::string_view object) {
  std::vector<std::pair<std::string, std::string_view>> members;
  for (const std::string_view part : SplitParts(object)) {
    if (!part.starts_with('"')) continue;
    const size_t end = StringEnd(part, 0);
    const size_t colon = part.find(':', end);
    if (colon == std::string_view::npos) continue;
    members.emplace_back(Unquote(part.substr(0, end)), Trim(part.substr(colon + 1)));
  }
  return members;
}

std::string_view RawMember(std::string_view object, std::string_view key) {
  for (const auto& [name, value] : RawMembers(object)) {
    if (name == key) return value;
  }
  return {};
}

}  // namespace skerry::engine
