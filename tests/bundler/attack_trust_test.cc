// Attacks on trust (keys that do not count, what was true before, volumes of different bundles),
// and two imports at once. README.md beside this file has the list, also of those that are tested
// elsewhere.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>

#include "appliance/base/unix_socket.h"
#include "bundler/trust/revocations.h"
#include "tests/bundler/attack_world.h"

namespace skerry {
namespace {

using skerry::testing::ArchiveParts;
using skerry::testing::AttackWorld;
using skerry::testing::Files;
using skerry::testing::ReleaseOffice;
using skerry::testing::SmallModel;
using skerry::testing::SplitByHand;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class AttackTrustTest : public AttackWorld {
 protected:
  AttackTrustTest() : AttackWorld(SKERRY_BIN_DIR) {}
};

class AttackThresholdTest : public AttackWorld {
 protected:
  AttackThresholdTest() : AttackWorld(SKERRY_BIN_DIR, ReleaseOffice(3, 2)) {}
  // The good bundle with signatures by `keys` alone.
  std::string SignedBy(const std::vector<const build::SecretKey*>& keys) {
    ArchiveParts parts(office_.Pack());
    std::vector<trust::Signature> signatures;
    for (const build::SecretKey* key : keys) {
      signatures.push_back(key->Sign(format::kManifestType, parts.At("meta/manifest")));
    }
    parts.At("meta/signatures") =
        format::PadSignatures(trust::SerializeSignatures(std::move(signatures)));
    return parts.Join();
  }
};

TEST_F(AttackThresholdTest, KeysBelowTheThreshold) {
  const build::SecretKey* key = &office_.keys[0];
  EXPECT_THAT(Refused(SignedBy({})), HasSubstr("0 of 2"));
  EXPECT_THAT(Refused(SignedBy({key})), HasSubstr("1 of 2"));
  EXPECT_THAT(Refused(SignedBy({key, key, key})), HasSubstr("1 of 2"));
  EXPECT_THAT(Refused(SignedBy({key, &office_.root_keys[0]})), HasSubstr("1 of 2"));
  Accepted(SignedBy({key, &office_.keys[2]}));
}

TEST_F(AttackThresholdTest, WrongKeys) {
  const ReleaseOffice stranger(3, 2);
  EXPECT_THAT(Refused(stranger.Pack()), HasSubstr("0 of 2"));
  EXPECT_THAT(Refused(SignedBy({&stranger.keys[0], &stranger.keys[1]})), HasSubstr("0 of 2"));
  EXPECT_THAT(Refused(SignedBy({&office_.keys[0], &stranger.keys[0]})), HasSubstr("1 of 2"));
  // One good signature under the name of another key.
  ArchiveParts parts(office_.Pack());
  std::string& text = parts.At("meta/signatures");
  const std::string first = office_.keys[0].public_key().Id().Hex();
  const std::string other = office_.root_keys[0].public_key().Id().Hex();
  text.replace(text.find(first), first.size(), other);
  Refused(parts.Join());
}

TEST_F(AttackThresholdTest, StolenKeyAfterItsRevocation) {
  trust::Revocations list;
  list.sequence = 1;
  list.keys = {office_.keys[0].public_key().Id()};
  const std::string payload = trust::SerializeRevocationsPayload(list);
  const std::string type(trust::kRevocationsType);
  Write("data/trust/revocations.json",
        trust::SerializeEnvelope({type, payload, {office_.root_keys[0].Sign(type, payload)}}));
  EXPECT_THAT(Refused(SignedBy({&office_.keys[0], &office_.keys[1]})),
              HasSubstr("1 by revoked keys"));
  Accepted(SignedBy({&office_.keys[1], &office_.keys[2]}));
}

// An appliance that has seen a revocation is fed what was true before.
TEST_F(AttackTrustTest, Freeze) {
  const std::string type(trust::kRevocationsType);
  const auto list_of = [&](uint64_t sequence, const std::set<trust::KeyId>& keys) {
    trust::Revocations list;
    list.sequence = sequence;
    list.keys = keys;
    const std::string payload = trust::SerializeRevocationsPayload(list);
    return trust::SerializeEnvelope({type, payload, {office_.root_keys[0].Sign(type, payload)}});
  };
  build::CreateOptions options = office_.Options();
  options.revocations_text = list_of(1, {});
  const std::string before = office_.Pack(SmallModel(), options).value();
  Write("data/trust/revocations.json", list_of(2, {office_.keys[0].public_key().Id()}));
  EXPECT_THAT(Refused(before), HasSubstr("revoked keys"));
  Write("old.json", options.revocations_text);
  (void)Run({"trust", "update", "old.json"});
  EXPECT_EQ(Read("data/trust/revocations.json"), list_of(2, {office_.keys[0].public_key().Id()}));
  EXPECT_THAT(Refused(before), HasSubstr("revoked keys"));
}

TEST_F(AttackTrustTest, FreezeByAnOldRoot) {
  // Version 2 has another release key; a bundle of before carries version 1 only.
  const std::string before = office_.Pack();
  ReleaseOffice next;
  next.root.version = 2;
  next.root.keys.erase(next.root_keys[0].public_key().Id());
  const trust::PublicKey& root_key = office_.root_keys[0].public_key();
  next.root.keys.emplace(root_key.Id(), root_key);
  next.root.root.keys = next.root.revoke.keys = {root_key.Id()};
  const std::string second = build::SignRoot(next.root, office_.root_keys).value();
  Write("data/trust/root.json", office_.root_text + second);
  EXPECT_THAT(Refused(before), HasSubstr("0 of 1 required signatures"));
  // Nor does an own version 2 of a thief help who has the old release key.
  ReleaseOffice thief;
  thief.root.version = 3;
  thief.root_text = build::SignRoot(thief.root, thief.root_keys).value();
  EXPECT_THAT(Refused(thief.Pack()), HasSubstr("keys of the version before"));
}

// A thief of a release key makes a release number that no later one can reach.
TEST_F(AttackTrustTest, FastForward) {
  constexpr uint64_t kLast = (uint64_t{1} << 53) - 1;
  Refused(With([&](Json& manifest) { manifest["release_seq"] = kLast + 1; }));
  Refused(With([](Json& manifest) { manifest["release_seq"] = ~uint64_t{0}; }));
  Accepted(With([&](Json& manifest) { manifest["release_seq"] = kLast; }));
  const Files store = Below("data/store");
  Write("next.skb", With([](Json& manifest) {
          manifest["release_seq"] = 2;
          manifest["version"] = "2";
        }));
  EXPECT_EQ(Run({"import", "next.skb"}), 1);
  EXPECT_THAT(Read("run.err"), HasSubstr("permit"));
  // Another id is not concerned.
  Accepted(With([](Json& manifest) {
    manifest["id"] = "acme/other";
    manifest["release_seq"] = 2;
  }));
  for (const auto& [path, content] : store) EXPECT_EQ(Below("data/store").at(path), content);
}

TEST_F(AttackTrustTest, Rollback) {
  const auto release = [&](uint64_t seq) {
    return With([&](Json& manifest) { manifest["release_seq"] = seq; });
  };
  Accepted(release(5));
  for (const uint64_t seq : {1U, 4U}) {
    Write("old.skb", release(seq));
    EXPECT_EQ(Run({"import", "old.skb"}), 1);
    EXPECT_THAT(Read("run.err"), HasSubstr("5"));
  }
  EXPECT_EQ(files_->List("data/store").value().size(), 1U);
}

TEST_F(AttackTrustTest, MixAndMatchOfVolumes) {
  Files model = SmallModel(), other = SmallModel();
  model["notes.txt"] = "of the one";
  other["notes.txt"] = "of another";
  const std::vector<std::string> ones =
      SplitByHand(office_.Pack(model, office_.Options()).value(), 2);
  build::CreateOptions options = office_.Options();
  options.release_seq = 2;
  const std::vector<std::string> others = SplitByHand(office_.Pack(other, options).value(), 2);
  ASSERT_EQ(ones.size(), 2U);
  for (size_t i = 0; i < 2; ++i) {
    Write("one-" + std::to_string(i + 1) + ".skb", ones[i]);
    Write("other-" + std::to_string(i + 1) + ".skb", others[i]);
  }
  EXPECT_THAT(RefusedMedia({"one-1.skb", "other-2.skb"}, 2),
              HasSubstr("'other-2.skb' does not belong"));
  EXPECT_THAT(RefusedMedia({"other-1.skb", "one-2.skb"}, 2),
              HasSubstr("'one-2.skb' does not belong"));
  // One chunk under the other manifest.
  ArchiveParts mixed(ones[1]);
  ASSERT_EQ(mixed.At("data/000002/0000000"), "of the one");
  mixed.At("data/000002/0000000") = "of another";
  Write("mixed.skb", mixed.Join());
  EXPECT_EQ(Run({"import", "one-1.skb", "mixed.skb"}), 1);
  EXPECT_THAT(Read("run.err"), HasSubstr("damaged"));
  EXPECT_THAT(Below("data/store"), IsEmpty());
  EXPECT_EQ(Run({"import", "--discard", "all"}), 0);
  // The half of one is waiting while the other is imported: neither gets anything of the other.
  EXPECT_EQ(Run({"import", "one-1.skb"}), 1);
  EXPECT_EQ(Run({"import", "other-1.skb", "other-2.skb"}), 0) << Read("run.err");
  const auto store = files_->List("data/store").value();
  ASSERT_EQ(store.size(), 1U);
  for (const auto& [name, content] : other) {
    EXPECT_EQ(Read("data/store/" + store[0].name + "/files/" + name), content);
  }
}

// --- Two at once, as real processes

class AttackTogetherTest : public AttackTrustTest {
 protected:
  AttackTogetherTest() {
    std::mt19937 random(4711);
    blob_.resize(16 << 20);
    for (char& byte : blob_) byte = static_cast<char>('a' + random() % 26);
  }
  static int Rounds() {
    const char* full = std::getenv("SKERRY_FULL_COUNTS");
    return full != nullptr && std::string_view(full) == "1" ? 50 : 4;
  }
  std::string Release(uint64_t seq, const std::string& id = "acme/tiny") {
    Files model = SmallModel();
    model["blob.txt"] = blob_;
    build::CreateOptions options = office_.Options();
    options.id = id;
    options.release_seq = seq;
    return office_.Pack(model, options).value();
  }

