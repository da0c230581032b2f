// Methods of str. Pieces of a text keep their origins; what is made new takes its character's.
#include <algorithm>
#include <cstring>

#include "engine/jinja/internal/format.h"
#include "engine/jinja/internal/markup.h"
#include "engine/jinja/internal/text_tools.h"
#include "engine/jinja/internal/unicode.h"

namespace skerry::engine::jinja {

Value Piece(Interpreter& in, const Text& text, size_t begin, size_t end) {
  return Value::Of(
      SliceText(in.arena(), &text, static_cast<uint32_t>(begin), static_cast<uint32_t>(end)));
}

size_t FindText(std::string_view text, std::string_view part, size_t from) {
  if (from > text.size()) return std::string_view::npos;
  if (part.empty()) return from;
  if (text.empty()) return std::string_view::npos;  // it may have no address
  const void* at = memmem(text.data() + from, text.size() - from, part.data(), part.size());
  return at == nullptr ? std::string_view::npos
                       : static_cast<size_t>(static_cast<const char*>(at) - text.data());
}

Value Strip(Interpreter& in, const Text& text, const Text* chars, bool left, bool right) {
  const std::string_view view = text.view();
  size_t begin = 0;
  size_t end = view.size();
  if (chars == nullptr) {
    if (left) begin = end - TrimSpaceLeft(view).size();
    if (right) end = begin + TrimSpaceRight(view.substr(begin)).size();
    return Piece(in, text, begin, end);
  }
  std::vector<uint32_t> set;
  for (uint32_t at = 0; at < chars->size;) set.push_back(DecodeChar(chars->view(), &at));
  std::sort(set.begin(), set.end());
  const auto strips = [&](size_t at) {
    uint32_t next = static_cast<uint32_t>(at);
    return std::binary_search(set.begin(), set.end(), DecodeChar(view, &next));
  };
  while (left && begin < end && strips(begin)) begin += CharBytes(view[begin]);
  while (right && end > begin) {
    size_t last = end - 1;
    while ((static_cast<unsigned char>(view[last]) & 0xC0) == 0x80) --last;
    if (!strips(last)) break;
    end = last;
  }
  return Piece(in, text, begin, end);
}

Result<Value> Replace(Interpreter& in, const Text& text, const Text& old, const Text& fresh,
                      int64_t count) {
  TRY(in.StepBytes(text.size));
  TextBuilder out(in.arena());
  const std::string_view view = text.view();
  size_t at = 0;
  size_t from = 0;
  for (; count != 0; count = count < 0 ? count : count - 1) {
    const size_t found = FindText(view, old.view(), from);
    if (found == std::string_view::npos) break;
    TRY(in.StepBytes(fresh.size));
    out.Append(text, static_cast<uint32_t>(at), static_cast<uint32_t>(found));
    // What stands for the request's text counts as the request's, whoever wrote it.
    bool request = old.size == 0 ? text.request : false;
    for (size_t i = found; i < found + old.size && !request && text.request; ++i) {
      request = text.RequestAt(static_cast<uint32_t>(i));
    }
    out.Append(fresh, 0, fresh.size, request);
    at = found + old.size;
    from = old.size > 0 ? at : at + (at < view.size() ? CharBytes(view[at]) : 1);
  }
  out.Append(text, static_cast<uint32_t>(at), text.size);
  return Value::Of(WithMarkup(in.arena(), out.Finish(), text.markup));
}

Result<Value> Join(Interpreter& in, const Text& separator, std::span<const Value> items,
                   bool convert) {
  TextBuilder out(in.arena());
  for (size_t i = 0; i < items.size(); ++i) {
    if (!convert && !items[i].is_text()) {
      return in.Fail("sequence item " + std::to_string(i) + ": expected str instance, " +
                     std::string(TypeName(items[i])) + " found");
    }
    const Text* item = TRY(in.ToText(items[i]));
    if (separator.markup && !convert) item = EscapeUnlessMarkup(in.arena(), item);
    TRY(in.StepBytes(item->size + separator.size));
    if (i > 0) out.Append(separator);
    out.Append(*item);
  }
  return Value::Of(WithMarkup(in.arena(), out.Finish(), separator.markup && !convert));
}

Value CaseOf(Interpreter& in, const Text& text, Case wanted) {
  TextBuilder out(in.arena());
  AppendCasedAll(&out, text, wanted);
  return Value::Of(WithMarkup(in.arena(), out.Finish(), text.markup));
}

Value Capitalize(Interpreter& in, const Text& text) {
  TextBuilder out(in.arena());
  for (uint32_t at = 0; at < text.size;) {
    at = AppendCased(&out, text, at, at == 0 ? Case::kTitle : Case::kLower);
  }
  return Value::Of(WithMarkup(in.arena(), out.Finish(), text.markup));
}

namespace {

const Text& Self(Call& call) { return *call.self.text; }

Result<const Text*> TextArg(Interpreter& in, const Value& arg, const Text* fallback = nullptr) {
  if (arg.missing() || (arg.is_none() && fallback == nullptr)) return fallback;
  if (!arg.is_text()) {
    return in.Fail("a string is needed, not " + std::string(TypeName(arg)));
  }
  return arg.text;
}

Result<int64_t> IntArg(Interpreter& in, const Value& arg, int64_t fallback) {
  if (arg.missing()) return fallback;
  if (!arg.is_integral()) {
    return in.Fail("'" + std::string(TypeName(arg)) +
                   "' object cannot be interpreted as an integer");
  }
  return arg.AsInt();
}

template <bool left, bool right>
Result<Value> StripMethod(Interpreter& in, Call& call) {
  const Text* chars = TRY(TextArg(in, call.arg[0]));
  TRY(in.StepBytes(Self(call).size));
  return Strip(in, Self(call), chars, left, right);
}

template <bool at_end>
Result<Value> Affix(Interpreter& in, Call& call) {
  // One string or a tuple of them, and an optional range.
  Value self = call.self;
  if (!call.arg[1].missing() || !call.arg[2].missing()) {
    const Value none = Value::None();
    self = TRY(in.Slice(self, call.arg[1].missing() ? none : call.arg[1],
                        call.arg[2].missing() ? none : call.arg[2], none));
    if (!self.is_text()) return in.Fail("slice indices must be integers");
  }
  std::span<const Value> options(&call.arg[0], 1);
  if (call.arg[0].is_list(ListKind::kTuple)) options = TRY(in.Iterate(call.arg[0]));
  for (const Value& option : options) {
    if (!option.is_text()) return in.Fail("startswith and endswith need a string or a tuple");
    const std::string_view part = option.text->view();
    if (at_end ? self.text->view().ends_with(part) : self.text->view().starts_with(part)) {
      return Value::Bool(true);
    }
  }
  return Value::Bool(false);
}

template <Case wanted>
Result<Value> CaseMethod(Interpreter& in, Call& call) {
  TRY(in.StepBytes(Self(call).size * uint64_t{8}));
  return CaseOf(in, Self(call), wanted);
}

Result<Value> CapitalizeMethod(Interpreter& in, Call& call) {
  TRY(in.StepBytes(Self(call).size * uint64_t{8}));
  return Capitalize(in, Self(call));
}

Result<Value> TitleMethod(Interpreter& in, Call& call) {
  TRY(in.StepBytes(Self(call).size * uint64_t{8}));
  TextBuilder out(in.arena());
  bool in_word = false;
  for (uint32_t at = 0; at < Self(call).size;) {
    uint32_t next = at;
    const bool cased = IsCased(DecodeChar(Self(call).view(), &next));
    at = AppendCased(&out, Self(call), at, in_word ? Case::kLower : Case::kTitle);
    in_word = cased;
  }
  return Value::Of(WithMarkup(in.arena(), out.Finish(), Self(call).markup));
}

Result<Value> ReplaceMethod(Interpreter& in, Call& call) {
  const Text* old = TRY(TextArg(in, call.arg[0]));
  const Text* fresh = TRY(TextArg(in, call.arg[1]));
  if (old == nullptr || fresh == nullptr) return in.Fail("replace() needs strings");
  if (Self(call).markup) {
    old = EscapeUnlessMarkup(in.arena(), old);
    fresh = EscapeUnlessMarkup(in.arena(), fresh);
  }
  const int64_t count = TRY(IntArg(in, call.arg[2], -1));
  return Replace(in, Self(call), *old, *fresh, count);
}

Result<Value> JoinMethod(Interpreter& in, Call& call) {
  const std::span<const Value> items = TRY(in.Iterate(call.arg[0]));
  return Join(in, Self(call), items, /*convert=*/false);
}

// find, rfind, index, rindex, count on the range [start, end).
enum class Search : uint8_t { kFind, kLast, kCount };
template <Search search, bool raises>
Result<Value> SearchMethod(Interpreter& in, Call& call) {
  const Text* part = TRY(TextArg(in, call.arg[0]));
  if (part == nullptr) return in.Fail("a string is needed");
  const int64_t n = Self(call).n_chars;
  int64_t start = 0;
  if (!call.arg[1].is_none()) start = TRY(IntArg(in, call.arg[1], 0));
  int64_t end = n;
  if (!call.arg[2].is_none()) end = TRY(IntArg(in, call.arg[2], n));
  if (start < 0) start = std::max<int64_t>(0, start + n);
  end = end < 0 ? std::max<int64_t>(0, end + n) : std::min(end, n);
  int64_t result = search == Search::kCount ? 0 : -1;
  TRY(in.StepBytes(Self(call).size));
  if (start <= end) {
    const uint32_t from = ByteOffset(Self(call), static_cast<uint32_t>(start));
    const uint32_t to = ByteOffset(Self(call), static_cast<uint32_t>(end));
    const std::string_view view = Self(call).view().substr(from, to - from);
    if (search == Search::kCount && part->size == 0) {
      result = end - start + 1;
    } else if (search == Search::kLast) {
      TRY(in.Step(1 + view.size() * std::min<uint64_t>(part->size, 64) / 64));
      const size_t at = view.rfind(part->view());
      if (at != std::string_view::npos) result = start + CountChars(view.substr(0, at));
    } else {
      for (size_t at = FindText(view, part->view(), 0); at != std::string_view::npos;
           at = FindText(view, part->view(), at + part->size)) {
        if (search == Search::kFind) {
          result = start + CountChars(view.substr(0, at));
          break;
        }
        ++result;
      }
    }
  }
  if (raises && result < 0) return in.Fail("substring not found");
  return Value::Int(result);
}

template <bool (*holds)(uint32_t)>
Result<Value> AllMethod(Interpreter& in, Call& call) {
  TRY(in.StepBytes(Self(call).size * uint64_t{4}));
  for (uint32_t at = 0; at < Self(call).size;) {
    if (!holds(DecodeChar(Self(call).view(), &at))) return Value::Bool(false);
  }
  return Value::Bool(Self(call).size > 0);
}

template <bool upper>
Result<Value> IsCaseMethod(Interpreter& in, Call& call) {
  TRY(in.StepBytes(Self(call).size * uint64_t{4}));
  bool any = false;
  for (uint32_t at = 0; at < Self(call).size;) {
    const uint32_t c = DecodeChar(Self(call).view(), &at);
    if (upper ? IsLower(c) : IsUpper(c)) return Value::Bool(false);
    any = any || (upper ? IsUpper(c) : IsLower(c));
  }
  return Value::Bool(any);
}

template <char align>
Result<Value> AlignMethod(Interpreter& in, Call& call) {
  const int64_t width = TRY(IntArg(in, call.arg[0], 0));
  const Text* fill = TRY(TextArg(in, call.arg[1], ViewText(in.arena(), " ", false)));
  return AlignText(in, Self(call), width, *fill, align);
}

Result<Value> FormatMethod(Interpreter& in, Call& call) {
  return FormatBraces(in, Self(call), call.args, call.kwargs);
}

template <bool suffix>
Result<Value> RemoveAffix(Interpreter& in, Call& call) {
  const Text* part = TRY(TextArg(in, call.arg[0]));
  if (part == nullptr) return in.Fail("a string is needed");
  const Text& self = Self(call);
  if (suffix ? !self.view().ends_with(part->view()) : !self.view().starts_with(part->view())) {
    return call.self;
  }
  return suffix ? Piece(in, self, 0, self.size - part->size)
                : Piece(in, self, part->size, self.size);
}

// Splitting.

Result<Value> SplitSpace(Interpreter& in, const Text& text, int64_t limit, bool from_right) {
  std::vector<Value> parts;
  const std::string_view view = text.view();
  TRY(in.StepBytes(view.size()));
  size_t begin = 0;
  size_t end = view.size();
  while (true) {
    TRY(in.Step());
    if (from_right) {
      end = TrimSpaceRight(view.substr(0, end)).size();
    } else {
      begin = view.size() - TrimSpaceLeft(view.substr(begin)).size();
    }
    if (begin >= end) break;
    if (limit >= 0 && static_cast<int64_t>(parts.size()) >= limit) {
      // The rest, with the white space at its far end.
      parts.push_back(Piece(in, text, begin, end));
      break;
    }
    size_t at = from_right ? end : begin;
    while (from_right ? at > begin : at < end) {
      size_t step = at;
      if (from_right) {
        do --step;
        while ((static_cast<unsigned char>(view[step]) & 0xC0) == 0x80);
      }
      uint32_t next = static_cast<uint32_t>(step);
      if (IsSpace(DecodeChar(view, &next))) break;
      at = from_right ? step : next;
    }
    parts.push_back(from_right ? Piece(in, text, at, end) : Piece(in, text, begin, at));
    (from_right ? end : begin) = at;
  }
  if (from_right) std::reverse(parts.begin(), parts.end());
  ListBuilder list(in.arena(), static_cast<uint32_t>(parts.size()));
  for (const Value& part : parts) list.Add(part);
  return Value::Of(list.Finish());
}

template <bool from_right>
Result<Value> SplitMethod(Interpreter& in, Call& call) {
  const Text* separator = TRY(TextArg(in, call.arg[0]));
  const int64_t limit = TRY(IntArg(in, call.arg[1], -1));
  const Text& text = Self(call);
  if (separator == nullptr) return SplitSpace(in, text, limit, from_right);
  if (separator->size == 0) return in.Fail("empty separator");
  TRY(in.StepBytes(text.size));
  const std::string_view view = text.view();
  std::vector<Value> parts;
  size_t begin = 0;
  size_t end = view.size();
  while (limit < 0 || static_cast<int64_t>(parts.size()) < limit) {
    TRY(in.Step(from_right ? 1 + separator->size / 16 : 1));
    const size_t found =
        from_right ? (end < separator->size ? std::string_view::npos
                                            : view.rfind(separator->view(), end - separator->size))
                   : FindText(view, separator->view(), begin);
    if (found == std::string_view::npos) break;
    parts.push_back(from_right ? Piece(in, text, found + separator->size, end)
                               : Piece(in, text, begin, found));
    (from_right ? end : begin) = from_right ? found : found + separator->size;
  }
  parts.push_back(Piece(in, text, begin, end));
  if (from_right) std::reverse(parts.begin(), parts.end());
  ListBuilder list(in.arena(), static_cast<uint32_t>(parts.size()));
  for (const Value& part : parts) list.Add(part);
  return Value::Of(list.Finish());
}

template <bool from_right>
Result<Value> PartitionMethod(Interpreter& in, Call& call) {
  const Text* separator = TRY(TextArg(in, call.arg[0]));
  if (separator == nullptr || separator->size == 0) return in.Fail("empty separator");
  const Text& text = Self(call);
  TRY(in.StepBytes(text.size));
  const size_t found = from_right ? text.view().rfind(separator->view())
                                  : FindText(text.view(), separator->view(), 0);
  ListBuilder list(in.arena(), 3);
  if (found == std::string_view::npos) {
    if (!from_right) list.Add(call.self);
    list.Add(in.NewText(""));
    list.Add(in.NewText(""));
    if (from_right) list.Add(call.self);
  } else {
    list.Add(Piece(in, text, 0, found));
    list.Add(Piece(in, text, found, found + separator->size));
    list.Add(Piece(in, text, found + separator->size, text.size));
  }
  return Value::Of(list.Finish(ListKind::kTuple));
}

Result<Value> SplitLinesMethod(Interpreter& in, Call& call) {
  return SplitLines(in, Self(call), !call.arg[0].missing() && Truth(call.arg[0]));
}

constexpr Builtin kMethods[] = {
    {"strip", "_", 0, StripMethod<true, true>},
    {"lstrip", "_", 0, StripMethod<true, false>},
    {"rstrip", "_", 0, StripMethod<false, true>},
    {"startswith", "_ _ _", 1, Affix<false>},
    {"endswith", "_ _ _", 1, Affix<true>},
    {"upper", "", 0, CaseMethod<Case::kUpper>},
    {"lower", "", 0, CaseMethod<Case::kLower>},
    {"capitalize", "", 0, CapitalizeMethod},
    {"title", "", 0, TitleMethod},
    {"replace", "_ _ _", 2, ReplaceMethod},
    {"join", "_", 1, JoinMethod},
    {"find", "_ _ _", 1, SearchMethod<Search::kFind, false>},
    {"rfind", "_ _ _", 1, SearchMethod<Search::kLast, false>},
    {"index", "_ _ _", 1, SearchMethod<Search::kFind, true>},
    {"rindex", "_ _ _", 1, SearchMethod<Search::kLast, true>},
    {"count", "_ _ _", 1, SearchMethod<Search::kCount, false>},
    {"isalpha", "", 0, AllMethod<IsAlpha>},
    {"isdigit", "", 0, AllMethod<IsDigitChar>},
    {"isdecimal", "", 0, AllMethod<IsDecimal>},
    {"isnumeric", "", 0, AllMethod<IsNumeric>},
    {"isalnum", "", 0, AllMethod<IsAlnum>},
    {"isspace", "", 0, AllMethod<IsSpace>},
    {"isupper", "", 0, IsCaseMethod<true>},
    {"islower", "", 0, IsCaseMethod<false>},
    {"ljust", "_ _", 1, AlignMethod<'<'>},
    {"rjust", "_ _", 1, AlignMethod<'>'>},
    {"center", "_ _", 1, AlignMethod<'^'>},
    {"format", "*", 0, FormatMethod},
    {"removeprefix", "_", 1, RemoveAffix<false>},
    {"removesuffix", "_", 1, RemoveAffix<true>},
    {"split", "sep maxsplit", 0, SplitMethod<false>},
    {"rsplit", "sep maxsplit", 0, SplitMethod<true>},
    {"partition", "_", 1, PartitionMethod<false>},
    {"rpartition", "_", 1, PartitionMethod<true>},
    {"splitlines", "keepends", 0, SplitLinesMethod},
};

}  // namespace

Result<Value> AlignText(Interpreter& in, const Text& text, int64_t width, const Text& fill,
                        char align) {
  if (fill.n_chars != 1) return in.Fail("the fill character must be exactly one character long");
  if (width > kMaxFormatWidth) return in.Fail("the width is too large");
  const int64_t missing = std::max<int64_t>(0, width - text.n_chars);
  TRY(in.StepBytes(text.size + static_cast<uint64_t>(missing)));
  int64_t left = align == '<' ? 0 : missing;
  if (align == '^') left = missing / 2 + (missing & width & 1);
  TextBuilder out(in.arena());
  const bool request = text.request || fill.request;
  for (int64_t i = 0; i < left; ++i) out.Append(fill.view(), request);
  out.Append(text);
  for (int64_t i = left; i < missing; ++i) out.Append(fill.view(), request);
  return Value::Of(WithMarkup(in.arena(), out.Finish(), text.markup));
}

Result<Value> SplitLines(Interpreter& in, const Text& text, bool keep_ends) {
  TRY(in.StepBytes(text.size));
  const std::string_view view = text.view();
  ListBuilder list(in.arena());
  uint32_t begin = 0;
  for (uint32_t at = 0; at < view.size();) {
    const uint32_t end = at;
    const uint32_t c = DecodeChar(view, &at);
    const bool breaks = (c >= 0xA && c <= 0xD) || (c >= 0x1C && c <= 0x1E) || c == 0x85 ||
                        c == 0x2028 || c == 0x2029;
    if (!breaks) continue;
    if (c == '\r' && at < view.size() && view[at] == '\n') ++at;
    TRY(in.Step());
    list.Add(Piece(in, text, begin, keep_ends ? at : end));
    begin = at;
  }
  if (begin < view.size()) list.Add(Piece(in, text, begin, view.size()));
  return Value::Of(list.Finish());
}

std::span<const Builtin> TextMethods() { return kMethods; }

}  // namespace skerry::engine::jinja
