// skerry-proxy as a program: real TLS, a real policy and journal, a stand-in engine.
#include <gmock/gmock.h>
#include <signal.h>

#include <condition_variable>
#include <mutex>
#include <optional>

#include "appliance/audit/verify.h"
#include "appliance/base/clock.h"
#include "appliance/base/testing/memory_files.h"
#include "tests/proxy/fixture.h"

namespace skerry::proxy::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using std::string_literals::operator""s;

constexpr char kChat[] = "/v1/chat/completions";
constexpr char kBody[] = R"({"model":"demo","messages":[]})";

// A value that one thread hands to another.
template <typename T>
class Handoff {
 public:
  void Set(T value) {
    const std::scoped_lock lock(mu_);
    value_ = std::move(value);
    set_.notify_all();
  }
  std::optional<T> Wait() {
    std::unique_lock lock(mu_);
    set_.wait_for(lock, std::chrono::milliseconds(kPatienceMs),
                  [this] { return value_.has_value(); });
    return value_;
  }

 private:
  std::mutex mu_;
  std::condition_variable set_;
  std::optional<T> value_;
};

// A streaming engine under the test's control. Its state is shared with the engine's callbacks,
// which may come after the test has ended.
class Stream {
 public:
  http::Handler Handler() {
    return [state = state_](http::Request, std::shared_ptr<http::Responder> responder) {
      responder->OnClientGone([state] { state->gone.Set(RealClock().MonotonicNanos()); });
      responder->Start(200, {{"content-type", "text/event-stream; charset=utf-8"}});
      responder->Write("data: {\"n\":1}\n\n");
      state->handed.Set(std::move(responder));
    };
  }
  std::shared_ptr<http::Responder> responder() {
    const auto handed = state_->handed.Wait();
    if (!handed) {
      ADD_FAILURE() << "the request never came";
      abort();
    }
    return *handed;
  }
  // When the engine was told that its client went; 0: never.
  int64_t WaitGone() { return state_->gone.Wait().value_or(0); }

 private:
  struct State {
    Handoff<std::shared_ptr<http::Responder>> handed;
    Handoff<int64_t> gone;
  };
  const std::shared_ptr<State> state_ = std::make_shared<State>();
};

TEST_F(ProxyTest, NobodyGetsInWithoutAToken) {
  const std::string expired = std::string(policy::View(AddToken("old", {"*"}, 2).text));
  const std::string scopeless =
      std::string(policy::View(AddToken("x", {"*"}, 0, {"metrics"}).text));
  const std::string stranger = std::string(policy::View(policy::MakeToken(policy::MakeKey()).text));
  const policy::NewToken mine = policy::MakeToken(policy_->key());
  // A known id with another token's secret: the checksum must fit, so the server of ids is the
  // policy.
  policy::Token borrowed;
  borrowed.id = mine.id;
  borrowed.hash = policy::HashSecret(policy_->key(), std::string(43, 'a'));
  borrowed.label = "borrowed";
  borrowed.models = {"*"};
  borrowed.scopes = {"inference"};
  borrowed.created_ms = 1;
  Publish({policy::PutToken{borrowed}});
  std::string typo = token_;
  typo[20] = typo[20] == 'a' ? 'b' : 'a';
  StartProgram();

  const std::vector<std::pair<std::string, std::string>> rows = {
      {"", "missing token"},
      {"Authorization: Bearer\r\n", "missing token"},
      {"Authorization: Bearer \r\n", "missing token"},
      {"Authorization: Basic dTpw\r\n", "missing token"},
      {"Authorization: " + token_ + "\r\n", "missing token"},
      {"Authorization: Bearer sk-x\r\n", "malformed token"},
      {"Authorization: Bearer " + typo + "\r\n", "malformed token"},
      {"Authorization: Bearer " + token_ + "x\r\n", "malformed token"},
      {"Authorization: Bearer " + stranger + "\r\n", "unknown token"},
      {"Authorization: Bearer " + std::string(policy::View(mine.text)) + "\r\n", "wrong token"},
  };
  std::set<std::string> ids;
  for (const auto& [header, reason] : rows) {
    const auto reply = Ask(Post(kChat, kBody, "", header));
    EXPECT_EQ(reply.head.status, 401) << header;
    EXPECT_EQ(reply.head.reason, "Unauthorized");
    EXPECT_EQ(reply.Header("www-authenticate"), "Bearer");
    EXPECT_EQ(reply.Header("content-type"), "application/json");
    EXPECT_EQ(reply.Header("cache-control"), "no-store");
    EXPECT_THAT(reply.body, HasSubstr(R"("code":"invalid_api_key")"));
    EXPECT_TRUE(ids.insert(reply.Header("x-request-id")).second);
    EXPECT_EQ(reply.Header("x-request-id").size(), 36u);
  }
  EXPECT_EQ(Ask(Post(kChat, kBody, expired)).head.status, 401);
  EXPECT_EQ(Ask(Post(kChat, kBody, scopeless)).head.status, 403);
  EXPECT_TRUE(seen().empty());
  EXPECT_TRUE(Records("request-admitted").empty());
  // Ten of one address within a minute are recorded one by one, the rest with a count.
  const auto refused = WaitForRecords("request-refused", 10);
  for (size_t i = 0; i < refused.size(); ++i) {
    EXPECT_THAT(refused[i], HasSubstr(rows[i].second));
  }
  EXPECT_EQ(StopProgram(), "exit status 0");
  const auto counted = WaitForRecords("request-refused", 11);
  EXPECT_THAT(counted.back(), HasSubstr("last of 2 refusals"));
  EXPECT_THAT(Journal(), Not(HasSubstr(token_.substr(16))));
}

