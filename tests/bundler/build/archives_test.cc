#include "bundler/build/archives.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bundler/build/sign.h"
#include "bundler/format/layout.h"
#include "tests/bundler/release_office.h"

namespace skerry::build {
namespace {

using skerry::testing::MemoryFiles;
using skerry::testing::ReleaseOffice;
using ::testing::HasSubstr;

class ArchivesTest : public ::testing::Test {
 protected:
  ArchivesTest() : office_(2, 1) {
    std::map<std::string, std::string> model = skerry::testing::SmallModel();
    const std::string bytes = std::to_string(3 * format::kChunkBytes);
    std::string data(3 * format::kChunkBytes, 'x');
    for (size_t i = 0; i < data.size(); i += 1000) data[i] = static_cast<char>(i >> 10);
    model["model.safetensors"] = skerry::testing::Safetensors(
        R"({"a":{"dtype":"I8","shape":[)" + bytes + R"(],"data_offsets":[0,)" + bytes + "]}}",
        data);
    CreateOptions options = office_.Options();
    options.documents = {{"LICENSE", "LICENSE"}};
    bundle_ = office_.Pack(model, options).value();
    trust_.roots = trust::ParseRootChain(office_.root_text).value();
    EXPECT_TRUE(WriteAtomically(files_, "x.skb", bundle_));
  }
  Result<std::vector<std::string>> Split(uint64_t max_bytes) {
    const auto file = files_.OpenRead("x.skb").value();
    const trust::TrustState own = OwnTrust(*file).value();
    CopyOptions options;
    options.overwrite = true;
    return SplitBundle(*file, own, max_bytes, files_, "x.skb", options);
  }
  Result<void> Join(const std::vector<std::string>& paths, const std::string& out) {
    std::vector<std::unique_ptr<File>> open;
    std::vector<reader::NamedFile> named;
    for (const std::string& path : paths) {
      open.push_back(files_.OpenRead(path).value());
      named.push_back({path, open.back().get()});
    }
    return JoinVolumes(named, trust_, files_, out);
  }

  ReleaseOffice office_;
  MemoryFiles files_;
  trust::TrustState trust_;
  std::string bundle_;
};

TEST_F(ArchivesTest, JoinGivesBackTheSameBytesInAnyOrder) {
  std::vector<std::string> names = Split(9'000'000).value();
  ASSERT_EQ(names.size(), 2U);
  EXPECT_EQ(names[0], "x.01-of-02.skb");
  for (const std::string& name : names) {
    EXPECT_LE(ReadAll(files_, name).value().size(), 9'000'000U);
  }
  std::swap(names[0], names[1]);
  ASSERT_TRUE(Join(names, "joined.skb"));
  EXPECT_TRUE(ReadAll(files_, "joined.skb").value() == bundle_);
  EXPECT_EQ(Join(names, "joined.skb").error().code(), ErrorCode::kAlreadyExists);
}

TEST_F(ArchivesTest, SplitVolumesAreThoseThatCreateWrites) {
  const std::vector<std::string> first = Split(9'000'000).value();
  std::vector<std::string> texts;
  for (const std::string& name : first) texts.push_back(ReadAll(files_, name).value());
  const std::vector<std::string> again = Split(9'000'000).value();
  for (size_t i = 0; i < again.size(); ++i) {
    EXPECT_TRUE(ReadAll(files_, again[i]).value() == texts[i]);
  }
}

TEST_F(ArchivesTest, MissingDoubleAndForeignVolumesAreRefused) {
  const std::vector<std::string> names = Split(5'000'000).value();
  ASSERT_EQ(names.size(), 6U);
  const Result<void> missing = Join({names[1], names[2], names[4]}, "j.skb");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(missing.error().message(), HasSubstr("missing: 1, 4, 6"));
  EXPECT_THAT(Join({names[1], names[1]}, "j.skb").error().message(), HasSubstr("given twice"));
  EXPECT_THAT(Join({"x.skb"}, "j.skb").error().message(), HasSubstr("whole bundle"));
  const std::vector<std::string> larger = Split(9'000'000).value();
  EXPECT_THAT(Join({names[0], larger[1]}, "j.skb").error().message(), HasSubstr("another split"));
  EXPECT_FALSE(files_.Exists("j.skb"));
  EXPECT_FALSE(files_.Exists("j.skb.new"));
}

TEST_F(ArchivesTest, DamageIsFoundWhileCopying) {
  std::string bad = bundle_;
  bad[bad.size() - 2'000'000] ^= 1;
  ASSERT_TRUE(WriteAtomically(files_, "x.skb", bad));
  const auto result = Split(9'000'000);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), ErrorCode::kCorrupt);
  EXPECT_FALSE(files_.Exists("x.01-of-02.skb"));
  EXPECT_FALSE(files_.Exists("x.01-of-02.skb.new"));
  bad = bundle_;
  bad.back() = 1;
  ASSERT_TRUE(WriteAtomically(files_, "x.skb", bad));
  EXPECT_FALSE(Split(9'000'000));
  EXPECT_FALSE(files_.Exists("x.01-of-02.skb"));
}

TEST_F(ArchivesTest, WhatCannotOrNeedNotBeCut) {
  EXPECT_THAT(Split(100'000'000).error().message(), HasSubstr("needs no cutting"));
  EXPECT_THAT(Split(1000).error().message(), HasSubstr("smallest possible"));
  const std::vector<std::string> names = Split(9'000'000).value();
  const auto file = files_.OpenRead(names[0]).value();
  EXPECT_THAT(SplitBundle(*file, trust_, 5'000'000, files_, "y.skb").error().message(),
              HasSubstr("a volume already"));
  files_.SetFreeBytes(1'000'000);
  EXPECT_EQ(Split(9'000'000).error().code(), ErrorCode::kExhausted);
}

TEST_F(ArchivesTest, SignaturesOfSomeVolumesAreAllInTheJoinedOne) {
  const ReleaseOffice office(3, 3);
  std::vector<SecretKey> one;
  one.push_back(SecretKey::Parse(office.keys[0].Serialize()).value());
  std::vector<SecretKey> rest;
  for (int i : {1, 2}) rest.push_back(SecretKey::Parse(office.keys[i].Serialize()).value());
  MemoryFiles source_files;
  ASSERT_TRUE(source_files.MakeDirectory("m", 0700));
  for (const auto& [name, text] : skerry::testing::SmallModel()) {
    ASSERT_TRUE(source_files.Create("m/" + name, 0600).value()->Append(AsBytes(text)));
  }
  const Source source = ListSource(source_files, "m").value();
  CreateOptions options = office.Options();
  ASSERT_TRUE(CreateBundle(source_files, source, options, office.keys, files_, "all.skb"));
  options.max_volume_bytes = ReadAll(files_, "all.skb").value().size() - 1;
  const Created parts =
      CreateBundle(source_files, source, options, one, files_, "parts.skb").value();
  ASSERT_GE(parts.paths.size(), 2U);
  EXPECT_EQ(parts.missing_signatures, 2U);
  trust_.roots = trust::ParseRootChain(office.root_text).value();
  ASSERT_TRUE(SignBundle(files_, {parts.paths[1]}, trust_, rest));
  ASSERT_TRUE(Join(parts.paths, "joined.skb"));
  EXPECT_TRUE(ReadAll(files_, "joined.skb").value() == ReadAll(files_, "all.skb").value());
}

}  // namespace
}  // namespace skerry::build
