// A release after the other from outside: what changed in the chat templates, what a bundle holds
// before it is imported, and models that are removed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "appliance/base/sha256.h"
#include "tests/bundler/command_world.h"

namespace skerry {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ReleaseCommandsTest : public CommandWorld {
 protected:
  ReleaseCommandsTest() : CommandWorld(SKERRY_BIN_DIR) {}

  static Json Parsed(const std::string& out) {
    const Result<Json> json = ParseJson(out.substr(0, out.find_last_not_of('\n') + 1));
    EXPECT_TRUE(json) << out;
    return json ? *json : Json();
  }
  Json Printed(const std::vector<std::string>& arguments) {
    const Output output = Skerry(arguments);
    EXPECT_EQ(output.status, 0) << output.err;
    return Parsed(output.out);
  }
  // Release `seq` with this chat template, in SEQ.skb.
  std::vector<std::string> Release(const std::string& seq, const std::string& chat_template) {
    Write("model/chat_template.jinja", chat_template);
    return {"bundle",      "create",   "model",     "--id", "acme/tiny",
            "--version",   "1." + seq, "--seq",     seq,    "--key",
            "release.key", "--trust",  "root.json", "-o",   seq + ".skb"};
  }
  // All of the two releases are imported, with nothing running.
  void ImportTwo() {
    MakeKeys();
    Accept();
    Must(Release("1", "hello\n"));
    Must(Release("2", "bye\n"));
    first_ = Printed({"import", "1.skb", "--json"})["digest"];
    second_ = Printed({"import", "2.skb", "--json"})["digest"];
  }
  std::string first_, second_;  // digests
};

TEST_F(ReleaseCommandsTest, ChangedTemplatesAreShownBeforeSigning) {
  MakeKeys();
  Must(Release("1", "hello\n"));
  std::vector<std::string> next = Release("2", "hello\x1b[2J\n");
  next.insert(next.end(), {"--previous", "1.skb"});
  const Output changed = Skerry(next);
  ASSERT_EQ(changed.status, 0) << changed.err;
  EXPECT_THAT(changed.err, HasSubstr("changed since acme/tiny 1.1, release 1"));
  EXPECT_THAT(changed.err, HasSubstr("-hello\n+hello\\u{1b}[2J\n"));
  EXPECT_THAT(changed.out, HasSubstr("template  default, sha256 "));

  std::vector<std::string> same = Release("3", "hello\x1b[2J\n");
  same.insert(same.end(), {"--previous", "2.skb"});
  EXPECT_THAT(Skerry(same).err, HasSubstr("are those of release 2"));

  // A bundle that was tampered with is nothing to compare with.
  std::string bad = Read("2.skb");
  bad[bad.find("[2J")] ^= 1;
  Write("2.skb", bad);
  same.push_back("--force");
  EXPECT_THAT(Refused(same), HasSubstr("--previous: '2.skb'"));
}

TEST_F(ReleaseCommandsTest, AnOfficerAtATerminalIsAskedBeforeChangedTemplatesAreSigned) {
  MakeKeys();
  Must(Release("1", "hello\n"));
  std::vector<std::string> next = Release("2", "bye\n");
  next.insert(next.end(), {"--previous", "1.skb"});
  int status = -1;
  for (const std::string answer : {"n", "", "yes please"}) {
    EXPECT_THAT(OnTerminal(next, {answer}, &status), HasSubstr("nothing was signed"));
    EXPECT_EQ(status, 1);
    EXPECT_FALSE(files_->Exists("2.skb"));
  }
  EXPECT_THAT(OnTerminal(next, {"y"}, &status), HasSubstr("+bye"));
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(files_->Exists("2.skb"));
}

// The second of two signers sees what the first one signed before his key is asked for.
TEST_F(ReleaseCommandsTest, AFurtherSignerSeesTheTemplates) {
  MakeKeys();
  Must(Release("1", "hello\n"));
  Must({"keys", "generate", "--role", "release", "--out", "second.key"});
  ASSERT_TRUE(files_->Remove("root.json"));
  Must({"trust", "init", "--root-key", "root.key", "--release-key", "release.pub", "--release-key",
        "second.pub", "--threshold", "release=2", "--out", "root.json"});
  ASSERT_EQ(Skerry(Release("2", "bye\n")).status, 0);
  const Output looked = Skerry({"bundle", "inspect", "2.skb", "--trust", "root.json"});
  ASSERT_EQ(looked.status, 0) << looked.err;
  const std::string line =
      "template  default, sha256 " + Sha256::Of(std::string_view("bye\n")).Hex();
  EXPECT_THAT(looked.out, HasSubstr("SIGNED BY 1 of 2"));
  EXPECT_THAT(looked.out, HasSubstr(line));

  Must({"bundle", "sign", "1.skb", "--key", "second.key", "--trust", "root.json"});
  const std::vector<std::string> sign = {"bundle",    "sign",       "2.skb",
                                         "--key",     "second.key", "--trust",
                                         "root.json", "--previous", "1.skb"};
  int status = -1;
  const std::string before = Read("2.skb");
  EXPECT_THAT(OnTerminal(sign, {"n"}, &status), HasSubstr("-hello"));
  EXPECT_EQ(status, 1);
  EXPECT_EQ(Read("2.skb"), before);
  const Output done = Skerry(sign);
  ASSERT_EQ(done.status, 0) << done.err;
  EXPECT_THAT(done.err, HasSubstr("+bye"));
  EXPECT_THAT(done.out, HasSubstr(line));
  EXPECT_THAT(done.out, HasSubstr("2 of 2 needed"));
  EXPECT_EQ(
      Printed({"bundle", "inspect", "2.skb", "--trust", "root.json", "--json"})["signatures_hold"],
      true);
}

// Anybody can write a bundle that no listed key has signed: its files are not looked at.
TEST_F(ReleaseCommandsTest, WithoutASignatureThatCountsNothingIsLookedAt) {
  MakeKeys();
  Must(Release("1", "hello\n"));
  Must({"keys", "generate", "--role", "release", "--out", "second.key"});
  Must({"trust", "init", "--root-key", "root.key", "--release-key", "second.pub", "--out",
        "other.json"});
  EXPECT_EQ(Skerry({"bundle", "inspect", "1.skb", "--trust", "other.json"}).status, 1);
  const std::vector<std::string> sign = {"bundle",     "sign",    "1.skb",     "--key",
                                         "second.key", "--trust", "other.json"};
  std::vector<std::string> compare = sign;
  compare.insert(compare.end(), {"--previous", "1.skb"});
  EXPECT_THAT(Refused(compare, 2), HasSubstr("no signature counts"));
  const Output done = Skerry(sign);
  EXPECT_THAT(done.out, HasSubstr("templates not looked at: no signature counts"));
  EXPECT_THAT(done.out, Not(HasSubstr("template  default")));
}

TEST_F(ReleaseCommandsTest, AnImportShowsWhatChanged) {
  MakeKeys();
  Accept();
  Must(Release("1", "hello\n"));
  Must(Release("2", "bye\n"));
  const Output first = Skerry({"import", "1.skb"});
  EXPECT_THAT(first.out, HasSubstr("template  default: new, sha256 "));
  EXPECT_THAT(first.out, Not(HasSubstr("+hello")));
  const Output second = Skerry({"import", "2.skb"});
  EXPECT_THAT(second.out, HasSubstr("template  default: changed, sha256 "));
  EXPECT_THAT(second.out, HasSubstr("changed since release 1:\n"));
  EXPECT_THAT(second.out, HasSubstr("-hello\n+bye\n"));
  const Json again = Printed({"import", "2.skb", "--json"});
  EXPECT_EQ(again["already_present"], true);
  EXPECT_EQ(again["compared_with"], 1);
  EXPECT_EQ(again["templates"][0]["change"], "changed");
}

TEST_F(ReleaseCommandsTest, InspectLooksInsideUnderATrustRootOnly) {
  MakeKeys();
  Must(Release("1", "hello\n"));
  const Output claims = Skerry({"bundle", "inspect", "1.skb"});
  ASSERT_EQ(claims.status, 0) << claims.err;
  EXPECT_THAT(claims.out, HasSubstr("NOT VERIFIED"));
  EXPECT_THAT(claims.out, HasSubstr("templates not read"));
  const Output inside = Skerry({"bundle", "inspect", "1.skb", "--trust", "root.json"});
  ASSERT_EQ(inside.status, 0) << inside.err;
  const std::string sha256 = Sha256::Of(std::string_view("hello\n")).Hex();
  EXPECT_THAT(inside.out, HasSubstr("signatures hold under root version 1"));
  EXPECT_THAT(inside.out, HasSubstr("template  default, sha256 " + sha256));
  Accept();
  const Json json = Printed({"bundle", "inspect", "1.skb", "--json"});
  EXPECT_EQ(json["signatures_hold"], true) << "by the appliance's own root";
  EXPECT_EQ(json["templates"], Json::array({{{"name", "default"}, {"sha256", sha256}}}));
  EXPECT_EQ(json["verified"], false);
}

TEST_F(ReleaseCommandsTest, InspectRefusesForgedContent) {
  MakeKeys();
  Must(Release("1", "a template of some length\n"));
  std::string bad = Read("1.skb");
  bad[bad.find("a template of")] ^= 1;
  Write("bad.skb", bad);
  const Output output = Skerry({"bundle", "inspect", "bad.skb", "--trust", "root.json"});
  EXPECT_EQ(output.status, 1);
  EXPECT_THAT(output.out, HasSubstr("NOT VERIFIED"));
  EXPECT_THAT(output.err, HasSubstr("'bad.skb'"));
  Must({"keys", "generate", "--role", "root", "--out", "other-root.key"});
  Must({"keys", "generate", "--role", "release", "--out", "other.key"});
  Must({"trust", "init", "--root-key", "other-root.key", "--release-key", "other.pub", "--out",
        "other.json"});
  const Output stranger = Skerry({"bundle", "inspect", "1.skb", "--trust", "other.json"});
  EXPECT_EQ(stranger.status, 1);
  EXPECT_THAT(stranger.out, Not(HasSubstr("template  default")));
}

TEST_F(ReleaseCommandsTest, InspectForAMachine) {
  MakeKeys();
  Must(Release("1", "hello\n"));
  const auto box = [&](const std::string& memory) {
    Write("box.json",
          R"({"engine":{"architectures":{"huggingface":["llama"]},"format":1,)"
          R"("kv_bytes_per_element":4,"split_gguf":false,"tensor_types":["BF16","F32"],)"
          R"("tokenizers":{"huggingface":["tokenizer.model"]},"version":"0.1.0"},"format":1,)"
          R"("gpus":[],"memory_bytes":)" +
              memory + R"(,"reserved_bytes":0,"store_free_bytes":1000000000000})");
    return Skerry({"bundle", "inspect", "1.skb", "--trust", "root.json", "--for", "box.json"});
  };
  const Output large = box("64000000000");
  EXPECT_EQ(large.status, 0) << large.err;
  EXPECT_THAT(large.out, HasSubstr("memory    "));
  const Output small = box("1000");
  EXPECT_EQ(small.status, 1);
  EXPECT_THAT(small.err, HasSubstr("will not fit the machine of 'box.json'"));
  EXPECT_EQ(Skerry({"bundle", "inspect", "1.skb", "--for", "box.json"}).status, 1)
      << "nothing is looked at without a root";
}

TEST_F(ReleaseCommandsTest, RemovedModelsLeaveReceiptAndFloor) {
  ImportTwo();
  const std::string refusal = Refused({"models", "rm", "acme/tiny"}, 2);
  EXPECT_THAT(refusal, HasSubstr(first_));
  EXPECT_THAT(refusal, HasSubstr(second_));
  const Output removed = Skerry({"models", "rm", second_.substr(0, 19)});
  ASSERT_EQ(removed.status, 0) << removed.err;
  EXPECT_THAT(removed.out, HasSubstr("removed   acme/tiny"));
  EXPECT_FALSE(files_->Exists("data/store/" + second_));
  EXPECT_TRUE(files_->Exists("data/store/" + first_));
  EXPECT_EQ(files_->List("data/receipts").value().size(), 4U) << "two receipts, two pages";
  Must({"receipts", "verify", "--all", "data/receipts", "--key", "data/admin/appliance.pub"});

  const Json only = Printed({"models", "rm", "acme/tiny", "--json"});
  EXPECT_EQ(only["digest"], first_);
  EXPECT_THAT(Refused({"models", "rm", "acme/tiny"}), HasSubstr("no model 'acme/tiny'"));
  EXPECT_THAT(Refused({"import", "1.skb"}), HasSubstr("a step back (rollback)"));
  EXPECT_EQ(Printed({"import", "2.skb", "--json"})["already_present"], false);
}

// A chunk that rotted on the disk is named, not just its file.
TEST_F(ReleaseCommandsTest, VerifyNamesTheChunk) {
  MakeKeys();
  Accept();
  std::string big(3 * (size_t{4} << 20), 'x');
  Write("model/vocab.txt", big);
  Must(Release("1", "hello\n"));
  const std::string digest = Printed({"import", "1.skb", "--json"})["digest"];
  ASSERT_EQ(Skerry({"models", "verify", "--all"}).status, 0);
  const std::string path = "data/store/" + digest + "/files/vocab.txt";
  big[(size_t{4} << 20) + 7] = 'y';
  ASSERT_TRUE(files_->Remove(path));
  Write(path, big);
  const Output damaged = Skerry({"models", "verify", "--all"});
  EXPECT_EQ(damaged.status, 1);
  EXPECT_THAT(damaged.out, HasSubstr("vocab.txt has another content than the one that was signed "
                                     "(chunk 1 of 4 MiB, from byte 4194304 on)"));
}

}  // namespace
}  // namespace skerry
