// Fuzz target: chat templates, which come with a model from anywhere. Whatever a template does with
// the request's text, that text never comes out as the template's own, and a render ends.
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/jinja/template.h"

namespace {

using namespace skerry::engine;

// A private character that only the request has.
constexpr std::string_view kMark = "\xEE\x80\x80";

const jinja::OrderedJson& Context() {
  static const auto context = jinja::ParseContext(
      R"({"bos_token":"<s>","eos_token":"</s>","add_generation_prompt":true,"n":3,"f":1.5,"none":null,
          "messages":[{"role":"system","content":"\ue000"},{"role":"user","content":"a\ue000b"},
            {"role":"assistant","content":null,"tool_calls":[{"id":"\ue000","type":"function",
              "function":{"name":"\ue000","arguments":{"\ue000":["\ue000",1.50]}}}]},
            {"role":"tool","content":"\ue000","tool_call_id":"\ue000"}],
          "tools":[{"type":"function","function":{"name":"\ue000","description":"\ue000",
            "parameters":{"\ue000":{}}}}]})",
      jinja::Numbers::kAsWritten);
  return *context;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  // A template that spells the mark itself proves nothing.
  if (text.find(kMark) != std::string_view::npos || text.find("000") != std::string_view::npos) {
    return 0;
  }
  const auto parsed = jinja::Template::Parse(text);
  if (!parsed) return 0;
  jinja::RenderOptions options;
  options.limits.max_steps = 50'000;
  options.limits.max_output_bytes = 1 << 20;
  options.limits.max_memory_bytes = 64 << 20;
  const auto rendered = parsed->Render(Context(), options);
  if (!rendered) return 0;
  if (rendered->refusal && !rendered->parts.empty()) abort();
  for (size_t i = 0; i < rendered->parts.size(); ++i) {
    const jinja::Part& part = rendered->parts[i];
    if (part.text.empty()) abort();
    if (i > 0 && rendered->parts[i - 1].from_request == part.from_request) abort();
    if (!part.from_request && part.text.find(kMark) != std::string::npos) abort();
  }
  const auto again = parsed->Render(Context(), options);
  if (!again || again->parts != rendered->parts) abort();
  return 0;
}
