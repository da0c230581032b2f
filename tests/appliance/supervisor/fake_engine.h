// A data directory with one model and a shell script in the engine's place.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <string>

#include "appliance/base/files.h"
#include "appliance/base/testing/fixtures.h"
#include "appliance/supervisor/server.h"

namespace skerry::supervisor {

inline const std::string kModel = "sha256-" + std::string(64, 'a');

class FakeEngine {
 public:
  explicit FakeEngine(const std::string& script) {
    auto files = OpenFiles(path()).value();
    EXPECT_TRUE(MakeDirectories(*files, "store/" + kModel + "/files").has_value());
    EXPECT_TRUE(MakeDirectories(*files, "run/engine").has_value());
    SetScript(script);
  }
  void SetScript(const std::string& script) {
    const std::string program = path() + "/engine";
    std::ofstream(program + ".new") << "#!/bin/sh\n" << script << "\n";
    ::chmod((program + ".new").c_str(), 0755);
    ::rename((program + ".new").c_str(), program.c_str());
  }
  const std::string& path() const { return directory_.path(); }

  ChildOptions Options() const {
    ChildOptions options;
    options.data_directory = path();
    options.engine_program = path() + "/engine";
    options.allowed_uid = ::getuid();
    options.first_restart_ms = 1;
    options.max_restart_ms = 4;
    options.stop_grace_ms = 5'000;
    return options;
  }
  std::string Read(const std::string& name) const {
    std::ifstream file(path() + "/" + name);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  bool Exists(const std::string& name) const {
    return ::access((path() + "/" + name).c_str(), F_OK) == 0;
  }

 private:
  testing::TemporaryDirectory directory_;
};

// Asks again and again until `done`, at most ten seconds.
inline bool Eventually(const std::function<bool()>& done) {
  for (int i = 0; i < 2'000; ++i) {
    if (done()) return true;
    ::usleep(5'000);
  }
  return false;
}

}  // namespace skerry::supervisor
