#include "bundler/reader/volume_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bundler/inspect/model.h"
#include "bundler/reader/verify.h"
#include "tests/bundler/archive_parts.h"
#include "tests/bundler/release_office.h"
#include "tests/bundler/string_file.h"

namespace skerry::reader {
namespace {

using skerry::testing::ArchiveParts;
using skerry::testing::ReleaseOffice;
using skerry::testing::SmallModel;
using skerry::testing::SplitByHand;
using skerry::testing::StringFile;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::map<std::string, std::string> FiveFiles() {
  std::map<std::string, std::string> model = SmallModel();
  model["added_tokens.json"] = "";
  model["notes.txt"] = "five files, so five chunks";
  return model;
}

class VolumeSetTest : public ::testing::Test {
 protected:
  VolumeSetTest() {
    trust_.roots = trust::ParseRootChain(office_.root_text).value();
    build::CreateOptions options = office_.Options();
    options.documents = {{"LICENSE", "LICENSE"}};
    bundle_ = office_.Pack(FiveFiles(), options).value();
    volumes_ = SplitByHand(bundle_, 2);
  }

  // Verifies the archives "v1.skb", ... to the last byte.
  Result<VolumeSet> Verify(const std::vector<std::string>& archives, bool deep = false) {
    files_.clear();
    std::vector<NamedFile> named;
    for (const std::string& archive : archives) {
      files_.push_back(std::make_unique<StringFile>(archive));
      named.push_back({"v" + std::to_string(named.size() + 1) + ".skb", files_.back().get()});
    }
    VerifyOptions options;
    options.read.threads = 1;
    options.deep = deep;
    return VerifyArchives(named, trust_, options);
  }
  std::string Refusal(const std::vector<std::string>& archives,
                      ErrorCode code = ErrorCode::kCorrupt) {
    const Result<VolumeSet> set = Verify(archives);
    if (set) return "accepted";
    EXPECT_EQ(set.error().code(), code) << set.error().message();
    return set.error().message();
  }
  std::string WithVolume(size_t at, const std::string& volume) {
    ArchiveParts parts(volumes_[at]);
    parts.At("meta/volume") = volume;
    return parts.Join();
  }

