// Attacks by whoever made the medium: endless data, archives that mean two things, names that lead
// out. README.md beside this file has the list, also of those that are tested elsewhere.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>

#include "bundler/format/tar.h"
#include "tests/bundler/attack_world.h"

namespace skerry {
namespace {

using skerry::testing::ArchiveMember;
using skerry::testing::ArchiveParts;
using skerry::testing::AttackWorld;
using skerry::testing::ContentsOf;
using skerry::testing::Files;
using skerry::testing::ReleaseOffice;
using skerry::testing::SignedBundle;
using skerry::testing::SignedFile;
using skerry::testing::SignedManifest;
using skerry::testing::SignedParts;
using skerry::testing::SmallModel;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace std::string_literals;

constexpr uint64_t kTebibyte = uint64_t{1} << 40;

class AttackTest : public AttackWorld {
 protected:
  AttackTest() : AttackWorld(SKERRY_BIN_DIR) {}
};

// What the other tests build on: the bundle without an attack is accepted.
TEST_F(AttackTest, NoneAtAll) {
  Accepted(With([](Json&) {}));
  EXPECT_EQ(files_->List("data/store").value().size(), 1U);
}

class AttackEndlessTest : public AttackTest {
 protected:
  // Writes `beginning` as bad.skb, followed by zeros that take no space; false where the file
  // system cannot.
  bool Endless(const std::string& beginning, uint64_t size) {
    Write("bad.skb", beginning);
    return ::truncate(At("bad.skb").c_str(), static_cast<off_t>(size)) == 0;
  }
  std::string RefusedQuickly() {
    const auto begin = std::chrono::steady_clock::now();
    std::string message = RefusedMedia({"bad.skb"});
    // A tebibyte takes minutes at the speed of memory.
    EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(30));
    return message;
  }
};

TEST_F(AttackEndlessTest, ZerosBehindAGoodBundle) {
  if (!Endless(office_.Pack(), kTebibyte)) GTEST_SKIP() << "no sparse files here";
  EXPECT_THAT(RefusedQuickly(), HasSubstr("something was appended"));
}

TEST_F(AttackEndlessTest, NothingButZeros) {
  if (!Endless("", kTebibyte)) GTEST_SKIP() << "no sparse files here";
  EXPECT_THAT(RefusedQuickly(), HasSubstr("not a bundle"));
}

TEST_F(AttackEndlessTest, MembersBeforeTheSignatures) {
  const ArchiveParts parts(office_.Pack());
  const std::string format = ArchiveMember(format::kFormatName, std::string(format::kFormatText));
  const std::string manifest = ArchiveMember("meta/manifest", parts.members[1].second);
  const uint64_t claimed = (uint64_t{8} << 30) - 512;
  for (const std::string& beginning :
       {format + format::TarHeader("meta/manifest", claimed),
        format + format::TarHeader("meta/manifest", kTebibyte),
        format + manifest + format::TarHeader("meta/signatures", claimed),
        format + manifest + ArchiveMember("meta/signatures", parts.members[2].second) +
            format::TarHeader("meta/roots/1", claimed)}) {
    if (!Endless(beginning, kTebibyte)) GTEST_SKIP() << "no sparse files here";
    RefusedQuickly();
  }
}

// The officer signs a tebibyte of zeros, and the medium has it: the disk is asked before.
TEST_F(AttackEndlessTest, AsMuchAsTheManifestSays) {
  if (files_->FreeBytes().value() >= kTebibyte) GTEST_SKIP() << "it would fit";
  Files model = SmallModel();
  Json manifest = SignedManifest(office_, model);
  Json& entry = manifest["files"][1];
  ASSERT_EQ(entry["name"], "model.safetensors");
  const std::vector<uint8_t> chunk(format::kChunkBytes);
  const std::vector<Sha256Digest> leaves(kTebibyte / format::kChunkBytes, format::LeafHash(chunk));
  entry["size"] = kTebibyte;
  entry["root"] = format::TreeRoot(leaves).Hex();
  ArchiveParts parts = SignedParts(office_, DumpJson(manifest), ContentsOf(model));
  std::string& tree = parts.At("meta/tree/000001");
  tree.clear();
  for (const Sha256Digest& leaf : leaves) tree += AsText(leaf.bytes);
  std::string head;
  for (const auto& [name, content] : parts.members) {
    if (name == "data/000001") break;
    head += ArchiveMember(name, content);
  }
  head += format::TarHeader("data/000001", kTebibyte);
  const uint64_t rest = ArchiveMember("data/000002", model["tokenizer.model"]).size();
  if (!Endless(head, head.size() + kTebibyte + rest + format::kTarEndBytes)) {
    GTEST_SKIP() << "no sparse files here";
  }
  std::vector<std::string> import = {"import", "bad.skb"};
  EXPECT_EQ(Run(import), 1);
  EXPECT_THAT(Read("run.err"), HasSubstr("not enough space"));
  EXPECT_THAT(Below("data/store"), IsEmpty());
  const Files staged = Below("data/staging");
  for (const auto& [path, content] : staged) EXPECT_LT(content.size(), 4096U) << path;
}

TEST_F(AttackEndlessTest, DevicesAndPipes) {
  ASSERT_EQ(::mkfifo(At("pipe.skb").c_str(), 0600), 0);
  for (const char* path : {"/dev/zero", "/dev/urandom", "pipe.skb"}) {
    EXPECT_EQ(Run({"import", path}), 2) << path;
    EXPECT_THAT(Read("run.err"), HasSubstr("not a regular file")) << path;
  }
}

TEST_F(AttackTest, SecondManifest) {
  const ReleaseOffice stranger;
  const ArchiveParts good(office_.Pack()), foreign(stranger.Pack());
  const auto insert = [&](size_t at, const std::pair<std::string, std::string>& member) {
    ArchiveParts parts = good;
    parts.members.insert(parts.members.begin() + static_cast<ptrdiff_t>(at), member);
    return parts.Join();
  };
  for (size_t at = 0; at <= good.members.size(); ++at) {
    SCOPED_TRACE(at);
    Refused(insert(at, foreign.members[1]));
    Refused(insert(at, good.members[1]));
  }
  Refused(good.Join() + foreign.Join());
  Refused(foreign.Join() + good.Join());
}

TEST_F(AttackTest, NamesThatLeadOutInSignedManifests) {
  const std::vector<std::string> names = {"..",
                                          ".",
                                          "../outside/x",
                                          "a/../../x",
                                          "a/..",
                                          "./x",
                                          "a/./x",
                                          "/etc/x",
                                          "/" + dir_.path() + "/outside/x",
                                          "//x",
                                          "a//x",
                                          "a/",
                                          "",
                                          "a\\b",
                                          "..\\outside\\x",
                                          "C:\\x",
                                          "C:x",
                                          "a\0b"s,
                                          "\0"s,
                                          "a\nb",
                                          "\x1b[2J",
                                          "a b",
                                          "~/x",
                                          "$HOME/x",
                                          "\xe2\x80\xae"
                                          "b",
                                          "\xc3\xa9",
                                          "con?",
                                          std::string(256, 'n'),
                                          std::string(5000, '/')};
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    Files model = SmallModel();
    model[name] = "x";
    Refused(SignedBundle(office_, model));
    // As bytes, where the JSON writer would escape them.
    Files placed = SmallModel();
    placed["PLACE"] = "x";
    std::string raw = DumpJson(SignedManifest(office_, placed));
    raw.replace(raw.find("PLACE"), 5, name);
    Refused(SignedParts(office_, raw, ContentsOf(placed)).Join());
    // The same of a document.
    Refused(With([&](Json& manifest) { manifest["documents"] = {SignedFile(name, "")}; }));
  }
}

