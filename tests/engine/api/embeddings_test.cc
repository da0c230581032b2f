// The route alone, and real embedding models behind the real service.
#include "engine/api/embeddings.h"

#include <gtest/gtest.h>

#include <bit>
#include <nlohmann/json.hpp>

#include "appliance/base/encode.h"
#include "appliance/base/json.h"
#include "appliance/base/testing/fixtures.h"
#include "appliance/base/unix_socket.h"
#include "engine/architectures/checkpoint.h"
#include "engine/model/load.h"
#include "tests/engine/api/socket_client.h"
#include "tests/engine/model/golden.h"
#include "tests/engine/runtime/fake_model.h"

namespace skerry::engine {
namespace {

using testing::SocketClient;

constexpr const char* kPath = "/v1/embeddings";
// Without a tokenizer of its own: texts are the demo model's, ids its own.
constexpr const char* kSmall = SKERRY_SOURCE_DIR "/tests/engine/oracle/models/bert-cls/hf";
constexpr const char* kDemo = SKERRY_SOURCE_DIR "/installer/demo-model/model";

class Served {
 public:
  explicit Served(ServedModel model) : service_(Named(), RealClock()) {
    service_.SetModel(std::move(model));
    server_ =
        http::Server::Start(ListenUnix(socket()).value(), {},
                            [this](http::Request request, std::shared_ptr<http::Responder> r) {
                              service_.Handle(std::move(request), std::move(r));
                            })
            .value();
  }
  ~Served() { server_->Stop(1000); }

  std::string socket() const { return directory_.path() + "/s"; }
  SocketClient::Reply Post(std::string_view path, std::string_view body,
                           std::string_view headers = "") {
    return SocketClient(socket()).Ask("POST", path, body, headers);
  }
  Json Embed(std::string_view body) {
    const SocketClient::Reply reply = Post(kPath, body);
    EXPECT_EQ(reply.status, 200) << reply.body;
    return ParseJson(reply.body).value();
  }
  std::string Get(std::string_view path) {
    const SocketClient::Reply reply = SocketClient(socket()).Ask("GET", path);
    EXPECT_EQ(reply.status, 200) << reply.body;
    return reply.body;
  }

  Service& service() { return service_; }

