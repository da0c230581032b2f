// Checking archives to the last byte without installing them: `skerry bundle verify`.
#pragma once

#include <span>
#include <string>

#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "bundler/reader/volume_set.h"

namespace skerry::reader {

struct NamedFile {
  std::string name;  // for messages
  const File* file = nullptr;
};

struct VerifyOptions {
  ReadOptions read;
  // Also the whole-file SHA-256 that the manifest records; needs all volumes.
  bool deep = false;
};

// Reads every byte of `files` (at least one; they must outlive the result), each an archive of the
// same bundle. The set may be incomplete; with `deep` that is kNotFound. Errors quote the file.
// Whether the files are a model is not asked here: see inspect::InspectFiles.
Result<VolumeSet> VerifyArchives(std::span<const NamedFile> files, const trust::TrustState& trust,
                                 const VerifyOptions& options = {});

}  // namespace skerry::reader
