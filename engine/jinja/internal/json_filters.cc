// tojson and from_json as Hugging Face's transformers defines them: Python's json module.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "engine/jinja/internal/interpreter.h"

namespace skerry::engine::jinja {

namespace {

constexpr int64_t kMaxIndent = 64;

class JsonWriter {
 public:
  explicit JsonWriter(Interpreter& in) : in_(in), out_(in.arena()) {}

  bool ensure_ascii = false;
  bool sort_keys = false;
  std::optional<std::string> indent;
  std::string item_separator = ", ";
  std::string key_separator = ": ";

  Result<Value> Run(const Value& value) {
    TRY(Write(value, 0));
    Text* text = out_.Finish();
    // Quotes and brackets around the request's text count as the request's too.
    text->request = text->request || request_;
    text->n_runs = 0;
    text->runs = nullptr;
    return Value::Of(static_cast<const Text*>(text));
  }

 private:
  void Put(std::string_view text) { out_.Append(text, false); }

  void NewLine(int depth) {
    if (!indent) return;
    std::string line = "\n";
    for (int i = 0; i < depth; ++i) line += *indent;
    Put(line);
  }

  void PutEscape(uint32_t unit) {
    static constexpr char kHex[] = "0123456789abcdef";
    const char text[] = {
        '\\', 'u', kHex[unit >> 12], kHex[unit >> 8 & 15], kHex[unit >> 4 & 15], kHex[unit & 15]};
    Put({text, sizeof text});
  }

  void WriteText(const Text& text) {
    request_ = request_ || text.request;
    const std::string_view view = text.view();
    Put("\"");
    uint32_t plain = 0;
    for (uint32_t at = 0; at < view.size();) {
      const auto c = static_cast<unsigned char>(view[at]);
      const bool wide = c >= 0x80 && ensure_ascii;
      if (c >= 0x20 && c != '"' && c != '\\' && !wide) {
        ++at;
        continue;
      }
      Put(view.substr(plain, at - plain));
      if (wide) {
        const uint32_t code = DecodeChar(view, &at);
        if (code >= 0x10000) PutEscape(0xD800 + ((code - 0x10000) >> 10));
        PutEscape(code >= 0x10000 ? 0xDC00 + ((code - 0x10000) & 0x3FF) : code);
      } else {
        static constexpr std::string_view kFrom = "\"\\\n\r\t\f\b";
        static constexpr std::string_view kTo = "\"\\nrtfb";
        const size_t known = kFrom.find(static_cast<char>(c));
        if (known != std::string_view::npos) {
          Put("\\");
          Put(kTo.substr(known, 1));
        } else {
          PutEscape(c);
        }
        ++at;
      }
      plain = at;
    }
    Put(view.substr(plain));
    Put("\"");
  }

  void WriteNumber(const Value& value) {
    if (!value.is(Kind::kFloat)) {
      Put(std::to_string(value.AsInt()));
    } else if (value.spelling != 0) {
      Put(in_.FloatText(value));
    } else if (std::isnan(value.number)) {
      Put("NaN");
    } else if (std::isinf(value.number)) {
      Put(value.number < 0 ? "-Infinity" : "Infinity");
    } else {
      Put(FormatFloat(value.number));
    }
  }

  Result<void> Write(const Value& value, int depth) {
    if (depth > kMaxValueDepth) {
      return Error(ErrorCode::kExhausted, "tojson: the value is nested too deeply");
    }
    TRY(in_.Step());
    request_ = request_ || FromRequest(value);
    switch (value.kind) {
      case Kind::kNone:
        Put("null");
        return {};
      case Kind::kBool:
        Put(value.boolean ? "true" : "false");
        return {};
      case Kind::kInt:
      case Kind::kFloat:
        WriteNumber(value);
        return {};
      case Kind::kText:
        TRY(in_.StepBytes(value.text->size));
        WriteText(*value.text);
        return {};
      case Kind::kDict:
        return WriteDict(*value.dict, depth);
      case Kind::kList:
        if (value.list->kind == ListKind::kList || value.list->kind == ListKind::kTuple) break;
        [[fallthrough]];
      default:
        return in_.Fail("Object of type " + std::string(TypeName(value)) +
                        " is not JSON serializable");
    }
    if (value.list->n == 0) {
      Put("[]");
      return {};
    }
    Put("[");
    for (uint32_t i = 0; i < value.list->n; ++i) {
      if (i > 0) Put(item_separator);
      NewLine(depth + 1);
      TRY(Write(value.list->items[i], depth + 1));
    }
    NewLine(depth);
    Put("]");
    return {};
  }

