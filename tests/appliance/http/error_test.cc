#include "appliance/http/error.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "appliance/base/json.h"

namespace skerry::http {
namespace {

TEST(ErrorBody, HasEveryFieldThatStrictClientsRead) {
  const std::string body = ErrorBody({404, "no model 'x'", "model_not_found", "model"});
  const Json parsed = ParseJson(body).value();
  EXPECT_EQ(parsed["error"]["message"], "no model 'x'");
  EXPECT_EQ(parsed["error"]["type"], "invalid_request_error");
  EXPECT_EQ(parsed["error"]["param"], "model");
  EXPECT_EQ(parsed["error"]["code"], "model_not_found");
}

TEST(ErrorBody, ParamIsNullWithoutAFieldAndTextIsAscii) {
  const std::string body = ErrorBody({500, "\"é\"\n", "internal", ""});
  EXPECT_TRUE(ParseJson(body).value()["error"]["param"].is_null());
  for (const char c : body) EXPECT_TRUE(c >= 0x20 && c < 0x7f) << static_cast<int>(c);
}

TEST(ErrorBody, CategoriesBecomeStatuses) {
  EXPECT_EQ(FromError(Error(ErrorCode::kNotFound, "m")).status, 404);
  EXPECT_EQ(FromError(Error(ErrorCode::kInvalidArgument, "m")).status, 400);
  EXPECT_FALSE(FromError(Error(ErrorCode::kInternal, "m")).code.empty());
}

TEST(ErrorType, FollowsTheStatus) {
  EXPECT_EQ(ErrorType(400), "invalid_request_error");
  EXPECT_EQ(ErrorType(401), "authentication_error");
  EXPECT_EQ(ErrorType(429), "rate_limit_error");
  EXPECT_EQ(ErrorType(503), "server_error");
}

}  // namespace
}  // namespace skerry::http
