#include "engine/api/service.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <climits>
#include <future>
#include <map>
#include <nlohmann/json.hpp>

#include "appliance/base/json.h"
#include "appliance/base/testing/fixtures.h"
#include "appliance/base/unix_socket.h"
#include "tests/engine/api/socket_client.h"
#include "tests/engine/chat/byte_tokenizer.h"
#include "tests/engine/runtime/fake_model.h"

namespace skerry::engine {
namespace {

using testing::FakeModel;
using testing::Gate;
using testing::SocketClient;
using testing::StreamData;

constexpr const char* kDemo = SKERRY_SOURCE_DIR "/installer/demo-model/model";
constexpr TokenId kInstEnd = 4;
constexpr TokenId kToolCalls = 5;
constexpr TokenId kEnd = 2;
constexpr int32_t kContext = 256;
constexpr const char* kChat = "/v1/chat/completions";

const char* const kTools =
    R"("tools":[{"type":"function","function":{"name":"get_weather","description":"d",
       "parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}])";

// A service over a Unix socket whose model answers `script` to any chat.
class ServiceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto loaded = LoadTokenizer(kDemo);
    ASSERT_TRUE(loaded) << loaded.error().message();
    text_ = std::move(*loaded);
    auto source = LoadChatSource(kDemo, "");
    ASSERT_TRUE(source) << source.error().message();
    source_ = std::move(*source);
  }

  // Tokens of `answer`, where "[TOOL_CALLS]" stands for that token, and the end token.
  std::vector<TokenId> Tokens(std::string_view answer) {
    std::vector<TokenId> tokens;
    const size_t at = answer.find("[TOOL_CALLS]");
    if (at != std::string_view::npos) {
      tokens = text_.tokenizer->Encode(answer.substr(0, at));
      tokens.push_back(kToolCalls);
      answer.remove_prefix(at + 12);
    }
    const auto rest = text_.tokenizer->Encode(answer);
    tokens.insert(tokens.end(), rest.begin(), rest.end());
    tokens.push_back(kEnd);
    return tokens;
  }

  // Chat answers with `script`, whatever follows it with its last token; a prompt without turns
  // goes on by a hash of itself.
  void Start(std::vector<TokenId> script, EngineOptions options = {}, int ping_ms = 10'000) {
    auto next = [script = std::move(script)](const std::vector<TokenId>& tokens) {
      const auto at = std::find(tokens.rbegin(), tokens.rend(), kInstEnd);
      if (at == tokens.rend()) return 10 + FakeModel::Hash(900)(tokens);
      const auto n = static_cast<size_t>(at - tokens.rbegin());
      return script[std::min(n, script.size() - 1)];
    };
    service_options_.model_name = "demo";
    service_options_.ping_ms = ping_ms;
    service_ = std::make_unique<Service>(service_options_, RealClock());
    path_ = directory_.path() + "/s";
    server_ =
        http::Server::Start(ListenUnix(path_).value(), {},
                            [this](http::Request request, std::shared_ptr<http::Responder> r) {
                              service_->Handle(std::move(request), std::move(r));
                            })
            .value();
    if (!load_) return;
    // An engine computes a token before it starts.
    const bool closed = gate_.closed();
    gate_.Open();
    auto engine = Engine::Start(std::make_unique<FakeModel>(1024, kContext, next, &gate_), options);
    if (closed) gate_.Close();
    ASSERT_TRUE(engine) << engine.error().message();
    engine_ = engine->get();
    SamplingDefaults defaults;
    defaults.temperature = 0;
    ServedModel model = MakeServedModel(std::move(text_), source_, TokenizerMode::kAuto, defaults,
                                        std::move(*engine));
    model.notes = {"half of it is left out"};
    service_->SetModel(std::move(model));
  }

  void TearDown() override {
    gate_.Open();
    if (server_) server_->Stop(1000);
    service_.reset();
    server_.reset();
  }