  Result<void> WriteDict(const Dict& dict, int depth) {
    if (dict.n == 0) {
      Put("{}");
      return {};
    }
    std::vector<Entry> entries(dict.entries, dict.entries + dict.n);
    if (sort_keys) {
      const bool texts = std::all_of(entries.begin(), entries.end(),
                                     [](const Entry& e) { return e.key.is_text(); });
      const bool numbers = std::all_of(entries.begin(), entries.end(),
                                       [](const Entry& e) { return e.key.is_number(); });
      if (!texts && !numbers) return in_.Fail("tojson: keys of different types cannot be sorted");
      TRY(in_.Step(1 + entries.size()));
      std::sort(entries.begin(), entries.end(),
                [](const Entry& a, const Entry& b) { return CompareKeys(a.key, b.key) < 0; });
    }
    Put("{");
    bool first = true;
    for (const Entry& entry : entries) {
      if (!first) Put(item_separator);
      first = false;
      NewLine(depth + 1);
      if (entry.key.is_text()) {
        WriteText(*entry.key.text);
      } else if (entry.key.is_number() || entry.key.is_none()) {
        Put("\"");
        TRY(Write(entry.key, depth + 1));
        Put("\"");
      } else {
        return in_.Fail("keys must be str, int, float, bool or None, not " +
                        std::string(TypeName(entry.key)));
      }
      Put(key_separator);
      TRY(Write(entry.value, depth + 1));
    }
    NewLine(depth);
    Put("}");
    return {};
  }

  Interpreter& in_;
  TextBuilder out_;
  bool request_ = false;
};

// tojson(ensure_ascii=False, indent=None, separators=None, sort_keys=False)
Result<Value> ToJson(Interpreter& in, Call& call) {
  JsonWriter writer(in);
  writer.ensure_ascii = !call.arg[0].missing() && Truth(call.arg[0]);
  const Value& indent = call.arg[1];
  if (indent.is_integral()) {
    if (indent.AsInt() > kMaxIndent) return in.Fail("tojson: the indent is too large");
    writer.indent = std::string(static_cast<size_t>(std::max<int64_t>(0, indent.AsInt())), ' ');
  } else if (indent.is_text()) {
    if (indent.text->size > kMaxIndent) return in.Fail("tojson: the indent is too large");
    writer.indent = std::string(indent.text->view());
  } else if (!indent.missing() && !indent.is_none()) {
    return in.Fail("tojson: indent must be a number or a string");
  }
  if (writer.indent) writer.item_separator = ",";
  const Value& separators = call.arg[2];
  if (!separators.missing() && !separators.is_none()) {
    const std::span<const Value> two = TRY(in.Iterate(separators));
    if (two.size() != 2 || !two[0].is_text() || !two[1].is_text()) {
      return in.Fail("tojson: separators must be two strings");
    }
    writer.item_separator = two[0].text->view();
    writer.key_separator = two[1].text->view();
  }
  writer.sort_keys = !call.arg[3].missing() && Truth(call.arg[3]);
  Result<Value> result = writer.Run(call.self);
  // Whatever shaped the text has a say in where it is from.
  if (result && (FromRequest(separators) || (indent.is_text() && indent.text->request))) {
    Text* text = SliceText(in.arena(), result->text, 0, result->text->size);
    text->request = true;
    return Value::Of(static_cast<const Text*>(text));
  }
  return result;
}

Result<Value> FromJsonFilter(Interpreter& in, Call& call) {
  if (!call.self.is_text()) return in.Fail("from_json needs a string");
  TRY(in.StepBytes(call.self.text->size * uint64_t{8}));
  const Result<OrderedJson> json = ParseContext(call.self.text->view());
  if (!json) return in.Fail("from_json: " + json.error().message());
  return in.FromJson(*json, call.self.text->request, /*copy=*/true);
}

constexpr Builtin kFilters[] = {
    {"tojson", "ensure_ascii indent separators sort_keys", 0, ToJson},
    {"from_json", "", 0, FromJsonFilter},
    {"fromjson", "", 0, FromJsonFilter},
};

}  // namespace

std::span<const Builtin> JsonFilters() { return kFilters; }

}  // namespace skerry::engine::jinja
