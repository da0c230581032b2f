// Mistral's own chat formats, segment by segment, as its reference tokenizer (mistral-common,
// tokens/tokenizers/instruct.py) writes them: structure is control tokens by id, every text between
// them is encoded on its own.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "appliance/base/result.h"
#include "engine/chat/message.h"
#include "engine/chat/prompt.h"
#include "engine/chat/source.h"
#include "engine/tokenizer/tokenizer.h"

namespace skerry::engine {

// The version a vocabulary and a template of Mistral's were made for; nullopt for others. Only what
// the names of control tokens and the template say: an exact version has to come from the
// checkpoint.
std::optional<MistralVersion> RecognizeMistral(const Tokenizer& tokenizer,
                                               std::string_view chat_template);

// Immutable, thread-safe. The tokenizer must outlive it.
class MistralFormat {
 public:
  // kInvalidArgument naming the control token that the vocabulary lacks.
  static Result<MistralFormat> Create(const Tokenizer& tokenizer, MistralVersion version);

  MistralVersion version() const { return version_; }
  bool supports_tools() const { return names_.calls.has_value(); }

  // kInvalidArgument, as a sentence for the client, for names of functions that the format does not
  // allow and, from version 13 on, for results that answer no call: there only their order says
  // which call they belong to.
  Result<Prompt> Write(const Conversation& conversation) const;

 private:
  struct Names {
    std::optional<TokenId> bos, eos, inst, inst_end, tools, tools_end, results, results_end, calls,
        system, system_end, content, args, call_id, think, think_end, settings, settings_end;
  };
  MistralFormat(const Tokenizer& tokenizer, MistralVersion version)
      : tokenizer_(&tokenizer), version_(version) {}

  Result<void> FindNames();
  Result<Turns> Prepare(const Conversation& conversation) const;
  Prompt WritePlain(const Conversation& conversation) const;
  void WriteUser(const Turns& turns, size_t at, const Conversation& conversation,
                 Prompt& out) const;
  void WriteAssistant(const Message& turn, bool with_calls, Prompt& out) const;
  void WriteCalls(const Message& turn, Prompt& out) const;
  void WriteResult(const Turns& turns, size_t at, Prompt& out) const;

  const Tokenizer* tokenizer_;
  MistralVersion version_;
  Names names_;
};

}  // namespace skerry::engine