  SocketClient::Reply Post(std::string_view path, std::string_view body,
                           std::string_view headers = "") {
    return SocketClient(path_).Ask("POST", path, body, headers);
  }
  // One user turn, with more fields behind it.
  SocketClient::Reply Chat(std::string_view more = "", std::string_view headers = "") {
    return Post(kChat, Body(more), headers);
  }
  static std::string Body(std::string_view more = "") {
    return R"({"messages":[{"role":"user","content":"Hi"}])" +
           (more.empty() ? "" : "," + std::string(more)) + "}";
  }
  static Json Parse(const std::string& text) {
    auto json = ParseJson(text);
    EXPECT_TRUE(json) << text;
    return json ? *json : Json();
  }

  ::skerry::testing::TemporaryDirectory directory_;
  std::string path_;
  Gate gate_;
  bool load_ = true;
  LoadedTokenizer text_;
  ChatSource source_;
  ServiceOptions service_options_;
  Engine* engine_ = nullptr;
  std::unique_ptr<Service> service_;
  std::unique_ptr<http::Server> server_;
};

// The text of a chat stream, with the checks every stream must pass.
std::string StreamText(const SocketClient::Reply& reply) {
  const auto data = StreamData(reply.body);
  EXPECT_GE(data.size(), 3u);
  if (data.size() < 3) return "";
  EXPECT_EQ(data.back(), "[DONE]");
  std::string text;
  for (size_t i = 0; i + 1 < data.size(); ++i) {
    const Json json = ParseJson(data[i]).value();
    EXPECT_EQ(json["object"], "chat.completion.chunk");
    if (i + 2 == data.size()) {
      EXPECT_EQ(json["choices"], Json::array());
      EXPECT_TRUE(json["usage"]["total_tokens"].is_number());
      continue;
    }
    const Json& delta = json["choices"][0]["delta"];
    if (i == 0) {
      EXPECT_EQ(delta["role"], "assistant");
    }
    if (delta.contains("content")) text += delta["content"].get<std::string>();
  }
  return text;
}

TEST_F(ServiceTest, LoadingAnswers503) {
  load_ = false;
  Start({kEnd});
  SocketClient client(path_);
  service_->SetProgress("loading weights", 0.4);
  const auto health = client.Ask("GET", "/health");
  EXPECT_EQ(health.status, 503);
  EXPECT_EQ(Parse(health.body)["phase"], "loading weights");
  EXPECT_EQ(Parse(health.body)["progress"], 0.4);
  const auto reply = client.Ask("POST", kChat, Body());
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(Parse(reply.body)["error"]["code"], "loading");
  EXPECT_NE(reply.Header("retry-after"), "");
}

TEST_F(ServiceTest, HealthModelsAndWrongRoutes) {
  Start(Tokens("x"));
  SocketClient client(path_);
  const auto health = client.Ask("GET", "/health");
  EXPECT_EQ(health.status, 200);
  EXPECT_EQ(health.body, R"({"notes":["half of it is left out"],"status":"ok"})");
  const Json models = Parse(client.Ask("GET", "/v1/models").body);
  EXPECT_EQ(models["object"], "list");
  EXPECT_EQ(models["data"][0]["id"], "demo");
  EXPECT_EQ(models["data"][0]["object"], "model");
  EXPECT_TRUE(models["data"][0]["created"].is_number_integer());
  const auto missing = client.Ask("GET", "/v1/nothing");
  EXPECT_EQ(missing.status, 404);
  EXPECT_TRUE(Parse(missing.body)["error"]["code"].is_string());
  const auto wrong = client.Ask("GET", kChat);
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.Header("allow"), "POST");
  EXPECT_EQ(client.Ask("POST", "/health").status, 405);
}

TEST_F(ServiceTest, WholeChatReply) {
  Start(Tokens("Hello! gr\xC3\xBC\xC3\x9F \xF0\x9F\xA6\x99"));
  const auto reply = Chat(R"("stream":false)");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const Json json = Parse(reply.body);
  EXPECT_EQ(json["choices"][0]["message"]["content"], "Hello! gr\xC3\xBC\xC3\x9F \xF0\x9F\xA6\x99");
  EXPECT_EQ(json["choices"][0]["finish_reason"], "stop");
  EXPECT_EQ(json["model"], "demo");
  const int64_t prompt = json["usage"]["prompt_tokens"];
  const int64_t completion = json["usage"]["completion_tokens"];
  EXPECT_GT(prompt, 3);
  EXPECT_EQ(reply.Header("content-type"), "application/json");
  EXPECT_EQ(reply.Header("skerry-lease"), "prompt=" + std::to_string(prompt));
  EXPECT_EQ(reply.Header("skerry-usage"), "prompt=" + std::to_string(prompt) + " completion=" +
                                              std::to_string(completion) + " finish=stop");
}

