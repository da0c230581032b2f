#include "appliance/base/testing/fixtures.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>

namespace skerry::testing {

std::string FixturesDirectory() {
  const char* set = std::getenv("SKERRY_FIXTURES");
  const std::string path = set != nullptr ? set : SKERRY_DEFAULT_FIXTURES;
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored) ? path : "";
}

TemporaryDirectory::TemporaryDirectory() {
  char name[] = "/tmp/skerry-test-XXXXXX";
  if (::mkdtemp(name) == nullptr) {
    std::perror("mkdtemp");
    std::abort();
  }
  path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace skerry::testing
