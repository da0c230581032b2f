// Chat templates: Jinja as published with models, run by an interpreter of our own. A template and
// what it is given are both untrusted; rendering is bounded in steps, depth and memory. Of each
// byte of the result it is known whether it came from the request or from the template, so that a
// user's
// "<|im_start|>" is never taken for the token of that name.
#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/result.h"

namespace skerry::engine::jinja {

// A template sees keys in the order the request gave them.
using OrderedJson = nlohmann::ordered_json;

inline constexpr size_t kMaxTemplateBytes = 1 << 20;
inline constexpr size_t kMaxContextBytes = 64 << 20;
// Deepest nesting of a context, and of a value that is printed, compared or made JSON of.
inline constexpr int kMaxValueDepth = 100;
// Most elements of range(), as jinja2's sandbox has it.
inline constexpr int64_t kMaxRange = 100'000;

struct RenderLimits {
  // A step is an expression, a statement, an element walked or 64 bytes of text made; a long
  // conversation takes some hundred thousand.
  uint64_t max_steps = 50'000'000;
  int max_depth = 400;  // nested expressions, blocks and macro calls
  uint32_t max_output_bytes = 64u << 20;
  size_t max_memory_bytes = 512u << 20;  // all values made during one render
};

struct RenderOptions {
  // What strftime_now shows: microseconds since 1970 of a clock without time zone.
  int64_t now_micros = 0;
  // Keys of the context whose values are the operator's, not the request's (bos_token, ...): they
  // count as text of the template.
  std::vector<std::string> trusted_keys = {"bos_token", "eos_token"};
  RenderLimits limits;
};

struct Part {
  std::string text;
  bool from_request = false;

  bool operator==(const Part&) const = default;
};

struct Rendered {
  // Neighbours differ in from_request, none is empty; all of them one after the other are the
  // prompt.
  std::vector<Part> parts;
  // What the template gave raise_exception: it refuses this conversation. The parts are empty.
  std::optional<std::string> refusal;

  std::string text() const;
};

// A parsed template. Thread-safe: any number of renders may run at once.
class Template {
 public:
  // Errors "line L, column C: ...": kCorrupt for what is no template, kExhausted beyond a limit.
  static Result<Template> Parse(std::string_view text);

  Template(Template&&) noexcept;
  Template& operator=(Template&&) noexcept;
  ~Template();

  // `context` is an object. The same input gives the same result. Errors "line L, column C: ...":
  // kCorrupt where jinja2 would raise, kExhausted beyond a limit.
  Result<Rendered> Render(const OrderedJson& context, const RenderOptions& options) const;

 private:
  struct State;
  explicit Template(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

enum class Numbers {
  kPython,     // what Python's json makes of them: 1.50 prints as 1.5
  kAsWritten,  // each prints as the text spells it
};

// A context from JSON text, keys in their order. kCorrupt for what ParseJson refuses as well.
// Numbers that Python would spell differently are binary values in the result of kAsWritten.
Result<OrderedJson> ParseContext(std::string_view text, Numbers numbers = Numbers::kPython);

}  // namespace skerry::engine::jinja