 private:
  static ServiceOptions Named() {
    ServiceOptions options;
    options.model_name = "small";
    return options;
  }
  ::skerry::testing::TemporaryDirectory directory_;
  Service service_;
  std::unique_ptr<http::Server> server_;
};

ServedModel LoadEncoder(const std::string& path, const std::string& tokenizer) {
  const Checkpoint checkpoint = Checkpoint::Open(path).value();
  EncoderOptions options;
  options.pooling = checkpoint.config().pooling;
  options.normalise = checkpoint.config().normalise_embedding;
  auto model = LoadModel(checkpoint, {.threads = 2}).value();
  return MakeServedEncoder(LoadTokenizer(tokenizer).value(),
                           Encoder::Start(std::move(model), options).value());
}

std::vector<float> FromBase64(const std::string& text) {
  const std::vector<uint8_t> bytes = Base64Decode(text).value();
  std::vector<float> vector;
  for (size_t i = 0; i + 4 <= bytes.size(); i += 4) {
    uint32_t bits = 0;
    for (size_t k = 0; k < 4; ++k) bits |= uint32_t{bytes[i + k]} << (8 * k);
    vector.push_back(std::bit_cast<float>(bits));
  }
  return vector;
}

std::vector<float> VectorOf(const Json& item) {
  return item["embedding"].get<std::vector<float>>();
}

TEST(EmbeddingRequest, ReadsEveryShapeOfInput) {
  const auto inputs = [](std::string_view body) {
    return std::get<EmbeddingRequest>(ParseEmbeddingRequest(body)).inputs;
  };
  using Ids = std::vector<TokenId>;
  EXPECT_EQ(std::get<std::string>(inputs(R"({"input":"a"})").at(0)), "a");
  EXPECT_EQ(std::get<std::string>(inputs(R"({"input":["a","b"]})").at(1)), "b");
  EXPECT_EQ(std::get<Ids>(inputs(R"({"input":[1,2]})").at(0)), (Ids{1, 2}));
  EXPECT_EQ(std::get<Ids>(inputs(R"({"input":[[1],[2,3]]})").at(1)), (Ids{2, 3}));
  const auto all = std::get<EmbeddingRequest>(ParseEmbeddingRequest(
      R"({"input":"a","model":"m","encoding_format":"base64","dimensions":8,"user":"u"})"));
  EXPECT_EQ(all.model, "m");
  EXPECT_TRUE(all.base64);
  EXPECT_EQ(all.dimensions, 8);
}

TEST(EmbeddingReply, NumbersReadBackAsTheSameFloats) {
  const Embeddings vectors = {{1.0F / 3, -0.0F, 1e-30F, 16'777'216}, {0.1F, 2, 3, 4}};
  const Json plain = ParseJson(EmbeddingReplyJson(vectors, "m", false, 7)).value();
  const Json packed = ParseJson(EmbeddingReplyJson(vectors, "m", true, 7)).value();
  for (size_t i = 0; i < vectors.size(); ++i) {
    EXPECT_EQ(VectorOf(plain["data"][i]), vectors[i]);
    EXPECT_EQ(FromBase64(packed["data"][i]["embedding"]), vectors[i]);
  }
  EXPECT_EQ(plain["model"], "m");
  EXPECT_EQ(DumpJson(plain["usage"]), R"({"prompt_tokens":7,"total_tokens":7})");
}

TEST(EmbeddingsTest, ABatchGivesWhatItsInputsGiveAlone) {
  Served served(LoadEncoder(kSmall, kDemo));
  Json lists = Json::array();
  for (int n = 1; n <= 40; ++n) {
    Json ids = Json::array();
    for (int i = 0; i < n; ++i) ids.push_back((n * 7 + i * 5) % 97);
    lists.push_back(std::move(ids));
  }
  const Json together = served.Embed(DumpJson({{"input", lists}}));
  ASSERT_EQ(together["data"].size(), lists.size());
  EXPECT_EQ(together["object"], "list");
  EXPECT_EQ(together["usage"]["prompt_tokens"], 820);
  for (size_t i = 0; i < lists.size(); ++i) {
    EXPECT_EQ(together["data"][i]["index"], i);
    EXPECT_EQ(together["data"][i]["object"], "embedding");
    const Json alone = served.Embed(
        DumpJson({{"input", lists[i]}, {"encoding_format", i % 2 == 0 ? "float" : "base64"}}));
    const std::vector<float> vector =
        i % 2 == 0 ? VectorOf(alone["data"][0]) : FromBase64(alone["data"][0]["embedding"]);
    EXPECT_EQ(VectorOf(together["data"][i]), vector) << i;
  }
}

TEST(EmbeddingsTest, HeadersAndOtherRoutes) {
  Served served(LoadEncoder(kSmall, kDemo));
  const auto reply =
      served.Post(kPath, R"({"input":[[1,2],[3]],"model":"small"})", "skerry-lease: tokens=3\r\n");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.Header("skerry-lease"), "prompt=3");
  EXPECT_EQ(reply.Header("skerry-usage"), "prompt=3 completion=0 finish=stop");
  const auto named = served.Post(kPath, R"({"input":[1],"model":"x"})", "skerry-model: alias\r\n");
  EXPECT_EQ(ParseJson(named.body).value()["model"], "alias");
  EXPECT_EQ(ParseJson(served.Get("/health")).value()["status"], "ok");
  EXPECT_EQ(ParseJson(served.Get("/v1/models")).value()["data"][0]["max_model_len"], 64);
  EXPECT_NE(served.Get("/metrics").find("vllm:prompt_tokens_total{model_name=\"small\"} 4"),
            std::string::npos);
  EXPECT_EQ(served.Post("/detokenize", R"({"tokens":[533]})").status, 200);
  EXPECT_EQ(ParseJson(served.Post("/tokenize", R"({"prompt":"a"})").body).value()["max_model_len"],
            64);
  served.service().Drain();
  const auto late = served.Post(kPath, R"({"input":[1]})");
  EXPECT_EQ(late.status, 503);
  EXPECT_EQ(late.Header("retry-after"), "1");
}

TEST(EmbeddingsTest, RefusalsNameTheField) {
  Served served(LoadEncoder(kSmall, kDemo));
  struct Case {
    const char* body;
    int status;
    const char* code;
    const char* text;
  };
  const std::string many = R"({"input":[)" + std::string(2 * kMaxEmbeddingInputs, ' ') + "[1]" +
                           [] {
                             std::string rest;
                             for (size_t i = 0; i < kMaxEmbeddingInputs; ++i) rest += ",[1]";
                             return rest;
                           }() +
                           "]}";
  std::string text = R"({"input":")" + std::string(2000, 'a') + "\"}";
  std::string ids = R"({"input":[[1],[1)";
  for (int i = 0; i < 64; ++i) ids += ",1";
  ids += "]]}";
  const Case cases[] = {
      {"[]", 400, "invalid_json", "object"},
      {"{}", 400, "missing_required_parameter", "'input' is missing"},
      {R"({"input":null})", 400, "missing_required_parameter", "'input' is missing"},
      {R"({"input":7})", 400, "invalid_type", "'input' must be a string"},
      {R"({"input":""})", 400, "invalid_value", "'input' is empty"},
      {R"({"input":[]})", 400, "invalid_value", "'input' is empty"},
      {R"({"input":["a",""]})", 400, "invalid_value", "'input[1]' is empty"},
      {R"({"input":[[1],[]]})", 400, "invalid_value", "'input[1]' is empty"},
      {R"({"input":[1,"a"]})", 400, "invalid_type", "'input' must be"},
      {R"({"input":["a",[-1]]})", 400, "invalid_type", "'input[1]' must be"},
      {R"({"input":[97]})", 400, "invalid_value", "outside the vocabulary of 97"},
      {R"({"input":[1],"encoding_format":"int8"})", 400, "invalid_value", "float or base64"},
      {R"({"input":[1],"dimensions":7})", 400, "invalid_value", "'dimensions' must be "},
      {R"({"input":[1],"dimensions":"7"})", 400, "invalid_type", "'dimensions' must be an integer"},
      {R"({"input":[1],"model":"other"})", 404, "model_not_found", "'other'"},
      {many.c_str(), 400, "invalid_value", "more than 2048 inputs"},
      {text.c_str(), 400, "context_length_exceeded",
       "This model's maximum context length is 64 tokens. However, your 'input' has"},
      {ids.c_str(), 400, "context_length_exceeded",
       "your 'input[1]' has 65 tokens. Please reduce your prompt; or completion length."},
  };
  for (const Case& c : cases) {
    const auto reply = served.Post(kPath, c.body);
    const Json error = ParseJson(reply.body).value()["error"];
    const std::string message = error["message"];
    EXPECT_EQ(reply.status, c.status) << message;
    EXPECT_EQ(error["code"], c.code) << message;
    EXPECT_NE(message.find(c.text), std::string::npos) << message;
  }
  const auto leased = served.Post(kPath, R"({"input":[[1,2],[3]]})", "skerry-lease: tokens=2\r\n");
  EXPECT_EQ(leased.status, 429);
  EXPECT_NE(leased.body.find("lease_exceeded"), std::string::npos);
  for (const char* path : {"/v1/chat/completions", "/v1/completions"}) {
    const auto reply = served.Post(path, R"({"prompt":"a","messages":[]})");
    EXPECT_EQ(reply.status, 400);
    EXPECT_NE(reply.body.find("generation_not_supported"), std::string::npos) << reply.body;
  }
  EXPECT_NE(served.Post("/tokenize", R"({"messages":[{"role":"user","content":"a"}]})")
                .body.find("chat_not_supported"),
            std::string::npos);
}

