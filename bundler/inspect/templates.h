// The chat templates of a model: the programs that turn messages into the text the model reads. Who
// can change one can change what every answer says, so a release's templates are listed by hash and
// compared with those of the release before.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/result.h"
#include "appliance/base/sha256.h"
#include "bundler/inspect/model.h"

namespace skerry::inspect {

inline constexpr size_t kMaxTemplateBytes = 1 << 20;
inline constexpr size_t kMaxTemplates = 32;
inline constexpr size_t kMaxTemplateNameBytes = 255;

struct ChatTemplate {
  // "default", or as the model calls it ("tool_use"). Letters, digits, '.', '_', '-'. A second
  // one of that name with another text, which most engines ignore, is listed as NAME@FILE.
  std::string name;
  std::string text;  // as the model has it; any bytes
  Sha256Digest sha256;
};

// All templates in `files`, sorted by name; none when the model has none. Where several files have
// one of the same name, NAME is the one that Transformers uses: chat_template.jinja, then
// additional_chat_templates/NAME.jinja, other *.jinja at the top (as NAME, the file's), then
// chat_template.json, tokenizer_config.json, processor_config.json, then GGUF metadata in the order
// of the file names. kExhausted beyond the limits above, kCorrupt for what is not well-formed; each
// names the file.
Result<std::vector<ChatTemplate>> ReadTemplates(const ModelFiles& files);

enum class TemplateChange { kSame, kChanged, kNew, kGone };
std::string_view TemplateChangeName(TemplateChange change);  // "same", "changed", "new", "gone"

struct ComparedTemplate {
  std::string name;
  Sha256Digest sha256;  // of the later text; of the earlier one when it is gone
  TemplateChange change = TemplateChange::kSame;
};

// Both lists by name.
std::vector<ComparedTemplate> CompareTemplates(std::span<const ChatTemplate> before,
                                               std::span<const ChatTemplate> after);

inline constexpr size_t kMaxChangesBytes = 256 << 10;

// What a person has to look at between two lists: what is new, gone or changed, with unified diffs,
// safe to print on a terminal (see UnifiedDiff), each line with a line feed. Empty when names and
// texts are the same. What is longer than kMaxChangesBytes is cut behind a line and says so.
std::string DescribeTemplateChanges(std::span<const ChatTemplate> before,
                                    std::span<const ChatTemplate> after);

}  // namespace skerry::inspect
