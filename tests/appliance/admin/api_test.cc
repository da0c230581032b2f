#include "appliance/admin/api.h"

#include <gtest/gtest.h>

#include "tests/appliance/admin/world.h"

namespace skerry::admin {
namespace {

class ApiTest : public ::testing::Test {
 protected:
  ApiTest()
      : digest_(world_.AddModel()),
        core_(Core::Open(world_.path(), RealClock()).value()),
        tokens_(*core_),
        trust_(*core_, "test"),
        models_(*core_, trust_),
        instances_(*core_, models_),
        api_(*core_, tokens_, models_, instances_, trust_) {
    world_.StartSupervisor();
    world_.StartProxy();
    EXPECT_TRUE(instances_.Start().has_value());
  }
  ApiReply Call(const std::string& method, const std::string& path, const std::string& body = "") {
    return api_.Handle({method, "/admin/api/v1/" + path, body});
  }
  Json Body(const ApiReply& reply) { return ParseJson(reply.body).value(); }

  World world_;
  const std::string digest_;
  std::unique_ptr<Core> core_;
  Tokens tokens_;
  TrustKeeper trust_;
  Models models_;
  Instances instances_;
  Api api_;
};

TEST_F(ApiTest, Refusals) {
  struct Case {
    const char* method;
    std::string path;
    std::string body;
    int status;
    const char* code;
  };
  const Case cases[] = {
      {"GET", "", "", 404, "not_found"},
      {"GET", "nothing", "", 404, "not_found"},
      {"GET", "tokens/", "", 404, "not_found"},
      {"GET", "tokens/a/b", "", 404, "not_found"},
      {"GET", "tok%2", "", 404, "not_found"},
      {"GET", "tok%zz", "", 404, "not_found"},
      {"GET", "../tokens", "", 404, "not_found"},
      {"PUT", "tokens", "{}", 405, "invalid_argument"},
      {"DELETE", "status", "", 405, "invalid_argument"},
      {"GET", "tokens/aaaaaaaaaaaa", "", 405, "invalid_argument"},
      {"POST", "tokens", "", 400, "invalid_argument"},
      {"POST", "tokens", "{", 400, "invalid_argument"},
      {"POST", "tokens", "[]", 400, "invalid_argument"},
      {"POST", "tokens", "{}", 400, "invalid_argument"},
      {"POST", "tokens", R"({"label":7})", 400, "invalid_argument"},
      {"POST", "tokens", R"({"label":"a","label":"b"})", 400, "invalid_argument"},
      {"POST", "tokens", R"({"label":"a","models":"b"})", 400, "invalid_argument"},
      {"POST", "tokens", R"({"label":"a","models":[1]})", 400, "invalid_argument"},
      {"POST", "tokens", R"({"label":"a","models":[]})", 400, "invalid_argument"},
      {"POST", "tokens", R"({"label":"a","expires_ms":1.5})", 400, "invalid_argument"},
      {"POST", "tokens", R"({"label":"a","expires_ms":1})", 400, "invalid_argument"},
      {"POST", "tokens", R"({"label":"a","admin":true})", 400, "invalid_argument"},
      {"POST", "tokens", std::string(kMaxBodyBytes + 1, ' '), 413, "exhausted"},
      {"DELETE", "tokens/aaaaaaaaaaaa", "", 404, "not_found"},
      {"DELETE", "tokens/..%2F..", "", 404, "not_found"},
      {"POST", "models", R"({"digest":"../policy"})", 400, "invalid_argument"},
      {"POST", "models", R"({"digest":"sha256-)" + std::string(64, 'a') + "\"}", 404, "not_found"},
      {"GET", "models/acme%2Ftiny", "", 405, "invalid_argument"},
      {"DELETE", "models/acme%2Ftiny", "", 404, "not_found"},
      {"DELETE", "models/..%2Fpolicy", "", 404, "not_found"},
      {"POST", "instances", R"({"model":"no/such"})", 404, "not_found"},
      {"POST", "instances", R"({"model":"acme/tiny","flags":"x"})", 400, "invalid_argument"},
      {"GET", "instances/0a1b2c3d", "", 404, "not_found"},
      {"DELETE", "instances/nothing", "", 404, "not_found"},
  };
  for (const Case& test : cases) {
    const ApiReply reply = Call(test.method, test.path, test.body);
    EXPECT_EQ(reply.status, test.status)
        << test.method << " " << test.path << " " << test.body.substr(0, 80);
    EXPECT_EQ(Body(reply)["error"]["code"], test.code) << test.path;
  }
  EXPECT_EQ(api_.Handle({"GET", "/v1/models", ""}).status, 404);
  EXPECT_EQ(world_.Published().generation, 1u);
}

TEST_F(ApiTest, TokensFromCreationToRevocation) {
  const ApiReply created =
      Call("POST", "tokens", R"({"label":"kibana","models":["demo"],"expires_ms":99999999999999})");
  ASSERT_EQ(created.status, 201) << created.body;
  const Json token = Body(created);
  EXPECT_TRUE(policy::ParseToken(token["token"].get<std::string>()).has_value());
  EXPECT_EQ(token["confirmed"], true);
  EXPECT_EQ(token["scopes"], Json({"inference"}));
  const std::string id = token["id"];
  const ApiReply listed = Call("GET", "tokens");
  EXPECT_EQ(listed.status, 200);
  EXPECT_EQ(listed.body.find(token["token"].get<std::string>().substr(16)), std::string::npos);
  EXPECT_EQ(Body(listed)["tokens"][0], Json({{"id", id},
                                             {"label", "kibana"},
                                             {"models", {"demo"}},
                                             {"scopes", {"inference"}},
                                             {"created_ms", token["created_ms"]},
                                             {"expires_ms", 99999999999999},
                                             {"revoked_ms", 0}}));
  const ApiReply revoked = Call("DELETE", "tokens/" + id);
  EXPECT_EQ(revoked.status, 200);
  EXPECT_EQ(Body(revoked), Json({{"id", id}, {"confirmed", true}}));
  EXPECT_EQ(Call("DELETE", "tokens/" + id).status, 409);
  EXPECT_GT(Body(Call("GET", "tokens"))["tokens"][0]["revoked_ms"], 0);
}

TEST_F(ApiTest, TrustIsReadAnew) {
  const ApiReply reply = Call("POST", "trust/reload");
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(Body(reply),
            Json({{"root_version", 0}, {"revocations", 0}, {"unloaded", Json::array()}}));
  EXPECT_EQ(Call("GET", "trust/reload").status, 405);
  EXPECT_EQ(Call("POST", "trust/other").status, 404);
  ASSERT_TRUE(MakeDirectories(world_.files(), "trust").has_value());
  world_.Write("trust/root.json", "{}");
  EXPECT_EQ(Call("POST", "trust/reload").status, 422);
}

TEST_F(ApiTest, ModelsAreRegisteredOnce) {
  EXPECT_EQ(Body(Call("GET", "models"))["models"], Json::array());
  const std::string body = DumpJson({{"digest", digest_}});
  const ApiReply registered = Call("POST", "models", body);
  ASSERT_EQ(registered.status, 201) << registered.body;
  EXPECT_EQ(Body(registered)["id"], "acme/tiny");
  EXPECT_EQ(Body(registered)["already_registered"], false);
  const ApiReply again = Call("POST", "models", body);
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(Body(again)["already_registered"], true);
  EXPECT_EQ(Body(Call("GET", "models"))["models"],
            Json::array({{{"digest", digest_},
                          {"id", "acme/tiny"},
                          {"version", "1.0.1"},
                          {"release_seq", 1},
                          {"size_bytes", 2},
                          {"imported_at", "2025-01-31T23:59:59.123Z"},
                          {"present", true},
                          {"standing", "good"},
                          {"standing_detail", ""},
                          {"may_load", true},
                          {"templates", nullptr}}}));
  world_.Write("store/" + digest_ + "/bundle/manifest", "{}");
  EXPECT_EQ(Call("POST", "models", body).status, 422);
}

TEST_F(ApiTest, InstancesFromLoadToUnload) {
  ASSERT_EQ(Call("POST", "models", DumpJson({{"digest", digest_}})).status, 201);
  const ApiReply accepted =
      Call("POST", "instances", R"({"model":"acme/tiny","alias":"org/demo"})");
  ASSERT_EQ(accepted.status, 202) << accepted.body;
  const std::string id = Body(accepted)["id"];
  ASSERT_TRUE(Eventually([&] { return Body(Call("GET", "instances/" + id))["state"] == "ready"; }));
  const Json listed = Body(Call("GET", "instances"))["instances"];
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_EQ(listed[0]["alias"], "org/demo");
  EXPECT_EQ(listed[0]["model"], digest_);
  EXPECT_EQ(listed[0]["default"], true);
  EXPECT_EQ(listed[0]["confirmed"], true);
  const Json status = Body(Call("GET", "status"));
  EXPECT_EQ(status["proxy"]["confirmed"], true);
  EXPECT_EQ(status["supervisor"]["answers"], true);
  EXPECT_EQ(status["models"], 1);
  EXPECT_EQ(status["instances"].size(), 1u);
  EXPECT_EQ(status["generation"], world_.Published().generation);
  EXPECT_EQ(Call("POST", "instances", R"({"model":"acme/tiny","alias":"org/demo"})").status, 409);
  EXPECT_EQ(Call("DELETE", "models/acme%2Ftiny").status, 400) << "while it is loaded";
  const ApiReply unloaded = Call("DELETE", "instances/org%2Fdemo");
  EXPECT_EQ(unloaded.status, 200);
  EXPECT_EQ(Body(unloaded), Json({{"id", id}, {"alias", "org/demo"}, {"confirmed", true}}));
  const ApiReply removed = Call("DELETE", "models/acme%2Ftiny");
  ASSERT_EQ(removed.status, 200) << removed.body;
  EXPECT_EQ(Body(removed), Json({{"digest", digest_}, {"id", "acme/tiny"}, {"size_bytes", 2}}));
  EXPECT_EQ(Body(Call("GET", "models"))["models"], Json::array());
  EXPECT_FALSE(world_.files().Exists("store/" + digest_));
}

}  // namespace
}  // namespace skerry::admin