  struct Importer {
    pid_t pid = -1;
    UniqueFd connection;
  };
  // The importer itself, as a running appliance starts one for each client.
  Importer StartImporter(const std::string& file) {
    Importer importer;
    auto pair = StreamPair().value();
    SpawnOptions options;
    options.argv = {std::string(SKERRY_BIN_DIR) + "/skerry-import", "--data", At("data")};
    const UniqueFd null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
    options.fds = {{pair.second.get(), 0}, {null.get(), 1}, {null.get(), 2}};
    importer.pid = Spawn(options).value();
    importer.connection = std::move(pair.first);
    const UniqueFd bundle(::open(At(file).c_str(), O_RDONLY | O_CLOEXEC));
    EXPECT_TRUE(SendMessage(importer.connection.get(), "{\"files\":[\"x\"],\"op\":\"import\"}\n",
                            {bundle.get()}));
    return importer;
  }
  // Its last line: a result or an error.
  Json Answer(Importer& importer) {
    Json last;
    for (;;) {
      const Result<std::string> line = ReadLine(importer.connection.get(), 64 << 10);
      if (!line) break;
      last = ParseJson(*line).value();
    }
    EXPECT_TRUE(WaitForExit(importer.pid));
    return last;
  }
  // Everything that is in the store is whole; how many models.
  size_t CheckStore() {
    const auto models = files_->List("data/store").value();
    for (const DirectoryEntry& entry : models) {
      EXPECT_TRUE(Read("data/store/" + entry.name + "/files/blob.txt") == blob_);
      EXPECT_EQ(Read("data/store/" + entry.name + "/files/config.json"),
                SmallModel().at("config.json"));
      EXPECT_TRUE(files_->Exists("data/store/" + entry.name + "/import.json"));
    }
    EXPECT_THAT(Below("data/staging"), IsEmpty());
    return models.size();
  }
  void EmptyStore() {
    const auto models = files_->List("data/store").value();
    for (const DirectoryEntry& entry : models) {
      ASSERT_TRUE(RemoveTree(*files_, "data/store/" + entry.name));
    }
  }

