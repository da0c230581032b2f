// Fuzz target: what of a bundle is read before its signatures are checked.
#include "bundler/reader/bundle.h"
#include "tests/bundler/string_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const skerry::testing::StringFile file(std::string(reinterpret_cast<const char*>(data), size));
  const auto bundle = skerry::reader::UnverifiedBundle::Open(file);
  if (bundle) (void)bundle->ReadClaims();
  return 0;
}
