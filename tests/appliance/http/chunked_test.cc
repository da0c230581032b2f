#include "appliance/http/chunked.h"

#include <gtest/gtest.h>

namespace skerry::http {
namespace {

using std::string_literals::operator""s;

// Feeds in pieces of `step` bytes; the payload, or "!" and the error's message.
std::string Decode(std::string_view bytes, size_t step, size_t* consumed = nullptr) {
  ChunkedDecoder decoder;
  std::string out;
  size_t at = 0;
  while (at < bytes.size() && !decoder.done()) {
    const auto fed = decoder.Feed(bytes.substr(at, step), out);
    if (!fed) return "!" + fed.error().message();
    at += *fed;
  }
  if (consumed != nullptr) *consumed = at;
  return decoder.done() ? out : "?" + out;
}

TEST(ChunkedDecoder, RefusesEveryOtherForm) {
  const std::vector<std::pair<const char*, std::string>> rows = {
      {"extension", "5;a=b\r\nhello\r\n0\r\n\r\n"},
      {"extension_on_last", "0;a\r\n\r\n"},
      {"space_after_size", "5 \r\nhello\r\n0\r\n\r\n"},
      {"space_before_size", " 5\r\nhello\r\n0\r\n\r\n"},
      {"tab_after_size", "5\t\r\nhello\r\n0\r\n\r\n"},
      {"plus", "+5\r\nhello\r\n0\r\n\r\n"},
      {"minus", "-5\r\nhello\r\n0\r\n\r\n"},
      {"prefix", "0x5\r\nhello\r\n0\r\n\r\n"},
      {"empty_size", "\r\nhello\r\n0\r\n\r\n"},
      {"nine_digits", "000000005\r\nhello\r\n0\r\n\r\n"},
      {"overflow", "ffffffffffffffff5\r\nhello\r\n0\r\n\r\n"},
      {"bare_lf_after_size", "5\nhello\r\n0\r\n\r\n"},
      {"bare_cr_after_size", "5\rhello\r\n0\r\n\r\n"},
      {"bare_lf_after_data", "5\r\nhello\n0\r\n\r\n"},
      {"no_crlf_after_data", "5\r\nhello0\r\n\r\n"},
      {"longer_than_size", "5\r\nhello!\r\n0\r\n\r\n"},
      {"crcr_after_data", "5\r\nhello\r\r0\r\n\r\n"},
      {"bare_lf_end", "0\r\n\n"},
      {"bare_lf_trailer", "0\r\nA: b\n\r\n"},
      {"cr_in_trailer", "0\r\nA: b\rc\r\n\r\n"},
      {"fold_in_trailer", "0\r\nA: b\r\n c\r\n\r\n"},
      {"trailer_without_colon", "0\r\nAb\r\n\r\n"},
      {"trailer_space_colon", "0\r\nA : b\r\n\r\n"},
      {"trailer_nul", "0\r\nA: b\0\r\n\r\n"s},
      {"trailer_length", "0\r\nContent-Length: 5\r\n\r\n"},
      {"trailer_te", "0\r\nTransfer-Encoding: chunked\r\n\r\n"},
      {"trailer_authorization", "0\r\nAuthorization: Bearer x\r\n\r\n"},
      {"trailers_too_long", "0\r\nA: " + std::string(5000, 'b') + "\r\n\r\n"},
  };
  for (const auto& [name, bytes] : rows) {
    for (size_t step : {size_t{1}, size_t{3}, bytes.size()}) {
      EXPECT_EQ(Decode(bytes, step).substr(0, 1), "!") << name << " in steps of " << step;
    }
  }
}

TEST(ChunkedDecoder, AcceptsEveryStepAndLeavesTheRest) {
  const std::string body =
      "5\r\nhello\r\n00B\r\n wide world\r\n0\r\nA: b\r\nSkerry-Usage: c\r\n\r\n";
  for (size_t step = 1; step <= body.size() + 4; ++step) {
    size_t consumed = 0;
    EXPECT_EQ(Decode(body + "GET ", step, &consumed), "hello wide world") << step;
    EXPECT_EQ(consumed, body.size()) << step;
  }
  EXPECT_EQ(Decode("0\r\n\r\n", 1), "");
  EXPECT_EQ(Decode("5\r\nhel", 2), "?hel");
}

TEST(ChunkedDecoder, Trailers) {
  ChunkedDecoder decoder;
  std::string out;
  ASSERT_TRUE(decoder.Feed("0\r\nSkerry-Usage: prompt=1 completion=2\r\n\r\n", out).has_value());
  ASSERT_TRUE(decoder.done());
  ASSERT_EQ(decoder.trailers().size(), 1u);
  EXPECT_EQ(*FindHeader(decoder.trailers(), "skerry-usage"), "prompt=1 completion=2");
}

TEST(ChunkedDecoder, BoundsItsOutputAndStaysDead) {
  ChunkedDecoder decoder;
  std::string out;
  const auto fed = decoder.Feed("a\r\n0123456789\r\n", out, 4);
  ASSERT_TRUE(fed.has_value());
  EXPECT_EQ(*fed, 7u);
  EXPECT_EQ(out, "0123");
  EXPECT_FALSE(decoder.Feed("0123456789", out).has_value());
  EXPECT_FALSE(decoder.Feed("0\r\n\r\n", out).has_value());
  EXPECT_FALSE(decoder.done());
}

TEST(ChunkedEncoder, RoundTrip) {
  std::string bytes;
  AppendChunk("", bytes);
  AppendChunk("hello", bytes);
  AppendChunk(std::string(300, 'x'), bytes);
  AppendLastChunk({{"skerry-usage", "prompt=1"}}, bytes);
  EXPECT_EQ(bytes, "5\r\nhello\r\n12c\r\n" + std::string(300, 'x') +
                       "\r\n0\r\nskerry-usage: prompt=1\r\n\r\n");
  EXPECT_EQ(Decode(bytes, 7), "hello" + std::string(300, 'x'));
}

}  // namespace
}  // namespace skerry::http
