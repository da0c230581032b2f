// keys, trust, bundle and import from outside: programs, exit status, messages, and what they leave
// behind.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "appliance/base/encode.h"
#include "appliance/base/files.h"
#include "appliance/base/json.h"
#include "appliance/base/process.h"
#include "appliance/base/testing/fixtures.h"
#include "appliance/base/unix_socket.h"
#include "tests/bundler/command_world.h"

namespace skerry {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

class CommandsTest : public CommandWorld {
 protected:
  CommandsTest() : CommandWorld(SKERRY_BIN_DIR) {}
};

TEST_F(CommandsTest, UsageErrorsExitWithTwo) {
  Refused({}, 2);
  Refused({"bundle"}, 2);
  Refused({"bundle", "verify"}, 2);
  Refused({"bundle", "verify", "x.skb", "--no-such-option"}, 2);
  Refused({"bundle", "create", "model"}, 2);
  Refused({"import"}, 2);
  Refused({"keys", "generate", "--role", "king", "--out", "k.key"}, 2);
  Refused({"no-such-command"}, 2);
  EXPECT_EQ(Skerry({"bundle", "create", "--help"}).status, 0);
  EXPECT_EQ(Skerry({"--version"}).status, 0);
}

TEST_F(CommandsTest, WholeWayAndASecondImport) {
  MakeBundle();
  const Output verified = Skerry({"bundle", "verify", "x.skb", "--trust", "root.json", "--json"});
  ASSERT_EQ(verified.status, 0) << verified.err;
  const Json json = ParseJson(verified.out.substr(0, verified.out.size() - 1)).value();
  EXPECT_TRUE(GetBool(json, "valid").value());
  const std::string digest = GetString(json, "digest").value();

  Accept();
  const Output first = Skerry({"import", "x.skb"});
  ASSERT_EQ(first.status, 0) << first.err;
  EXPECT_THAT(first.out, StartsWith("imported acme/tiny 1.0.0, release 1\n"));
  EXPECT_THAT(first.out, HasSubstr(digest));
  for (const auto& [name, text] : skerry::testing::SmallModel()) {
    EXPECT_EQ(Read("data/store/" + digest + "/files/" + name), text);
  }
  struct stat info {};
  ASSERT_EQ(::stat(At("data/store/" + digest + "/files/config.json").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0444U);
  ASSERT_EQ(::stat(At("data/store/" + digest + "/files").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0755U);

  const auto before = Snapshot("data/store");
  const Output second = Skerry({"import", "x.skb"});
  EXPECT_EQ(second.status, 0);
  EXPECT_THAT(second.out, StartsWith("already present: acme/tiny 1.0.0, release 1"));
  EXPECT_EQ(Snapshot("data/store"), before);
  EXPECT_THAT(Snapshot("data/staging"), IsEmpty());
  EXPECT_EQ(Skerry({"bundle", "verify", "x.skb"}).status, 0) << "with the appliance's own root";
}

TEST_F(CommandsTest, CreatingTwiceGivesTheSameBytes) {
  MakeBundle();
  Must(CreateArguments("model/", "again.skb"));
  EXPECT_TRUE(Read("x.skb") == Read("again.skb"));
}

TEST_F(CommandsTest, DamagedBundlesChangeNothing) {
  MakeBundle();
  Accept();
  const std::string good = Read("x.skb");
  std::map<std::string, std::string> cases;
  for (const size_t at : {size_t{0}, size_t{600}, size_t{1600}, good.size() / 2, good.size() - 1}) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    cases["bit flipped at " + std::to_string(at)] = bad;
  }
  cases["cut"] = good.substr(0, good.size() - 512);
  cases["longer"] = good + std::string(512, '\0');
  cases["empty"] = "";
  for (const auto& [name, content] : cases) {
    SCOPED_TRACE(name);
    Write("bad.skb", content);
    EXPECT_THAT(Refused({"bundle", "verify", "bad.skb", "--trust", "root.json"}),
                HasSubstr("'bad.skb'"));
    EXPECT_THAT(Refused({"import", "bad.skb"}), HasSubstr("'bad.skb'"));
  }
  EXPECT_THAT(Snapshot("data/store"), IsEmpty());
  // What was verified before the damage is kept for another copy of the medium.
  EXPECT_EQ(Skerry({"import", "--discard", "all"}).status, 0);
  EXPECT_THAT(Snapshot("data/staging"), IsEmpty());
  const Output json = Skerry({"bundle", "verify", "bad.skb", "--trust", "root.json", "--json"});
  EXPECT_EQ(json.status, 1);
  EXPECT_THAT(json.out, HasSubstr("\"valid\":false"));
}

TEST_F(CommandsTest, ForeignKeysAndMissingThings) {
  MakeBundle();
  EXPECT_THAT(Refused({"import", "x.skb"}), HasSubstr("trust accept"));
  Accept();
  EXPECT_THAT(Refused({"import", "none.skb"}), HasSubstr("'none.skb': No such file"));
  Refused({"bundle", "verify", "none.skb", "--trust", "root.json"});
  EXPECT_THAT(Refused({"import", "model"}, 2), HasSubstr("not a regular file"));

  ASSERT_TRUE(files_->Rename("root.json", "old.json"));
  for (const char* name : {"root.key", "root.pub", "release.key", "release.pub"}) {
    ASSERT_TRUE(files_->Remove(name));
  }
  MakeKeys();
  EXPECT_THAT(Refused({"bundle", "verify", "x.skb", "--trust", "root.json"}),
              HasSubstr("0 of 1 required signatures"));
  Must(CreateArguments("model", "foreign.skb"));
  EXPECT_THAT(Refused({"import", "foreign.skb"}), HasSubstr("required signatures"));
  EXPECT_THAT(Snapshot("data/store"), IsEmpty());
}

TEST_F(CommandsTest, WhatIsNoModelBecomesNoBundle) {
  MakeKeys();
  Write("no-model/notes.txt", "hello");
  EXPECT_THAT(Refused(CreateArguments("no-model", "n.skb")),
              HasSubstr("cannot pack 'no-model': this is not a model"));
  EXPECT_THAT(Refused(CreateArguments("absent", "n.skb")), HasSubstr("'absent'"));
  Write("model/modeling.py", "import os");
  EXPECT_THAT(Refused(CreateArguments("model", "n.skb")), HasSubstr("'modeling.py'"));
  EXPECT_FALSE(files_->Exists("n.skb"));
  EXPECT_FALSE(files_->Exists("n.skb.new"));
}

TEST_F(CommandsTest, KeysAndRootsAreNeverOverwritten) {
  MakeKeys();
  const std::string key = Read("release.key");
  Refused({"keys", "generate", "--role", "release", "--out", "release.key"});
  Refused({"trust", "init", "--root-key", "root.key", "--release-key", "release.pub", "--out",
           "root.json"});
  EXPECT_EQ(Read("release.key"), key);
  EXPECT_THAT(Refused({"trust", "init", "--root-key", "release.key", "--release-key", "release.pub",
                       "--out", "r.json"},
                      2),
              HasSubstr("made for role 'release'"));
  EXPECT_THAT(Refused({"trust", "init", "--root-key", "root.key", "--release-key", "release.pub",
                       "--threshold", "release=2", "--out", "r.json"},
                      2),
              HasSubstr("threshold"));
}

TEST_F(CommandsTest, WrongFingerprintInstallsNothing) {
  MakeKeys();
  EXPECT_THAT(Refused({"trust", "accept", "root.json", "--fingerprint", std::string(64, 'a')}),
              HasSubstr("nothing was installed"));
  EXPECT_FALSE(files_->Exists("data/trust/root.json"));
  Refused({"trust", "accept", "root.json", "--fingerprint", "abc"}, 2);
}

TEST_F(CommandsTest, BusyDataDirectoryNamesItsHolder) {
  MakeBundle();
  Accept();
  const UniqueFd lock(::open(At("data/lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  ASSERT_TRUE(WriteFully(lock.get(), "PID 4711, skerry serve\n"));
  ASSERT_EQ(::flock(lock.get(), LOCK_EX | LOCK_NB), 0);
  EXPECT_THAT(Refused({"import", "x.skb"}), HasSubstr("PID 4711, skerry serve"));
}

TEST_F(CommandsTest, InspectSaysThatNothingIsVerified) {
  MakeBundle();
  const Output output = Skerry({"bundle", "inspect", "x.skb"});
  EXPECT_EQ(output.status, 0);
  EXPECT_THAT(output.out, StartsWith("NOT VERIFIED"));
  EXPECT_THAT(output.out, HasSubstr("model.safetensors"));
  EXPECT_THAT(Skerry({"bundle", "inspect", "x.skb", "--json"}).out,
              HasSubstr("\"verified\":false"));
}

TEST_F(CommandsTest, TwoSignersOneAfterTheOther) {
  MakeKeys();
  Must({"keys", "generate", "--role", "release", "--out", "second.key"});
  ASSERT_TRUE(files_->Remove("root.json"));
  Must({"trust", "init", "--root-key", "root.key", "--release-key", "release.pub", "--release-key",
        "second.pub", "--threshold", "release=2", "--out", "root.json"});
  const Output created = Skerry(CreateArguments("model", "x.skb"));
  ASSERT_EQ(created.status, 0) << created.err;
  EXPECT_THAT(created.out, HasSubstr("by 1 of 2"));
  Refused({"bundle", "verify", "x.skb", "--trust", "root.json"});
  Must({"bundle", "sign", "x.skb", "--key", "second.key", "--trust", "root.json"});
  Must({"bundle", "verify", "x.skb", "--trust", "root.json"});
  EXPECT_THAT(Refused(CreateArguments("model", "x.skb")), HasSubstr("--force"));
}

TEST_F(CommandsTest, ProfileOfAMachineThatIsTooSmall) {
  MakeKeys();
  constexpr char kBox[] =
      R"({"engine":{"architectures":{"huggingface":["llama"]},"format":1,)"
      R"("kv_bytes_per_element":4,"split_gguf":false,"tensor_types":["BF16","F32"],)"
      R"("tokenizers":{"huggingface":["tokenizer.model"]},"version":"0.1.0"},"format":1,)"
      R"("gpus":[],"memory_bytes":MEMORY,"reserved_bytes":0,"store_free_bytes":1000000000000})";
  auto box = [&](const std::string& memory) {
    std::string text = kBox;
    return text.replace(text.find("MEMORY"), 6, memory);
  };
  std::vector<std::string> arguments = CreateArguments("model", "x.skb");
  arguments.insert(arguments.end(), {"--for", "box.json"});
  Write("box.json", box("1000000"));
  EXPECT_THAT(Refused(arguments), HasSubstr("will not fit the machine of 'box.json'; memory"));
  EXPECT_FALSE(files_->Exists("x.skb"));
  Write("box.json", box("8000000000"));
  Must(arguments);
}

TEST_F(CommandsTest, AnInterruptedImportIsListedContinuedAndDiscarded) {
  Write("model/notes.txt", "text that will be damaged");
  MakeBundle();
  Accept();
  EXPECT_THAT(Skerry({"import", "--unfinished"}).out, HasSubstr("No import is unfinished"));
  std::string bad = Read("x.skb");
  bad[bad.find("text that will be damaged")] ^= 1;
  Write("bad.skb", bad);
  for (const bool goes_on : {false, true}) {
    EXPECT_THAT(Refused({"import", "bad.skb"}), HasSubstr("copied and kept"));
    const Output list = Skerry({"import", "--unfinished", "--json"});
    const Json item = ParseJson(list.out.substr(0, list.out.size() - 1)).value()["unfinished"][0];
    EXPECT_EQ(item["id"], "acme/tiny");
    EXPECT_EQ(item["running"], false);
    EXPECT_LT(item["done_bytes"], item["total_bytes"]);
    EXPECT_THAT(Skerry({"import", "--unfinished"}).out, HasSubstr("acme/tiny"));
    if (goes_on) {
      Must({"import", "x.skb"});
    } else {
      EXPECT_EQ(Skerry({"import", "--discard", item["digest"].get<std::string>()}).status, 0);
    }
    EXPECT_THAT(Snapshot("data/staging"), IsEmpty());
  }
  EXPECT_EQ(files_->List("data/store").value().size(), 1U);
  Refused({"import", "--discard", "sha256-" + std::string(64, 'a')});
  Refused({"import", "x.skb", "--unfinished"}, 2);
}

// Peak memory of every program on the way of a model that is much larger than the bound.
TEST_F(CommandsTest, MemoryIsBoundedWhateverTheModelsSize) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers have memory of their own";
#endif
  constexpr uint64_t kModelBytes = 300 << 20;
  constexpr long kBoundKib = 128 << 10;  // 64 MiB and 16 threads with 4 MiB each
  const std::string size = std::to_string(kModelBytes);
  const std::string head = skerry::testing::Safetensors("{\"a\":{\"dtype\":\"F16\",\"shape\":[" +
                                                            std::to_string(kModelBytes / 2) +
                                                            "],\"data_offsets\":[0," + size + "]}}",
                                                        "");
  Write("model/model.safetensors", head);
  ASSERT_EQ(::truncate(At("model/model.safetensors").c_str(),
                       static_cast<off_t>(head.size() + kModelBytes)),
            0);
  MakeBundle();
  Must({"bundle", "verify", "x.skb", "--trust", "root.json"});
  Accept();
  Must({"import", "x.skb"});
  rusage usage{};
  ASSERT_EQ(::getrusage(RUSAGE_CHILDREN, &usage), 0);
  EXPECT_LT(usage.ru_maxrss, kBoundKib);
}

// Killed at whatever moment, again and again: the store is empty or whole, and what goes on from
// the wreck ends with the files of the source.
TEST_F(CommandsTest, KilledImportsLeaveNothingHalf) {
  const char* full = std::getenv("SKERRY_FULL_COUNTS");
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr int kFewRounds = 5;
#else
  constexpr int kFewRounds = 20;
#endif
  const int rounds = full != nullptr && std::string_view(full) == "1" ? 200 : kFewRounds;
  std::mt19937 random(4711);
  std::string blob(64 << 20, '\0');
  for (char& byte : blob) byte = static_cast<char>('a' + random() % 26);
  Write("model/blob.txt", blob);
  MakeBundle();
  Accept();
  const auto begin = std::chrono::steady_clock::now();
  Must({"import", "x.skb"});
  const auto whole_us = std::chrono::duration_cast<std::chrono::microseconds>(
                            std::chrono::steady_clock::now() - begin)
                            .count();
  int killed = 0;
  for (int round = 0; round < rounds; ++round) {
    const std::vector<DirectoryEntry> models = files_->List("data/store").value();
    for (const DirectoryEntry& entry : models) {
      EXPECT_TRUE(Read("data/store/" + entry.name + "/files/blob.txt") == blob) << round;
      ASSERT_TRUE(RemoveTree(*files_, "data/store/" + entry.name));
    }
    auto pair = StreamPair().value();
    SpawnOptions options;
    options.argv = {std::string(SKERRY_BIN_DIR) + "/skerry-import", "--data", At("data")};
    options.fds = {{pair.second.get(), 0}};
    const pid_t pid = Spawn(options).value();
    pair.second.Reset();
    const UniqueFd bundle(::open(At("x.skb").c_str(), O_RDONLY | O_CLOEXEC));
    ASSERT_TRUE(
        SendMessage(pair.first.get(), "{\"files\":[\"x\"],\"op\":\"import\"}\n", {bundle.get()}));
    ::usleep(static_cast<useconds_t>(random() % static_cast<unsigned>(whole_us)));
    ::kill(pid, SIGKILL);
    const std::optional<ExitState> state = WaitForExit(pid).value();
    killed += state && state->signalled;
  }
  EXPECT_GT(killed, 0);
  const Output output = Skerry({"import", "x.skb"});
  EXPECT_EQ(output.status, 0) << output.err;
  const std::vector<DirectoryEntry> models = files_->List("data/store").value();
  ASSERT_EQ(models.size(), 1U);
  EXPECT_TRUE(Read("data/store/" + models[0].name + "/files/blob.txt") == blob);
  EXPECT_THAT(Snapshot("data/staging"), IsEmpty());
}

}  // namespace
}  // namespace skerry