TEST_F(ServiceTest, StreamedChatReply) {
  const std::string answer =
      "Gr\xC3\xBC\xC3\x9F\x65 \xE6\x9D\xB1\xE4\xBA\xAC \xF0\x9F\xA6\x99 <|x|> [/INST]";
  Start(Tokens(answer));
  const auto reply = Chat(R"("stream":true)");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.Header("content-type"), "text/event-stream");
  EXPECT_TRUE(reply.Header("skerry-lease").starts_with("prompt="));
  EXPECT_EQ(StreamText(reply), answer);
  EXPECT_TRUE(std::ranges::all_of(reply.body, [](char c) { return c > 0; }));
  ASSERT_EQ(reply.trailers.size(), 1u);
  EXPECT_EQ(reply.trailers[0].first, "skerry-usage");
  EXPECT_TRUE(reply.trailers[0].second.ends_with(" finish=stop"));
}

TEST_F(ServiceTest, StopStringsAcrossTokens) {
  Start(Tokens("one two three four"));
  EXPECT_EQ(StreamText(Chat(R"("stream":true,"stop":["o thr"])")), "one tw");
  const Json json = Parse(Chat(R"("stop":"e four")").body);
  EXPECT_EQ(json["choices"][0]["message"]["content"], "one two thre");
  EXPECT_EQ(json["choices"][0]["finish_reason"], "stop");
}

