// A directory with a small model, and `skerry` run in it from outside.
#pragma once

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

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
#include "appliance/base/unix_socket.h"
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
  // Runs it with a terminal that types `answers`, one for each "...: " or "[y/N] "; returns what
  // the terminal showed.
  std::string OnTerminal(const std::vector<std::string>& arguments,
                         const std::vector<std::string>& answers, int* status) {
    int master = -1;
    const pid_t pid = ::forkpty(&master, nullptr, nullptr, nullptr);
    if (pid == 0) {
      std::vector<char*> argv;
      const std::string program = programs_ + "/skerry";
      argv.push_back(const_cast<char*>(program.c_str()));
      for (const std::string& word : arguments) argv.push_back(const_cast<char*>(word.c_str()));
      argv.push_back(nullptr);
      if (::chdir(dir_.path().c_str()) == 0) ::execv(program.c_str(), argv.data());
      ::_exit(127);
    }
    const UniqueFd terminal(master);
    std::string shown;
    size_t next = 0, from = 0;
    char buffer[4096];
    for (;;) {
      const ssize_t got = ::read(terminal.get(), buffer, sizeof buffer);
      if (got <= 0) break;  // EIO at the end
      shown.append(buffer, static_cast<size_t>(got));
      if (next < answers.size() && (shown.find(": ", from) != std::string::npos ||
                                    shown.find("[y/N] ", from) != std::string::npos)) {
        from = shown.size();
        EXPECT_TRUE(WriteFully(terminal.get(), answers[next++] + "\n"));
      }
    }
    int state = 0;
    EXPECT_EQ(::waitpid(pid, &state, 0), pid);
    *status = WIFEXITED(state) ? WEXITSTATUS(state) : -1;
    return shown;
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