TEST_F(AttackTest, IdsThatLeadOutInSignedManifests) {
  for (const std::string& id : {"../tiny"s, "acme/.."s, "acme/../x"s, "/etc"s, "acme/a\0b"s,
                                "acme\\tiny"s, "acme/"s, "\x1b[2J/tiny"s}) {
    SCOPED_TRACE(id);
    Refused(With([&](Json& manifest) { manifest["id"] = id; }));
    Refused(With([&](Json& manifest) { manifest["version"] = id; }));
  }
}

TEST_F(AttackTest, NamesThatAreOneFileElsewhere) {
  for (const auto& [one, other] : std::vector<std::pair<std::string, std::string>>{
           {"Notes.txt", "notes.txt"}, {"A/x", "a/y"}, {"notes", "notes/x"}}) {
    Files model = SmallModel();
    model[one] = model[other] = "x";
    Refused(SignedBundle(office_, model));
  }
  Refused(With([](Json& manifest) { manifest["files"].push_back(manifest["files"][2]); }));
}

// Members of other kinds, and headers that make other readers of tar write elsewhere or without
// end.
TEST_F(AttackTest, TarBombs) {
  const std::string good = office_.Pack();
  const ArchiveParts parts(good);
  const auto typed = [](char type, const std::string& name, uint64_t size) {
    std::string header = format::TarHeader(name, size);
    header[156] = type;
    header.replace(157, 6, "/etc/x");
    std::fill_n(header.begin() + 148, 8, ' ');
    unsigned sum = 0;
    for (const char c : header) sum += static_cast<unsigned char>(c);
    char digits[8];
    std::snprintf(digits, sizeof digits, "%06o", sum);
    header.replace(148, 7, digits, 7);
    return header;
  };
  std::string before;
  for (const auto& [name, content] : parts.members) {
    if (name.starts_with("meta/tree")) break;
    before += ArchiveMember(name, content);
  }
  // Hard link, symlink, devices, directory, pipe; sparse file, long names, global and local pax.
  for (const char type : {'1', '2', '3', '4', '5', '6', '7', 'S', 'L', 'K', 'g', 'x', 'D', 'M'}) {
    for (const uint64_t size : {uint64_t{0}, (uint64_t{8} << 30) - 512}) {
      SCOPED_TRACE(std::string(1, type) + " " + std::to_string(size));
      const std::string bomb = typed(type, "../outside/x", size);
      Refused(bomb + good);
      Refused(before + bomb + good.substr(before.size()));
      Refused(good.substr(0, good.size() - format::kTarEndBytes) + bomb +
              std::string(format::kTarEndBytes, '\0'));
    }
  }
  // An archive in an archive.
  Refused(ArchiveMember("x.skb", good) + std::string(format::kTarEndBytes, '\0'));
}