TEST_F(ServiceTest, LengthEndsAnswersAndIsSaidSo) {
  Start(Tokens("one two three four"));
  const Json json = Parse(Chat(R"("max_completion_tokens":2)").body);
  EXPECT_EQ(json["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(json["usage"]["completion_tokens"], 2);
  const auto lease = Chat("", "skerry-lease: tokens=10\r\n");
  const Json leased = Parse(lease.body);
  EXPECT_EQ(leased["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(leased["usage"]["total_tokens"], 10);
  EXPECT_EQ(Chat("", "skerry-lease: tokens=2\r\n").status, 429);
  EXPECT_EQ(Chat("", "skerry-lease: many\r\n").status, 400);
}

TEST_F(ServiceTest, TooLongIsRefusedBeforeThe200) {
  Start(Tokens("x"));
  std::string text;
  for (int i = 0; i < 300; ++i) text += "word ";
  for (const std::string& body :
       {R"({"stream":true,"messages":[{"role":"user","content":")" + text + "\"}]}",
        Body(R"("max_tokens":255)")}) {
    const auto reply = Post(kChat, body);
    EXPECT_EQ(reply.status, 400);
    const Json error = Parse(reply.body)["error"];
    EXPECT_EQ(error["code"], "context_length_exceeded");
    const std::string message = error["message"];
    EXPECT_NE(message.find("maximum context length"), std::string::npos);
    EXPECT_NE(message.find("Please reduce your prompt; or completion length."), std::string::npos);
  }
}

TEST_F(ServiceTest, CertainlyTooLongIsRefusedBeforeItIsEncoded) {
  Start(Tokens("x"));
  std::string text;
  for (int i = 0; i < 1'000'000; ++i) text += "a ";
  for (const auto& [path, body, param] :
       {std::tuple{kChat, R"({"messages":[{"role":"user","content":")" + text + "\"}]}",
                   "messages"},
        std::tuple{"/v1/completions", R"({"prompt":")" + text + "\"}", "prompt"}}) {
    const auto reply = Post(path, body);
    EXPECT_EQ(reply.status, 400);
    const Json error = Parse(reply.body)["error"];
    EXPECT_EQ(error["code"], "context_length_exceeded");
    EXPECT_EQ(error["param"], param);
    const std::string message = error["message"];
    EXPECT_NE(message.find("maximum context length"), std::string::npos);
    EXPECT_NE(message.find("your prompt has at least"), std::string::npos);
    EXPECT_NE(message.find("Please reduce your prompt; or completion length."), std::string::npos);
  }
}

// Encodes nothing: tells whether anything was asked for.
class CountingTokenizer : public testing::ByteTokenizer {
 public:
  explicit CountingTokenizer(std::atomic<int>& n_encoded)
      : ByteTokenizer({"<s>", "</s>", "[INST]", "[/INST]"}), n_encoded_(n_encoded) {}

 protected:
  std::vector<TokenId> EncodeValid(std::string_view text,
                                   std::span<const TextRange> trusted) const override {
    ++n_encoded_;
    return ByteTokenizer::EncodeValid(text, trusted);
  }

 private:
  std::atomic<int>& n_encoded_;
};

// A client that goes when it is asked for the `goes_at`-th time.
class LeavingClient : public http::Responder {
 public:
  explicit LeavingClient(int goes_at) : goes_at_(goes_at) {}
  void Send(http::Response response) override { sent_.set_value(response.status); }
  void Start(int, http::HeaderList) override {}
  size_t Write(std::string) override { return 0; }
  void Finish(http::HeaderList) override {}
  void Abort() override {}
  bool ClientGone() const override { return ++n_asked_ >= goes_at_; }
  void OnClientGone(std::function<void()>) override {}
  int Status() { return sent_.get_future().get(); }

 private:
  const int goes_at_;
  mutable std::atomic<int> n_asked_ = 0;
  std::promise<int> sent_;
};

TEST(Service, NothingIsEncodedForClientsThatHaveGone) {
  std::atomic<int> n_encoded = 0;
  {
    ServiceOptions options;
    options.n_workers = 1;
    Service service(options, RealClock());
    LoadedTokenizer text;
    text.tokenizer = std::make_unique<CountingTokenizer>(n_encoded);
    auto engine =
        Engine::Start(std::make_unique<FakeModel>(356, kContext, FakeModel::Hash(356)), {});
    ASSERT_TRUE(engine) << engine.error().message();
    service.SetModel(
        MakeServedModel(std::move(text), {}, TokenizerMode::kMistral, {}, std::move(*engine)));
    const auto ask = [&](std::shared_ptr<http::Responder> client, const std::string& path) {
      http::Request request;
      request.head.method = "POST";
      request.head.path = path;
      request.body = R"({"messages":[{"role":"user","content":"x"}],"prompt":"x","max_tokens":1})";
      service.Handle(std::move(request), std::move(client));
    };
    for (const char* path : {kChat, "/v1/completions"}) {
      ask(std::make_shared<LeavingClient>(1), path);  // while it was queued
      ask(std::make_shared<LeavingClient>(2), path);  // while its body was read
    }
    // The one worker takes them in order, so all others are done when this one is answered.
    const auto stays = std::make_shared<LeavingClient>(INT_MAX);
    http::Request bad;
    bad.head.method = "POST";
    bad.head.path = kChat;
    service.Handle(std::move(bad), stays);
    EXPECT_EQ(stays->Status(), 400);
    EXPECT_EQ(n_encoded, 0);
    const auto good = std::make_shared<LeavingClient>(INT_MAX);
    ask(good, kChat);
    EXPECT_EQ(good->Status(), 200);
    EXPECT_GT(n_encoded, 0);
  }
}

TEST_F(ServiceTest, ModelNames) {
  Start(Tokens("x"));
  EXPECT_EQ(Chat(R"("model":"demo")").status, 200);
  const auto unknown = Chat(R"("model":"gpt-4.1")");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(Parse(unknown.body)["error"]["code"], "model_not_found");
  EXPECT_NE(unknown.body.find("demo"), std::string::npos);
  const auto alias = Chat(R"("model":"gpt-4.1")", "skerry-model: gpt-4.1\r\n");
  EXPECT_EQ(alias.status, 200);
  EXPECT_EQ(Parse(alias.body)["model"], "gpt-4.1");
}

TEST_F(ServiceTest, ErrorsHaveTheWholeShape) {
  Start(Tokens("x"));
  const auto reply = Chat(R"("temperature":"hot")");
  EXPECT_EQ(reply.status, 400);
  const Json error = Parse(reply.body)["error"];
  EXPECT_EQ(error["type"], "invalid_request_error");
  EXPECT_EQ(error["param"], "temperature");
  EXPECT_TRUE(error["code"].is_string());
  EXPECT_TRUE(error["message"].is_string());
}

TEST_F(ServiceTest, ToolCallsWholeAndStreamed) {
  Start(Tokens(
      R"([TOOL_CALLS][{"name": "get_weather", "arguments": {"city": "Oslo"}, "id": "f1LLMbYf1"}])"));
  const Json json = Parse(Chat(kTools).body);
  const Json& choice = json["choices"][0];
  EXPECT_EQ(choice["finish_reason"], "tool_calls");
  EXPECT_TRUE(choice["message"]["content"].is_null());
  const Json& call = choice["message"]["tool_calls"][0];
  EXPECT_EQ(call["function"]["name"], "get_weather");
  EXPECT_EQ(call["function"]["arguments"], R"({"city": "Oslo"})");
  EXPECT_EQ(call["id"].get<std::string>().size(), 9u);
  const auto stream = Chat(std::string(R"("stream":true,)") + kTools);
  EXPECT_EQ(StreamText(stream), "");
  std::string arguments;
  int named = 0;
  std::string finish;
  for (const std::string& text : StreamData(stream.body)) {
    if (text == "[DONE]") continue;
    const Json event = Parse(text);
    if (event["choices"].empty()) continue;
    if (event["choices"][0]["finish_reason"].is_string())
      finish = event["choices"][0]["finish_reason"];
    const Json& delta = event["choices"][0]["delta"];
    if (!delta.contains("tool_calls")) continue;
    const Json& part = delta["tool_calls"][0];
    EXPECT_EQ(part["index"], 0);
    if (part.contains("id")) {
      ++named;
      EXPECT_EQ(part["function"]["name"], "get_weather");
    }
    arguments += part["function"]["arguments"].get<std::string>();
  }
  EXPECT_EQ(named, 1);
  EXPECT_EQ(arguments, R"({"city": "Oslo"})");
  EXPECT_EQ(finish, "tool_calls");
}

TEST_F(ServiceTest, LegacyFunctions) {
  Start(Tokens(R"([TOOL_CALLS][{"name": "f", "arguments": {"a": 1}}])"));
  const Json json = Parse(Chat(R"("functions":[{"name":"f"}])").body);
  EXPECT_EQ(json["choices"][0]["finish_reason"], "function_call");
  EXPECT_EQ(json["choices"][0]["message"]["function_call"]["arguments"], R"({"a": 1})");
}

TEST_F(ServiceTest, WithoutToolsNoCallIsPossible) {
  Start(Tokens("[TOOL_CALLS][{}]"));
  for (const std::string& more :
       {std::string(R"("tool_choice":"auto","max_tokens":8)"), std::string(R"("max_tokens":8)"),
        R"("tool_choice":"none","max_tokens":8,)" + std::string(kTools)}) {
    const auto reply = Chat(more);
    EXPECT_EQ(reply.status, 200) << reply.body;
    const Json message = Parse(reply.body)["choices"][0]["message"];
    EXPECT_FALSE(message.contains("tool_calls"));
    EXPECT_EQ(reply.body.find("TOOL_CALLS"), std::string::npos);
  }
}

TEST_F(ServiceTest, RequiredAndNamedChoicesAreForced) {
  // The model's first token is not the one that a call begins with.
  std::vector<TokenId> script = Tokens(
      R"([TOOL_CALLS][{"name": "get_weather", "arguments": {"city": "Oslo"}}, {"name": "get_weather", "arguments": {}}])");
  script[0] = script[1];  // left to itself it would not call
  Start(script);
  for (const std::string_view choice :
       {R"("required")", R"({"type":"function","function":{"name":"get_weather"}})"}) {
    const Json json = Parse(Chat(R"("tool_choice":)" + std::string(choice) + "," + kTools).body);
    const Json& message = json["choices"][0]["message"];
    ASSERT_TRUE(message.contains("tool_calls")) << json.dump();
    EXPECT_EQ(message["tool_calls"][0]["function"]["name"], "get_weather");
    EXPECT_EQ(json["choices"][0]["finish_reason"], "tool_calls");
    EXPECT_EQ(message["tool_calls"].size(), choice[0] == '{' ? 1u : 2u);
  }
}

TEST_F(ServiceTest, WithoutAUsableTemplateThereAreCompletionsOnly) {
  source_.templates["default"] = "{% something else %}";
  Start(Tokens("x"));
  const auto reply = Chat();
  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(Parse(reply.body)["error"]["code"], "chat_not_supported");
  EXPECT_EQ(Post("/v1/completions", R"({"prompt":"Hi","max_tokens":3})").status, 200);
}

// What the template refuses in every shape is the client's error, with the template's words.
TEST_F(ServiceTest, WhatATemplateRefusesIsABadRequest) {
  source_.templates["default"] =
      "{% if messages|length > 1 %}{{ raise_exception('one message only') }}{% endif %}"
      "[INST]{{ messages[0].content }}[/INST]";
  Start(Tokens("x"));
  EXPECT_EQ(Chat().status, 200);
  const auto reply = Post(kChat, R"({"messages":[{"role":"user","content":"a"},
      {"role":"assistant","content":"b"},{"role":"user","content":"c"}]})");
  EXPECT_EQ(reply.status, 400);
  const Json error = Parse(reply.body)["error"];
  EXPECT_EQ(error["code"], "invalid_conversation");
  EXPECT_EQ(error["param"], "messages");
  EXPECT_NE(error["message"].get<std::string>().find("one message only"), std::string::npos);
  // Two users in a row are one message to a template that insists on turns.
  EXPECT_EQ(Post(kChat, R"({"messages":[{"role":"user","content":"a"},
      {"role":"user","content":"b"}]})")
                .status,
            200);
}

