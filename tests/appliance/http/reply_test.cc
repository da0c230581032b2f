#include "appliance/http/reply.h"

#include <gtest/gtest.h>

#include "appliance/http/error.h"

namespace skerry::http {
namespace {

TEST(SerializeHead, NoValueStartsALineOfItsOwn) {
  EXPECT_EQ(SerializeHead(404, {{"a", "b\r\nc: d"}}),
            "HTTP/1.1 404 Not Found\r\na: b??c: d\r\n\r\n");
  EXPECT_TRUE(CheckResponseHead(SerializeHead(418, {{"a", "b"}})).has_value());
}

TEST(ReasonPhrase, EveryStatusHasOne) {
  for (int status = 100; status < 600; ++status) EXPECT_FALSE(ReasonPhrase(status).empty());
  EXPECT_EQ(ReasonPhrase(429), "Too Many Requests");
}

TEST(ErrorBody, OpenAiShapeInAscii) {
  EXPECT_EQ(
      ErrorBody({404, "no model 'caf\xc3\xa9'", "model_not_found", "model"}),
      R"({"error":{"code":"model_not_found","message":"no model 'caf\u00e9'","param":"model",)"
      R"("type":"invalid_request_error"}})");
  EXPECT_EQ(
      ErrorBody({503, "later", "", ""}),
      R"({"error":{"code":"server_error","message":"later","param":null,"type":"server_error"}})");
  EXPECT_EQ(FromError(Error(ErrorCode::kUnavailable, "x")).status, 503);
}

}  // namespace
}  // namespace skerry::http
