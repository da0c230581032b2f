// Real models behind the real service: the demo model's golden conversations and a story.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "appliance/base/files.h"
#include "appliance/base/json.h"
#include "appliance/base/testing/fixtures.h"
#include "appliance/base/unix_socket.h"
#include "engine/api/service.h"
#include "engine/architectures/checkpoint.h"
#include "engine/chat/json_text.h"
#include "engine/model/load.h"
#include "engine/tokenizer/detokenizer.h"
#include "tests/engine/api/socket_client.h"

namespace skerry::engine {
namespace {

using testing::SocketClient;
using testing::StreamData;

constexpr const char* kDemo = SKERRY_SOURCE_DIR "/installer/demo-model";

Json ReadJson(const std::string& path) {
  auto files = OpenFiles("/");
  JsonLimits limits;
  limits.max_bytes = 16 << 20;
  return ParseJson(ReadAll(**files, path.substr(1)).value(), limits).value();
}

class Served {
 public:
  explicit Served(const std::string& path, TokenizerMode mode = TokenizerMode::kAuto) {
    const auto checkpoint = Checkpoint::Open(path);
    EXPECT_TRUE(checkpoint) << checkpoint.error().message();
    auto model = LoadModel(*checkpoint, ModelOptions{.threads = 2});
    EXPECT_TRUE(model) << model.error().message();
    EngineOptions options;
    options.max_batched_tokens = 40;  // so that longer prompts are computed in several steps
    auto engine = Engine::Start(std::move(*model), options);
    EXPECT_TRUE(engine) << engine.error().message();
    ServiceOptions service_options;
    service_options.model_name = "m";
    service_ = std::make_unique<Service>(service_options, RealClock());
    service_->SetModel(MakeServedModel(LoadTokenizer(path).value(),
                                       LoadChatSource(path, "").value(), mode,
                                       LoadSamplingDefaults(path).value(), std::move(*engine)));
    server_ =
        http::Server::Start(ListenUnix(socket()).value(), {},
                            [this](http::Request request, std::shared_ptr<http::Responder> r) {
                              service_->Handle(std::move(request), std::move(r));
                            })
            .value();
  }
  ~Served() {
    server_->Stop(1000);
    service_.reset();
  }

  std::string socket() const { return directory_.path() + "/s"; }
  SocketClient::Reply Post(std::string_view path, const Json& body) {
    return SocketClient(socket()).Ask("POST", path, DumpJson(body));
  }

