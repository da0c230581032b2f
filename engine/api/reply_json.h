// The JSON of OpenAI's replies, as the strictest known clients want it: ASCII only, no field
// missing, none null that may not be.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "appliance/http/error.h"
#include "engine/chat/message.h"

namespace skerry::engine {

// What every part of one reply repeats.
struct ReplyIdentity {
  std::string id;       // "chatcmpl-..." or "cmpl-..."
  std::string model;    // the name the client knows
  int64_t created = 0;  // seconds since 1970
  bool chat = true;
  bool legacy_functions = false;  // `function_call` instead of `tool_calls`
  int32_t choice = 0;             // which of several answers an event belongs to
};

// A token with the logarithm of its probability, and the most likely ones in its place.
struct ReportedToken {
  int32_t id = 0;
  std::string bytes;  // its text; perhaps a part of a character
  double logprob = 0;
  int32_t rank = 1;
  std::vector<ReportedToken> top;
};

// What was generated.
struct Generated {
  std::string reasoning = {};  // chats only; a reply without thoughts has no field for them
  std::string text = {};
  std::vector<ToolCall> calls = {};  // with their ids
};

// One whole answer.
struct Choice {
  Generated generated = {};
  std::string finish_reason = {};
  std::optional<std::vector<ReportedToken>> logprobs = {};
};

struct Usage {
  int64_t prompt_tokens = 0;
  int64_t completion_tokens = 0;
  int64_t cached_tokens = 0;  // of the prompt, not computed again
};

// A whole reply. `prompt`: the prompt's tokens but the first, when they were asked for.
std::string WholeReplyJson(const ReplyIdentity& identity, const std::vector<Choice>& choices,
                           const Usage& usage,
                           const std::optional<std::vector<ReportedToken>>& prompt = {});
// With one answer.
inline std::string WholeReplyJson(const ReplyIdentity& identity, const Generated& generated,
                                  const std::string& finish_reason, const Usage& usage) {
  return WholeReplyJson(identity, std::vector<Choice>{{generated, finish_reason}}, usage);
}

// Events of a stream, each "data: JSON\n\n".
std::string RoleEvent(const ReplyIdentity& identity);
std::string ReasoningEvent(const ReplyIdentity& identity, const std::string& text);
// `logprobs`: of the tokens since the last event, when they were asked for.
std::string TextEvent(const ReplyIdentity& identity, const std::string& text,
                      const std::vector<ReportedToken>& logprobs = {});
// One call: an event with id and name, then its arguments in one or more.
std::vector<std::string> CallEvents(const ReplyIdentity& identity, size_t index,
                                    const ToolCall& call);
std::string FinishEvent(const ReplyIdentity& identity, const std::string& finish_reason);
std::string UsageEvent(const ReplyIdentity& identity, const Usage& usage);
// "event: error" and the error object: ends a stream that cannot go on.
std::string ErrorEvent(const http::ApiError& error);
inline constexpr const char* kDoneEvent = "data: [DONE]\n\n";
// A comment while nothing else is sent; `position` when the request waits behind so many others.
std::string PingComment(std::optional<int32_t> position);

}  // namespace skerry::engine
