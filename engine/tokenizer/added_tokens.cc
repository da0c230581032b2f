#include "engine/tokenizer/added_tokens.h"

#include <algorithm>
#include <iterator>

#include "engine/unicode/category.h"
#include "engine/unicode/code_points.h"

namespace skerry::engine {
namespace {

using unicode::IsWhiteSpace;
using unicode::IsWordChar;
using unicode::NextCodePoint;
using unicode::PreviousStart;

constexpr uint32_t kSpaceSymbol = 0x2581;

// Elements that vocabularies have tags of.
constexpr std::string_view kElements[] = {
    "a",      "abbr",    "article", "aside",  "b",       "bbox",   "blockquote", "body",   "br",
    "button", "caption", "code",    "dd",     "del",     "div",    "dl",         "dt",     "em",
    "figure", "footer",  "form",    "h1",     "h2",      "h3",     "h4",         "h5",     "h6",
    "head",   "header",  "hr",      "html",   "i",       "iframe", "img",        "input",  "ins",
    "kbd",    "li",      "link",    "main",   "mark",    "meta",   "nav",        "ol",     "p",
    "pre",    "q",       "s",       "script", "section", "small",  "span",       "strong", "style",
    "sub",    "sup",     "svg",     "table",  "tbody",   "td",     "textarea",   "tfoot",  "th",
    "thead",  "title",   "tr",      "u",      "ul",      "var",    "video"};

bool IsTag(std::string_view name) {
  if (name.size() < 3 || name.front() != '<' || name.back() != '>') return false;
  name = name.substr(1, name.size() - 2);
  if (name.front() == '/') name.remove_prefix(1);
  return std::ranges::find(kElements, name) != std::end(kElements);
}

}  // namespace

bool IsPlainName(std::string_view name) {
  if (name.empty()) return false;
  for (size_t at = 0; at < name.size();) {
    const uint32_t c = NextCodePoint(name, &at);
    if (!IsWhiteSpace(c) && c != kSpaceSymbol) return IsTag(name);
  }
  return true;
}

AddedTokens::AddedTokens(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  for (uint32_t i = 0; i < tokens_.size(); ++i) Insert(i);
}

void AddedTokens::Insert(uint32_t token) {
  const AddedToken& added = tokens_[token];
  if (added.text.empty()) return;
  uint32_t node = 0;
  for (const char c : added.text) {
    const uint64_t edge = uint64_t{node} << 8 | static_cast<uint8_t>(c);
    const auto [found, is_new] = edges_.emplace(edge, static_cast<uint32_t>(token_of_node_.size()));
    if (is_new) token_of_node_.push_back(-1);
    node = found->second;
  }
  if (token_of_node_[node] >= 0) return;
  token_of_node_[node] = token;
  const auto first = static_cast<uint8_t>(added.text[0]);
  begins_[first] = true;
  if (added.plain) begins_plain_[first] = has_plain_ = true;
}

std::optional<TokenId> AddedTokens::Find(std::string_view name) const {
  uint32_t node = 0;
  for (const char c : name) {
    const auto edge = edges_.find(uint64_t{node} << 8 | static_cast<uint8_t>(c));
    if (edge == edges_.end()) return std::nullopt;
    node = edge->second;
  }
  if (token_of_node_[node] < 0) return std::nullopt;
  return tokens_[static_cast<size_t>(token_of_node_[node])].id;
}

AddedTokens AddedTokens::Below(TokenId limit) const {
  std::vector<AddedToken> kept;
  std::ranges::copy_if(tokens_, std::back_inserter(kept),
                       [&](const AddedToken& token) { return token.id < limit; });
  return AddedTokens(std::move(kept));
}

// The longest token at `at` that is plain or ends by `trusted_end`.
AddedTokens::Found AddedTokens::LongestAt(std::string_view text, size_t at,
                                          size_t trusted_end) const {
  Found best;
  uint32_t node = 0;
  for (size_t i = at; i < text.size(); ++i) {
    if (i >= trusted_end && !has_plain_) break;
    const auto edge = edges_.find(uint64_t{node} << 8 | static_cast<uint8_t>(text[i]));
    if (edge == edges_.end()) break;
    node = edge->second;
    if (token_of_node_[node] < 0) continue;
    const auto token = static_cast<uint32_t>(token_of_node_[node]);
    if (i < trusted_end || tokens_[token].plain) best = {i + 1 - at, token};
  }
  return best;
}

bool AddedTokens::WordTouches(std::string_view text, size_t start, size_t end) const {
  if (start > 0) {
    size_t before = PreviousStart(text, start);
    if (IsWordChar(NextCodePoint(text, &before))) return true;
  }
  return end < text.size() && IsWordChar(NextCodePoint(text, &end));
}

std::vector<AddedTokens::Part> AddedTokens::Split(std::string_view text,
                                                  std::span<const TextRange> trusted) const {
  std::vector<Part> parts;
  size_t done = 0;  // everything before is in `parts` or taken away
  auto range = trusted.begin();
  for (size_t at = 0; at < text.size();) {
    while (range != trusted.end() && range->end <= at) ++range;
    const bool inside = range != trusted.end() && range->start <= at;
    if (!inside && !has_plain_) {
      if (range == trusted.end()) break;
      at = range->start;
      continue;
    }
    const auto first = static_cast<uint8_t>(text[at]);
    if (!(inside ? begins_ : begins_plain_)[first]) {
      ++at;
      continue;
    }
    const Found found = LongestAt(text, at, inside ? range->end : 0);
    if (found.length == 0) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[found.token];
    size_t start = at;
    size_t end = at + found.length;
    at = end;
    if (token.whole_word && WordTouches(text, start, end)) continue;
    while (token.strip_left && start > done) {
      size_t before = PreviousStart(text, start);
      const size_t previous = before;
      if (!IsWhiteSpace(NextCodePoint(text, &before))) break;
      start = previous;
    }
    while (token.strip_right && end < text.size()) {
      size_t next = end;
      if (!IsWhiteSpace(NextCodePoint(text, &next))) break;
      end = next;
    }
    if (start > done) parts.push_back({done, start, -1});
    parts.push_back({start, end, token.id});
    done = at = end;
  }
  if (done < text.size()) parts.push_back({done, text.size(), -1});
  return parts;
}

}  // namespace skerry::engine
