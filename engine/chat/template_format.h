// Prompts by the checkpoint's own Jinja template, run as the transformers library runs it. What the
// template wrote and what came from the request stays apart.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "appliance/base/result.h"
#include "engine/chat/internal/template_context.h"
#include "engine/chat/message.h"
#include "engine/chat/prompt.h"
#include "engine/chat/source.h"
#include "engine/jinja/template.h"
#include "engine/tokenizer/tokenizer.h"

namespace skerry::engine {

// Immutable, thread-safe. The tokenizer must outlive it.
class TemplateFormat {
 public:
  // kInvalidArgument with the reason when there is no template or it is none. Finds out by short
  // renders what the template needs.
  static Result<TemplateFormat> Create(const Tokenizer& tokenizer, const ChatSource& source);

  // The conversation as it is. When the template refuses that or leaves turns out, with neighbours
  // of the same role merged and the system text in front; then with the system text in the first
  // user turn. kInvalidArgument with the template's message when it refuses all of these.
  // `now_micros`: what strftime_now shows.
  Result<Prompt> Write(const Conversation& conversation, int64_t now_micros) const;

  // The token that the template puts behind an assistant's text.
  std::optional<TokenId> turn_end() const { return turn_end_; }
  // The template used with tools.
  const std::string& tool_text() const { return tool_text_; }

 private:
  struct Variant {
    jinja::Template parsed;
    internal::TemplateNeeds needs;
  };
  TemplateFormat(const Tokenizer& tokenizer, Variant usual)
      : tokenizer_(&tokenizer), usual_(std::move(usual)) {}

  static Result<Variant> MakeVariant(const std::string& text,
                                     const internal::SpecialTokens& special);
  Result<jinja::Rendered> Render(const Variant& variant, const Conversation& conversation,
                                 bool helped, int64_t now_micros) const;
  bool KeepsTurns(const Variant& variant, const Conversation& conversation) const;
  void FindTurnEnd();

  const Tokenizer* tokenizer_;
  internal::SpecialTokens special_;
  Variant usual_;
  std::optional<Variant> tool_use_;
  std::string tool_text_;
  std::optional<TokenId> turn_end_;
};

}  // namespace skerry::engine