TEST_F(ProxyTest, RoutesAndModels) {
  StartProgram();
  const std::string authorization = "Authorization: Bearer " + token_ + "\r\n";
  struct Row {
    std::string request;
    int status;
    std::string part;
  };
  const std::vector<Row> rows = {
      {"GET / HTTP/1.1\r\nHost: a\r\n" + authorization + "\r\n", 404, "not_found"},
      {"GET /admin/api/v1/tokens HTTP/1.1\r\nHost: a\r\n" + authorization + "\r\n", 404,
       "not_found"},
      {"GET /v1/models/../models HTTP/1.1\r\nHost: a\r\n" + authorization + "\r\n", 404,
       "not_found"},
      {"GET /v1/chat/completions HTTP/1.1\r\nHost: a\r\n" + authorization + "\r\n", 405,
       "POST only"},
      {Post("/v1/models", "{}", token_), 405, "GET only"},
      {Post(kChat, "", token_), 400, "invalid_body"},
      {Post(kChat, "[1]", token_), 400, "not a JSON object"},
      {Post(kChat, "{\"model\":\"demo\"", token_), 400, "not valid JSON"},
      {Post(kChat, "{\"model\":\"demo\",\"model\":\"secret\"}", token_), 400, "occurs twice"},
      {Post(kChat, "{\"model\":\"demo\",\"a\":[{\"b\":1,\"b\":2}]}", token_), 400, "occurs twice"},
      {Post(kChat, "{\"model\":\"demo\",\"a\":\"\xff\"}", token_), 400, "not valid JSON"},
      {Post(kChat, "{\"model\":7}", token_), 400, "not a string"},
      {Post(kChat, "{\"model\":\"gpt\"}", token_), 404, "it may use: demo, down, other"},
      {Post(kChat, "{\"model\":\"secret\"}", token_), 404, "it may use: demo, down, other"},
      {Post(kChat, "{\"model\":\"down\"}", token_), 503, "model_unavailable"},
  };
  for (const Row& row : rows) {
    const auto reply = Ask(row.request);
    EXPECT_EQ(reply.head.status, row.status) << row.request;
    EXPECT_THAT(reply.body, HasSubstr(row.part)) << row.request;
    EXPECT_THAT(reply.body, HasSubstr("\"code\":\""));
    EXPECT_NE(reply.Header("x-request-id"), "");
    if (row.status == 503) {
      EXPECT_NE(reply.Header("retry-after"), "");
    }
  }
  EXPECT_TRUE(seen().empty());
  const auto models = Ask("GET /v1/models HTTP/1.1\r\nHost: a\r\n" + authorization + "\r\n");
  EXPECT_EQ(models.head.status, 200);
  EXPECT_THAT(models.body, HasSubstr(R"("id":"demo","object":"model","owned_by":"skerry")"));
  EXPECT_THAT(models.body, HasSubstr(R"("id":"other")"));
  EXPECT_THAT(models.body, Not(HasSubstr("secret")));
}