  std::string blob_;
};

TEST_F(AttackTogetherTest, TwoImportsOfOneBundle) {
  Write("x.skb", Release(1));
  for (int round = 0; round < Rounds(); ++round) {
    Importer first = StartImporter("x.skb"), second = StartImporter("x.skb");
    const Json answers[] = {Answer(first), Answer(second)};
    int done = 0;
    for (const Json& answer : answers) {
      if (answer.contains("result")) {
        ++done;
      } else {
        EXPECT_EQ(answer["error"]["code"], "unavailable") << answer.dump();
      }
    }
    EXPECT_GE(done, 1);
    EXPECT_EQ(CheckStore(), 1U);
    EmptyStore();
  }
}

TEST_F(AttackTogetherTest, TwoImportsOfDifferentBundles) {
  Write("x.skb", Release(1));
  Write("y.skb", Release(1, "acme/other"));
  for (int round = 0; round < Rounds(); ++round) {
    Importer first = StartImporter("x.skb"), second = StartImporter("y.skb");
    for (Importer* importer : {&first, &second}) {
      const Json answer = Answer(*importer);
      EXPECT_TRUE(answer.contains("result")) << answer.dump();
    }
    EXPECT_EQ(CheckStore(), 2U);
    EmptyStore();
  }
}

TEST_F(AttackTogetherTest, AnOlderReleaseBesideANewerOne) {
  Write("x.skb", Release(1));
  Write("y.skb", Release(2));
  for (int round = 0; round < Rounds(); ++round) {
    Importer older = StartImporter("x.skb"), newer = StartImporter("y.skb");
    const Json old_answer = Answer(older);
    EXPECT_TRUE(Answer(newer).contains("result"));
    // In time, or too late.
    if (!old_answer.contains("result")) {
      EXPECT_EQ(old_answer["error"]["code"], "untrusted") << old_answer.dump();
      EXPECT_EQ(Run({"import", "--discard", "all"}), 0);
    }
    EXPECT_EQ(CheckStore(), old_answer.contains("result") ? 2U : 1U);
    EmptyStore();
  }
}

TEST_F(AttackTogetherTest, TwoCommandsAtOnce) {
  Write("x.skb", Release(1));
  const pid_t pids[] = {Start({"import", "x.skb"}, "a"), Start({"import", "x.skb"}, "b")};
  int done = 0;
  for (const pid_t pid : pids) done += WaitForExit(pid).value()->code == 0;
  EXPECT_GE(done, 1);
  if (done == 1) {
    EXPECT_THAT(Read("a.err") + Read("b.err"), AnyOf(HasSubstr("in use"), HasSubstr("PID")));
  }
  EXPECT_EQ(CheckStore(), 1U);
}

}  // namespace
}  // namespace skerry