  ReleaseOffice office_;
  trust::TrustState trust_;
  std::string bundle_;
  std::vector<std::string> volumes_;  // 2, 2 and 1 chunks
  std::vector<std::unique_ptr<StringFile>> files_;
};

TEST_F(VolumeSetTest, EachVerifiesAloneAndNamesWhatIsMissing) {
  ASSERT_EQ(volumes_.size(), 3U);
  for (size_t i = 0; i < volumes_.size(); ++i) {
    const Result<VolumeSet> set = Verify({volumes_[i]});
    ASSERT_TRUE(set) << set.error().message();
    EXPECT_FALSE(set->IsComplete());
    EXPECT_EQ(set->volume_count(), 3U);
    EXPECT_EQ(set->Missing().size(), 2U);
    const VerifiedBundle& bundle = set->parts().front().bundle;
    EXPECT_EQ(bundle.volume()->number, i + 1);
    EXPECT_EQ(bundle.chunks().first, 2 * i);
    EXPECT_EQ(bundle.chunks().last, i == 2 ? 5U : 2 * i + 2);
    EXPECT_EQ(files_[0]->highest(), volumes_[i].size()) << "not read to its end";
  }
  const VolumeSet gap = Verify({volumes_[1]}).value();
  EXPECT_THAT(gap.Missing(), ElementsAre(1, 3));
  EXPECT_EQ(gap.DescribeMissing(), "volumes 1, 3 of 3");
  EXPECT_EQ(Verify({volumes_[0], volumes_[2]})->DescribeMissing(), "volume 2 of 3");
  EXPECT_THAT(gap.CheckComplete().error().message(), HasSubstr("volumes 1, 3 of 3"));
  const std::vector<std::string> five = SplitByHand(bundle_, 1);
  EXPECT_EQ(Verify({five[0]})->DescribeMissing(), "volumes 2 to 5 of 5");
  EXPECT_EQ(Verify({five[2]})->DescribeMissing(), "volumes 1, 2, 4, 5 of 5");
}

TEST_F(VolumeSetTest, TogetherInAnyOrderTheyAreTheBundle) {
  const VolumeSet set = Verify({volumes_[2], volumes_[0], volumes_[1]}, /*deep=*/true).value();
  EXPECT_TRUE(set.IsComplete());
  EXPECT_THAT(set.Missing(), IsEmpty());
  EXPECT_TRUE(set.CheckComplete());
  EXPECT_EQ(set.parts()[0].name, "v2.skb");
  const VerifiedBundle& common = set.parts().front().bundle;
  EXPECT_EQ(common.digest(),
            Sha256::Of(std::string_view(ArchiveParts(bundle_).At("meta/manifest"))));
  const ChunkHashes hashes = common.ReadHashes().value();
  std::vector<uint8_t> buffer(common.map().LargestBytes());
  uint64_t chunk = 0;
  for (const auto& [name, content] : FiveFiles()) {
    const size_t size = set.ReadChunk(chunk, hashes, buffer).value();
    EXPECT_EQ(AsText(std::span(buffer).first(size)), content) << name;
    EXPECT_TRUE(hashes.Holds(chunk, AsBytes(content)));
    EXPECT_FALSE(hashes.Holds(chunk, AsBytes(content + "x")));
    EXPECT_EQ(ReadAll(*set.OpenFile(chunk)).value(), content) << name;
    EXPECT_EQ(ReadAll(*set.OpenChecked(chunk, hashes)).value(), content) << name;
    ++chunk;
  }
  EXPECT_TRUE(inspect::InspectFiles(
      common.manifest(),
      [&](size_t idx) -> Result<std::unique_ptr<File>> { return set.OpenFile(idx); }));
}

TEST_F(VolumeSetTest, AWholeBundleIsTheTrivialSet) {
  const VolumeSet set = Verify({bundle_}, /*deep=*/true).value();
  EXPECT_TRUE(set.IsComplete());
  EXPECT_EQ(set.volume_count(), 1U);
  EXPECT_FALSE(set.parts().front().bundle.volume());
  EXPECT_EQ(set.DescribeMissing(), "");
}

TEST_F(VolumeSetTest, DuplicatesAreReadButNotUsed) {
  const VolumeSet set = Verify({volumes_[0], volumes_[0], volumes_[1]}).value();
  ASSERT_EQ(set.parts().size(), 2U);
  ASSERT_EQ(set.duplicates().size(), 1U);
  EXPECT_EQ(set.duplicates()[0].name, "v2.skb");
  EXPECT_THAT(set.Missing(), ElementsAre(3));
  std::string bad = volumes_[0];
  bad[bad.size() - 2000] ^= 1;
  EXPECT_THAT(Refusal({volumes_[0], bad}), HasSubstr("'v2.skb'"));
}

TEST_F(VolumeSetTest, EveryFlippedBitOfAVolumeIsRefused) {
  const size_t step = skerry::testing::BitStep();
  std::string bad = volumes_[1];
  ASSERT_TRUE(Verify({bad}));
  for (size_t bit = 0; bit < bad.size() * 8; bit += step) {
    const char mask = static_cast<char>(1 << (bit % 8));
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ mask);
    const Result<VolumeSet> set = Verify({bad});
    ASSERT_FALSE(set) << "bit " << bit;
    EXPECT_EQ(set.error().message().find("'v1.skb'"), 0U) << set.error().message();
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ mask);
  }
}

TEST_F(VolumeSetTest, TruncatedAndLongerOnesAreRefused) {
  const std::string& volume = volumes_[1];
  for (size_t size = 0; size < volume.size(); size += 512) {
    EXPECT_NE(Refusal({volume.substr(0, size)}), "accepted") << size;
  }
  EXPECT_THAT(Refusal({volume + std::string(512, '\0')}), HasSubstr("appended"));
}

