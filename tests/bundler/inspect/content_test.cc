#include "bundler/inspect/content.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "appliance/base/encode.h"

namespace skerry::inspect {
namespace {

using ::testing::HasSubstr;

std::string Refusal(std::string_view name, std::string_view content, bool whole = true) {
  const Result<void> checked = CheckContent(name, AsBytes(content), whole);
  if (checked) return "";
  EXPECT_EQ(checked.error().code(), ErrorCode::kUntrusted);
  return checked.error().message();
}

TEST(ContentTest, OrdinaryFilesPass) {
  EXPECT_EQ(Refusal("config.json", "{\"a\":1}"), "");
  EXPECT_EQ(Refusal("vocab.txt", "[PAD]\n[UNK]\ncat\ndog\n"), "");
  EXPECT_EQ(Refusal("merges.txt", "#version: 0.2\nĠ t\nĠ a\n"), "");
  EXPECT_EQ(Refusal("vocab.txt", "cat\ndog\nfish\n"), "");
  EXPECT_EQ(Refusal("README.md", "---\nlicense: apache-2.0\n---\n# A model.\n"), "");
  EXPECT_EQ(Refusal("LICENSE", "                                 Apache License\n"), "");
  EXPECT_EQ(Refusal("VERSION", "1.0"), "");
  EXPECT_EQ(
      Refusal("tokenizer.model", std::string("\x0a\x0e\x0a\x05<unk>\x15\0\0\0\0\x18\x02", 17)), "");
  EXPECT_EQ(Refusal("empty", ""), "");
}

TEST(ContentTest, CodeIsRefusedByNameAndContent) {
  for (const char* name : {"modeling.py", "a/b.PY", "x.pyc", "lib.so", "run.sh"}) {
    EXPECT_THAT(Refusal(name, "x"), HasSubstr("code does not travel")) << name;
  }
  EXPECT_THAT(Refusal("helper", "#!/bin/sh\n"), HasSubstr("program"));
  EXPECT_THAT(Refusal("helper",
                      "\x7f"
                      "ELF\x02\x01"),
              HasSubstr("program"));
}

// Written by Python's pickle module: pickle.dumps(os.system, protocol=N) and a list of numbers.
TEST(ContentTest, PicklesAreRefusedWhateverTheirName) {
  const std::string protocol0 = "cposix\nsystem\np0\n.";
  EXPECT_THAT(Refusal("notes.txt", protocol0), HasSubstr("pickle"));
  EXPECT_THAT(Refusal("notes.txt", std::string("cposix\nsystem\nq\0.", 17)), HasSubstr("pickle"));
  EXPECT_THAT(Refusal("notes.txt", "(dp0\nS'a'\np1\ncposix\nsystem\np2\ns."), HasSubstr("pickle"));
  EXPECT_THAT(Refusal("x", "(S'id'\nios\nsystem\n."), HasSubstr("pickle"));
  EXPECT_THAT(Refusal("notes.txt", protocol0 + "trailing text"), HasSubstr("pickle"))
      << "an unpickler stops at STOP";
  EXPECT_THAT(Refusal("x.bin",
                      "\x80\x02"
                      "cposix\nsystem\n."),
              HasSubstr("pickle"));
  EXPECT_THAT(Refusal("x.bin", "\x80\x04\x95\x14"), HasSubstr("pickle"));
  EXPECT_THAT(Refusal("x.bin", "\x80\x05K\x01."), HasSubstr("pickle"));
}

TEST(ContentTest, LongPicklesAreRecognisedByTheirBeginning) {
  const std::string head = "cposix\nsystem\n(S'" + std::string(kHeadBytes, 'a');
  EXPECT_THAT(Refusal("x", head.substr(0, kHeadBytes), /*whole=*/false), HasSubstr("pickle"));
}

TEST(ContentTest, ArchivesAndObjectArraysAreRefused) {
  EXPECT_THAT(Refusal("pytorch_model.bin", "PK\x03\x04\x14"), HasSubstr("zip"));
  EXPECT_THAT(Refusal("x.npy", "\x93NUMPY\x01"), "");
  EXPECT_THAT(Refusal("x.npy", "\x93NUMPY\x01{'descr': '|O', }"), HasSubstr("NumPy"));
  EXPECT_THAT(Refusal("x.tar", std::string(257, 'a') + "ustar  more"), HasSubstr("tar"));
}

TEST(ContentTest, WeightsMayBeginLikeAPickle) {
  // A header of 0x280 bytes: the length field is 80 02 00 ...
  EXPECT_EQ(Refusal("model.safetensors", std::string("\x80\x02\0\0\0\0\0\0{", 9)), "");
}

}  // namespace
}  // namespace skerry::inspect
