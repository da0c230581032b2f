#include "engine/chat/message.h"

#include <gtest/gtest.h>

namespace skerry::engine {
namespace {

Message Make(Role role, std::string content) {
  Message message;
  message.role = role;
  message.content = std::move(content);
  return message;
}

std::string Shape(const Turns& turns) {
  std::string shape;
  for (const Message& turn : turns.turns) {
    shape += "suat"[static_cast<int>(turn.role)];
    shape += "(" + turn.content + ")";
  }
  return shape;
}

TEST(Normalize, MergesNeighbours) {
  const Turns turns =
      Normalize({Make(Role::kSystem, "S1"), Make(Role::kUser, "a"), Make(Role::kUser, "b"),
                 Make(Role::kAssistant, "c"), Make(Role::kAssistant, "d"),
                 Make(Role::kSystem, "S2"), Make(Role::kUser, "e"), Make(Role::kUser, "")});
  EXPECT_EQ(turns.system, "S1\n\nS2");
  EXPECT_EQ(Shape(turns), "u(a\n\nb)a(c\n\nd)u(e)");
  EXPECT_EQ(turns.last_user, 2u);
}

TEST(Normalize, InsertsUserTurnsWhereFormatsNeedThem) {
  EXPECT_EQ(Shape(Normalize({})), "u()");
  EXPECT_EQ(Shape(Normalize({Make(Role::kSystem, "s")})), "u()");
  EXPECT_EQ(Shape(Normalize({Make(Role::kAssistant, "hi")})), "u()a(hi)u()");
  EXPECT_EQ(Shape(Normalize({Make(Role::kTool, "1")})), "u()t(1)");
}

TEST(Normalize, ToolResultsStaySingle) {
  Message call = Make(Role::kAssistant, "");
  call.tool_calls = {{"1", "f", "{}"}};
  Message second = Make(Role::kAssistant, "text");
  second.tool_calls = {{"2", "g", "{}"}};
  const Turns turns = Normalize({Make(Role::kUser, "q"), call, second, Make(Role::kTool, "x"),
                                 Make(Role::kTool, "y"), Make(Role::kUser, "r")});
  EXPECT_EQ(Shape(turns), "u(q)a(text)t(x)t(y)u(r)");
  EXPECT_EQ(turns.turns[1].tool_calls.size(), 2u);
}

TEST(NineCharacterId, KeepsWhatFitsAndMapsTheRest) {
  EXPECT_EQ(NineCharacterId("f1LLMbYf1"), "f1LLMbYf1");
  for (const char* id : {"call_abc", "", "toolong-toolong", "f1LLMbY_1", "12345678"}) {
    const std::string mapped = NineCharacterId(id);
    EXPECT_EQ(mapped.size(), 9u);
    EXPECT_EQ(
        mapped.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"),
        std::string::npos);
    EXPECT_EQ(mapped, NineCharacterId(id));
    EXPECT_EQ(mapped, NineCharacterId(mapped));
  }
  EXPECT_NE(NineCharacterId("call_a"), NineCharacterId("call_b"));
}

TEST(Message, CallsOfOneTurnAreSplit) {
  Message turn = Make(Role::kAssistant, "text");
  turn.reasoning = "hm";
  turn.tool_calls = {{"1", "f", "{}"}, {"2", "g", "{}"}, {"3", "h", "{}"}};
  const auto calls = [](const std::string& id) {
    Message message = Make(Role::kAssistant, "");
    message.tool_calls = {{id, "f", "{}"}};
    return message;
  };
  const auto result = [](const std::string& id) {
    Message message = Make(Role::kTool, "1");
    message.tool_call_id = id;
    return message;
  };
  const std::vector<Message> split =
      SplitCalls({Make(Role::kUser, "q"), turn, result("2"), result("x"), result("1"),
                  Make(Role::kUser, "next"), calls("4"), result("4")});
  std::string shape;
  for (const Message& message : split) {
    if (message.role == Role::kUser) shape += "u";
    if (message.role == Role::kTool) shape += "r" + message.tool_call_id;
    for (const ToolCall& call : message.tool_calls) shape += "c" + call.id;
  }
  EXPECT_EQ(shape, "uc1r1c2r2c3rxuc4r4");
  EXPECT_EQ(split[1].content, "text");
  EXPECT_EQ(split[1].reasoning, "hm");
  EXPECT_EQ(split[3].content, "");
  EXPECT_FALSE(split[3].has_content);
}

}  // namespace
}  // namespace skerry::engine
