// Fuzz target: what must not travel, by content (pickles and the others). A walk that meets the end
// of the file is as good as one that does not begin.
#include <cstdlib>

#include "bundler/inspect/content.h"
#include "bundler/inspect/pickle.h"
#include "tests/bundler/string_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace skerry::inspect;
  const std::string content(reinterpret_cast<const char*>(data), size);
  const skerry::testing::StringFile file(content);
  const auto pickle = IsPickle(file);
  if (!pickle) abort();  // a file that can be read has an answer
  const auto checked = CheckContent("x", file);
  if (*pickle && checked) abort();
  // What an unpickler has run cannot be undone by what follows.
  if (*pickle && !*IsPickle(skerry::testing::StringFile(content + "\xff"))) abort();
  return 0;
}
