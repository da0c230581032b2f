// Whatever a model writes, its reply keeps the protocol: random tokens through the whole way of an
// answer, in every notation, streamed and whole.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>

#include "appliance/base/json.h"
#include "engine/api/reply.h"
#include "engine/chat/format.h"
#include "tests/engine/api/recording_responder.h"
#include "tests/engine/chat/byte_tokenizer.h"
#include "tests/engine/tokenizer/sizes.h"

namespace skerry::engine {
namespace {

using testing::ByteTokenizer;
using testing::RecordingResponder;

const int kAnswers = testing::Rounds(300);  // of each notation

struct Model {
  const char* name;
  std::vector<std::string> control;
  const char* chat_template;
  std::vector<std::string> texts;  // likely pieces of an answer
};

const std::vector<std::string> kJsonTexts = {"{\"name\": \"f\", \"arguments\": {\"a\": 1}}",
                                             "[{\"name\": \"f\", \"arguments\": {}}]",
                                             "{\"name\": \"f\"",
                                             ", \"arguments\": ",
                                             "{\"a\": 1}",
                                             "}",
                                             "{",
                                             "]",
                                             "[",
                                             "\"",
                                             "\\",
                                             "f",
                                             "h"};

const std::vector<Model>& Models() {
  static const std::vector<Model> models = {
      {"list",
       {"<s>", "</s>", "[TOOL_CALLS]", "[THINK]", "[/THINK]"},
       "tools [TOOL_CALLS]",
       kJsonTexts},
      {"named",
       {"<s>", "</s>", "[TOOL_CALLS]", "[ARGS]", "[CALL_ID]", "[THINK]", "[/THINK]"},
       "tools [TOOL_CALLS][ARGS]",
       kJsonTexts},
      {"hermes",
       {"<s>", "</s>", "<think>", "</think>", "<tool_call>", "</tool_call>"},
       "tools <tool_call> \"name\"",
       kJsonTexts},
      {"tags",
       {"<s>", "</s>"},
       "tools <tool_call> \"name\" <think>",
       {"<think>", "</think>", "<tool_call>", "{\"name\": \"f\", \"arguments\": {}}",
        "</tool_call>", "\n", "<", "Yes"}},
      {"llama",
       {"<s>", "</s>", "<|python_tag|>"},
       "tools <|start_header_id|> \"parameters\"",
       kJsonTexts},
      {"qwen",
       {"<s>", "</s>", "<think>", "</think>"},
       "tools <tool_call><function=<parameter=",
       {"<tool_call>", "<function=f>", "<function=h>", "<parameter=a>", "1", "\n", "</parameter>",
        "</function>", "</tool_call>", "{}"}},
      {"glm",
       {"<s>", "</s>", "<think>", "</think>", "<tool_call>", "</tool_call>"},
       "tools <tool_call><arg_key>",
       {"f", "h", "<arg_key>", "a", "</arg_key>", "<arg_value>", "1", "</arg_value>", "\n"}},
      {"harmony",
       {"<s>", "</s>", "<|start|>", "<|channel|>", "<|constrain|>", "<|message|>", "<|end|>"},
       "tools <|channel|><|message|>functions.",
       {"assistant", "user", "analysis", "final", "commentary", " to=functions.f",
        " to=functions.h", "json", "{\"a\": 1}", "{", "}", "Yes",
        "<|channel|>analysis<|message|>Hm", "<|channel|>final<|message|>",
        "<|channel|>commentary to=functions.f<|message|>"}},
  };
  return models;
}

struct Said {
  std::string reasoning;
  std::string content;
  std::vector<std::pair<std::string, std::string>> calls;  // name, arguments

