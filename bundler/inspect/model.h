// Whether a set of files is a model that may travel, and which kind. Used before packing on the
// connected side and again on the appliance before an import counts.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "bundler/format/manifest.h"

namespace skerry::inspect {

enum class ModelFormat { kHuggingFace, kMistral, kGguf };
std::string_view ModelFormatName(ModelFormat format);  // "huggingface", "mistral", "gguf"

struct ModelFiles {
  std::vector<std::string> names;  // relative, checked by format::CheckFileNames
  std::function<Result<std::unique_ptr<File>>(const std::string& name)> open;
};

using OpenByIndex = std::function<Result<std::unique_ptr<File>>(size_t file_idx)>;

// The files of a bundle, which `open` opens by their index in the manifest.
ModelFiles FilesOf(const format::Manifest& manifest, OpenByIndex open);

// kNotFound when this is no model (with what is missing), kUntrusted for what must not travel,
// kCorrupt for weights that are not well-formed; each names the file.
Result<ModelFormat> InspectModel(const ModelFiles& files);

// The same for the files of a bundle; kUntrusted for a bundle of another kind.
Result<ModelFormat> InspectFiles(const format::Manifest& manifest, OpenByIndex open);

}  // namespace skerry::inspect