TEST_F(VolumeSetTest, NumbersMustFitTheContent) {
  // The right content under another number or another cut has other members, and mostly another
  // size.
  for (const char* volume : {"{\"chunks\":2,\"number\":2}", "{\"chunks\":1,\"number\":1}",
                             "{\"chunks\":3,\"number\":1}", "{\"chunks\":4,\"number\":1}"}) {
    EXPECT_NE(Refusal({WithVolume(0, volume)}), "accepted") << volume;
  }
  for (const char* volume : {"{\"chunks\":2,\"number\":4}", "{\"chunks\":5,\"number\":1}",
                             "{\"chunks\":2,\"number\":0}", "{\"chunks\":0,\"number\":1}",
                             "{\"chunks\":2,\"number\":1} ", "{\"chunks\":02,\"number\":1}"}) {
    EXPECT_THAT(Refusal({WithVolume(0, volume)}), HasSubstr("meta/volume")) << volume;
  }
  ArchiveParts as_whole(volumes_[0]);
  std::erase_if(as_whole.members, [](const auto& member) { return member.first == "meta/volume"; });
  EXPECT_THAT(Refusal({as_whole.Join()}), HasSubstr("truncated"));
  ArchiveParts as_volume(bundle_);
  as_volume.members.insert(as_volume.members.begin() + 4,
                           {"meta/volume", "{\"chunks\":2,\"number\":1}"});
  EXPECT_THAT(Refusal({as_volume.Join()}), HasSubstr("appended"));
}

TEST_F(VolumeSetTest, MembersOfAnotherVolumeAreRefused) {
  // Volume 1 and 3 with contents of one size: an empty file and two files of one length.
  ArchiveParts first(volumes_[0]), second(volumes_[1]);
  for (auto& member : first.members) {
    if (member.first == "data/000000/0000000") member.first = "data/000000/0000001";
  }
  EXPECT_THAT(Refusal({first.Join()}), HasSubstr("'added_tokens.json': its header"));
  std::swap(second.members[second.members.size() - 2], second.members.back());
  EXPECT_NE(Refusal({second.Join()}), "accepted");
}

TEST_F(VolumeSetTest, WhatDoesNotBelongTogetherIsRefusedByName) {
  const std::vector<std::string> other_split = SplitByHand(bundle_, 1);
  std::map<std::string, std::string> model = FiveFiles();
  model["notes.txt"][0] ^= 1;
  const std::vector<std::string> other_bundle =
      SplitByHand(office_.Pack(model, office_.Options()).value(), 2);
  EXPECT_THAT(Refusal({volumes_[0], other_bundle[1]}, ErrorCode::kInvalidArgument),
              HasSubstr("'v2.skb' does not belong to 'v1.skb': it is of another bundle"));
  EXPECT_THAT(Refusal({volumes_[0], volumes_[2], other_split[1]}, ErrorCode::kInvalidArgument),
              HasSubstr("'v3.skb' does not belong to 'v1.skb': the same bundle was split "
                        "otherwise (volumes of 1 chunks, not of 2)"));
  EXPECT_THAT(Refusal({volumes_[0], bundle_}, ErrorCode::kInvalidArgument),
              HasSubstr("'v2.skb' does not belong to 'v1.skb': it is the whole bundle"));
  EXPECT_THAT(Refusal({bundle_, volumes_[0]}, ErrorCode::kInvalidArgument),
              HasSubstr("'v2.skb' does not belong to 'v1.skb': it is volume 1 of 3"));
  // Even a single chunk of another bundle in a volume of this one.
  ArchiveParts mixed(volumes_[1]);
  mixed.At("data/000003/0000000") = ArchiveParts(other_bundle[1]).At("data/000003/0000000");
  EXPECT_THAT(Refusal({mixed.Join()}),
              HasSubstr("'v1.skb': file 'notes.txt' is damaged: its chunk 1 of 1"));
}

