// HTML escaping, as the filters `escape` and `safe` know it.
#pragma once

#include "engine/jinja/internal/text.h"

namespace skerry::engine::jinja {

// & < > ' " become entities, each of its character's origin; the result is markup.
const Text* EscapeText(Arena& arena, const Text* text);
// Markup is returned as it is.
const Text* EscapeUnlessMarkup(Arena& arena, const Text* text);
// The same text, said to be markup or not.
const Text* WithMarkup(Arena& arena, const Text* text, bool markup);

}  // namespace skerry::engine::jinja