TEST_F(AttackTest, DocumentsThatTakeAllMemory) {
  const auto signed_manifest = [&](const std::string& manifest) {
    return SignedParts(office_, manifest, ContentsOf(SmallModel())).Join();
  };
  Refused(signed_manifest(std::string(format::kMaxManifestBytes, '[')));
  Refused(signed_manifest("{\"a\":" + std::string(format::kMaxManifestBytes - 5, '9')));
  Refused(signed_manifest(std::string(format::kMaxManifestBytes, '"')));
  Refused(With([](Json& manifest) {
    const Json entry = manifest["files"][0];
    for (int i = 0; i < 4200; ++i) manifest["files"].push_back(entry);
  }));
  ArchiveParts parts(office_.Pack());
  for (uint64_t version = 2; version <= 64; ++version) {
    parts.members.insert(parts.members.begin() + 2 + static_cast<ptrdiff_t>(version),
                         {format::RootName(version), std::string(format::kMaxRootBytes, '{')});
  }
  Refused(parts.Join());
  // Counts that a reader would reserve memory for.
  skerry::testing::GgufParts gguf;
  std::string absurd = gguf.Build();
  absurd.replace(8, 8, skerry::testing::LittleEndian(~uint64_t{0}, 8));
  Refused(SignedBundle(office_, {{"x.gguf", absurd}}));
  Files model = SmallModel();
  model["model.safetensors"] = skerry::testing::LittleEndian(~uint64_t{0}, 8) + "{";
  Refused(SignedBundle(office_, model));
  model = SmallModel();
  model["config.json"] = std::string(1 << 20, '[');
  Refused(SignedBundle(office_, model));
}

TEST_F(AttackTest, DuplicateKeys) {
  const std::string manifest = DumpJson(SignedManifest(office_, SmallModel()));
  for (const std::string& key : {"release_seq"s, "id"s, "files"s, "kind"s, "roots"s}) {
    const std::string place = "\"" + key + "\":";
    const size_t at = manifest.find(place);
    ASSERT_NE(at, std::string::npos);
    const std::string twice = manifest.substr(0, at) + place + "1," + manifest.substr(at);
    Refused(SignedParts(office_, twice, ContentsOf(SmallModel())).Join());
  }
  ArchiveParts parts(office_.Pack());
  std::string& signatures = parts.At("meta/signatures");
  signatures.replace(signatures.find("\"algorithm\""), 11, "\"algorithm\":\"none\",\"algorithm\"");
  signatures.resize(format::kSignaturesBytes);
  Refused(parts.Join());
  Files model = SmallModel();
  model["config.json"] = "{\"model_type\":\"llama\",\"model_type\":\"x\"}";
  EXPECT_THAT(Refused(SignedBundle(office_, model)), HasSubstr("config.json"));
  model = SmallModel();
  model["model.safetensors"] = skerry::testing::Safetensors(
      "{\"a\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1]},"
      "\"a\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
      "x");
  EXPECT_THAT(Refused(SignedBundle(office_, model)), HasSubstr("model.safetensors"));
}

}  // namespace
}  // namespace skerry