TEST_F(ProxyTest, AdmittedIsDurableBeforeTheEngineSeesTheRequest) {
  StartProgram();
  const std::string body =
      " {\"messages\" : [{\"content\":\"caf\xc3\xa9 \\u0000\"}], \"model\":null } ";
  const auto reply = Ask(Post(kChat, body, token_,
                              "skerry-model: secret\r\nSkerry-Lease: tokens=9\r\nCookie: a=b\r\n"
                              "X-Other: c\r\nUser-Agent: \"curl\"\r\n"));
  EXPECT_EQ(reply.head.status, 200);
  EXPECT_TRUE(reply.whole);
  EXPECT_EQ(reply.body, R"({"object":"chat.completion"})");
  EXPECT_TRUE(reply.trailers.empty());
  for (const auto& [name, value] : reply.head.headers) EXPECT_NE(name.substr(0, 7), "skerry-");
  EXPECT_EQ(reply.Header("x-content-type-options"), "nosniff");
  EXPECT_NE(reply.Header("strict-transport-security"), "");

  ASSERT_EQ(seen().size(), 1u);
  const Seen one = seen()[0];
  EXPECT_EQ(one.request.body, body);
  EXPECT_EQ(one.request.head.target, kChat);
  std::map<std::string, std::string> headers(one.request.head.headers.begin(),
                                             one.request.head.headers.end());
  const std::string id = reply.Header("x-request-id");
  const std::map<std::string, std::string> expected = {
      {"host", "skerry"},
      {"content-type", "application/json"},
      {"content-length", std::to_string(body.size())},
      {"skerry-request-id", id},
      {"skerry-model", "demo"},
      {"skerry-tenant", token_.substr(3, 12)},
      {"skerry-lease", "tokens=1048576"}};
  EXPECT_EQ(headers, expected);
  EXPECT_EQ(one.request.head.headers.size(), expected.size());
  EXPECT_THAT(one.journal, HasSubstr("\"action\":\"request-admitted\""));
  EXPECT_THAT(one.journal, HasSubstr(id));
  EXPECT_THAT(one.journal, Not(HasSubstr("request-completed")));

  const auto completed = WaitForRecords("request-completed", 1);
  EXPECT_THAT(completed[0], HasSubstr(R"("input_tokens":3,"output_tokens":5)"));
  EXPECT_THAT(completed[0], HasSubstr(R"("finish_reasons":["stop"])"));
  EXPECT_THAT(completed[0], HasSubstr(R"("outcome":"success")"));
  EXPECT_EQ(StopProgram(), "exit status 0");
  EXPECT_THAT(Journal(), Not(HasSubstr("caf")));
  const std::string log = ReadAll(*files_, "access.log").value();
  EXPECT_THAT(log, HasSubstr("127.0.0.1 - kibana ["));
  EXPECT_THAT(log,
              HasSubstr("\"POST /v1/chat/completions HTTP/1.1\" 200 28 \"-\" \"\\x22curl\\x22\""));
  EXPECT_THAT(log, Not(HasSubstr(token_.substr(16))));
}

TEST_F(ProxyTest, StreamsPieceByPieceAndKeepsTheConnection) {
  StartProgram();
  const auto client = Connect();
  for (int round = 0; round < 2; ++round) {
    Stream stream;
    SetEngine(stream.Handler());
    client->Send(Post(kChat, kBody, token_));
    const auto responder = stream.responder();
    // The engine has not finished, and does not before this has arrived.
    ASSERT_TRUE(client->WaitFor("data: {\"n\":1}\n\n"));
    responder->Write("data: {\"n\":2}\n\n");
    ASSERT_TRUE(client->WaitFor("data: {\"n\":2}\n\n"));
    responder->Write("data: [DONE]\n\n");
    responder->Finish({{"skerry-usage", "prompt=1 completion=2 finish=length"}});
    const auto reply = client->ReadReply();
    EXPECT_TRUE(reply.whole);
    EXPECT_EQ(reply.Header("content-type"), "text/event-stream; charset=utf-8");
    EXPECT_EQ(reply.body, "data: {\"n\":1}\n\ndata: {\"n\":2}\n\ndata: [DONE]\n\n");
  }
  const auto completed = WaitForRecords("request-completed", 2);
  EXPECT_THAT(completed[1], HasSubstr(R"("finish_reasons":["length"])"));
}