TEST_F(ServiceTest, Completions) {
  Start(Tokens("x"));
  const auto whole = Post("/v1/completions", R"({"prompt":[1,100,200],"max_tokens":12})");
  ASSERT_EQ(whole.status, 200) << whole.body;
  const Json json = Parse(whole.body);
  EXPECT_EQ(json["object"], "text_completion");
  EXPECT_EQ(json["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(json["usage"]["prompt_tokens"], 3);
  const auto stream =
      Post("/v1/completions", R"({"prompt":[1,100,200],"max_tokens":12,"stream":true})");
  std::string text;
  for (const std::string& data : StreamData(stream.body)) {
    if (data == "[DONE]") continue;
    const Json event = Parse(data);
    EXPECT_EQ(event["object"], "text_completion");
    if (!event["choices"].empty()) text += event["choices"][0]["text"].get<std::string>();
  }
  EXPECT_EQ(text, json["choices"][0]["text"]);
  EXPECT_EQ(Post("/v1/completions", R"({"prompt":[1,5000]})").status, 400);
}

TEST_F(ServiceTest, TwoAtOnceGetTheSameBytesAsAlone) {
  Start(Tokens("x"));
  const auto body = [](int i) {
    return R"({"prompt":[1,)" + std::to_string(100 + i) +
           R"(],"max_tokens":60,"temperature":1,"seed":)" + std::to_string(i) + "}";
  };
  const auto text = [&](const SocketClient::Reply& reply) {
    return Parse(reply.body)["choices"][0]["text"].get<std::string>();
  };
  std::vector<std::string> alone;
  for (int i = 0; i < 6; ++i) alone.push_back(text(Post("/v1/completions", body(i))));
  std::vector<std::unique_ptr<SocketClient>> clients;
  for (int i = 0; i < 6; ++i) {
    clients.push_back(std::make_unique<SocketClient>(path_));
    clients.back()->Send("POST", "/v1/completions", body(i));
  }
  for (int i = 0; i < 6; ++i) EXPECT_EQ(text(clients[i]->Receive()), alone[i]) << i;
}

TEST_F(ServiceTest, AClientThatHangsUpFreesItsSlot) {
  EngineOptions options;
  options.max_num_seqs = 1;
  options.max_waiting = 1;
  gate_.Close();
  Start(Tokens("x"), options);
  auto first = std::make_unique<SocketClient>(path_);
  first->Send("POST", "/v1/completions", R"({"prompt":[1,2],"stream":true})");
  ASSERT_TRUE(first->WaitFor("\r\n\r\n"));  // admitted: the head comes before the first token
  gate_.AwaitModel();
  SocketClient second(path_);
  second.Send("POST", "/v1/completions", R"({"prompt":[1,3],"max_tokens":2,"stream":true})");
  ASSERT_TRUE(second.WaitFor("\r\n\r\n"));
  const auto third = Post("/v1/completions", R"({"prompt":[1,4],"stream":true})");
  EXPECT_EQ(third.status, 503);
  EXPECT_NE(third.Header("retry-after"), "");
  first->Close();
  gate_.Open();
  EXPECT_TRUE(second.Receive().whole);
  while (engine_->n_live() > 0) std::this_thread::yield();
}

TEST_F(ServiceTest, MetricsAndVersion) {
  service_options_.version = "1.2.3";
  Start(Tokens("Hello"));
  ASSERT_EQ(Chat().status, 200);
  SocketClient client(path_);
  EXPECT_EQ(client.Ask("GET", "/version").body, R"({"version":"1.2.3"})");
  std::string metrics;
  while (
      metrics.find("vllm:request_success_total{model_name=\"demo\",finished_reason=\"stop\"} 1") ==
      std::string::npos) {
    const auto reply = SocketClient(path_).Ask("GET", "/metrics");
    ASSERT_EQ(reply.status, 200);
    EXPECT_TRUE(reply.Header("content-type").starts_with("text/plain"));
    metrics = reply.body;
  }
  EXPECT_NE(metrics.find("vllm:num_requests_running{model_name=\"demo\"} 0\n"), std::string::npos);
}

TEST_F(ServiceTest, SeveralAnswersToOnePrompt) {
  Start(Tokens("Hello"));
  const auto whole = Chat(R"("n":3)");
  ASSERT_EQ(whole.status, 200) << whole.body;
  const Json json = Parse(whole.body);
  ASSERT_EQ(json["choices"].size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(json["choices"][i]["index"], i);
    EXPECT_EQ(json["choices"][i]["message"]["content"], "Hello");
  }
  const int64_t alone = Parse(Chat().body)["usage"]["completion_tokens"].get<int64_t>();
  EXPECT_EQ(json["usage"]["completion_tokens"], 3 * alone);
  const auto stream = Chat(R"("n":2,"stream":true)");
  std::map<int, std::string> texts;
  std::map<int, int> ends;
  for (const std::string& data : StreamData(stream.body)) {
    if (data == "[DONE]") continue;
    const Json event = Parse(data);
    for (const Json& choice : event["choices"]) {
      const int index = choice["index"].get<int>();
      texts[index] += choice["delta"].value("content", "");
      if (!choice["finish_reason"].is_null()) ++ends[index];
    }
  }
  EXPECT_EQ(texts, (std::map<int, std::string>{{0, "Hello"}, {1, "Hello"}}));
  EXPECT_EQ(ends, (std::map<int, int>{{0, 1}, {1, 1}}));
}

TEST_F(ServiceTest, LogprobsComeWithTheirTokens) {
  Start(Tokens("Hello"));
  const Json json = Parse(Chat(R"("logprobs":true,"top_logprobs":2)").body);
  const Json& content = json["choices"][0]["logprobs"]["content"];
  ASSERT_EQ(content.size(), json["usage"]["completion_tokens"].get<size_t>() - 1);
  std::string text;
  for (const Json& token : content) {
    text += token["token"].get<std::string>();
    EXPECT_EQ(token["top_logprobs"].size(), 2u);
    EXPECT_LT(token["logprob"].get<double>(), 0);
  }
  EXPECT_NE(text.find("Hello"), std::string::npos);
  size_t n_streamed = 0;
  for (const std::string& data : StreamData(Chat(R"("logprobs":true,"stream":true)").body)) {
    if (data == "[DONE]") continue;
    const Json event = Parse(data);
    for (const Json& choice : event["choices"]) {
      if (choice.contains("logprobs")) n_streamed += choice["logprobs"]["content"].size();
    }
  }
  EXPECT_EQ(n_streamed, content.size());
  const Json prompt = Parse(
      Post("/v1/completions", R"({"prompt":[1,5,6],"max_tokens":1,"prompt_logprobs":0})").body);
  const Json& list = prompt["choices"][0]["prompt_logprobs"];
  ASSERT_EQ(list.size(), 3u);
  EXPECT_TRUE(list[0].is_null());
  EXPECT_TRUE(list[1].contains("5"));
  EXPECT_TRUE(list[2].contains("6"));
}

TEST_F(ServiceTest, CachedTokensAreReportedPerTenant) {
  Start(Tokens("Hello"));
  const std::string body = R"({"prompt":")" + std::string(200, 'a') + R"(","max_tokens":1})";
  const auto cached = [&](std::string_view headers) {
    const Json json = Parse(Post("/v1/completions", body, headers).body);
    return json["usage"]["prompt_tokens_details"]["cached_tokens"].get<int>();
  };
  EXPECT_EQ(cached("skerry-tenant: a\r\n"), 0);
  EXPECT_GE(cached("skerry-tenant: a\r\n"), 16);
  EXPECT_EQ(cached("skerry-tenant: b\r\n"), 0);
  EXPECT_EQ(cached("skerry-tenant: a\r\nskerry-cache-salt: x\r\n"), 0);
}

TEST_F(ServiceTest, StopTokensAndIgnoreEos) {
  Start(Tokens("Hello"));
  const Json ignored = Parse(Chat(R"("ignore_eos":true,"max_tokens":20)").body);
  EXPECT_EQ(ignored["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(ignored["usage"]["completion_tokens"], 20);
  const Json least = Parse(Chat(R"("min_tokens":15,"max_tokens":20)").body);
  EXPECT_GE(least["usage"]["completion_tokens"].get<int>(), 15);
  const Json outside = Parse(Chat(R"("stop_token_ids":[100000])").body);
  EXPECT_EQ(outside["error"]["param"], "stop_token_ids");
  const Json biased = Parse(Chat(R"("logit_bias":{"100000":1})").body);
  EXPECT_EQ(biased["error"]["param"], "logit_bias");
}

TEST_F(ServiceTest, DrainRefusesNewRequestsWithARetry) {
  Start(Tokens("Hello"));
  service_->Drain();
  const auto reply = Chat();
  EXPECT_EQ(reply.status, 503);
  EXPECT_NE(reply.Header("retry-after"), "");
}

TEST_F(ServiceTest, TokenRoutes) {
  Start(Tokens("Hello"));
  const Json tokens = Parse(Post("/tokenize", R"({"prompt":"What is Skerry?"})").body);
  EXPECT_EQ(tokens["count"], tokens["tokens"].size());
  EXPECT_EQ(tokens["max_model_len"], kContext);
  const auto text = Post("/detokenize", R"({"tokens":)" + tokens["tokens"].dump() + "}");
  EXPECT_EQ(Parse(text.body)["prompt"], "What is Skerry?");
  EXPECT_EQ(Post("/detokenize", R"({"tokens":[-1]})").status, 400);
  EXPECT_EQ(SocketClient(path_).Ask("GET", "/tokenize").status, 405);
}

TEST_F(ServiceTest, WaitingStreamsArePinged) {
  gate_.Close();
  Start(Tokens("Hello"), {}, /*ping_ms=*/20);
  SocketClient client(path_);
  client.Send("POST", kChat, Body(R"("stream":true)"));
  ASSERT_TRUE(client.WaitFor(": ping\n\n"));
  gate_.Open();
  EXPECT_EQ(StreamText(client.Receive()), "Hello");
}

TEST(LoadSamplingDefaults, ReadsTheCheckpointsOwn) {
  EXPECT_EQ(LoadSamplingDefaults(kDemo).value().temperature, 0);
  EXPECT_EQ(LoadSamplingDefaults("/nonexistent").value().temperature, 1);
}

}  // namespace
}  // namespace skerry::engine
