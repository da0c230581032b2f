#ifndef SKERRY_DEFAULT_FIXTURES
#define SKERRY_DEFAULT_FIXTURES ""
#endif
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "appliance/base/testing/fixtures.h"

namespace skerry::testing {

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
