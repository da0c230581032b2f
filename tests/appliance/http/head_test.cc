#include "appliance/http/head.h"

#include <gtest/gtest.h>

namespace skerry::http {
namespace {

using std::string_literals::operator""s;

struct Case {
  const char* name;
  std::string head;
  int status;  // 0: accepted
};

std::string Get(const std::string& fields) {
  return "GET /v1/models HTTP/1.1\r\n" + fields + "\r\n";
}
std::string Post(const std::string& fields) {
  return "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

std::vector<Case> Cases() {
  return {
      // Refused: the first line.
      {"http_0_9", "GET /\r\n\r\n", 400},
      {"http_1_0", "GET / HTTP/1.0\r\nHost: a\r\n\r\n", 400},
      {"http_1_2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 400},
      {"http_2_0", "PRI * HTTP/2.0\r\n\r\n", 400},
      {"lower_case_version", "GET / http/1.1\r\nHost: a\r\n\r\n", 400},
      {"trailing_space", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
      {"two_spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"tab_separator", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"space_in_target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"leading_crlf", "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"leading_space", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"absolute_form", "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"authority_form", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"asterisk_form", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"non_ascii_target", "GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"nul_in_target", "GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"s, 400},
      {"method_with_colon", "GE:T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"long_method", std::string(17, 'A') + " / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
      {"long_target", "GET /" + std::string(5000, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", 414},
      // Refused: line ends and header lines.
      {"bare_lf_everywhere", "GET / HTTP/1.1\nHost: a\n\n", 400},
      {"bare_lf_first_line", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400},
      {"bare_lf_header", "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n", 400},
      {"bare_lf_end", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
      {"bare_cr_in_value", Get("Host: a\r\nX: a\rb\r\n"), 400},
      {"bare_cr_in_name", Get("Host: a\r\nX\r: b\r\n"), 400},
      {"double_cr", "GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", 400},
      {"nul_in_value", Get("Host: a\r\nX: a\0b\r\n"s), 400},
      {"nul_in_name", Get("Host: a\r\nX\0: b\r\n"s), 400},
      {"del_in_value", Get("Host: a\r\nX: a\x7f\r\n"), 400},
      {"escape_in_value", Get("Host: a\r\nX: a\x1b[0m\r\n"), 400},
      {"obs_fold_space", Get("Host: a\r\nX: a\r\n b\r\n"), 400},
      {"obs_fold_tab", Get("Host: a\r\nX: a\r\n\tb\r\n"), 400},
      {"fold_first", Get(" Host: a\r\n"), 400},
      {"space_before_colon", Get("Host: a\r\nX : b\r\n"), 400},
      {"empty_name", Get("Host: a\r\n: b\r\n"), 400},
      {"no_colon", Get("Host: a\r\nXYZ\r\n"), 400},
      {"bracket_in_name", Get("Host: a\r\nX[1]: b\r\n"), 400},
      {"non_ascii_name", Get("Host: a\r\nX\xc3\xa9: b\r\n"), 400},
      {"too_many_headers",
       Get("Host: a\r\n" +
           [] {
             std::string lines;
             for (int i = 0; i < 64; ++i) lines += "X: b\r\n";
             return lines;
           }()),
       431},
      {"too_long", Get("Host: a\r\nX: " + std::string(17000, 'b') + "\r\n"), 431},
      // Refused: identity.
      {"no_host", Get("X: b\r\n"), 400},
      {"two_hosts", Get("Host: a\r\nHost: b\r\n"), 400},
      {"two_equal_hosts", Get("Host: a\r\nhost: a\r\n"), 400},
      {"empty_host", Get("Host:\r\n"), 400},
      {"host_list", Get("Host: a, b\r\n"), 400},
      {"host_with_path", Get("Host: a/b\r\n"), 400},
      {"host_with_user", Get("Host: u@a\r\n"), 400},
      {"two_authorizations",
       Get("Host: a\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n"), 400},
      {"two_equal_authorizations",
       Get("Host: a\r\nAuthorization: Bearer a\r\nAUTHORIZATION: Bearer a\r\n"), 400},
      // Refused: framing.
      {"cl_te", Post("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n"), 400},
      {"te_cl", Post("Transfer-Encoding: chunked\r\nContent-Length: 6\r\n"), 400},
      {"te_te", Post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400},
      {"te_te_odd", Post("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n"), 400},
      {"te_odd_te", Post("Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n"), 400},
      {"te_identity", Post("Transfer-Encoding: identity\r\n"), 400},
      {"te_gzip_chunked", Post("Transfer-Encoding: gzip, chunked\r\n"), 400},
      {"te_chunked_twice", Post("Transfer-Encoding: chunked, chunked\r\n"), 400},
      {"te_xchunked", Post("Transfer-Encoding: xchunked\r\n"), 400},
      {"te_parameter", Post("Transfer-Encoding: chunked;a=b\r\n"), 400},
      {"te_quoted", Post("Transfer-Encoding: \"chunked\"\r\n"), 400},
      {"te_vertical_tab",
       Post("Transfer-Encoding: \x0b"
            "chunked\r\n"),
       400},
      {"te_empty", Post("Transfer-Encoding:\r\n"), 400},
      {"te_space_colon", Post("Transfer-Encoding : chunked\r\n"), 400},
      {"te_folded", Post("Transfer-Encoding:\r\n chunked\r\n"), 400},
      {"cl_twice", Post("Content-Length: 6\r\nContent-Length: 7\r\n"), 400},
      {"cl_twice_equal", Post("Content-Length: 6\r\nContent-Length: 6\r\n"), 400},
      {"cl_list", Post("Content-Length: 6, 6\r\n"), 400},
      {"cl_plus", Post("Content-Length: +6\r\n"), 400},
      {"cl_minus", Post("Content-Length: -6\r\n"), 400},
      {"cl_hex", Post("Content-Length: 0x6\r\n"), 400},
      {"cl_empty", Post("Content-Length:\r\n"), 400},
      {"cl_space_inside", Post("Content-Length: 1 0\r\n"), 400},
      {"cl_16_digits", Post("Content-Length: 1000000000000000\r\n"), 400},
      {"cl_fraction", Post("Content-Length: 6.0\r\n"), 400},
      {"expect_unknown", Post("Expect: 200-ok\r\n"), 400},
      // Accepted.
      {"plain_get", Get("Host: a\r\n"), 0},
      {"host_port", Get("Host: skerry.lan:8443\r\n"), 0},
      {"host_ipv6", Get("Host: [::1]:8443\r\n"), 0},
      {"empty_value", Get("Host: a\r\nAuthorization: Bearer \r\n"), 0},
      {"obs_text_value", Get("Host: a\r\nUser-Agent: caf\xe9\r\n"), 0},
      {"cl_zero", Post("Content-Length: 0\r\n"), 0},
      {"cl_15_digits", Post("Content-Length: 999999999999999\r\n"), 0},
      {"chunked", Post("Transfer-Encoding: Chunked\r\n"), 0},
      {"expect", Post("Expect: 100-continue\r\nContent-Length: 1\r\n"), 0},
  };
}

TEST(CheckRequestHead, Table) {
  for (const Case& c : Cases()) {
    const Result<RequestHead> head = CheckRequestHead(c.head);
    if (c.status == 0) {
      EXPECT_TRUE(head.has_value()) << c.name << ": " << head.error().message();
    } else {
      ASSERT_FALSE(head.has_value()) << c.name;
      EXPECT_EQ(HeadErrorStatus(head.error()), c.status) << c.name;
    }
  }
}

TEST(CheckRequestHead, FillsEveryField) {
  const auto head = CheckRequestHead(
      "POST /a/b?c=d?e HTTP/1.1\r\nHOST: x:1\r\nX-Y: \t v w \t\r\nContent-Length: 0012\r\n"
      "Connection: Keep-Alive, CLOSE\r\nExpect: 100-Continue\r\n\r\n");
  ASSERT_TRUE(head.has_value()) << head.error().message();
  EXPECT_EQ(head->method, "POST");
  EXPECT_EQ(head->target, "/a/b?c=d?e");
  EXPECT_EQ(head->path, "/a/b");
  EXPECT_EQ(head->query, "c=d?e");
  EXPECT_EQ(*FindHeader(head->headers, "host"), "x:1");
  EXPECT_EQ(*FindHeader(head->headers, "x-y"), "v w");
  EXPECT_EQ(FindHeader(head->headers, "x-z"), nullptr);
  EXPECT_EQ(head->content_length, 12u);
  EXPECT_FALSE(head->chunked);
  EXPECT_FALSE(head->keep_alive);
  EXPECT_TRUE(head->expect_continue);
}

// Every byte in every place of a small head: nothing but the allowed forms may pass, and what
// passes must not have changed its framing.
TEST(CheckRequestHead, EverySingleByteChange) {
  const std::string good = "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";
  for (size_t at = 0; at < good.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = good;
      changed[at] = static_cast<char>(byte);
      const auto head = CheckRequestHead(changed);
      if (!head) continue;
      for (const auto& [name, value] : head->headers) {
        EXPECT_EQ((name + value).find_first_of("\r\n\0"s), std::string::npos);
      }
      EXPECT_FALSE(head->chunked);
      EXPECT_TRUE(std::string_view("\t\r\n").find(static_cast<char>(byte)) !=
                      std::string_view::npos ||
                  byte >= 0x20)
          << byte << " at " << at;
      EXPECT_EQ(head->headers.size(), 2u);
    }
  }
}

TEST(FindHeadEnd, WholePartialAndBareLf) {
  EXPECT_EQ(FindHeadEnd("GET / HTTP/1.1\r\n\r\nrest"), 18u);
  EXPECT_EQ(FindHeadEnd("GET / HTTP/1.1\n\nrest"), 16u);
  EXPECT_EQ(FindHeadEnd("GET / HTTP/1.1\n\r\nrest"), 17u);
  EXPECT_EQ(FindHeadEnd("GET / HTTP/1.1\r\n\r"), std::string_view::npos);
  const std::string head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  for (size_t searched = 0; searched < head.size(); ++searched) {
    EXPECT_EQ(FindHeadEnd(head, searched), head.size()) << searched;
  }
}

TEST(CheckPartialRequestHead, RefusesEarlyAndOnlyWhatIsHopeless) {
  EXPECT_FALSE(CheckPartialRequestHead("\x16\x03\x01\x02").has_value());
  EXPECT_FALSE(CheckPartialRequestHead("GET /\r\n").has_value());
  EXPECT_FALSE(CheckPartialRequestHead("GET / HTTP/1.0\r\nHo").has_value());
  EXPECT_FALSE(CheckPartialRequestHead("GET / HTTP/1.1\n").has_value());
  const auto large = CheckPartialRequestHead(std::string(16384, 'a'));
  ASSERT_FALSE(large.has_value());
  EXPECT_EQ(HeadErrorStatus(large.error()), 431);
  const std::string head = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n";
  for (size_t size = 0; size < head.size(); ++size) {
    EXPECT_TRUE(CheckPartialRequestHead(head.substr(0, size)).has_value()) << size;
  }
}

TEST(CheckResponseHead, Table) {
  struct Row {
    const char* name;
    std::string head;
    bool good;
  };
  const std::vector<Row> rows = {
      {"plain", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", true},
      {"no_reason", "HTTP/1.1 200 \r\n\r\n", true},
      {"no_reason_no_space", "HTTP/1.1 204\r\n\r\n", true},
      {"chunked", "HTTP/1.1 503 Service Unavailable\r\nTransfer-Encoding: chunked\r\n\r\n", true},
      {"http_1_0", "HTTP/1.0 200 OK\r\n\r\n", false},
      {"two_digits", "HTTP/1.1 20 OK\r\n\r\n", false},
      {"four_digits", "HTTP/1.1 2000 OK\r\n\r\n", false},
      {"status_600", "HTTP/1.1 600 X\r\n\r\n", false},
      {"status_099", "HTTP/1.1 099 X\r\n\r\n", false},
      {"bare_lf", "HTTP/1.1 200 OK\nA: b\n\n", false},
      {"nul_reason", "HTTP/1.1 200 O\0K\r\n\r\n"s, false},
      {"fold", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", false},
      {"two_lengths", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", false},
      {"both", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", false},
      {"gzip_coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", false},
  };
  for (const Row& row : rows) {
    const auto head = CheckResponseHead(row.head);
    EXPECT_EQ(head.has_value(), row.good) << row.name;
    if (!head) {
      EXPECT_EQ(head.error().code(), ErrorCode::kCorrupt) << row.name;
    }
  }
  const auto head = CheckResponseHead(
      "HTTP/1.1 404 Not Here\r\nSkerry-Lease: prompt=7\r\nConnection: close\r\n"
      "Transfer-Encoding: chunked\r\n\r\n");
  ASSERT_TRUE(head.has_value());
  EXPECT_EQ(head->status, 404);
  EXPECT_EQ(head->reason, "Not Here");
  EXPECT_TRUE(head->chunked);
  EXPECT_FALSE(head->keep_alive);
  EXPECT_EQ(*FindHeader(head->headers, "skerry-lease"), "prompt=7");
}

}  // namespace
}  // namespace skerry::http
