// str() and repr().
#include "engine/jinja/internal/interpreter.h"
#include "engine/jinja/internal/unicode.h"

namespace skerry::engine::jinja {

namespace {

// 'text' or "text", the way Python quotes.
void QuoteInto(const Text& text, TextBuilder* out) {
  const std::string_view view = text.view();
  const bool has_single = view.find('\'') != std::string_view::npos;
  const char quote = has_single && view.find('"') == std::string_view::npos ? '"' : '\'';
  out->Append({&quote, 1}, false);
  for (uint32_t at = 0; at < view.size();) {
    const uint32_t begin = at;
    const uint32_t c = DecodeChar(view, &at);
    static constexpr char kHex[] = "0123456789abcdef";
    std::string escaped;
    if (c == static_cast<unsigned char>(quote) || c == '\\') {
      escaped = {'\\', static_cast<char>(c)};
    } else if (c == '\n' || c == '\r' || c == '\t') {
      escaped = {'\\', c == '\n' ? 'n' : c == '\r' ? 'r' : 't'};
    } else if (!IsPrintable(c)) {
      const int digits = c < 0x100 ? 2 : c < 0x10000 ? 4 : 8;
      escaped = {'\\', digits == 2 ? 'x' : digits == 4 ? 'u' : 'U'};
      for (int i = digits - 1; i >= 0; --i) escaped.push_back(kHex[c >> (4 * i) & 15]);
    }
    if (escaped.empty()) {
      out->Append(text, begin, at);
    } else {
      out->Append(escaped, text.RequestAt(begin));
    }
  }
  out->Append({&quote, 1}, false);
}

}  // namespace

Result<const Text*> Interpreter::ToText(const Value& value) {
  if (value.is_text()) return value.text;
  if (value.is_undefined()) return ViewText(arena_, {}, false);
  return Repr(value);
}

Result<const Text*> Interpreter::Repr(const Value& value) {
  TextBuilder builder(arena_);
  bool request = false;
  TRY(ReprInto(value, &builder, &request, 0));
  Text* text = builder.Finish();
  // Brackets and quotes among the request's strings count as the request's too.
  if (request || text->request) {
    text->request = true;
    text->n_runs = 0;
    text->runs = nullptr;
  }
  return static_cast<const Text*>(text);
}

Result<void> Interpreter::ReprInto(const Value& value, TextBuilder* out, bool* request, int depth) {
  if (depth > kMaxValueDepth) {
    return Error(ErrorCode::kExhausted, "a printed value is nested too deeply");
  }
  TRY(Step());
  *request = *request || FromRequest(value);
  const auto put = [&](std::string_view text) { out->Append(text, value.request); };
  switch (value.kind) {
    case Kind::kUndefined:
      put("Undefined");
      return {};
    case Kind::kMissing:
    case Kind::kNone:
      put("None");
      return {};
    case Kind::kBool:
      put(value.boolean ? "True" : "False");
      return {};
    case Kind::kInt:
      put(std::to_string(value.integer));
      return {};
    case Kind::kFloat:
      put(FloatText(value));
      return {};
    case Kind::kText:
      TRY(StepBytes(value.text->size * uint64_t{4}));
      if (value.text->markup) put("Markup(");
      QuoteInto(*value.text, out);
      if (value.text->markup) put(")");
      return {};
    case Kind::kNamespace:
    case Kind::kDict: {
      const bool is_dict = value.is_dict();
      const uint32_t n = is_dict ? value.dict->n : value.ns->n;
      put(is_dict ? "{" : "<Namespace {");
      for (uint32_t i = 0; i < n; ++i) {
        const Entry& entry = is_dict ? value.dict->entries[i] : value.ns->entries[i];
        if (i > 0) put(", ");
        TRY(ReprInto(entry.key, out, request, depth + 1));
        put(": ");
        TRY(ReprInto(entry.value, out, request, depth + 1));
      }
      put(is_dict ? "}" : "}>");
      return {};
    }
    case Kind::kCallable:
      if (value.callable->macro == nullptr) {
        put("<function>");
        return {};
      }
      put("<Macro '" + std::string(value.callable->macro->name->view()) + "'>");
      return {};
    case Kind::kLoop:
      put("<LoopContext>");
      return {};
    case Kind::kList:
      break;
  }
  const List& list = *value.list;
  if (list.kind == ListKind::kGenerator) {
    put("<generator object>");
    return {};
  }
  if (list.kind == ListKind::kRange) {
    put("range(" + std::to_string(list.source[0].integer) + ", " +
        std::to_string(list.source[1].integer));
    if (list.source[2].integer != 1) put(", " + std::to_string(list.source[2].integer));
    put(")");
    return {};
  }
  const bool view = list.kind != ListKind::kList && list.kind != ListKind::kTuple;
  const bool tuple = list.kind == ListKind::kTuple;
  if (view) put(std::string(TypeName(value)) + "(");
  put(tuple ? "(" : "[");
  for (uint32_t i = 0; i < list.n; ++i) {
    if (i > 0) put(", ");
    TRY(ReprInto(list.items[i], out, request, depth + 1));
  }
  if (tuple && list.n == 1) put(",");
  put(tuple ? ")" : "]");
  if (view) put(")");
  return {};
}

}  // namespace skerry::engine::jinja
