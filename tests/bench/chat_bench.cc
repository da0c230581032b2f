// How long a conversation of 100 messages takes to become a prompt: chat_bench [TEMPLATE]. Without
// a template it is ChatML with tools.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include "engine/chat/template_format.h"
#include "engine/tokenizer/load.h"

namespace {

using namespace skerry::engine;

constexpr const char* kChatMl =
    "{% if tools %}<|im_start|>system\n{% for t in tools %}{{ t|tojson }}\n{% endfor %}<|im_end|>\n"
    "{% endif %}{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}{% for c in "
    "m.tool_calls or [] %}<tool_call>{{ {'name': c.function.name, 'arguments': "
    "c.function.arguments}|tojson }}</tool_call>{% endfor %}<|im_end|>\n{% endfor %}";

Conversation Talk() {
  Conversation talk;
  std::string text;
  for (int i = 0; i < 60; ++i) text += "Some words of a turn. ";
  for (int i = 0; i < 25; ++i) {
    const std::string id = "call_" + std::to_string(i);
    Message user;
    user.content = text;
    Message call;
    call.role = Role::kAssistant;
    call.has_content = false;
    call.tool_calls = {
        {id, "search", R"({"query": "failed logins", "limit": 10, "from": "now-1d"})"}};
    Message result;
    result.role = Role::kTool;
    result.tool_call_id = id;
    result.content = text;
    Message answer;
    answer.role = Role::kAssistant;
    answer.content = text;
    for (Message* turn : {&user, &call, &result, &answer}) talk.messages.push_back(*turn);
  }
  talk.messages.pop_back();
  for (int i = 0; i < 10; ++i) {
    talk.tools.push_back(
        {"search", "Searches.", "",
         R"({"type":"function","function":{"name":"search","description":"Searches.",)"
         R"("parameters":{"type":"object","properties":{"query":{"type":"string"},)"
         R"("limit":{"type":"integer"}},"required":["query"]}}})"});
  }
  return talk;
}

}  // namespace

int main(int argc, char** argv) {
  ChatSource source;
  source.templates["default"] = kChatMl;
  source.special_tokens = {{"bos_token", "<s>"}, {"eos_token", "</s>"}};
  if (argc > 1) {
    std::ifstream file(argv[1], std::ios::binary);
    source.templates["default"].assign(std::istreambuf_iterator<char>(file), {});
  }
  const auto loaded = LoadTokenizer("installer/demo-model/model");
  if (!loaded) {
    std::fprintf(stderr, "run in the source folder: %s\n", loaded.error().message().c_str());
    return 1;
  }
  const auto format = TemplateFormat::Create(*loaded->tokenizer, source);
  if (!format) {
    std::fprintf(stderr, "%s\n", format.error().message().c_str());
    return 1;
  }
  const Conversation talk = Talk();
  double best = 1e9;
  size_t bytes = 0;
  for (int round = 0; round < 200; ++round) {
    const auto start = std::chrono::steady_clock::now();
    const auto prompt = format->Write(talk, 0);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    if (!prompt) {
      std::fprintf(stderr, "%s\n", prompt.error().message().c_str());
      return 1;
    }
    bytes = 0;
    for (const PromptPart& part : (*prompt)[0].parts) bytes += part.text.size();
    best = std::min(best, took.count());
  }
  std::printf("%zu messages, %zu bytes of prompt: %.2f ms\n", talk.messages.size(), bytes,
              best * 1e3);
  return 0;
}