TEST_F(ProxyTest, PipelinedRequestsAndChunkedBodies) {
  StartProgram();
  const auto client = Connect();
  client->Send(
      "GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n" + Post(kChat, kBody, token_) +
      "POST /v1/completions HTTP/1.1\r\nHost: a\r\nAuthorization: bearer " + token_ +
      "\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"mod\r\nf\r\nel\":\"other\"}   \r\n0\r\n\r\n" +
      Post(kChat, kBody, "") + Post(kChat, "{}", token_));
  EXPECT_EQ(client->ReadReply().head.status, 401);
  EXPECT_EQ(client->ReadReply().head.status, 200);
  EXPECT_EQ(client->ReadReply().head.status, 200);
  EXPECT_EQ(client->ReadReply().head.status, 401);  // its body was skipped
  EXPECT_EQ(client->ReadReply().head.status, 200);
  ASSERT_EQ(seen().size(), 3u);
  EXPECT_EQ(seen()[1].request.body, "{\"model\":\"other\"}   ");
  EXPECT_EQ(*http::FindHeader(seen()[1].request.head.headers, "skerry-model"), "other");
}

TEST_F(ProxyTest, ClientAbortReachesTheEngine) {
  StartProgram();
  Stream stream;
  SetEngine(stream.Handler());
  const auto client = Connect();
  client->Send(Post(kChat, kBody, token_));
  const auto responder = stream.responder();
  ASSERT_TRUE(client->WaitFor("data: {\"n\":1}\n\n"));
  client->Close();
  EXPECT_GT(stream.WaitGone(), 0);
  const auto completed = WaitForRecords("request-completed", 1);
  EXPECT_THAT(completed[0], HasSubstr(R"("reason":"client_closed")"));
  EXPECT_THAT(completed[0], HasSubstr(R"("outcome":"failure")"));
}

// Behind bytes that are not read a hang-up would go unnoticed.
TEST_F(ProxyTest, PipeliningTooMuchEndsTheSession) {
  StartProgram();
  Stream stream;
  SetEngine(stream.Handler());
  const auto client = Connect();
  client->Send(Post(kChat, kBody, token_));
  const auto responder = stream.responder();
  ASSERT_TRUE(client->WaitFor("data: {\"n\":1}\n\n"));
  client->Send(std::string(Limits().max_pipelined_bytes, 'x'));
  EXPECT_GT(stream.WaitGone(), 0);
  EXPECT_THAT(WaitForRecords("request-completed", 1)[0], HasSubstr(R"("outcome":"failure")"));
}

TEST_F(ProxyTest, EngineThatDiesIsToldToTheClient) {
  StartProgram();
  Stream stream;
  SetEngine(stream.Handler());
  auto client = Connect();
  client->Send(Post(kChat, kBody, token_));
  auto responder = stream.responder();
  ASSERT_TRUE(client->WaitFor("data: {\"n\":1}\n\n"));
  responder->Write("data: {\"half\":");
  responder->Abort();
  auto reply = client->ReadReply();
  EXPECT_TRUE(reply.whole);
  EXPECT_THAT(
      reply.body,
      HasSubstr(
          "data: {\"half\":\n\nevent: error\ndata: {\"error\":{\"code\":\"upstream_failed\""));
  EXPECT_TRUE(reply.body.ends_with("\n\n"));
  EXPECT_EQ(client->ReadToEnd(), "");

  // Not a stream: the missing end tells.
  SetEngine([](http::Request, std::shared_ptr<http::Responder> r) {
    r->Start(200, {{"content-type", "application/json"}});
    r->Write("{\"half\":");
    r->Abort();
  });
  EXPECT_FALSE(Ask(Post(kChat, kBody, token_)).whole);

  // Before a head: 502.
  SetEngine([](http::Request, std::shared_ptr<http::Responder> r) {
    r->Start(700, {});
    r->Finish();
  });
  reply = Ask(Post(kChat, kBody, token_));
  EXPECT_EQ(reply.head.status, 502);
  EXPECT_THAT(reply.body, HasSubstr("upstream_failed"));
  const auto completed = WaitForRecords("request-completed", 3);
  for (const std::string& record : completed) {
    EXPECT_THAT(record, HasSubstr(R"("reason":"upstream_failed")"));
  }

  // The engine's own errors pass as they are.
  SetEngine([](http::Request, std::shared_ptr<http::Responder> r) {
    r->Send({429, {{"content-type", "application/json"}, {"retry-after", "7"}}, "{\"error\":{}}"});
  });
  reply = Ask(Post(kChat, kBody, token_));
  EXPECT_EQ(reply.head.status, 429);
  EXPECT_EQ(reply.Header("retry-after"), "7");
  EXPECT_EQ(reply.body, "{\"error\":{}}");
}

