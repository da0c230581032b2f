// keys and trust from outside: programs, exit status, messages, and what they leave behind.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

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
using ::testing::MatchesRegex;
using ::testing::Not;

class TrustCommandsTest : public CommandWorld {
 protected:
  TrustCommandsTest() : CommandWorld(SKERRY_BIN_DIR) {}

  std::string Must(const std::vector<std::string>& arguments) {
    const Output output = Skerry(arguments);
    EXPECT_EQ(output.status, 0) << output.err;
    return output.out;
  }
  void Key(const std::string& role, const std::string& name) {
    Must({"keys", "generate", "--role", role, "--out", name + ".key"});
  }
  std::string KeyId(const std::string& name) {
    const std::string text = Read(name + ".pub");
    return GetString(ParseJson(text).value(), "keyid").value();
  }
  Json Shown(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"trust", "show", "--json"});
    const std::string out = Must(arguments);
    return ParseJson(out).value();
  }
  std::string Fingerprint(const std::string& file) {
    const Json shown = Shown({file});
    return GetString(shown, "fingerprint").value();
  }
  void MakeRoot() {
    Key("root", "root");
    Key("release", "release");
    Key("revoke", "revoke");
    Must({"trust", "init", "--root-key", "root.key", "--release-key", "release.pub", "--revoke-key",
          "revoke.pub", "--out", "root.json"});
  }
  std::vector<std::string> Rotate(std::vector<std::string> more) {
    std::vector<std::string> all = {"trust", "rotate", "root.json", "--out", "root.json"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
};

TEST_F(TrustCommandsTest, EncryptedKeysFromAFileOfThePassphrase) {
  Write("pass", "correct horse\n");
  Write("other", "battery staple\n");
  Must({"keys", "generate", "--role", "root", "--out", "root.key", "--encrypt", "--passphrase-file",
        "pass"});
  EXPECT_THAT(Read("root.key"), HasSubstr("argon2id13"));
  EXPECT_THAT(Read("root.key"), Not(HasSubstr("\"secret\"")));
  struct stat info {};
  ASSERT_EQ(::stat(At("root.key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  Key("release", "release");
  const std::vector<std::string> init = {"trust",    "init",          "--root-key",
                                         "root.key", "--release-key", "release.pub",
                                         "--out",    "root.json",     "--passphrase-file"};
  auto with = [&](const char* file) {
    std::vector<std::string> all = init;
    all.push_back(file);
    return all;
  };
  EXPECT_THAT(Refused(with("other")), HasSubstr("'root.key': wrong passphrase"));
  EXPECT_FALSE(files_->Exists("root.json"));
  Must(with("pass"));

  const std::string shown = Must({"keys", "show", "root.key"});
  EXPECT_THAT(shown, HasSubstr("secret key, encrypted"));
  const std::string id = KeyId("root");
  EXPECT_THAT(shown, HasSubstr(id.substr(0, 4) + " " + id.substr(4, 4)));
  EXPECT_THAT(Must({"keys", "show", "release.pub"}), HasSubstr("role    release"));
  EXPECT_THAT(Must({"keys", "show", "release.key"}), HasSubstr("not encrypted"));
  Refused({"keys", "show", "root.json"});
}

TEST_F(TrustCommandsTest, PassphrasesAreSetChangedAndRemoved) {
  Write("one", "first\n");
  Write("two", "second\n");
  Write("empty", "\n");
  Key("release", "release");
  const std::string plain = Read("release.key");
  Must({"keys", "passphrase", "release.key", "--new-passphrase-file", "one"});
  EXPECT_THAT(Read("release.key"), HasSubstr("encrypted"));
  Must({"keys", "passphrase", "release.key", "--passphrase-file", "one", "--new-passphrase-file",
        "two"});
  const std::string second = Read("release.key");
  EXPECT_THAT(
      Refused({"keys", "passphrase", "release.key", "--passphrase-file", "one", "--remove"}),
      HasSubstr("wrong passphrase"));
  EXPECT_THAT(Refused({"keys", "passphrase", "release.key", "--passphrase-file", "two",
                       "--new-passphrase-file", "empty"},
                      2),
              HasSubstr("empty"));
  EXPECT_EQ(Read("release.key"), second);
  Must({"keys", "passphrase", "release.key", "--passphrase-file", "two", "--remove"});
  EXPECT_EQ(Read("release.key"), plain);
}

TEST_F(TrustCommandsTest, TheTerminalIsAskedAndEchoesNothing) {
  int status = -1;
  std::string shown =
      OnTerminal({"keys", "generate", "--role", "root", "--out", "root.key", "--encrypt"},
                 {"tall secret", "tall secret"}, &status);
  EXPECT_EQ(status, 0) << shown;
  EXPECT_THAT(shown, HasSubstr("New passphrase for 'root.key'"));
  EXPECT_THAT(shown, Not(HasSubstr("tall secret")));
  shown = OnTerminal({"keys", "passphrase", "root.key", "--remove"}, {"small secret"}, &status);
  EXPECT_EQ(status, 1);
  EXPECT_THAT(shown, HasSubstr("wrong passphrase"));
  shown = OnTerminal({"keys", "passphrase", "root.key", "--remove"}, {"tall secret"}, &status);
  EXPECT_EQ(status, 0) << shown;
  EXPECT_THAT(Read("root.key"), HasSubstr("\"secret\""));

  shown = OnTerminal({"keys", "generate", "--role", "root", "--out", "x.key", "--encrypt"},
                     {"one", "another"}, &status);
  EXPECT_EQ(status, 2);
  EXPECT_THAT(shown, HasSubstr("the two passphrases differ"));
  EXPECT_FALSE(files_->Exists("x.key"));
  shown = OnTerminal({"keys", "generate", "--role", "root", "--out", "x.key", "--encrypt"},
                     {"on\x03"}, &status);
  EXPECT_EQ(status, 1);
  EXPECT_FALSE(files_->Exists("x.key"));
}

TEST_F(TrustCommandsTest, RotationsMakeAChain) {
  MakeRoot();
  const std::string first = Read("root.json");
  Key("root", "new");
  Key("release", "late");
  EXPECT_THAT(
      Must(Rotate({"--root-key", "root.key", "--new-root-key", "new.key", "--remove-key",
                   KeyId("root"), "--add-release", "late.pub", "--threshold", "release=2"})),
      HasSubstr("trust root version 2"));
  const std::string second = Read("root.json");
  EXPECT_EQ(second.substr(0, first.size()), first);
  EXPECT_EQ(std::count(second.begin(), second.end(), '\n'), 2);
  EXPECT_EQ(GetInt(Shown({"root.json"}), "version").value(), 2);
  EXPECT_THAT(Refused(Rotate({"--root-key", "root.key"}), 2), HasSubstr("is not in role 'root'"));
  EXPECT_THAT(Refused(Rotate({"--root-key", "new.key", "--threshold", "release=3"}), 2),
              HasSubstr("threshold"));
  EXPECT_THAT(Refused(Rotate({"--root-key", "new.key", "--remove-key", KeyId("root")}), 2),
              HasSubstr("no key"));
  EXPECT_THAT(Refused(Rotate({"--root-key", "new.key", "--add-release", "revoke.pub"}), 2),
              HasSubstr("made for role 'revoke'"));
  Write("taken.json", "mine");
  EXPECT_THAT(
      Refused({"trust", "rotate", "root.json", "--root-key", "new.key", "--out", "taken.json"}),
      HasSubstr("exists"));
  EXPECT_EQ(Read("root.json"), second);
  EXPECT_EQ(Read("taken.json"), "mine");
}

TEST_F(TrustCommandsTest, SeveralPeopleSignOneAfterTheOther) {
  Key("root", "a");
  Key("root", "b");
  Key("release", "release");
  Must({"trust", "init", "--root-key", "a.key", "--root-key", "b.key", "--release-key",
        "release.pub", "--threshold", "root=2", "--threshold", "revoke=2", "--out", "root.json"});
  const std::string first = Read("root.json");
  const std::vector<std::string> alone = Rotate({"--root-key", "a.key"});
  EXPECT_THAT(Refused(alone, 2),
              HasSubstr("1 more by root keys of root version 1 (1 of 2), 1 more by root keys of "
                        "root version 2"));
  EXPECT_EQ(Read("root.json"), first);
  Must({"trust", "rotate", "root.json", "--root-key", "a.key", "--partial", "--out", "next.json"});
  Refused({"trust", "show", "next.json"});
  Key("root", "c");
  EXPECT_THAT(Refused({"trust", "sign", "next.json", "--root-key", "c.key"}, 2),
              HasSubstr("would not count"));
  EXPECT_THAT(Must({"trust", "sign", "next.json", "--root-key", "b.key"}), HasSubstr("complete"));
  EXPECT_EQ(GetInt(Shown({"next.json"}), "version").value(), 2);

  const std::string digest(64, 'a');
  Must({"trust", "revoke", "--trust", "next.json", "--revoke-key", "a.key", "--bundle", digest,
        "--partial", "--out", "list.json"});
  EXPECT_THAT(Refused({"trust", "sign", "list.json", "--revoke-key", "b.key"}, 2),
              HasSubstr("--trust"));
  EXPECT_THAT(Must({"trust", "sign", "list.json", "--revoke-key", "b.key", "--trust", "next.json"}),
              HasSubstr("complete"));
}

TEST_F(TrustCommandsTest, RevocationListsGrow) {
  MakeRoot();
  const std::string bundle(64, 'a'), model(64, 'b');
  Must({"trust", "revoke", "--trust", "root.json", "--revoke-key", "revoke.key", "--bundle",
        "sha256-" + bundle, "--model", model, "--out", "list.json"});
  EXPECT_THAT(Must({"trust", "revoke", "--list", "list.json", "--trust", "root.json",
                    "--revoke-key", "revoke.key", "--key", KeyId("release"), "--expire",
                    "acme/tiny=3", "--out", "list.json"}),
              HasSubstr("revocation list 2"));
  EXPECT_THAT(
      Refused({"trust", "revoke", "--list", "list.json", "--trust", "root.json", "--revoke-key",
               "revoke.key", "--expire", "acme/tiny=2", "--out", "list.json"},
              2),
      HasSubstr("expired already"));
  EXPECT_THAT(Refused({"trust", "revoke", "--trust", "root.json", "--revoke-key", "revoke.key",
                       "--out", "list.json"}),
              HasSubstr("exists"));
  EXPECT_THAT(Refused({"trust", "revoke", "--trust", "root.json", "--revoke-key", "release.key",
                       "--out", "x.json"},
                      2),
              HasSubstr("is not in role 'revoke'"));
  for (const char* bad : {"acme/tiny", "acme/tiny=", "acme/tiny=x", "tiny=3"}) {
    Refused({"trust", "revoke", "--trust", "root.json", "--revoke-key", "revoke.key", "--expire",
             bad, "--out", "x.json"},
            2);
  }
  EXPECT_THAT(Refused({"trust", "revoke", "--trust", "root.json", "--revoke-key", "revoke.key",
                       "--bundle", "abc", "--out", "x.json"},
                      2),
              HasSubstr("a bundle's digest must be"));
  EXPECT_FALSE(files_->Exists("x.json"));
}

TEST_F(TrustCommandsTest, PermitsOfBundlesAndByHand) {
  MakeRoot();
  Must({"bundle", "create", "model", "--id", "acme/tiny", "--version", "1.0.0", "--seq", "3",
        "--key", "release.key", "--trust", "root.json", "-o", "x.skb"});
  const std::string made = Must({"trust", "permit", "--trust", "root.json", "--key", "release.key",
                                 "--bundle", "x.skb", "--out", "permit.json"});
  EXPECT_THAT(made, HasSubstr("acme/tiny release 3"));
  const Output verified = Skerry({"bundle", "verify", "x.skb", "--trust", "root.json", "--json"});
  ASSERT_EQ(verified.status, 0) << verified.err;
  const std::string digest = GetString(ParseJson(verified.out).value(), "digest").value();
  EXPECT_THAT(made, HasSubstr(digest));
  Must({"trust", "permit", "--trust", "root.json", "--key", "release.key", "--digest", digest,
        "--id", "acme/tiny", "--seq", "3", "--out", "again.json"});
  EXPECT_NE(Read("permit.json"), Read("again.json")) << "another serial";

  EXPECT_THAT(Refused({"trust", "permit", "--trust", "root.json", "--key", "release.key",
                       "--bundle", "x.skb", "--out", "permit.json"}),
              HasSubstr("exists"));
  EXPECT_THAT(Refused({"trust", "permit", "--trust", "root.json", "--key", "release.key", "--id",
                       "acme/tiny", "--out", "p.json"},
                      2),
              HasSubstr("--bundle"));
  EXPECT_THAT(Refused({"trust", "permit", "--trust", "root.json", "--key", "root.key", "--bundle",
                       "x.skb", "--out", "p.json"},
                      2),
              HasSubstr("made for role 'root'"));
  std::string bad = Read("x.skb");
  bad[1100] = static_cast<char>(bad[1100] ^ 1);
  Write("bad.skb", bad);
  Refused({"trust", "permit", "--trust", "root.json", "--key", "release.key", "--bundle", "bad.skb",
           "--out", "p.json"});
  EXPECT_FALSE(files_->Exists("p.json"));
}

TEST_F(TrustCommandsTest, AcceptsAChainByTheFingerprintOfAnyOfItsRoots) {
  MakeRoot();
  const std::string first = Fingerprint("root.json");
  Must(Rotate({"--root-key", "root.key"}));
  Must({"trust", "accept", "root.json", "--fingerprint", first});
  EXPECT_EQ(GetInt(Shown({}), "version").value(), 2);
  EXPECT_EQ(Read("data/trust/root.json"), Read("root.json"));
  Refused({"trust", "accept", "root.json", "--fingerprint", std::string(64, 'a')});
}

TEST_F(TrustCommandsTest, UpdatesFromFilesAndBundles) {
  MakeRoot();
  const std::string first = Read("root.json");
  Write("first.json", first);
  Must({"trust", "accept", "first.json", "--fingerprint", Fingerprint("root.json")});
  const std::string digest(64, 'a');
  Must({"trust", "revoke", "--trust", "root.json", "--revoke-key", "revoke.key", "--bundle", digest,
        "--expire", "acme/old=4", "--out", "list1.json"});
  Key("revoke", "revoke2");
  Must(Rotate(
      {"--root-key", "root.key", "--add-revoke", "revoke2.pub", "--remove-key", KeyId("revoke")}));
  Must({"trust", "revoke", "--list", "list1.json", "--trust", "root.json", "--revoke-key",
        "revoke2.key", "--out", "list2.json"});

  EXPECT_THAT(Refused({"trust", "update", "list2.json"}), HasSubstr("'list2.json'"));
  EXPECT_THAT(Must({"trust", "update", "root.json", "list2.json"}),
              HasSubstr("'list2.json': revocation list 2"));
  const Json shown = Shown({});
  EXPECT_EQ(GetInt(shown, "version").value(), 2);
  EXPECT_EQ(shown["chain"].size(), 2U);
  EXPECT_EQ(shown["revocations"]["sequence"], 2);
  EXPECT_EQ(shown["revocations"]["expired"]["acme/old"], 4);
  EXPECT_THAT(Must({"trust", "show"}), HasSubstr("expired: acme/old below release 4"));
  EXPECT_THAT(Must({"trust", "update", "first.json", "list1.json"}), HasSubstr("nothing newer"));
  EXPECT_EQ(Shown({}), shown) << "old ones replayed change nothing";

  // From a bundle with a still newer root and list.
  Must(Rotate({"--root-key", "root.key"}));
  Must({"trust", "revoke", "--list", "list2.json", "--trust", "root.json", "--revoke-key",
        "revoke2.key", "--out", "list3.json"});
  Must({"bundle", "create", "model", "--id", "acme/tiny", "--version", "1.0.0", "--seq", "1",
        "--key", "release.key", "--trust", "root.json", "--revocations", "list3.json", "-o",
        "x.skb"});
  EXPECT_THAT(Must({"trust", "update", "x.skb"}),
              HasSubstr("roots up to version 3 and revocation list 3"));
  EXPECT_EQ(GetInt(Shown({}), "version").value(), 3);
  EXPECT_FALSE(files_->Exists("data/store")) << "only its trust";
}

TEST_F(TrustCommandsTest, UpdatesThatAreRefusedChangeNothing) {
  MakeRoot();
  Must({"trust", "accept", "root.json", "--fingerprint", Fingerprint("root.json")});
  const std::string before = Read("data/trust/root.json");
  const std::string first = Read("root.json");
  Must(Rotate({"--root-key", "root.key"}));
  const std::string second = Read("root.json").substr(first.size());
  Must(Rotate({"--root-key", "root.key"}));
  const std::string third = Read("root.json").substr(first.size() + second.size());
  Write("gap.json", third);
  EXPECT_THAT(Refused({"trust", "update", "gap.json"}), HasSubstr("version 2 is missing"));
  Write("cut.json", second.substr(0, second.size() - 1));
  Refused({"trust", "update", "cut.json"});
  Write("odd.json", "{}\n");
  EXPECT_THAT(Refused({"trust", "update", "odd.json"}), HasSubstr("neither a root file"));
  Refused({"trust", "update", "none.json"});
  Refused({"trust", "update"}, 2);
  EXPECT_THAT(Refused({"trust", "update", "root.json", "odd.json"}), HasSubstr("'odd.json'"));
  for (const char* name : {"root", "release", "revoke"}) {
    ASSERT_TRUE(files_->Remove(std::string(name) + ".key"));
    ASSERT_TRUE(files_->Remove(std::string(name) + ".pub"));
  }
  ASSERT_TRUE(files_->Remove("root.json"));
  MakeRoot();
  EXPECT_THAT(Refused({"trust", "update", "root.json"}),
              HasSubstr("another one than the appliance has"));
  EXPECT_EQ(Read("data/trust/root.json"), before);
  EXPECT_FALSE(files_->Exists("data/trust/revocations.json"));
}

}  // namespace
}  // namespace skerry