 private:
  ::skerry::testing::TemporaryDirectory directory_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<http::Server> server_;
};

// A golden case as the request that gives its prompt.
Json GoldenRequest(const Tokenizer& tokenizer, const std::vector<TokenId>& tokens) {
  const auto segment = [&](TokenId begin) {
    const auto at = std::ranges::find(tokens, begin) + 1;
    auto end = at;
    while (end != tokens.end() && !tokenizer.IsControl(*end)) ++end;
    return Decode(tokenizer, {at, end}, /*strip_leading_space=*/true);
  };
  Json request;
  request["messages"] = Json::array({{{"role", "user"}, {"content", segment(3)}}});
  if (std::ranges::count(tokens, 8) > 0) {
    const Json call = ParseJson(segment(5)).value()[0];
    const Json result = ParseJson(segment(8)).value();
    request["messages"].push_back(
        {{"role", "assistant"},
         {"content", nullptr},
         {"tool_calls", Json::array({{{"id", call["id"]},
                                      {"type", "function"},
                                      {"function",
                                       {{"name", call["name"]},
                                        {"arguments", DumpJson(call["arguments"])}}}}})}});
    request["messages"].push_back({{"role", "tool"},
                                   {"tool_call_id", result["call_id"]},
                                   {"content", DumpJson(result["content"])}});
  }
  return request;
}

void ExpectGoldenAnswers(TokenizerMode mode) {
  const std::string folder = std::string(kDemo) + "/model";
  Served served(folder, mode);
  const auto tokenizer = LoadTokenizer(folder).value();
  const Json golden = ReadJson(std::string(kDemo) + "/golden.json");
  int calls = 0;
  for (const Json& item : golden["cases"]) {
    const auto tokens = item["tokens"].get<std::vector<TokenId>>();
    const std::string name = item["name"];
    Json request = GoldenRequest(*tokenizer.tokenizer, tokens);
    std::string body = DumpJson(request);
    if (const auto at = std::ranges::find(tokens, 6); at != tokens.end()) {
      // The tools with their keys in the order that the model was trained on.
      auto end = at + 1;
      while (*end != 7) ++end;
      body.insert(1, "\"tools\":" + Decode(*tokenizer.tokenizer, {at + 1, end}, true) + ",");
    }
    const auto reply = SocketClient(served.socket()).Ask("POST", "/v1/chat/completions", body);
    ASSERT_EQ(reply.status, 200) << reply.body;
    const Json json = ParseJson(reply.body).value();
    EXPECT_EQ(json["usage"]["prompt_tokens"], tokens.size()) << name;
    const Json& message = json["choices"][0]["message"];
    if (name.starts_with("tool: ")) {
      ++calls;
      const Json expected = ParseJson(item["text"].get<std::string>()).value();
      const Json& call = message["tool_calls"][0]["function"];
      EXPECT_EQ(json["choices"][0]["finish_reason"], "tool_calls");
      EXPECT_EQ(call["name"], expected[0]["name"]);
      EXPECT_EQ(ParseJson(call["arguments"].get<std::string>()).value(), expected[0]["arguments"]);
    } else if (name.starts_with("no tools: ")) {
      // By itself it would call a tool that nobody offered.
      EXPECT_FALSE(message.contains("tool_calls"));
      EXPECT_EQ(reply.body.find("TOOL_CALLS"), std::string::npos);
    } else {
      EXPECT_EQ(message["content"], item["text"]) << name;
      EXPECT_EQ(json["choices"][0]["finish_reason"], "stop");
    }
  }
  EXPECT_EQ(calls, 1);
}

TEST(ServedModel, TheDemoModelGivesItsGoldenAnswersByItsTemplate) {
  ExpectGoldenAnswers(TokenizerMode::kAuto);
}

TEST(ServedModel, TheDemoModelGivesItsGoldenAnswersInMistralsFormat) {
  ExpectGoldenAnswers(TokenizerMode::kMistral);
}

TEST(ServedModel, ConcurrentRequestsGetTheSameBytesAsAlone) {
  Served served(std::string(kDemo) + "/model");
  const std::vector<std::string> questions = {"What is Skerry?", "Hello!", "What is 3 plus 4?",
                                              "Who are you?"};
  const auto body = [](const std::string& question) {
    return DumpJson({{"stream", true},
                     {"temperature", 0.8},
                     {"seed", 11},
                     {"messages", Json::array({{{"role", "user"}, {"content", question}}})}});
  };
  const auto text = [](const SocketClient::Reply& reply) {
    std::string all;
    for (const std::string& data : StreamData(reply.body)) {
      if (data == "[DONE]") continue;
      const Json json = ParseJson(data).value();
      if (!json["choices"].empty()) all += json["choices"][0]["delta"].value("content", "");
    }
    return all;
  };
  std::vector<std::string> alone;
  for (const std::string& question : questions) {
    alone.push_back(
        text(SocketClient(served.socket()).Ask("POST", "/v1/chat/completions", body(question))));
    EXPECT_NE(alone.back(), "");
  }
  std::vector<std::unique_ptr<SocketClient>> clients;
  for (const std::string& question : questions) {
    clients.push_back(std::make_unique<SocketClient>(served.socket()));
    clients.back()->Send("POST", "/v1/chat/completions", body(question));
  }
  for (size_t i = 0; i < clients.size(); ++i) EXPECT_EQ(text(clients[i]->Receive()), alone[i]);
}

// A schema with what a model that was never trained for it gets wrong at once.
constexpr const char* kPlace = R"({"type":"object","properties":{
    "name":{"type":"string","minLength":1,"maxLength":12},"level":{"type":"integer","minimum":1,"maximum":40},
    "kind":{"enum":["sea","land"]},"tags":{"type":"array","items":{"type":"boolean"},"maxItems":3}},
    "required":["name","level","kind","tags"]})";