  bool operator==(const Said&) const = default;
};

// Reads a stream as the strictest clients do.
Said ReadStream(const std::vector<std::string>& writes) {
  Said said;
  bool role = false;
  bool finished = false;
  EXPECT_EQ(writes.back(), "data: [DONE]\n\n");
  for (size_t i = 0; i + 1 < writes.size(); ++i) {
    const std::string& write = writes[i];
    EXPECT_TRUE(write.starts_with("data: ") && write.find("\n\n") == write.size() - 2);
    EXPECT_TRUE(std::ranges::all_of(write, [](char c) { return c > 0; }));
    const Json chunk = ParseJson(write.substr(6)).value();
    EXPECT_EQ(chunk["object"], "chat.completion.chunk");
    if (chunk["choices"].empty()) {
      EXPECT_TRUE(chunk["usage"]["total_tokens"].is_number_integer());
      continue;
    }
    EXPECT_FALSE(finished);
    const Json& choice = chunk["choices"][0];
    finished = choice["finish_reason"].is_string();
    const Json& delta = choice["delta"];
    EXPECT_EQ(role, !delta.contains("role"));
    role = true;
    for (const auto& [key, value] : delta.items()) EXPECT_FALSE(value.is_null()) << key;
    said.reasoning += delta.value("reasoning_content", "");
    said.content += delta.value("content", "");
    for (const Json& call : delta.value("tool_calls", Json::array())) {
      const size_t index = call["index"];
      const Json& function = call["function"];
      if (call.contains("id")) {
        EXPECT_EQ(index, said.calls.size());
        said.calls.emplace_back(function["name"], "");
      } else {
        EXPECT_EQ(index + 1, said.calls.size());
        EXPECT_FALSE(function.contains("name"));
      }
      said.calls.back().second += function["arguments"];
    }
  }
  EXPECT_TRUE(role && finished);
  return said;
}

Said ReadWhole(const std::string& body) {
  const Json json = ParseJson(body).value();
  const Json& choice = json["choices"][0];
  EXPECT_TRUE(choice["finish_reason"].is_string());
  EXPECT_TRUE(json["usage"]["total_tokens"].is_number_integer());
  const Json& message = choice["message"];
  EXPECT_EQ(message["role"], "assistant");
  EXPECT_TRUE(message["content"].is_string() || message.contains("tool_calls"));
  Said said;
  if (message["content"].is_string()) said.content = message["content"];
  said.reasoning = message.value("reasoning_content", "");
  EXPECT_EQ(message.contains("reasoning_content"), !said.reasoning.empty());
  for (const Json& call : message.value("tool_calls", Json::array())) {
    EXPECT_EQ(call["id"].get<std::string>().size(), 9u);
    said.calls.emplace_back(call["function"]["name"], call["function"]["arguments"]);
  }
  return said;
}

Said Answered(const ByteTokenizer& tokenizer, const AnswerNotation& reading,
              const std::vector<TokenId>& tokens, bool stream, bool cut) {
  const auto responder = std::make_shared<RecordingResponder>();
  FakeClock clock;
  AnswerOptions options;
  options.reading = reading;
  Reply reply(responder, {"chatcmpl-1", "M", 7, true, false}, stream, 3, Answer(tokenizer, options),
              clock);
  for (const TokenId token : tokens) {
    if (!reply.OnToken({token})) break;
  }
  reply.OnFinished(
      {cut ? FinishReason::kLength : FinishReason::kStop, static_cast<int32_t>(tokens.size())});
  if (stream) return ReadStream(responder->writes);
  EXPECT_EQ(responder->sent.size(), 1u);
  return ReadWhole(responder->sent[0].body);
}

class GarbageAnswers : public ::testing::TestWithParam<size_t> {};

TEST_P(GarbageAnswers, KeepTheProtocol) {
  const Model& model = Models()[GetParam()];
  const ByteTokenizer tokenizer(model.control);
  ChatSource source;
  source.templates["default"] =
      "{{ messages[0].content }}{# " + std::string(model.chat_template) + " #}";
  const auto format = ChatFormat::Create(tokenizer, source);
  ASSERT_TRUE(format) << format.error().message();
  ASSERT_TRUE(format->supports_tools());
  AnswerNotation reading = format->Reading({}, {{"f", R"({"properties": {"a": {}}})"}});
  std::mt19937_64 random(GetParam());
  const auto number = [&](size_t below) { return random() % below; };
  size_t calls = 0;
  size_t thoughts = 0;
  for (int i = 0; i < kAnswers; ++i) {
    std::vector<TokenId> tokens;
    for (size_t n = 1 + number(24); n > 0; --n) {
      switch (number(8)) {
        case 0:  // a part of a character
          tokens.push_back(static_cast<TokenId>(100 + number(256)));
          break;
        case 1:
        case 2:
        case 3:
          tokens.push_back(static_cast<TokenId>(number(model.control.size())));
          break;
        default: {
          const std::string& piece = model.texts[number(model.texts.size())];
          const TextRange all{0, piece.size()};  // names of tokens in it are these tokens
          const auto text = tokenizer.EncodeTrusted(piece, {&all, 1});
          tokens.insert(tokens.end(), text.begin(), text.end());
        }
      }
    }
    const bool cut = number(2) == 0;
    reading.starts_inside = reading.reasoning == ReasoningNotation::kThink && number(2) == 0;
    const Said streamed = Answered(tokenizer, reading, tokens, /*stream=*/true, cut);
    const Said whole = Answered(tokenizer, reading, tokens, /*stream=*/false, cut);
    EXPECT_EQ(streamed, whole) << i;
    for (const auto& [name, arguments] : whole.calls) {
      EXPECT_EQ(name, "f");
      EXPECT_TRUE(ParseJson(arguments).value().is_object());
    }
    for (const std::string& control : model.control) {
      // Tags may be text, too; tokens of other shapes are nothing but tokens here.
      if (control.starts_with("<t") || control.starts_with("</t")) continue;
      EXPECT_EQ(whole.content.find(control), std::string::npos) << whole.content;
      EXPECT_EQ(whole.reasoning.find(control), std::string::npos) << whole.reasoning;
    }
    calls += whole.calls.size();
    thoughts += whole.reasoning.empty() ? 0 : 1;
  }
  if (testing::kReduction > 1) return;  // too few to be sure of what is among them
  EXPECT_GT(calls, 0u);
  EXPECT_EQ(thoughts > 0, reading.reasoning != ReasoningNotation::kNone);
}

INSTANTIATE_TEST_SUITE_P(Notations, GarbageAnswers, ::testing::Range(size_t{0}, Models().size()),
                         [](const auto& one) { return std::string(Models()[one.param].name); });

}  // namespace
}  // namespace skerry::engine