TEST_F(ProxyTest, SmugglingBytesAreRefusedAndEndTheConnection) {
  StartProgram();
  const std::string start =
      "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + token_ + "\r\n";
  const std::string next =
      "GET /v1/models HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + token_ + "\r\n\r\n";
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"CL.TE", start + "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nX"},
      {"TE.CL",
       start + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n1\r\nZ\r\n0\r\n\r\n"},
      {"TE.TE",
       start + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"},
      {"TE folded", start + "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"},
      {"TE space", start + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"},
      {"TE tab inside", start + "Transfer-Encoding: chun\tked\r\n\r\n0\r\n\r\n"},
      {"two CL", start + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}"},
      {"CL list", start + "Content-Length: 2, 2\r\n\r\n{}"},
      {"CL plus", start + "Content-Length: +2\r\n\r\n{}"},
      {"chunk extension", start + "Transfer-Encoding: chunked\r\n\r\n2;a=b\r\n{}\r\n0\r\n\r\n"},
      {"chunk bare LF", start + "Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n"},
      {"chunk long size",
       start + "Transfer-Encoding: chunked\r\n\r\n0000000000000002\r\n{}\r\n0\r\n\r\n"},
      {"chunk trailer CL",
       start + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nContent-Length: 1\r\n\r\n"},
      {"bare LF", "POST / HTTP/1.1\nHost: a\n\n"},
      {"bare CR", start + "X: a\rb\r\n\r\n"},
      {"NUL", start + "X: a\0b\r\n\r\n"s},
      {"obs-fold", start + "X: a\r\n b\r\n\r\n"},
      {"two Hosts", start + "Host: b\r\n\r\n"},
      {"two Authorizations", start + "Authorization: Bearer x\r\n\r\n"},
      {"absolute form", "GET https://a/v1/models HTTP/1.1\r\nHost: a\r\n\r\n"},
      {"HTTP/1.0", "GET /v1/models HTTP/1.0\r\nHost: a\r\n\r\n"},
      {"HTTP/0.9", "GET /v1/models\r\n\r\n"},
      {"h2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
      {"TLS in TLS", "\x16\x03\x01\x02\x00\x01"s},
  };
  for (const auto& [name, bytes] : rows) {
    const auto client = Connect();
    client->Send(bytes + next);
    const auto reply = client->ReadReply();
    EXPECT_EQ(reply.head.status, 400) << name;
    EXPECT_FALSE(reply.head.keep_alive) << name;
    EXPECT_EQ(client->ReadToEnd(), "") << name;  // `next` was not taken for a request
  }
  EXPECT_TRUE(seen().empty());
}

TEST_F(ProxyTest, LargeBodies) {
  StartProgram();
  const auto client = Connect();
  client->Send("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + token_ +
               "\r\nExpect: 100-continue\r\nContent-Length: 16777217\r\n\r\n");
  const auto reply = client->ReadReply();
  EXPECT_EQ(reply.head.status, 413);
  EXPECT_THAT(reply.body, HasSubstr("request_too_large"));
  EXPECT_EQ(client->ReadToEnd(), "");
  EXPECT_TRUE(seen().empty());
}

TEST_F(ProxyTest, BodiesUpToTheLimitArriveWhole) {
  Limits limits;
  limits.max_body_bytes = 1 << 20;
  StartInProcess(limits);
  const std::string prefix = "{\"model\":\"demo\",\"a\":\"";
  const std::string body = prefix + std::string((1 << 20) - prefix.size() - 2, 'x') + "\"}";
  const auto client = Connect();
  client->Send("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + token_ +
               "\r\nExpect: 100-continue\r\nContent-Length: " + std::to_string(body.size()) +
               "\r\n\r\n");
  EXPECT_EQ(client->ReadReply().head.status, 100);
  client->Send(body);
  EXPECT_EQ(client->ReadReply().head.status, 200);
  ASSERT_EQ(seen().size(), 1u);
  EXPECT_EQ(seen()[0].request.body, body);
  // Chunked, one byte more than the limit: refused without being kept.
  const auto second = Connect();
  second->Send("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + token_ +
               "\r\nTransfer-Encoding: chunked\r\n\r\n100001\r\n" + body + "x\r\n0\r\n\r\n");
  EXPECT_EQ(second->ReadReply().head.status, 413);
}

// Longer than what the loop inspects itself: the worker's verdicts reach their requests.
TEST_F(ProxyTest, LongBodiesAreInspectedAndServed) {
  StartProgram();
  const std::string filler = R"(","a":")" + std::string(300 << 10, 'x') + "\"";
  const auto client = Connect();
  client->Send(Post(kChat, R"({"model":"demo)" + filler + "}", token_));
  EXPECT_EQ(client->ReadReply().head.status, 200);
  client->Send(Post(kChat, R"({"model":"demo)" + filler + R"(,"model":"other"})", token_));
  const auto reply = client->ReadReply();
  EXPECT_EQ(reply.head.status, 400);
  EXPECT_THAT(reply.body, HasSubstr("a key occurs twice"));
  client->Send(Post(kChat, R"({"model":"secret)" + filler + "}", token_));
  EXPECT_EQ(client->ReadReply().head.status, 404);
  EXPECT_EQ(seen().size(), 1u);
}

TEST_F(ProxyTest, RevocationCutsARunningStreamAndIsConfirmedWhenItHas) {
  const policy::NewToken made = AddToken("temp", {"demo"});
  const std::string token(policy::View(made.text));
  StartProgram();
  Stream stream;
  SetEngine(stream.Handler());
  const auto client = Connect();
  client->Send(Post(kChat, kBody, token));
  const auto responder = stream.responder();
  ASSERT_TRUE(client->WaitFor("data: {\"n\":1}\n\n"));
  const int64_t before = RealClock().MonotonicNanos();
  const std::string answer = Publish({policy::DeleteToken{made.id}});
  const int64_t answered = RealClock().MonotonicNanos();
  EXPECT_EQ(answer, "{\"generation\":" + std::to_string(policy_->policy().generation) + "}");
  EXPECT_EQ(Ask(Post(kChat, kBody, token)).head.status, 401);
  responder->Write("data: too late\n\n");
  const auto reply = client->ReadReply();
  const int64_t ended = RealClock().MonotonicNanos();
  EXPECT_THAT(reply.body,
              HasSubstr("event: error\ndata: {\"error\":{\"code\":\"invalid_api_key\""));
  EXPECT_THAT(reply.body, Not(HasSubstr("too late")));
  EXPECT_EQ(client->ReadToEnd(), "");
  EXPECT_GT(stream.WaitGone(), 0);
  RecordProperty("confirmed_us", static_cast<int>((answered - before) / 1000));
  RecordProperty("cut_us", static_cast<int>((ended - before) / 1000));
  EXPECT_LT(answered - before, 1'000'000'000);
  const auto completed = WaitForRecords("request-completed", 1);
  EXPECT_THAT(completed[0], HasSubstr(R"("reason":"invalid_api_key")"));
  // Another token's requests go on.
  SetEngine([](http::Request, std::shared_ptr<http::Responder> r) { r->Send({200, {}, "{}"}); });
  EXPECT_EQ(Ask(Post(kChat, kBody, token_)).head.status, 200);
}

TEST_F(ProxyTest, ControlRefusals) {
  StartProgram();
  EXPECT_THAT(Control("{}"), HasSubstr("\"code\":\"invalid_argument\""));
  EXPECT_THAT(Control("nonsense"), HasSubstr("\"code\":\"corrupt\""));
  EXPECT_THAT(Control(R"({"op":"stop"})"), HasSubstr("unknown op"));
  EXPECT_THAT(Control(R"({"op":"load","generation":999})"), HasSubstr("\"code\":\"unavailable\""));
  EXPECT_EQ(Control(R"({"op":"load","generation":1})"),
            "{\"generation\":" + std::to_string(policy_->policy().generation) + "}");
}

TEST_F(ProxyTest, TermFinishesRunningRepliesAndExitsWithZero) {
  StartProgram();
  Stream stream;
  SetEngine(stream.Handler());
  const auto idle = Connect();
  const auto client = Connect();
  client->Send(Post(kChat, kBody, token_));
  const auto responder = stream.responder();
  ASSERT_TRUE(client->WaitFor("data: {\"n\":1}\n\n"));
  ::kill(pid_, SIGTERM);
  EXPECT_EQ(idle->ReadToEnd(), "");
  responder->Write("data: [DONE]\n\n");
  responder->Finish();
  EXPECT_THAT(client->ReadReply().body, HasSubstr("[DONE]"));
  EXPECT_EQ(AwaitProgram(), "exit status 0");
  const auto journal = OpenFiles(directory_.path() + "/journal/api").value();
  EXPECT_EQ(Records("request-completed").size(), 1u);
}

TEST_F(ProxyTest, TlsVersionsAndProtocols) {
  StartProgram();
  const std::string ca = directory_.path() + "/tls/ca.pem";
  TlsClient tls13(port_, ca);
  EXPECT_TRUE(tls13.connected());
  EXPECT_EQ(tls13.Version(), "TLSv1.3");
  TlsClient tls12(port_, ca, {TLS1_2_VERSION, "http/1.1"});
  EXPECT_TRUE(tls12.connected());
  EXPECT_EQ(tls12.Version(), "TLSv1.2");
  EXPECT_THAT(tls12.Cipher(), HasSubstr("ECDHE-ECDSA-AES128-GCM"));
  EXPECT_FALSE(TlsClient(port_, ca, {TLS1_1_VERSION, ""}).connected());
  EXPECT_FALSE(TlsClient(port_, ca, {TLS1_3_VERSION, "h2"}).connected());
}

TEST_F(ProxyTest, AdminInstanceForwardsItsPathsOnly) {
  StartAdminProgram();
  const std::string secret(64, 'a');  // admin compares it, not the proxy
  const auto reply = Ask(
      Post("/admin/api/v1/tokens?x=1", "{\"a\":1}", secret, "Skerry-Tenant: x\r\nCookie: a=b\r\n"));
  EXPECT_EQ(reply.head.status, 200);
  EXPECT_EQ(reply.body, "POST /admin/api/v1/tokens?x=1 {\"a\":1}");
  EXPECT_EQ(reply.Header("x-total"), "1");
  EXPECT_NE(reply.Header("x-request-id"), "");
  ASSERT_EQ(seen().size(), 1u);
  const http::HeaderList headers = seen()[0].request.head.headers;
  EXPECT_EQ(*http::FindHeader(headers, "authorization"), "Bearer " + secret);
  EXPECT_EQ(http::FindHeader(headers, "cookie"), nullptr);
  EXPECT_EQ(http::FindHeader(headers, "skerry-tenant"), nullptr);
  EXPECT_EQ(Ask(Post(kChat, kBody, secret)).head.status, 404);
  EXPECT_EQ(Ask(Post("/admin/api/v1", "", secret)).head.status, 404);
  EXPECT_EQ(Ask("TRACE /admin/api/v1/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + secret +
                "\r\n\r\n")
                .head.status,
            405);
  EXPECT_EQ(seen().size(), 1u);
  EXPECT_EQ(StopProgram(), "exit status 0");
}

TEST_F(ProxyTest, AdminInstanceReadsNoBodyOfAStranger) {
  StartAdminProgram();
  for (const std::string& header : {std::string(), "Authorization: Bearer " + token_ + "\r\n",
                                    "Authorization: Basic " + std::string(64, 'a') + "\r\n"}) {
    const auto client = Connect();
    client->Send("POST /admin/api/v1/tokens HTTP/1.1\r\nHost: a\r\n" + header +
                 "Content-Length: 1000000\r\n\r\n");
    const auto reply = client->ReadReply();
    EXPECT_EQ(reply.head.status, 401) << header;
    EXPECT_EQ(reply.Header("www-authenticate"), "Bearer");
    EXPECT_EQ(client->ReadToEnd(), "");
  }
  const auto client = Connect();
  client->Send("POST /admin/api/v1/tokens HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " +
               std::string(64, 'a') + "\r\nContent-Length: 1048577\r\n\r\n");
  EXPECT_EQ(client->ReadReply().head.status, 413);
  EXPECT_TRUE(seen().empty());
}

TEST_F(ProxyTest, SlowClientsAreRefused) {
  Limits limits;
  limits.handshake_timeout_ms = 200;
  limits.head_timeout_ms = 60;
  limits.body_timeout_ms = 60;
  limits.idle_timeout_ms = 60;
  StartInProcess(limits);
  const auto idle = Connect();
  EXPECT_EQ(idle->ReadToEnd(), "");
  const auto head = Connect();
  head->Send("GET / HTTP/1.1\r\nHo");
  EXPECT_EQ(head->ReadReply().head.status, 408);
  const auto body = Connect();
  body->Send("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + token_ +
             "\r\nContent-Length: 9\r\n\r\n{");
  EXPECT_EQ(body->ReadReply().head.status, 408);
  EXPECT_TRUE(seen().empty());
}

TEST_F(ProxyTest, ReaderThatStopsHoldsTheEngineBackAndIsDropped) {
  Limits limits;
  limits.write_timeout_ms = 1'000;
  StartInProcess(limits);
  Stream stream;
  SetEngine(stream.Handler());
  const auto client = Connect();
  client->Send(Post(kChat, kBody, token_));
  const auto responder = stream.responder();
  size_t pending = 0;
  for (int i = 0; i < 512; ++i) {
    pending = std::max(pending, responder->Write(std::string(64 << 10, 'x')));
  }
  EXPECT_GT(pending, size_t{16} << 20);  // it waits at the engine, not in the proxy
  EXPECT_GT(stream.WaitGone(), 0);
  const auto completed = WaitForRecords("request-completed", 1);
  EXPECT_THAT(completed[0], HasSubstr("client too slow"));
}

TEST_F(ProxyTest, UpstreamTimeouts) {
  Limits limits;
  limits.upstream_head_timeout_ms = 60;
  limits.upstream_idle_timeout_ms = 60;
  StartInProcess(limits);
  std::vector<std::shared_ptr<http::Responder>> held;
  SetEngine([&](http::Request, std::shared_ptr<http::Responder> r) { held.push_back(r); });
  EXPECT_EQ(Ask(Post(kChat, kBody, token_)).head.status, 504);
  Stream stream;
  SetEngine(stream.Handler());
  EXPECT_THAT(Ask(Post(kChat, kBody, token_)).body, HasSubstr("upstream_timeout"));
}

TEST_F(ProxyTest, BodiesShareOneBudget) {
  Limits limits;
  limits.max_bodies_bytes = 1000;
  StartInProcess(limits);
  const auto first = Connect();
  first->Send("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + token_ +
              "\r\nExpect: 100-continue\r\nContent-Length: 900\r\n\r\n");
  EXPECT_EQ(first->ReadReply().head.status, 100);
  const auto reply = Ask(Post(kChat, "{\"a\":\"" + std::string(200, 'x') + "\"}", token_));
  EXPECT_EQ(reply.head.status, 503);
  EXPECT_EQ(reply.Header("retry-after"), "1");
  first->Send("{\"a\":\"" + std::string(892, 'x') + "\"}");
  EXPECT_EQ(first->ReadReply().head.status, 200);
  EXPECT_EQ(Ask(Post(kChat, "{\"a\":\"" + std::string(200, 'x') + "\"}", token_)).head.status, 200);
}

// A length that is only announced takes one step of the budget, not all of it.
TEST_F(ProxyTest, AnnouncedLengthsDoNotFillTheBudget) {
  Limits limits;
  limits.max_bodies_bytes = 1 << 20;
  StartInProcess(limits);
  const auto first = Connect();
  first->Send("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + token_ +
              "\r\nExpect: 100-continue\r\nContent-Length: 1048576\r\n\r\n");
  EXPECT_EQ(first->ReadReply().head.status, 100);
  EXPECT_EQ(Ask(Post(kChat, kBody, token_)).head.status, 200);
  first->Send("{\"a\":\"" + std::string((1 << 20) - 8, 'x') + "\"}");
  EXPECT_EQ(first->ReadReply().head.status, 200);
  const auto second = Connect();
  second->Send("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + token_ +
               "\r\nContent-Length: 2097152\r\n\r\n" + std::string((1 << 20), 'x'));
  EXPECT_EQ(second->ReadReply().head.status, 503);
}

TEST_F(ProxyTest, WhatCannotBeRecordedIsNotServed) {
  skerry::testing::MemoryFiles disk;
  StartInProcess({}, &disk);
  EXPECT_EQ(Ask(Post(kChat, kBody, token_)).head.status, 200);
  // Everything queued before must be on the disk: the completed record of the first request.
  const int64_t deadline = RealClock().MonotonicNanos() + kPatienceMs * int64_t{1'000'000};
  const auto completed = [&] {
    for (const auto& [path, content] : disk.Snapshot()) {
      if (content.find("request-completed") != std::string::npos) return true;
    }
    return false;
  };
  while (!completed() && RealClock().MonotonicNanos() < deadline) std::this_thread::yield();
  disk.FailAtCall(1);
  const auto reply = Ask(Post(kChat, kBody, token_));
  EXPECT_EQ(reply.head.status, 503);
  EXPECT_THAT(reply.body, HasSubstr("audit_unavailable"));
  EXPECT_EQ(seen().size(), 1u);
  disk.FailAtCall(0);
  EXPECT_EQ(Ask(Post(kChat, kBody, token_)).head.status, 200);
  EXPECT_EQ(seen().size(), 2u);
}

}  // namespace
}  // namespace skerry::proxy::testing