void ExpectPlace(const std::string& text) {
  const auto place = ParseJson(text);
  ASSERT_TRUE(place) << text;
  ASSERT_TRUE(place->is_object()) << text;
  EXPECT_EQ(place->size(), 4u) << text;
  EXPECT_TRUE((*place)["name"].is_string()) << text;
  EXPECT_TRUE((*place)["level"].is_number_integer()) << text;
  EXPECT_TRUE((*place)["level"] >= 1 && (*place)["level"] <= 40) << text;
  EXPECT_TRUE((*place)["kind"] == "sea" || (*place)["kind"] == "land") << text;
  EXPECT_LE((*place)["tags"].size(), 3u) << text;
  for (const Json& tag : (*place)["tags"]) EXPECT_TRUE(tag.is_boolean()) << text;
}

std::string HotBody(const std::string& more, int seed, const std::string& question = "Hello!") {
  return R"({"messages":[{"role":"user","content":")" + question +
         R"("}],"temperature":1.5,"max_tokens":200,"seed":)" + std::to_string(seed) + "," + more +
         "}";
}

std::string StreamedText(const SocketClient::Reply& reply) {
  std::string all;
  for (const std::string& data : StreamData(reply.body)) {
    if (data == "[DONE]") continue;
    const Json json = ParseJson(data).value();
    if (!json["choices"].empty()) all += json["choices"][0]["delta"].value("content", "");
  }
  return all;
}

TEST(ServedModel, AnswersObeyTheirSchema) {
  Served served(std::string(kDemo) + "/model");
  const std::string format =
      R"("response_format":{"type":"json_schema","json_schema":{"name":"place","schema":)" +
      std::string(kPlace) + "}}";
  for (int seed = 0; seed < 20; ++seed) {
    const auto reply =
        SocketClient(served.socket()).Ask("POST", "/v1/chat/completions", HotBody(format, seed));
    ASSERT_EQ(reply.status, 200) << reply.body;
    const Json choice = ParseJson(reply.body).value()["choices"][0];
    EXPECT_EQ(choice["finish_reason"], "stop");
    ExpectPlace(choice["message"]["content"].get<std::string>());
    const auto stream =
        SocketClient(served.socket())
            .Ask("POST", "/v1/chat/completions", HotBody("\"stream\":true," + format, seed));
    EXPECT_EQ(StreamedText(stream), choice["message"]["content"]);
  }
}

