// Where tests find real data that is not part of the repository.
#pragma once

#include <string>

namespace skerry::testing {

// $SKERRY_FIXTURES, else the build's default; empty when that directory does not exist.
std::string FixturesDirectory();

// A new empty directory, removed with everything in it at the end of the scope. Its path is short
// enough for Unix sockets.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace skerry::testing

// First line of a test that needs the fixtures.
#define SKERRY_REQUIRE_FIXTURES(variable)                              \
  const std::string variable = ::skerry::testing::FixturesDirectory(); \
  if (variable.empty()) GTEST_SKIP() << "no fixtures: set SKERRY_FIXTURES to their folder"
