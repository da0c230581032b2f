// Fuzz target: chat templates out of configuration and GGUF files, and their difference. What is
// shown holds no character that a terminal obeys.
#include <cstdlib>
#include <memory>
#include <string>

#include "bundler/inspect/templates.h"
#include "bundler/inspect/text_diff.h"
#include "tests/bundler/string_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace skerry::inspect;
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const char* name : {"tokenizer_config.json", "model.gguf"}) {
    const ModelFiles files{{name}, [&](const std::string&) {
                             return skerry::Result<std::unique_ptr<skerry::File>>(
                                 std::make_unique<skerry::testing::StringFile>(text));
                           }};
    const auto templates = ReadTemplates(files);
    if (templates) (void)DescribeTemplateChanges({}, *templates);
  }
  const std::string shown = UnifiedDiff("a", "b", text.substr(0, size / 2), text.substr(size / 2));
  for (const char c : shown) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7f) abort();
  }
  return 0;
}