TEST(EmbeddingsTest, AGeneratingModelGivesNone) {
  auto model = std::make_unique<testing::FakeModel>(1024, 64, testing::FakeModel::Hash(1024));
  Served served(MakeServedModel(LoadTokenizer(kDemo).value(), LoadChatSource(kDemo, "").value(),
                                TokenizerMode::kAuto, {},
                                Engine::Start(std::move(model), {}).value()));
  const auto reply = served.Post(kPath, R"({"input":"a"})");
  EXPECT_EQ(reply.status, 400);
  EXPECT_NE(reply.body.find("embeddings_not_supported"), std::string::npos) << reply.body;
}

TEST(EmbeddingsTest, MatchesTheFixture) {
  SKERRY_REQUIRE_FIXTURES(fixtures);
  const std::string path = fixtures + "/tiny/bert/hf";
  const Json golden = testing::ReadJsonFile(fixtures + "/tiny/bert/golden.json");
  const auto expected = golden["embedding"].get<std::vector<float>>();
  Served served(LoadEncoder(path, path));
  const Json reply =
      served.Embed(DumpJson({{"input", golden["tokens"]}, {"dimensions", expected.size()}}));
  // llama.cpp reads GELU from a table of half precision.
  EXPECT_LE(testing::RelativeDifference(VectorOf(reply["data"][0]), expected), 3e-3);
  // A text is embedded between the tokens that the model wants around it.
  const Json tokens =
      ParseJson(served.Post("/tokenize", R"({"prompt":"hello world"})").body).value()["tokens"];
  ASSERT_GE(tokens.size(), 3U);
  EXPECT_EQ(tokens.front(), golden["tokens"].front());
  EXPECT_EQ(tokens.back(), golden["tokens"].back());
  const Json text = served.Embed(R"({"input":["hello world"],"encoding_format":"base64"})");
  EXPECT_EQ(text["usage"]["prompt_tokens"], tokens.size());
  EXPECT_EQ(FromBase64(text["data"][0]["embedding"]),
            VectorOf(served.Embed(DumpJson({{"input", tokens}}))["data"][0]));
}

}  // namespace
}  // namespace skerry::engine
