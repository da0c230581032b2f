#include "bundler/inspect/internal/json_file.h"

#include <nlohmann/json.hpp>

#include "bundler/format/names.h"

namespace skerry::inspect::internal {

Result<Json> ReadJsonFile(const ModelFiles& files, const std::string& name, size_t max_bytes) {
  const std::string context = "file " + format::Quote(name);
  const std::unique_ptr<File> file = TRY(files.open(name));
  const std::string text = TRY(ReadAll(*file, max_bytes).WithContext(context));
  const JsonLimits limits{.max_bytes = max_bytes};
  return ParseJson(text, limits).WithContext(context);
}

}  // namespace skerry::inspect::internal
