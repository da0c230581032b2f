#include "engine/tokenizer/byte_level.h"

#include <gtest/gtest.h>

namespace skerry::engine {
namespace {

TEST(ByteLevel, AsGpt2SpellsBytes) {
  EXPECT_EQ(ByteLevelChar('A'), uint32_t{'A'});
  EXPECT_EQ(ByteLevelChar(' '), 0x120u);
  EXPECT_EQ(ByteLevelChar('\n'), 0x10Au);
  EXPECT_EQ(ByteLevelChar(0), 0x100u);
  EXPECT_EQ(ByteLevelChar(0x7F), 0x121u);
  EXPECT_EQ(ByteLevelChar(0xAD), 0x143u);
  EXPECT_EQ(ByteLevelChar(0xE4), 0xE4u);
  EXPECT_EQ(EncodeByteLevel(" \xC3\xA4"), "\xC4\xA0\xC3\x83\xC2\xA4");
}

TEST(ByteLevel, EveryByteComesBack) {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
  EXPECT_EQ(DecodeByteLevel(EncodeByteLevel(bytes)), bytes);
  EXPECT_EQ(DecodeByteLevel(""), "");
  for (const char* text : {" ", "a b", "\xC5\x84", "\xE4\xB8\xAD"}) {
    EXPECT_EQ(DecodeByteLevel(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace skerry::engine
