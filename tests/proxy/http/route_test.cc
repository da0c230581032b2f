#include "proxy/http/route.h"

#include <gtest/gtest.h>

namespace skerry::proxy {
namespace {

int Status(const std::variant<Route, Refusal>& found) {
  const Refusal* refusal = std::get_if<Refusal>(&found);
  return refusal == nullptr ? 200 : refusal->error.status;
}

TEST(FindRoute, Table) {
  struct Row {
    Instance instance;
    const char* method;
    const char* path;
    int status;
  };
  for (const Row& row :
       std::initializer_list<Row>{{Instance::kApi, "POST", "/v1/chat/completions", 200},
                                  {Instance::kApi, "POST", "/v1/completions", 200},
                                  {Instance::kApi, "POST", "/v1/embeddings", 200},
                                  {Instance::kApi, "GET", "/v1/embeddings", 405},
                                  {Instance::kApi, "GET", "/v1/models", 200},
                                  {Instance::kApi, "GET", "/v1/completions", 405},
                                  {Instance::kApi, "post", "/v1/completions", 405},
                                  {Instance::kApi, "HEAD", "/v1/models", 405},
                                  {Instance::kApi, "GET", "/v1/models/", 404},
                                  {Instance::kApi, "GET", "/v1//models", 404},
                                  {Instance::kApi, "GET", "/V1/models", 404},
                                  {Instance::kApi, "GET", "/v1/%6dodels", 404},
                                  {Instance::kApi, "POST", "/admin/api/v1/tokens", 404},
                                  {Instance::kAdmin, "POST", "/admin/api/v1/tokens", 200},
                                  {Instance::kAdmin, "DELETE", "/admin/api/v1/tokens/x", 200},
                                  {Instance::kAdmin, "TRACE", "/admin/api/v1/tokens", 405},
                                  {Instance::kAdmin, "GET", "/admin/api/v2/tokens", 404},
                                  {Instance::kAdmin, "GET", "/v1/models", 404}}) {
    EXPECT_EQ(Status(FindRoute(row.instance, row.method, row.path)), row.status)
        << row.method << " " << row.path;
  }
}

class FindModelTest : public ::testing::Test {
 protected:
  FindModelTest() {
    policy_.aliases["demo"] = {"demo", {"0a1b2c3d"}, true};
    policy_.aliases["large"] = {"large", {"0a1b2c3e"}, false};
    token_.models = {"large"};
    all_.models = {"*"};
  }
  std::string Find(const policy::Token& token, const std::optional<std::string>& model) {
    const auto found = FindModel(policy_, token, model);
    if (const Refusal* refusal = std::get_if<Refusal>(&found)) {
      EXPECT_EQ(refusal->error.status, 404);
      EXPECT_EQ(refusal->error.code, "model_not_found");
      return "!" + refusal->error.message;
    }
    return std::get<const policy::Alias*>(found)->name;
  }
  policy::Policy policy_;
  policy::Token token_;
  policy::Token all_;
};

TEST_F(FindModelTest, NamedDefaultAndHidden) {
  EXPECT_EQ(Find(all_, "large"), "large");
  EXPECT_EQ(Find(all_, std::nullopt), "demo");
  EXPECT_EQ(Find(token_, "large"), "large");
  const std::string hidden = Find(token_, "demo");
  std::string absent = Find(token_, "nope");
  // Not allowed and not there read the same but for the name asked for.
  absent.replace(absent.find("nope"), 4, "demo");
  EXPECT_EQ(hidden, absent);
  EXPECT_NE(hidden.find("it may use: large"), std::string::npos);
  EXPECT_EQ(Find(token_, std::nullopt).front(), '!');
  policy_.aliases["demo"].is_default = false;
  EXPECT_EQ(Find(all_, std::nullopt).front(), '!');
  EXPECT_EQ(Find(all_, std::string(10'000, 'x')).size() < 400, true);
}

TEST_F(FindModelTest, ModelsBodyIsFiltered) {
  EXPECT_EQ(ModelsBody(policy_, token_, 5),
            R"({"data":[{"created":5,"id":"large","object":"model","owned_by":"skerry"}],)"
            R"("object":"list"})");
}

}  // namespace
}  // namespace skerry::proxy
