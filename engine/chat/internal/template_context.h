// What a chat template sees of a conversation, and what kind of context a template needs.
#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "engine/chat/message.h"
#include "engine/jinja/template.h"

namespace skerry::engine::internal {

using SpecialTokens = std::map<std::string, std::string>;

// Templates differ in what they can read. The defaults are what transformers documents.
struct TemplateNeeds {
  bool content_parts = false;    // content as [{"type": "text", "text": ...}], not as a string
  bool null_content = true;      // takes none where an assistant only calls
  bool object_arguments = true;  // a call's arguments as an object, not as JSON text
  bool short_ids = false;        // calls have ids of nine letters or digits
  bool system_turn = true;       // shows a system turn
  bool single_calls = false;     // shows only the first call of a turn
  bool thinking_key = false;     // an assistant's thoughts as "thinking", too
};

// The context: messages, tools, documents, add_generation_prompt and the special tokens; keys and
// numbers of arguments and tools as the client wrote them. `complete_tools`: descriptions and
// parameters that the client left out are empty ones.
jinja::OrderedJson MakeContext(const Conversation& conversation, const SpecialTokens& special,
                               const TemplateNeeds& needs, bool complete_tools,
                               bool add_generation_prompt);

// One render; an error has the template's own message.
Result<jinja::Rendered> RenderContext(const jinja::Template& parsed,
                                      const jinja::OrderedJson& context,
                                      const SpecialTokens& special, int64_t now_micros);

// Finds them by rendering short conversations. `text` is the template's source.
TemplateNeeds ProbeNeeds(const jinja::Template& parsed, std::string_view text,
                         const SpecialTokens& special);

// Text to look for in a render: one for each number, and which of them `text` has.
std::string ProbeText(size_t number);
std::vector<bool> FindProbes(std::string_view text, size_t count);

}  // namespace skerry::engine::internal
