#include "engine/jinja/render_command.h"

#include <gtest/gtest.h>

#include <fstream>

namespace skerry::engine {
namespace {

TEST(Render, FileAndContext) {
  const std::string path = testing::TempDir() + "render_command.jinja";
  std::ofstream(path) << "{{ x }} {{ strftime_now('%Y-%m-%d') }} {{ now is defined }}";
  const RenderCommand command{path, false};
  EXPECT_EQ(*RunRender(command, R"({"x": 1, "now": "2026-11-21T12:00:00"})", 0),
            "1 2026-11-21 False");
  EXPECT_EQ(RunRender(command, R"({"now": "yesterday"})", 0).error().code(), ErrorCode::kCorrupt);
  std::ofstream(path) << "{{ raise_exception('only users') }}";
  EXPECT_EQ(RunRender(command, "{}", 0).error().message(), "only users");
}

TEST(Render, Batch) {
  const std::string input =
      "{\"template\": \"{{ a }}\", \"context\": {\"a\": \"é\"}}\n{\"template\": \"{{\", "
      "\"context\": {}}\n";
  const Result<std::string> output = RunRender({"", true}, input, 0);
  ASSERT_TRUE(output);
  EXPECT_EQ(output->substr(0, output->find('\n')), "{\"text\":\"é\"}");
  EXPECT_NE(output->find("{\"error\":\"line 1"), std::string::npos);
}

}  // namespace
}  // namespace skerry::engine
