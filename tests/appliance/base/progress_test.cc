#include "appliance/base/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "appliance/base/unique_fd.h"

namespace skerry {
namespace {

using ::testing::HasSubstr;

class ProgressTest : public ::testing::Test {
 protected:
  ProgressTest() {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    reader_.Reset(ends[0]);
    writer_.Reset(ends[1]);
  }
  std::string Written() {
    writer_.Reset();
    std::string text(4096, '\0');
    const ssize_t got = ::read(reader_.get(), text.data(), text.size());
    text.resize(got < 0 ? 0 : static_cast<size_t>(got));
    return text;
  }

  FakeClock clock_;
  UniqueFd reader_, writer_;
};

TEST_F(ProgressTest, ShortWorkIsSilent) {
  for (const bool terminal : {false, true}) {
    ProgressPrinter printer(clock_, writer_.get(), terminal, "importing");
    printer.Update(50, 100);
    printer.Update(100, 100);
  }
  EXPECT_EQ(Written(), "");
}

TEST_F(ProgressTest, PlainLinesNowAndThen) {
  {
    ProgressPrinter printer(clock_, writer_.get(), false, "importing");
    for (int i = 1; i <= 25; ++i) {
      clock_.Advance(1000);
      printer.Update(static_cast<uint64_t>(i) * 4'000'000, 100'000'000);
    }
  }
  EXPECT_EQ(Written(),
            "importing  40 %  40.0 MB of 100.0 MB  4.0 MB/s  0:15 left\n"
            "importing  80 %  80.0 MB of 100.0 MB  4.0 MB/s  0:05 left\n");
}

TEST_F(ProgressTest, TerminalLineRenewsItself) {
  {
    ProgressPrinter printer(clock_, writer_.get(), true, "x");
    clock_.Advance(1000);
    printer.Update(1, 2);
    printer.Update(2, 2);
  }
  const std::string text = Written();
  EXPECT_THAT(text, HasSubstr("\r\x1b[Kx  50 %"));
  EXPECT_THAT(text, HasSubstr("\r\x1b[Kx 100 %"));
  EXPECT_EQ(text.back(), '\n');
}

TEST_F(ProgressTest, Units) {
  EXPECT_EQ(FormatBytes(0), "0 B");
  EXPECT_EQ(FormatBytes(999), "999 B");
  EXPECT_EQ(FormatBytes(1500), "1.5 kB");
  EXPECT_EQ(FormatBytes(999'990), "1.0 MB");
  EXPECT_EQ(FormatBytes(141'000'000'000), "141.0 GB");
  EXPECT_EQ(FormatDuration(7), "0:07");
  EXPECT_EQ(FormatDuration(3723), "1:02:03");
}

}  // namespace
}  // namespace skerry
