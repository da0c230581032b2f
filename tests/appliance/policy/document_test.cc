#include "appliance/policy/document.h"

#include <gtest/gtest.h>

namespace skerry::policy {
namespace {

constexpr char kHash[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

std::string TokenText(const std::string& id = "0123456789ab") {
  return R"({"id":")" + id + R"(","hash":")" + kHash +
         R"(","label":"kibana","models":["*"],"scopes":["inference"],"created_ms":5,"expires_ms":0})";
}

std::string Base(const std::string& tokens, const std::string& aliases) {
  return R"({"format":1,"generation":3,"tokens":[)" + tokens + R"(],"aliases":[)" + aliases + "]}";
}

TEST(DocumentTest, ReadsTheDocumentedForm) {
  const Result<Policy> policy =
      ParseBase(Base(TokenText(), R"({"name":"demo","instances":["0a1b2c3d"],"default":true})"));
  ASSERT_TRUE(policy.has_value()) << policy.error().message();
  EXPECT_EQ(policy->generation, 3u);
  EXPECT_EQ(policy->FindToken("0123456789ab")->hash[1], 0x11);
  EXPECT_EQ(policy->DefaultAlias()->instances[0], "0a1b2c3d");
  const Result<Policy> again = ParseBase(EncodeBase(*policy));
  ASSERT_TRUE(again.has_value()) << again.error().message();
  EXPECT_EQ(*again, *policy);
}

TEST(DocumentTest, RefusesDamagedBases) {
  const std::string alias = R"({"name":"demo","instances":[],"default":false})";
  ASSERT_TRUE(ParseBase(Base(TokenText(), alias)).has_value());
  const std::string bad[] = {
      "",
      "{}",
      Base(TokenText(), alias) + "x",
      Base(TokenText() + "," + TokenText(), alias),
      Base(TokenText("short"), alias),
      Base("1", alias),
      Base("", alias + "," + alias),
      Base("", R"({"name":"demo","instances":[1],"default":false})"),
      Base("", R"({"name":"demo","instances":"x","default":false})"),
      Base("", R"({"name":"demo","instances":[],"default":0})"),
      Base(
          "",
          R"({"name":"demo","instances":[],"default":true},{"name":"e","instances":[],"default":true})"),
      R"({"format":2,"generation":3,"tokens":[],"aliases":[]})",
      R"({"format":1,"generation":0,"tokens":[],"aliases":[]})",
      R"({"format":1,"generation":1.5,"tokens":[],"aliases":[]})",
      R"({"format":1,"generation":3,"tokens":{},"aliases":[]})",
      R"({"format":1,"generation":3,"aliases":[]})",
      R"({"format":1,"generation":3,"tokens":[],"aliases":[],"more":1})",
  };
  for (const std::string& text : bad) {
    const Result<Policy> policy = ParseBase(text);
    ASSERT_FALSE(policy.has_value()) << text;
    EXPECT_EQ(policy.error().code(), ErrorCode::kCorrupt) << text;
  }
}

TEST(DocumentTest, DeltasGoRound) {
  Token token;
  token.id = "0123456789ab";
  token.label = "a";
  token.models = {"m"};
  token.scopes = {"inference"};
  const Delta delta{9,
                    {PutToken{token}, DeleteToken{token.id}, PutAlias{{"m", {"0a1b2c3d"}, true}},
                     DeleteAlias{"m"}}};
  const std::string line = EncodeDelta(delta);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  const Result<Delta> again = ParseDelta(line);
  ASSERT_TRUE(again.has_value()) << again.error().message();
  EXPECT_EQ(EncodeDelta(*again), line);
  EXPECT_EQ(again->ops.size(), 4u);
}

TEST(DocumentTest, RefusesDamagedDeltas) {
  const std::string bad[] = {
      "",
      R"({"generation":2})",
      R"({"generation":2,"ops":{}})",
      R"({"generation":-2,"ops":[]})",
      R"({"generation":2,"ops":[1]})",
      R"({"generation":2,"ops":[{"op":"drop"}]})",
      R"({"generation":2,"ops":[{"op":"delete_token"}]})",
      R"({"generation":2,"ops":[{"op":"delete_token","id":"x","id":"y"}]})",
      R"({"generation":2,"ops":[{"op":"delete_alias","name":"x","id":"y"}]})",
      R"({"generation":2,"ops":[{"op":"put_token","token":7}]})",
      R"({"generation":2,"ops":[{"op":"put_alias"}]})",
  };
  for (const std::string& line : bad) {
    ASSERT_FALSE(ParseDelta(line).has_value()) << line;
    EXPECT_EQ(ParseDelta(line).error().code(), ErrorCode::kCorrupt) << line;
  }
}

TEST(DocumentTest, FileNames) {
  EXPECT_EQ(BaseName(1), "base-00000000000000000001.json");
  EXPECT_EQ(DeltaName(12), "delta-00000000000000000012.ndjson");
  EXPECT_EQ(GenerationOfBase(BaseName(1234)), 1234u);
  EXPECT_EQ(GenerationOfDelta(DeltaName(1234)), 1234u);
  for (const char* other : {"base-1.json", "base-0000000000000000000x.json", "key",
                            "base-00000000000000000001.json.new", "base-99999999999999999999.json",
                            "base--0000000000000000001.json"}) {
    EXPECT_FALSE(GenerationOfBase(other).has_value()) << other;
  }
}

}  // namespace
}  // namespace skerry::policy