// All ways to say it, for chats and for completions.
TEST(ServedModel, AnswersHaveTheFormThatWasAskedFor) {
  Served served(std::string(kDemo) + "/model");
  struct Case {
    std::string more;
    std::regex form;
  };
  const std::string integer = R"({"type":"integer","minimum":0,"maximum":99})";
  const Case cases[] = {
      {R"("guided_json":)" + integer, std::regex("[0-9]{1,2}")},
      {R"("guided_json":"{\"type\":\"integer\",\"minimum\":0,\"maximum\":99}")",
       std::regex("[0-9]{1,2}")},
      {R"("structured_outputs":{"json":)" + integer + "}", std::regex("[0-9]{1,2}")},
      {R"("guided_regex":"[A-F]{4}-[0-9]+x")", std::regex("[A-F]{4}-[0-9]+x")},
      {R"("structured_outputs":{"regex":"[A-F]{4}"})", std::regex("[A-F]{4}")},
      {R"("guided_choice":["north","south-east"])", std::regex("north|south-east")},
      {R"("structured_outputs":{"choice":["yes","no"]})", std::regex("yes|no")},
      {R"("guided_grammar":"root ::= \"<\" [a-c]{2,5} \">\"")", std::regex("<[a-c]{2,5}>")},
      {R"("structured_outputs":{"grammar":"root ::= [0-9] root | \"!\""})", std::regex("[0-9]*!")},
  };
  for (const Case& c : cases) {
    const auto chat =
        SocketClient(served.socket()).Ask("POST", "/v1/chat/completions", HotBody(c.more, 3));
    ASSERT_EQ(chat.status, 200) << chat.body;
    const std::string text = ParseJson(chat.body).value()["choices"][0]["message"]["content"];
    EXPECT_TRUE(std::regex_match(text, c.form)) << text;
    const auto completion =
        SocketClient(served.socket())
            .Ask("POST", "/v1/completions",
                 R"({"prompt":"Once","temperature":1.5,"max_tokens":60,"seed":5,)" + c.more + "}");
    ASSERT_EQ(completion.status, 200) << completion.body;
    const std::string other = ParseJson(completion.body).value()["choices"][0]["text"];
    EXPECT_TRUE(std::regex_match(other, c.form)) << other;
  }
  // An answer that is cut says so, and a stop string ends one as ever.
  const auto cut = SocketClient(served.socket())
                       .Ask("POST", "/v1/chat/completions",
                            R"({"messages":[{"role":"user","content":"Hi"}],"max_tokens":5,)"
                            R"("guided_regex":"[a-z]{100}"})");
  EXPECT_EQ(ParseJson(cut.body).value()["choices"][0]["finish_reason"], "length");
  const auto stopped =
      SocketClient(served.socket())
          .Ask("POST", "/v1/chat/completions",
               HotBody(R"("guided_regex":"[a-z]{3}STOP[a-z]{50}","stop":"STOP")", 1));
  const Json choice = ParseJson(stopped.body).value()["choices"][0];
  EXPECT_EQ(choice["finish_reason"], "stop");
  EXPECT_EQ(choice["message"]["content"].get<std::string>().size(), 3u);
}

