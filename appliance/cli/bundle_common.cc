#include "appliance/cli/bundle_common.h"

#include <memory>
#include <nlohmann/json.hpp>

#include "appliance/base/files.h"
#include "bundler/format/layout.h"

namespace skerry::cli {

Result<trust::TrustState> ReadTrust(const Context& context, const std::string& path) {
  if (path.empty()) {
    const std::unique_ptr<FileSystem> data = TRY(OpenFiles(context.data_directory));
    return trust::LoadTrust(*data);
  }
  const std::unique_ptr<FileSystem> files = TRY(OpenFiles("."));
  const std::string text = TRY(ReadAll(*files, path, format::kMaxRootFileBytes));
  trust::TrustState state;
  state.roots = TRY(trust::ParseRootChain(text).WithContext("'" + path + "'"));
  return state;
}

Json KeyIdList(const std::vector<trust::KeyId>& ids) {
  Json array = Json::array();
  for (const trust::KeyId& id : ids) array.push_back(id.Hex());
  return array;
}

Json OrNull(const std::optional<std::string>& text) { return text ? Json(*text) : Json(); }

Json VolumeNumber(const std::optional<format::Volume>& volume) {
  return volume ? Json(volume->number) : Json();
}

}  // namespace skerry::cli
