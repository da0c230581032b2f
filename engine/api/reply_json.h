// The JSON of OpenAI's replies, as the strictest known clients want it: ASCII only, no field
// missing, none null that may not be.
#pragma once

#include <cstdint>
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
};

struct Usage {
  int64_t prompt_tokens = 0;
  int64_t completion_tokens = 0;
};

// What was generated.
struct Generated {
  std::string reasoning = {};  // chats only; a reply without thoughts has no field for them
  std::string text = {};
  std::vector<ToolCall> calls = {};  // with their ids
};

std::string WholeReplyJson(const ReplyIdentity& identity, const Generated& generated,
                           const std::string& finish_reason, const Usage& usage);

// Events of a stream, each "data: JSON\n\n".
std::string RoleEvent(const ReplyIdentity& identity);
std::string ReasoningEvent(const ReplyIdentity& identity, const std::string& text);
std::string TextEvent(const ReplyIdentity& identity, const std::string& text);
// One call: an event with id and name, then its arguments in one or more.
std::vector<std::string> CallEvents(const ReplyIdentity& identity, size_t index,
                                    const ToolCall& call);
std::string FinishEvent(const ReplyIdentity& identity, const std::string& finish_reason);
std::string UsageEvent(const ReplyIdentity& identity, const Usage& usage);
// "event: error" and the error object: ends a stream that cannot go on.
std::string ErrorEvent(const http::ApiError& error);
inline constexpr const char* kDoneEvent = "data: [DONE]\n\n";
inline constexpr const char* kPingComment = ": ping\n\n";

}  // namespace skerry::engine
