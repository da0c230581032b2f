#include "bundler/format/manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "bundler/format/layout.h"

namespace skerry::format {
namespace {

using ::testing::HasSubstr;

Manifest Example() {
  Manifest manifest;
  manifest.id = "acme/tiny";
  manifest.version = "1.0.0";
  manifest.release_seq = 7;
  manifest.files = {{"config.json", 2, Sha256::Of("a"), Sha256::Of("b")},
                    {"model.safetensors", 1 << 20, Sha256::Of("c"), Sha256::Of("d")}};
  manifest.roots = {{1, 900, Sha256::Of("root")}};
  return manifest;
}

std::string Text(const Manifest& manifest) {
  const Result<std::string> text = SerializeManifest(manifest);
  EXPECT_TRUE(text) << text.error().message();
  return text ? *text : "";
}

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string Refusal(const std::string& text) {
  const Result<Manifest> manifest = ParseManifest(text);
  if (manifest) return "accepted";
  EXPECT_TRUE(manifest.error().code() == ErrorCode::kCorrupt ||
              manifest.error().code() == ErrorCode::kUntrusted);
  return manifest.error().message();
}

TEST(ManifestTest, RoundTrip) {
  Manifest manifest = Example();
  manifest.documents = {{"LICENSE", 10, Sha256::Of("l"), Sha256::Of("m")}};
  manifest.revocations = BlobEntry{77, Sha256::Of("r")};
  const std::string text = Text(manifest);
  const Result<Manifest> back = ParseManifest(text);
  ASSERT_TRUE(back) << back.error().message();
  EXPECT_EQ(Text(*back), text);
  EXPECT_EQ(back->files[1].name, "model.safetensors");
  EXPECT_EQ(back->files[1].root, Sha256::Of("c"));
  EXPECT_EQ(back->documents[0].size, 10U);
  EXPECT_EQ(back->revocations->size, 77U);
  EXPECT_EQ(back->DataBytes(), (1U << 20) + 2U);
}

TEST(ManifestTest, TextIsFixed) {
  Manifest manifest = Example();
  manifest.files.resize(1);
  const std::string a = Sha256::Of("a").Hex(), b = Sha256::Of("b").Hex();
  EXPECT_EQ(Text(manifest),
            "{\"documents\":[],\"expires\":null,\"files\":[{\"name\":\"config.json\",\"root\":\"" +
                a + "\",\"sha256\":\"" + b +
                "\",\"size\":2}],\"id\":\"acme/tiny\",\"kind\":\"model\",\"release_seq\":7,"
                "\"revocations\":null,\"roots\":[{\"sha256\":\"" +
                Sha256::Of("root").Hex() +
                "\",\"size\":900,\"version\":1}],\"version\":\"1.0.0\"}");
}

TEST(ManifestTest, ExpiresIsADayOfTheCalendarOrNull) {
  Manifest manifest = Example();
  manifest.expires = "2028-02-29";
  const std::string text = Text(manifest);
  EXPECT_THAT(text, HasSubstr("\"expires\":\"2028-02-29\","));
  EXPECT_EQ(ParseManifest(text)->expires, "2028-02-29");
  EXPECT_FALSE(ParseManifest(Text(Example()))->expires);
  for (const char* bad : {"\"2027-02-29\"", "\"2028-2-29\"", "\"2028-02-29T00:00:00Z\"", "\"\"",
                          "20280229", "\"0000-01-01\"", "false"}) {
    EXPECT_THAT(Refusal(Replaced(text, "\"2028-02-29\"", bad)), HasSubstr("expires")) << bad;
  }
  EXPECT_THAT(Refusal(Replaced(text, "\"expires\":\"2028-02-29\",", "")), HasSubstr("expires"));
  manifest.expires = "2028-02-30";
  EXPECT_FALSE(SerializeManifest(manifest));
}

TEST(ManifestTest, OtherSpellingsAreRefused) {
  const std::string good = Text(Example());
  ASSERT_EQ(Refusal(good), "accepted");
  EXPECT_THAT(Refusal(good + " "), HasSubstr("canonical"));
  EXPECT_THAT(Refusal(" " + good), HasSubstr("canonical"));
  EXPECT_THAT(Refusal(Replaced(good, ":7,", ": 7,")), HasSubstr("canonical"));
  EXPECT_THAT(Refusal(Replaced(good, "acme", "\\u0061cme")), HasSubstr("canonical"));
  EXPECT_THAT(Refusal(Replaced(good, "\"kind\":\"model\",\"release_seq\":7",
                               "\"release_seq\":7,\"kind\":\"model\"")),
              HasSubstr("canonical"));
  EXPECT_THAT(Refusal(Replaced(good, ":7,", ":7.0,")), HasSubstr("not an integer"));
  EXPECT_THAT(Refusal(Replaced(good, ":7,", ":7e0,")), HasSubstr("not an integer"));
  EXPECT_THAT(Refusal(Replaced(good, ":7,", ":9007199254740992,")), HasSubstr("2^53"));
  EXPECT_THAT(Refusal(Replaced(good, ":7,", ":-7,")), HasSubstr("release_seq"));
  EXPECT_THAT(
      Refusal(Replaced(good, "\"kind\":\"model\",", "\"kind\":\"model\",\"kind\":\"model\",")),
      HasSubstr("duplicate"));
  EXPECT_THAT(Refusal(Replaced(good, "\"kind\":", "\"extra\":1,\"kind\":")), HasSubstr("'extra'"));
  EXPECT_THAT(Refusal(good + good), HasSubstr("malformed"));
  EXPECT_THAT(Refusal(""), HasSubstr("malformed"));
}

TEST(ManifestTest, WrongContentIsRefused) {
  const std::string good = Text(Example());
  EXPECT_THAT(Refusal(Replaced(good, "\"model\"", "\"toy\"")), HasSubstr("kind 'toy'"));
  EXPECT_THAT(Refusal(Replaced(good, "config.json", "../../etc/x")), HasSubstr("refused"));
  EXPECT_THAT(Refusal(Replaced(good, "config.json", "zonfig.json")), HasSubstr("sorted"));
  EXPECT_THAT(Refusal(Replaced(good, Sha256::Of("a").Hex(), "abc")), HasSubstr("files[0]"));
}

TEST(ManifestTest, NamesMustBeSortedAndSizesBounded) {
  Manifest manifest = Example();
  std::swap(manifest.files[0], manifest.files[1]);
  EXPECT_FALSE(SerializeManifest(manifest));
  manifest = Example();
  manifest.files[0].size = kMaxDataBytes;
  EXPECT_FALSE(SerializeManifest(manifest));
  manifest = Example();
  manifest.files.clear();
  EXPECT_FALSE(SerializeManifest(manifest));
  manifest = Example();
  manifest.roots.push_back(manifest.roots[0]);
  EXPECT_FALSE(SerializeManifest(manifest));
  manifest = Example();
  manifest.release_seq = 0;
  EXPECT_FALSE(SerializeManifest(manifest));
  manifest = Example();
  manifest.documents = {{"big", kMaxDocumentBytes + 1, {}, {}}};
  EXPECT_FALSE(SerializeManifest(manifest));
}

TEST(ManifestTest, ModelDigestIgnoresWhoReleasedIt) {
  const Manifest first = Example();
  Manifest second = Example();
  second.id = "other/name";
  second.version = "2";
  second.release_seq = 8;
  EXPECT_EQ(ModelDigest(first), ModelDigest(second));
  second.files[0].root = Sha256::Of("x");
  EXPECT_NE(ModelDigest(first), ModelDigest(second));
}

}  // namespace
}  // namespace skerry::format
