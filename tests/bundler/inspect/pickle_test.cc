#include "bundler/inspect/pickle.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/bundler/string_file.h"

namespace skerry::inspect {
namespace {

using namespace std::string_literals;

bool Pickle(const std::string& content) {
  return IsPickle(skerry::testing::StringFile(content)).value();
}

// Written by Python's pickle module: os.system, protocol=N.
TEST(PickleTest, ImportsOfEveryProtocol) {
  EXPECT_TRUE(Pickle("cposix\nsystem\np0\n."));
  EXPECT_TRUE(Pickle("cposix\nsystem\nq\0."s));
  EXPECT_TRUE(
      Pickle("\x80\x02"
             "cposix\nsystem\nq\0."s));
  EXPECT_TRUE(
      Pickle("\x80\x03"
             "cposix\nsystem\nq\0."s));
  EXPECT_TRUE(
      Pickle("\x80\x04\x95\x14\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94\x93\x94."s));
  EXPECT_TRUE(
      Pickle("\x80\x05\x95\x14\0\0\0\0\0\0\0\x8c\x05posix\x94\x8c\x06system\x94\x93\x94."s));
}

TEST(PickleTest, LegacyTorchFiles) {
  // torch.save of before 1.6 begins with the pickle of a magic number.
  EXPECT_TRUE(
      Pickle("\x80\x02\x8a\x0al\xfc\x9c"
             "F\xf9 j\xa8P\x19.\x80\x02M\xe9\x03."s));
}

TEST(PickleTest, CallsWithoutTheLeadingProto) {
  EXPECT_TRUE(Pickle("Vposix\nVsystem\n\x93(Vid\ntR."));
  EXPECT_TRUE(Pickle("\x8c\x05posix\x8c\x06system\x93\x8c\x02id\x85R."));
  EXPECT_TRUE(Pickle("(S'id'\nios\nsystem\n."));
  EXPECT_TRUE(Pickle("(cos\nsystem\nS'id'\no."));
  EXPECT_TRUE(Pickle("cos\nsystem\n)\x81."));
  EXPECT_TRUE(Pickle("\x82\x01)R."s)) << "the extension registry imports, too";
}

TEST(PickleTest, CallsBeforeGarbage) {
  EXPECT_TRUE(Pickle("cos\nsystem\n(S'id'\ntR\xff\xff\xff"));
  EXPECT_TRUE(Pickle("cos\nsystem\n(S'id'\ntR"));
  EXPECT_TRUE(Pickle("cposix\nsystem\np0\n.trailing text"));
}

TEST(PickleTest, ImportsBehindMuchPadding) {
  std::string padding;
  for (int i = 0; i < 100'000; ++i) padding += "N0";
  EXPECT_TRUE(Pickle(padding + "cos\nsystem\n(S'id'\ntR."));
  EXPECT_TRUE(Pickle("C\xff" + std::string(255, 'x') + "0" + "cos\nsystem\n)R."));
  EXPECT_TRUE(Pickle(std::string(3 << 20, '(')));
  EXPECT_TRUE(Pickle("V" + std::string(200'000, 'x') + "\n0cos\nsystem\n)R.")) << "in a line";
}

TEST(PickleTest, AWalkWithoutEndIsOneAndWithinItsLimitIsNone) {
  constexpr size_t kOpcodes = 1 << 20;
  std::string numbers;
  for (size_t i = 0; i < kOpcodes; ++i) numbers += i % 2 == 0 ? 'N' : '0';
  EXPECT_FALSE(Pickle(numbers));
  EXPECT_TRUE(Pickle(numbers + "N"));
  EXPECT_TRUE(Pickle(numbers + " ")) << "what comes behind does not matter";
  numbers.resize(kOpcodes - 2);
  EXPECT_TRUE(Pickle(numbers + "cos\nsystem\n."));
  EXPECT_FALSE(Pickle(numbers + "N."));
}

TEST(PickleTest, OnlyACallAfterAnImportCounts) {
  EXPECT_FALSE(Pickle("}}bcos\nsystem\n"));
  EXPECT_FALSE(Pickle("N)Rcos\nsystem\n "));
  EXPECT_TRUE(Pickle("}}bcos\nsystem\n)R"));
  EXPECT_TRUE(Pickle("cos\nsystem\nP1\nR")) << "a persistent id may be a tuple";
  EXPECT_FALSE(Pickle("cos\nsystem\nV1\nR"));
}

TEST(PickleTest, WhatAnUnpicklerRefusesIsNone) {
  EXPECT_FALSE(Pickle(""));
  EXPECT_FALSE(Pickle("hello\ncos\nsystem\n(S'id'\ntR.")) << "behind a text";
  EXPECT_FALSE(Pickle("cat\ndog\nRabbit\n")) << "a call without arguments on the stack";
  EXPECT_FALSE(Pickle("cat\ndog\nfish\n"));
  EXPECT_FALSE(Pickle("cat\nd og\n."));
  EXPECT_FALSE(Pickle("(lp0\nI1\naI2\na.")) << "a list of numbers";
  EXPECT_FALSE(Pickle("S'a'\nS'b'\nR.")) << "nothing imported";
  EXPECT_FALSE(Pickle("This license ..."));
  EXPECT_FALSE(Pickle("cos\nsystem\n0"));
  EXPECT_FALSE(Pickle("0cos\nsystem\n.")) << "nothing to pop";
  EXPECT_FALSE(
      Pickle("X\xff\xff\xff\xff"
             "cos\nsystem\n)R."));
}

TEST(PickleTest, ReadErrorsAreNotAnswers) {
  skerry::testing::StringFile file("cos\nsystem\n.");
  file.FailAtRead(2);
  EXPECT_FALSE(IsPickle(file));
}

}  // namespace
}  // namespace skerry::inspect
