#include "proxy/logs/access_log.h"

#include <gtest/gtest.h>

#include "appliance/base/files.h"
#include "appliance/base/testing/fixtures.h"

namespace skerry::proxy {
namespace {

TEST(AccessLog, CombinedFormat) {
  AccessEntry entry;
  entry.remote_address = "10.0.0.7";
  entry.user = "kibana";
  entry.unix_millis = 1'700'000'000'123;
  entry.method = "POST";
  entry.path = "/v1/chat/completions";
  entry.status = 200;
  entry.body_bytes = 1234;
  entry.user_agent = "axios/1.7";
  EXPECT_EQ(FormatAccess(entry),
            "10.0.0.7 - kibana [14/Nov/2023:22:13:20 +0000] \"POST /v1/chat/completions HTTP/1.1\" "
            "200 1234 \"-\" \"axios/1.7\"\n");
}

TEST(AccessLog, NothingForgesAFieldOrALine) {
  AccessEntry entry;
  entry.remote_address = "::1";
  entry.user = "a b\"\n";
  entry.status = 400;
  entry.referer = "x\\";
  entry.user_agent = "\x1b[0m\xff";
  EXPECT_EQ(FormatAccess(entry),
            "::1 - a_b\\x22\\x0A [01/Jan/1970:00:00:00 +0000] \"\" 400 0 \"x\\x5C\" "
            "\"\\x1B[0m\\xFF\"\n");
  entry.user_agent = std::string_view();
  const std::string agent(10'000, 'a');
  entry.user_agent = agent;
  EXPECT_LT(FormatAccess(entry).size(), 1000u);
}

TEST(AccessLog, AppendsAndNamesTheFileItCannotOpen) {
  testing::TemporaryDirectory directory;
  for (int i = 0; i < 2; ++i) {
    AccessLog::Open(directory.path() + "/log").value()->Write({});
  }
  const auto files = OpenFiles(directory.path()).value();
  const std::string text = ReadAll(*files, "log").value();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  const auto failed = AccessLog::Open(directory.path() + "/none/log");
  ASSERT_FALSE(failed.has_value());
  EXPECT_NE(failed.error().message().find("/none/log"), std::string::npos);
}

}  // namespace
}  // namespace skerry::proxy
