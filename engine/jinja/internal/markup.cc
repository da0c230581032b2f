#include "engine/jinja/internal/markup.h"

namespace skerry::engine::jinja {

const Text* EscapeText(Arena& arena, const Text* text) {
  TextBuilder builder(arena);
  uint32_t plain = 0;
  for (uint32_t at = 0; at < text->size; ++at) {
    std::string_view entity;
    switch (text->data[at]) {
      case '&':
        entity = "&amp;";
        break;
      case '<':
        entity = "&lt;";
        break;
      case '>':
        entity = "&gt;";
        break;
      case '\'':
        entity = "&#39;";
        break;
      case '"':
        entity = "&#34;";
        break;
      default:
        continue;
    }
    builder.Append(*text, plain, at);
    builder.Append(entity, text->RequestAt(at));
    plain = at + 1;
  }
  builder.Append(*text, plain, text->size);
  Text* escaped = builder.Finish();
  escaped->markup = true;
  return escaped;
}

const Text* EscapeUnlessMarkup(Arena& arena, const Text* text) {
  return text->markup ? text : EscapeText(arena, text);
}

const Text* WithMarkup(Arena& arena, const Text* text, bool markup) {
  if (text->markup == markup) return text;
  Text* copy = SliceText(arena, text, 0, text->size);
  copy->markup = markup;
  return copy;
}

}  // namespace skerry::engine::jinja
