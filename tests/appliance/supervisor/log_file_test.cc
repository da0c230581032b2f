#include "appliance/supervisor/log_file.h"

#include <gtest/gtest.h>

#include <fstream>

#include "appliance/base/testing/fixtures.h"

namespace skerry::supervisor {
namespace {

std::string Read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(LogFileTest, NeverHoldsMoreThanTwoFullFiles) {
  const testing::TemporaryDirectory directory;
  const std::string path = directory.path() + "/log";
  std::string all;
  {
    LogFile log(path, 100);
    for (int i = 0; i < 50; ++i) {
      const std::string line = "line " + std::to_string(i) + "\n";
      all += line;
      log.Write(line);
    }
    log.Write(std::string(30, 'x') + "\n");
    all += std::string(30, 'x') + "\n";
  }
  const std::string kept = Read(path + ".1") + Read(path);
  EXPECT_EQ(Read(path + ".1").size(), 100u);
  EXPECT_LE(Read(path).size(), 100u);
  EXPECT_EQ(kept, all.substr(all.size() - kept.size()));
  // A new start goes on in the same file.
  LogFile log(path, 100);
  log.Write("again\n");
  EXPECT_NE(Read(path).find("again"), std::string::npos);
}

TEST(LogFileTest, OneLargeWriteIsSplit) {
  const testing::TemporaryDirectory directory;
  const std::string path = directory.path() + "/log";
  LogFile log(path, 100);
  log.Write(std::string(1000, 'y'));
  EXPECT_EQ(Read(path).size(), 100u);
  EXPECT_EQ(Read(path + ".1").size(), 100u);
}

TEST(LogFileTest, LastLine) {
  const testing::TemporaryDirectory directory;
  LogFile log(directory.path() + "/log", 1 << 20);
  EXPECT_EQ(log.last_line(), "");
  log.Write("first\nsec");
  EXPECT_EQ(log.last_line(), "first");
  log.Write("ond\n\n");
  EXPECT_EQ(log.last_line(), "second");
  log.Write("bad\x1b[0m\n");
  EXPECT_EQ(log.last_line(), "bad?[0m");
  log.Write(std::string(5000, 'z'));
  log.Write("\n");
  EXPECT_EQ(log.last_line(), std::string(500, 'z'));
}

TEST(LogFileTest, AnUnwritableLogIsNoFailure) {
  LogFile log("/nonexistent/log", 100);
  log.Write("the last words\n");
  EXPECT_EQ(log.last_line(), "the last words");
}

}  // namespace
}  // namespace skerry::supervisor
