// Which files make up a model that lies in a folder, or in one GGUF file or several.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "appliance/base/sha256.h"

namespace skerry::build {

struct SourceFile {
  std::string name;  // in the bundle
  std::string path;  // in the source's file system; no part of it is a link
  // What the store that it comes from says of the content: it names its files by their hash.
  std::optional<Sha256Digest> sha256 = std::nullopt;
};

struct Source {
  std::vector<SourceFile> files;      // the model, sorted by name
  std::vector<SourceFile> documents;  // licences and model card, sorted by name
  std::vector<std::string> left_out;  // what was not taken, for the user to see
};

// Patterns of fnmatch(3) on the whole relative name; '*' matches '/' too.
struct SourceOptions {
  // Taken as a file of the model whatever the name says.
  std::vector<std::string> include;
  // Left out, with everything below it; counts before `include`.
  std::vector<std::string> exclude;
};

// `path`: a model folder, a snapshot in a Hugging Face cache
// (models--ORG--NAME/snapshots/REVISION), a folder with one GGUF model, or a GGUF file, whose
// other parts are found beside it. Links to files within the folder (of a snapshot, also to
// ../../blobs) are followed.
//
// kUntrusted for other links, for names that are no part of a model and for weights in a form that
// is not used, naming all of them and what to do; kCorrupt for a download that has not ended;
// kInvalidArgument when the same weights are there twice or several models are; kNotFound.
Result<Source> ListSource(FileSystem& files, const std::string& path,
                          const SourceOptions& options = {});

// `path` as it is below "/" (no slash before it), without links in the folders that lead to it; its
// last part may be one when it is a file, and ListSource decides about that.
Result<std::string> ResolveSource(const std::string& path);

}  // namespace skerry::build
