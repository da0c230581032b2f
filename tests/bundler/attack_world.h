// An appliance's data directory on a disk, a release officer, and the programs that an operator
// runs: what they say of an attack, what they leave behind, what memory they take.
#pragma once

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <functional>

#include "appliance/base/process.h"
#include "appliance/base/testing/fixtures.h"
#include "tests/bundler/signed_bundle.h"

namespace skerry::testing {

using Files = std::map<std::string, std::string>;

inline std::vector<std::string> ContentsOf(const Files& files) {
  std::vector<std::string> contents;
  for (const auto& [name, content] : files) contents.push_back(content);
  return contents;
}

class AttackWorld : public ::testing::Test {
 protected:
  // The programs lie in `program_directory`.
  explicit AttackWorld(std::string program_directory, ReleaseOffice office = ReleaseOffice())
      : program_directory_(std::move(program_directory)),
        office_(std::move(office)),
        files_(OpenFiles(dir_.path()).value()) {
    Write("data/trust/root.json", office_.root_text);
    Write("root.json", office_.root_text);
    Write("outside/canary", "untouched");
  }

  std::string At(const std::string& name) const { return dir_.path() + "/" + name; }
  void Write(const std::string& path, const std::string& text) {
    ASSERT_TRUE(MakeDirectories(*files_, ParentDirectory(path)));
    ASSERT_TRUE(WriteAtomically(*files_, path, text));
  }
  std::string Read(const std::string& path) { return ReadAll(*files_, path).value(); }
  Files Below(const std::string& folder) {
    Files content;
    if (!files_->Exists(folder)) return content;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(At(folder))) {
      const std::string path = entry.path().string().substr(dir_.path().size() + 1);
      content[path] = entry.is_directory() ? "/" : Read(path);
    }
    return content;
  }

  pid_t Start(const std::vector<std::string>& arguments, const std::string& name) {
    SpawnOptions options;
    options.argv = {program_directory_ + "/skerry"};
    options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
    options.working_directory = dir_.path();
    options.extra_environment = {"SKERRY_DATA=" + At("data")};
    const UniqueFd out(::open(At(name + ".out").c_str(), O_CREAT | O_TRUNC | O_RDWR, 0600));
    const UniqueFd err(::open(At(name + ".err").c_str(), O_CREAT | O_TRUNC | O_RDWR, 0600));
    options.fds = {{out.get(), 1}, {err.get(), 2}};
    return Spawn(options).value();
  }
  int Run(const std::vector<std::string>& arguments) {
    const ExitState state = *WaitForExit(Start(arguments, "run")).value();
    return state.signalled ? -state.code : state.code;
  }
  // Imports `media`, which must be refused: in one line that no terminal obeys, with nothing in
  // store and staging and nothing outside, in bounded memory. That line.
  std::string RefusedMedia(const std::vector<std::string>& media, int status = 1) {
    std::vector<std::string> arguments = {"import"};
    arguments.insert(arguments.end(), media.begin(), media.end());
    EXPECT_EQ(Run(arguments), status) << Read("run.out");
    std::string message = Read("run.err");
    EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), 1) << message;
    EXPECT_TRUE(std::all_of(message.begin(), message.end(), [](char c) {
      return c >= ' ' || c == '\n';
    })) << message;
    EXPECT_TRUE(Below("data/store").empty());
    EXPECT_TRUE(Below("data/staging").empty());
    EXPECT_EQ(Below("outside").size(), 1U);
    EXPECT_EQ(Read("outside/canary"), "untouched");
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    constexpr long kBoundKib = 128 << 10;
    rusage usage{};
    EXPECT_EQ(::getrusage(RUSAGE_CHILDREN, &usage), 0);
    EXPECT_LT(usage.ru_maxrss, kBoundKib);
#endif
    return message;
  }
  std::string Refused(const std::string& bundle) {
    Write("bad.skb", bundle);
    return RefusedMedia({"bad.skb"});
  }
  void Accepted(const std::string& bundle) {
    Write("good.skb", bundle);
    EXPECT_EQ(Run({"import", "good.skb"}), 0) << Read("run.err");
  }
  // A bundle of the small model whose manifest a test has changed and everybody has signed.
  std::string With(const std::function<void(Json&)>& change) {
    Json manifest = SignedManifest(office_, SmallModel());
    change(manifest);
    return SignedParts(office_, DumpJson(manifest), ContentsOf(SmallModel())).Join();
  }

  const std::string program_directory_;
  TemporaryDirectory dir_;
  ReleaseOffice office_;
  std::unique_ptr<FileSystem> files_;
};

}  // namespace skerry::testing
