#include "engine/api/metrics.h"

#include <gtest/gtest.h>

#include <regex>
#include <sstream>

namespace skerry::engine {
namespace {

TEST(Metrics, EveryLineHasTheFormAndVllmsNames) {
  EngineStats stats;
  stats.n_running = 3;
  stats.n_blocks = 8;
  stats.n_blocks_used = 2;
  stats.preemptions = 4;
  stats.finished_length = 9;
  stats.first_token.Observe(0.05);
  stats.first_token.Observe(3);
  stats.mask_time.Observe(3e-6);
  Histogram compile_time(kGrammarTimeBounds);
  compile_time.Observe(0.004);
  const std::string text = MetricsText(stats, compile_time, "a \"quoted\\ name");
  const std::regex sample(
      R"re(([a-z]+:[a-z0-9_]+)\{model_name="a \\"quoted\\\\ name"(,(le|finished_reason)="[^"]+")?\} [0-9.e+-]+)re");
  const std::regex comment(R"(# (HELP [a-z]+:[a-z0-9_]+ .+\.|TYPE [a-z]+:[a-z0-9_]+ [a-z]+))");
  std::istringstream lines(text);
  std::string line;
  int n = 0;
  for (; std::getline(lines, line); ++n) {
    EXPECT_TRUE(std::regex_match(line, line.starts_with("#") ? comment : sample)) << line;
  }
  EXPECT_GT(n, 200);
  const std::string label = "{model_name=\"a \\\"quoted\\\\ name\"";
  for (const std::string& expected :
       {"vllm:num_requests_running" + label + "} 3\n",
        "vllm:num_requests_waiting" + label + "} 0\n",
        "vllm:kv_cache_usage_perc" + label + "} 0.25\n",
        "vllm:num_preemptions_total" + label + "} 4\n",
        "vllm:request_success_total" + label + ",finished_reason=\"length\"} 9\n",
        "vllm:time_to_first_token_seconds_bucket" + label + ",le=\"0.04\"} 0\n",
        "vllm:time_to_first_token_seconds_bucket" + label + ",le=\"0.06\"} 1\n",
        "vllm:time_to_first_token_seconds_bucket" + label + ",le=\"+Inf\"} 2\n",
        "vllm:time_to_first_token_seconds_sum" + label + "} 3.05\n",
        "vllm:time_to_first_token_seconds_count" + label + "} 2\n",
        "skerry:grammar_mask_seconds_bucket" + label + ",le=\"5e-06\"} 1\n",
        "skerry:grammar_compile_seconds_bucket" + label + ",le=\"0.001\"} 0\n",
        "skerry:grammar_compile_seconds_count" + label + "} 1\n"}) {
    EXPECT_NE(text.find("\n" + expected), std::string::npos) << expected;
  }
}

}  // namespace
}  // namespace skerry::engine
