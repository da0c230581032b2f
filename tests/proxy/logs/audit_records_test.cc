#include "proxy/logs/audit_records.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace skerry::proxy {
namespace {

TEST(ParseUsage, OneFormOnly) {
  const auto usage = ParseUsage("prompt=12 completion=34 finish=tool_calls");
  ASSERT_TRUE(usage.has_value());
  EXPECT_EQ(usage->prompt, 12u);
  EXPECT_EQ(usage->completion, 34u);
  EXPECT_EQ(usage->finish, "tool_calls");
  for (const char* text :
       {"", "prompt=1", "prompt=1 completion=2", "prompt=1 completion=2 finish=",
        "prompt=-1 completion=2 finish=stop", "prompt=1  completion=2 finish=stop",
        "completion=2 prompt=1 finish=stop", "prompt=1 completion=2 finish=St\"op",
        "prompt=99999999999999999999 completion=2 finish=stop"}) {
    EXPECT_FALSE(ParseUsage(text).has_value()) << text;
  }
}

TEST(AuditRecords, Shapes) {
  EXPECT_EQ(DumpJson(ToJson(AdmittedRecord{"req-1", "id", "kibana", "10.0.0.7", 5, "POST", "/v1/x",
                                           6, "demo", "0a1b2c3d", 7})),
            R"({"event":{"action":"request-admitted","outcome":"unknown"},)"
            R"("gen_ai":{"request":{"model":"demo"}},)"
            R"("http":{"request":{"body":{"bytes":6},"id":"req-1","method":"POST"}},)"
            R"("skerry":{"instance":"0a1b2c3d","lease":7},"source":{"ip":"10.0.0.7","port":5},)"
            R"("url":{"path":"/v1/x"},"user":{"id":"id","name":"kibana"}})");
  EXPECT_EQ(
      DumpJson(ToJson(CompletedRecord{"req-1", 200, 9, Usage{1, 2, "stop"}, 3, true, ""})),
      R"({"event":{"action":"request-completed","duration":3,"outcome":"success"},)"
      R"("gen_ai":{"response":{"finish_reasons":["stop"]},)"
      R"("usage":{"input_tokens":1,"output_tokens":2}},)"
      R"("http":{"request":{"id":"req-1"},"response":{"body":{"bytes":9},"status_code":200}}})");
  EXPECT_EQ(
      DumpJson(ToJson(CompletedRecord{"req-1", 502, 0, std::nullopt, 3, false, "cut"})),
      R"({"event":{"action":"request-completed","duration":3,"outcome":"failure",)"
      R"("reason":"cut"},)"
      R"("http":{"request":{"id":"req-1"},"response":{"body":{"bytes":0},"status_code":502}}})");
  EXPECT_EQ(DumpJson(ToJson(RefusedRecord{"req-1", "::1", 401, "wrong token", "", 0})),
            R"({"event":{"action":"request-refused","outcome":"failure","reason":"wrong token"},)"
            R"("http":{"request":{"id":"req-1"},"response":{"status_code":401}},)"
            R"("source":{"ip":"::1"}})");
}

TEST(RefusalFloods, FirstOnesSingleThenACountPerMinute) {
  constexpr int64_t kSecond = 1'000'000'000;
  std::vector<RefusedRecord> records;
  RefusalFloods floods([&](const RefusedRecord& record) { records.push_back(record); });
  for (int i = 0; i < 500; ++i) floods.Add({std::to_string(i), "a", 401, "r", "", 0}, i * 1000);
  floods.Add({"b", "b", 401, "r", "", 0}, 0);
  EXPECT_EQ(records.size(), 11u);
  floods.Flush(59 * kSecond);
  EXPECT_EQ(records.size(), 11u);
  floods.Flush(61 * kSecond);
  ASSERT_EQ(records.size(), 12u);
  EXPECT_EQ(records.back().more_refusals, 490u);
  EXPECT_EQ(records.back().request_id, "499");
  // A new minute starts over; what is held back at the end is not lost.
  for (int i = 0; i < 12; ++i) floods.Add({"x", "a", 401, "r", "", 0}, 70 * kSecond);
  EXPECT_EQ(records.size(), 22u);
  floods.FlushAll();
  ASSERT_EQ(records.size(), 23u);
  EXPECT_EQ(records.back().more_refusals, 2u);
}

TEST(RefusalFloods, AddressesOfOneIpv6NetworkCountTogether) {
  std::vector<RefusedRecord> records;
  RefusalFloods floods([&](const RefusedRecord& record) { records.push_back(record); });
  for (int i = 0; i < 20; ++i) {
    floods.Add({"x", "2001:db8:0:1::" + std::to_string(i), 401, "r", "", 0}, 0);
  }
  EXPECT_EQ(records.size(), 10u);
  floods.Add({"x", "2001:db8:0:2::1", 401, "r", "", 0}, 0);  // the network beside it
  ASSERT_EQ(records.size(), 11u);
  EXPECT_EQ(records.back().source_ip, "2001:db8:0:2::1");
  floods.FlushAll();
  ASSERT_EQ(records.size(), 12u);
  EXPECT_EQ(records.back().more_refusals, 10u);
  EXPECT_EQ(records.back().source_ip, "2001:db8:0:1::19");
}

TEST(RefusalFloods, MemoryIsBoundedByManyAddresses) {
  size_t records = 0;
  RefusalFloods floods([&](const RefusedRecord&) { ++records; });
  for (int i = 0; i < 20'000; ++i) floods.Add({"x", std::to_string(i), 401, "r", "", 0}, 0);
  EXPECT_EQ(records, 10'000u + 10u);
  floods.FlushAll();
  EXPECT_EQ(records, 10'000u + 11u);
}

}  // namespace
}  // namespace skerry::proxy
