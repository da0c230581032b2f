#include "bundler/inspect/content.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "appliance/base/files.h"
#include "appliance/base/testing/fixtures.h"
#include "tests/bundler/string_file.h"

namespace skerry::inspect {
namespace {

using ::testing::HasSubstr;
using namespace std::string_literals;

std::string Refusal(std::string_view name, const std::string& content) {
  const Result<void> checked = CheckContent(name, skerry::testing::StringFile(content));
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

TEST(ContentTest, ProgramsAreRefusedByContent) {
  std::string windows =
      "MZ\x90" + std::string(0x39, '\0') + "\x50\0\0\0"s + std::string(16, '\0') + "PE\0\0"s;
  for (const std::string& program :
       {windows, "\xcf\xfa\xed\xfe\x07"s, "\xca\xfe\xba\xbe\0"s, "\0asm\1"s}) {
    EXPECT_THAT(Refusal("weights.dat", program), HasSubstr("program"));
  }
  EXPECT_EQ(Refusal("vocab.txt", "MZ is a word\n" + std::string(100, 'x')), "");
}

TEST(ContentTest, WindowsProgramsAreFoundWhereverTheirHeaderLies) {
  for (const size_t at :
       {size_t{64}, size_t{65533}, size_t{65535}, size_t{65536}, size_t{200000}}) {
    std::string field = "\0\0\0\0"s;
    for (size_t i = 0; i < 4; ++i) field[i] = static_cast<char>(at >> (8 * i));
    const std::string start = "MZ any text" + std::string(49, ' ') + field;
    EXPECT_THAT(Refusal("x", start + std::string(at - 64, 'x') + "PE\0\0"s), HasSubstr("program"))
        << at;
    EXPECT_EQ(Refusal("x", start + std::string(at - 64, 'x') + "PE\0"s), "") << at;
  }
}

TEST(ContentTest, PicklesAreRefusedWhateverTheirName) {
  for (const char* name :
       {"notes.txt", "pytorch_model.bin", "a.pt", "a.pth", "a.ckpt", "a.pkl", "a.joblib"}) {
    EXPECT_THAT(Refusal(name, "cposix\nsystem\np0\n."), HasSubstr("pickle")) << name;
    EXPECT_THAT(Refusal(name, "\x80\x05K\x01."), HasSubstr("pickle")) << name;
  }
}

TEST(ContentTest, ArchivesAndObjectArraysAreRefused) {
  EXPECT_THAT(Refusal("model.keras", "PK\x03\x04\x14"), HasSubstr("zip"));
  EXPECT_THAT(Refusal("x.tar", std::string(257, 'a') + "ustar  more"), HasSubstr("tar"));
  EXPECT_THAT(Refusal("x.tar", std::string(257, 'a') + "ustar"), HasSubstr("tar"));
  const auto array = [](const std::string& descr) {
    const std::string header =
        "{'descr': " + descr + ", 'fortran_order': False, 'shape': (1,), }\n";
    return "\x93NUMPY\x01\0"s + static_cast<char>(header.size()) + "\0"s + header;
  };
  EXPECT_EQ(Refusal("x.npy", array("'<f4'")), "");
  EXPECT_THAT(Refusal("x.npy", array("'|O'")), HasSubstr("NumPy"));
  EXPECT_THAT(Refusal("x.npy", array("'O'")), HasSubstr("NumPy"));
  EXPECT_THAT(Refusal("x.npy", array("[('a', '<f4'), ('b', '|O8')]")), HasSubstr("NumPy"));
  EXPECT_THAT(Refusal("x.npy", "\x93NUMPY\x02\0\xff\xff\xff\x7f{"s), HasSubstr("NumPy"))
      << "a header too long to look at";
  for (const size_t cut : {6, 7, 8, 9, 11}) {
    EXPECT_THAT(Refusal("x.npy", array("'<f4'").substr(0, cut)), HasSubstr("NumPy")) << cut;
  }
}

TEST(ContentTest, Hdf5IsRefusedAtEachOfItsPlaces) {
  const std::string signature = "\x89HDF\r\n\x1a\n";
  EXPECT_THAT(Refusal("model.h5", signature + "x"), HasSubstr("HDF5"));
  for (const size_t at : {512, 1024, 2048, 4096, 65536, 1 << 20}) {
    EXPECT_THAT(Refusal("model.dat", std::string(at, 'x') + signature), HasSubstr("HDF5")) << at;
  }
  EXPECT_EQ(Refusal("model.dat", std::string(700, 'x') + signature), "");
}

TEST(ContentTest, CompressedFilesAreRefused) {
  for (const std::string& beginning : {"\x1f\x8b\x08"s, "BZh91AY"s,
                                       "\xfd"
                                       "7zXZ\0"s,
                                       "\x28\xb5\x2f\xfd"s, "x\x9c\xed"s}) {
    EXPECT_THAT(Refusal("a.joblib", beginning + "xxxx"), HasSubstr("compressed"));
  }
}

// Every ordinary file of the models, tokenizers and templates at hand.
TEST(ContentTest, NoFalseAlarms) {
  SKERRY_REQUIRE_FIXTURES(fixtures);
  const auto files = OpenFiles(fixtures).value();
  std::vector<std::string> folders = {"."};
  int checked_files = 0;
  while (!folders.empty()) {
    const std::string folder = folders.back();
    folders.pop_back();
    const auto entries = files->List(folder).value();
    for (const DirectoryEntry& entry : entries) {
      const std::string path = folder == "." ? entry.name : folder + "/" + entry.name;
      if (entry.kind == FileKind::kDirectory) folders.push_back(path);
      if (entry.kind != FileKind::kFile || IsCodeName(path) || path.ends_with(".gz")) continue;
      const auto file = files->OpenRead(path).value();
      const Result<void> checked = CheckContent(entry.name, *file);
      EXPECT_TRUE(checked) << path << ": " << checked.error().message();
      ++checked_files;
    }
  }
  EXPECT_GE(checked_files, 100);
}

TEST(ContentTest, WeightsMayBeginLikeAPickle) {
  // A header of 0x280 bytes: the length field is 80 02 00 ...
  EXPECT_EQ(Refusal("model.safetensors", std::string("\x80\x02\0\0\0\0\0\0{", 9)), "");
}

}  // namespace
}  // namespace skerry::inspect