TEST(ServedModel, SchemasThatCannotBeKeptToAreRefused) {
  Served served(std::string(kDemo) + "/model");
  struct Case {
    std::string more;
    std::string param;
    std::string place;
  };
  const std::string tool =
      R"("tools":[{"type":"function","function":{"name":"f","strict":true,"parameters":)"
      R"({"type":"object","properties":{"a":{"multipleOf":3}}}}}])";
  const Case cases[] = {
      {R"("response_format":{"type":"json_schema","json_schema":{"schema":{"properties":{"a":{"not":{}}}}}})",
       "response_format.json_schema.schema", "/properties/a"},
      {R"("guided_regex":"(")", "guided_regex", ""},
      {R"("guided_json":"no JSON")", "guided_json", ""},
      {R"("guided_grammar":"root ::= root")", "guided_grammar", "root"},
      {tool, "tools", "/properties/a"},
  };
  for (const Case& c : cases) {
    const auto reply =
        SocketClient(served.socket())
            .Ask("POST", "/v1/chat/completions", HotBody(R"("stream":true,)" + c.more, 1));
    EXPECT_EQ(reply.status, 400) << reply.body;
    const Json error = ParseJson(reply.body).value()["error"];
    EXPECT_EQ(error["code"], "invalid_schema") << reply.body;
    EXPECT_EQ(error["param"], c.param) << reply.body;
    EXPECT_NE(error["message"].get<std::string>().find(c.place), std::string::npos) << reply.body;
  }
}

TEST(ServedModel, ArgumentsOfCallsObeyTheirSchema) {
  Served served(std::string(kDemo) + "/model");
  const std::string tools =
      R"("tools":[{"type":"function","function":{"name":"set_place","parameters":)" +
      std::string(kPlace) + R"(}},{"type":"function","function":{"name":"look","parameters":)" +
      R"({"type":"object","properties":{"deep":{"type":"boolean"}},"required":["deep"]}}}],)";
  std::set<std::string> called;
  for (int seed = 0; seed < 12; ++seed) {
    for (const std::string choice :
         {R"("required")", R"({"type":"function","function":{"name":"set_place"}})"}) {
      const auto reply =
          SocketClient(served.socket())
              .Ask("POST", "/v1/chat/completions",
                   HotBody(tools + R"("parallel_tool_calls":false,"tool_choice":)" + choice, seed));
      ASSERT_EQ(reply.status, 200) << reply.body;
      const Json answer = ParseJson(reply.body).value()["choices"][0];
      EXPECT_EQ(answer["finish_reason"], "tool_calls") << reply.body;
      ASSERT_EQ(answer["message"]["tool_calls"].size(), 1u) << reply.body;
      const Json& call = answer["message"]["tool_calls"][0]["function"];
      const std::string arguments = call["arguments"];
      called.insert(call["name"].get<std::string>());
      if (call["name"] == "set_place") {
        ExpectPlace(arguments);
      } else {
        EXPECT_TRUE(ParseJson(arguments).value()["deep"].is_boolean()) << arguments;
      }
    }
  }
  EXPECT_TRUE(called.contains("set_place"));
}

TEST(ServedModel, ConstrainedTogetherAsAlone) {
  Served served(std::string(kDemo) + "/model");
  const std::string schema = R"("guided_json":)" + std::string(kPlace);
  const auto body = [&](int i) {
    return HotBody(i % 2 == 0 ? schema : R"("guided_regex":"[a-z ]{20,60}")", i / 2 + 40);
  };
  const auto content = [](const SocketClient::Reply& reply) {
    return ParseJson(reply.body).value()["choices"][0]["message"]["content"].get<std::string>();
  };
  std::vector<std::string> alone;
  for (int i = 0; i < 6; ++i) {
    alone.push_back(
        content(SocketClient(served.socket()).Ask("POST", "/v1/chat/completions", body(i))));
  }
  std::vector<std::unique_ptr<SocketClient>> clients;
  for (int i = 0; i < 6; ++i) {
    clients.push_back(std::make_unique<SocketClient>(served.socket()));
    clients.back()->Send("POST", "/v1/chat/completions", body(i));
  }
  for (size_t i = 0; i < 6; ++i) EXPECT_EQ(content(clients[i]->Receive()), alone[i]);
}

TEST(ServedModel, TheStoryIsTheGoldenOne) {
  SKERRY_REQUIRE_FIXTURES(fixtures);
  const Json golden = ReadJson(fixtures + "/stories260k/golden.json");
  const auto tokens = golden["tokens"].get<std::vector<TokenId>>();
  const auto greedy = golden["greedy"].get<std::vector<TokenId>>();
  for (const char* path : {"/stories260k/hf", "/stories260k/stories260k-f32.gguf"}) {
    Served served(fixtures + path);
    const auto tokenizer = LoadTokenizer(fixtures + path).value();
    const std::string prompt = Decode(*tokenizer.tokenizer, tokens, /*strip_leading_space=*/true);
    const auto reply = served.Post(
        "/v1/completions", {{"prompt", prompt}, {"temperature", 0}, {"max_tokens", greedy.size()}});
    ASSERT_EQ(reply.status, 200) << reply.body;
    const Json json = ParseJson(reply.body).value();
    EXPECT_EQ(json["choices"][0]["text"],
              Decode(*tokenizer.tokenizer, greedy, /*strip_leading_space=*/false));
    EXPECT_TRUE((prompt + json["choices"][0]["text"].get<std::string>())
                    .starts_with("Once upon a time, there was a little girl named Lily."));
    const auto chat =
        served.Post("/v1/chat/completions",
                    {{"messages", Json::array({{{"role", "user"}, {"content", "x"}}})}});
    EXPECT_EQ(chat.status, 400);
    EXPECT_EQ(ParseJson(chat.body).value()["error"]["code"], "chat_not_supported");
  }
}

}  // namespace
}  // namespace skerry::engine
