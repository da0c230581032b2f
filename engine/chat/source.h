// What a checkpoint says about how it wants to be talked to: its chat templates, the strings of its
// special tokens, and whether it is one of Mistral's own.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "appliance/base/result.h"

namespace skerry::engine {

// Versions of Mistral's instruct formats, by their numbers.
enum class MistralVersion { kV1 = 1, kV2 = 2, kV3 = 3, kV7 = 7, kV11 = 11, kV13 = 13, kV15 = 15 };

// "v3" -> kV3, "v7m1" -> kV7; kInvalidArgument naming `name` for a version that is not known.
Result<MistralVersion> ParseMistralVersion(std::string_view name);

struct ChatSource {
  // Templates by name; transformers calls the usual one "default" and uses "tool_use", where there
  // is one, for requests with tools.
  std::map<std::string, std::string> templates;
  // "bos_token" -> "<s>" and the like: what a template sees beside the conversation.
  std::map<std::string, std::string> special_tokens;
  // Set when the checkpoint is in Mistral's own form.
  std::optional<MistralVersion> mistral;
};

// Of the checkpoint at `path`, as LoadTokenizer takes it, whose LoadedTokenizer has
// `mistral_version`. Reads chat_template.jinja, chat_template.json, additional_chat_templates/ and
// tokenizer_config.json, and of a GGUF file tokenizer.chat_template and its named variants.
// kCorrupt and kExhausted as the readers, kInvalidArgument for a version that is not known.
Result<ChatSource> LoadChatSource(const std::string& path, std::string_view mistral_version);

}  // namespace skerry::engine
