// A directory with a small model, and `skerry` run in it from outside.
#pragma once

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "appliance/base/files.h"
#include "appliance/base/json.h"
#include "appliance/base/process.h"
#include "appliance/base/testing/fixtures.h"
#include "appliance/base/unique_fd.h"
#include "tests/bundler/small_model.h"

namespace skerry {

struct Output {
  int status = -1;
  std::string out;
  std::string err;
};

class CommandWorld : public ::testing::Test {
 protected:
  // `programs`: the folder of the programs under test.
  explicit CommandWorld(std::string programs)
      : programs_(std::move(programs)), files_(OpenFiles(dir_.path()).value()) {
    for (const auto& [name, text] : skerry::testing::SmallModel()) Write("model/" + name, text);
  }

  std::string At(const std::string& name) const { return dir_.path() + "/" + name; }
  void Write(const std::string& path, const std::string& text) {
    ASSERT_TRUE(MakeDirectories(*files_, ParentDirectory(path)));
    ASSERT_TRUE(WriteAtomically(*files_, path, text));
  }
  std::string Read(const std::string& path) { return ReadAll(*files_, path).value(); }

  // `skerry ARGUMENTS` in the test's directory.
  Output Skerry(std::vector<std::string> arguments) {
    SpawnOptions options;
    options.argv = {programs_ + "/skerry"};
    options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
    options.working_directory = dir_.path();
    options.extra_environment = {"SKERRY_DATA=" + At("data")};
    const UniqueFd out(::open(At("out.txt").c_str(), O_CREAT | O_TRUNC | O_RDWR, 0600));
    const UniqueFd err(::open(At("err.txt").c_str(), O_CREAT | O_TRUNC | O_RDWR, 0600));
    options.fds = {{out.get(), 1}, {err.get(), 2}};
    const Result<pid_t> pid = Spawn(options);
    EXPECT_TRUE(pid) << pid.error().message();
    if (!pid) return {};
    const ExitState state = *WaitForExit(*pid).value();
    return {state.signalled ? -state.code : state.code, Read("out.txt"), Read("err.txt")};
  }
  void Must(const std::vector<std::string>& arguments) {
    const Output output = Skerry(arguments);
    ASSERT_EQ(output.status, 0) << output.err;
    EXPECT_THAT(output.err, ::testing::IsEmpty());
  }
  // A refusal is one line with the program's name.
  std::string Refused(const std::vector<std::string>& arguments, int status = 1) {
    const Output output = Skerry(arguments);
    EXPECT_EQ(output.status, status) << output.out << output.err;
    EXPECT_THAT(output.err, ::testing::MatchesRegex("skerry: [^\n]+\n"));
    return output.err;
  }

  void MakeKeys() {
    Must({"keys", "generate", "--role", "root", "--out", "root.key"});
    Must({"keys", "generate", "--role", "release", "--out", "release.key"});
    Must({"trust", "init", "--root-key", "root.key", "--release-key", "release.pub", "--out",
          "root.json"});
  }
  std::vector<std::string> CreateArguments(const std::string& model, const std::string& out) {
    return {"bundle",      "create",  model,       "--id", "acme/tiny",
            "--version",   "1.0.0",   "--seq",     "1",    "--key",
            "release.key", "--trust", "root.json", "-o",   out};
  }
  void MakeBundle() {
    MakeKeys();
    Must(CreateArguments("model", "x.skb"));
  }
  void Accept() {
    const Output shown = Skerry({"trust", "show", "root.json", "--json"});
    const std::string fingerprint =
        GetString(ParseJson(shown.out.substr(0, shown.out.size() - 1)).value(), "fingerprint")
            .value();
    Must({"trust", "accept", "root.json", "--fingerprint", fingerprint});
  }
  std::map<std::string, std::string> Snapshot(const std::string& below) {
    std::map<std::string, std::string> content;
    if (!files_->Exists(below)) return content;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(At(below))) {
      const std::string path = entry.path().string().substr(dir_.path().size() + 1);
      content[path] = entry.is_directory() ? "/" : Read(path);
    }
    return content;
  }

  const std::string programs_;
  skerry::testing::TemporaryDirectory dir_;
  std::unique_ptr<FileSystem> files_;
};

}  // namespace skerry