TEST_F(VolumeSetTest, DeepNeedsAllVolumes) {
  const Result<VolumeSet> set = Verify({volumes_[0], volumes_[1]}, /*deep=*/true);
  ASSERT_FALSE(set);
  EXPECT_EQ(set.error().code(), ErrorCode::kNotFound);
  EXPECT_THAT(set.error().message(), HasSubstr("volume 3 of 3"));
}

TEST_F(VolumeSetTest, ReadingWhatIsMissingNamesTheVolume) {
  const VolumeSet set = Verify({volumes_[0], volumes_[2]}).value();
  const ChunkHashes hashes = set.parts().front().bundle.ReadHashes().value();
  std::vector<uint8_t> buffer(1000);
  EXPECT_TRUE(set.ReadChunk(1, hashes, buffer));
  EXPECT_THAT(set.ReadChunk(2, hashes, buffer).error().message(),
              HasSubstr("volume 2 of 3 is missing"));
  EXPECT_EQ(set.Find(2), nullptr);
  EXPECT_THAT(ReadAll(*set.OpenFile(2)).error().message(), HasSubstr("volume 2 of 3"));
}

// A bundle that nobody has read yet: what is given out was compared with the signed hashes.
TEST_F(VolumeSetTest, ACheckedFileGivesOutNothingThatWasChanged) {
  std::map<std::string, std::string> model = FiveFiles();
  std::string big(format::kChunkBytes + 100, 'x');
  for (size_t i = 0; i < big.size(); i += 4096) big[i] = static_cast<char>('a' + i / 4096 % 26);
  model["notes.txt"] = big;
  std::string bundle = office_.Pack(model, office_.Options()).value();
  const auto open = [&](const StringFile& file) {
    VolumeSet set;
    EXPECT_TRUE(set.Add("x.skb", UnverifiedBundle::Open(file).value().Verify(trust_).value()));
    return set;
  };
  constexpr size_t kNotes = 3;
  {
    const StringFile file(bundle);
    const VolumeSet set = open(file);
    const ChunkHashes hashes = set.parts().front().bundle.ReadHashes().value();
    const std::unique_ptr<File> notes = set.OpenChecked(kNotes, hashes);
    EXPECT_EQ(notes->Size().value(), big.size());
    std::string part(200, '\0');
    const size_t at = format::kChunkBytes - 100;
    const auto bytes = std::span(reinterpret_cast<uint8_t*>(part.data()), part.size());
    EXPECT_EQ(notes->ReadAt(at, bytes).value(), 200U);
    EXPECT_EQ(part, big.substr(at)) << "over the border of two chunks";
    EXPECT_EQ(notes->ReadAt(big.size() - 1, bytes).value(), 1U);
    EXPECT_EQ(notes->ReadAt(big.size(), bytes).value(), 0U);
  }
  const size_t second = bundle.find(big.substr(0, 8192)) + format::kChunkBytes;
  bundle[second] ^= 1;
  const StringFile file(bundle);
  const VolumeSet set = open(file);
  const ChunkHashes hashes = set.parts().front().bundle.ReadHashes().value();
  const std::unique_ptr<File> notes = set.OpenChecked(kNotes, hashes);
  uint8_t byte[1];
  EXPECT_EQ(notes->ReadAt(0, byte).value(), 1U) << "the first chunk is whole";
  const Result<size_t> damaged = notes->ReadAt(format::kChunkBytes + 50, byte);
  ASSERT_FALSE(damaged);
  EXPECT_EQ(damaged.error().code(), ErrorCode::kCorrupt);
  EXPECT_THAT(damaged.error().message(), HasSubstr("'x.skb'"));
  EXPECT_EQ(notes->ReadAt(7, byte).value(), 1U);
}

TEST_F(VolumeSetTest, ClaimsTellTheVolume) {
  const StringFile file(volumes_[1]);
  const UnverifiedBundle::Claims claims = UnverifiedBundle::Open(file)->ReadClaims().value();
  EXPECT_EQ(claims.volume->number, 2U);
  EXPECT_EQ(claims.volume_count, 3U);
}

}  // namespace
}  // namespace skerry::reader
