// Fuzz target: what templates are given. JSON is accepted or refused alike whether its numbers keep
// their spelling or not, and nothing of it comes out as the template's own text.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/jinja/template.h"

namespace {

using namespace skerry::engine;

const jinja::Template& Shows() {
  static const auto parsed = jinja::Template::Parse(
      "{{ x }}{{ x|tojson }}{{ x|tojson(indent=2) }}{{ x|string }}{% for y in x %}{{ y }}{{ "
      "y|tojson }}"
      "{{ loop.index }}{% endfor %}{{ x == x }}{{ x|length }}");
  return *parsed;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto python = jinja::ParseContext(text);
  auto as_written = jinja::ParseContext(text, jinja::Numbers::kAsWritten);
  if (python.has_value() != as_written.has_value()) abort();
  if (!python) return 0;
  jinja::RenderOptions options;
  options.limits.max_steps = 100'000;
  options.limits.max_memory_bytes = 64 << 20;
  for (auto* value : {&*python, &*as_written}) {
    const auto rendered = Shows().Render({{"x", std::move(*value)}}, options);
    if (!rendered) continue;
    for (const jinja::Part& part : rendered->parts) {
      // Of its own the template has what only its operators say.
      if (!part.from_request && part.text.find_first_of("\"'{[<") != std::string::npos) abort();
    }
  }
  return 0;
}
