// Makes a bundle: hashes the model, signs a manifest of it, writes the archive.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "bundler/build/secret_key.h"
#include "bundler/build/source.h"
#include "bundler/format/manifest.h"
#include "bundler/inspect/model.h"

namespace skerry::build {

struct CreateOptions {
  std::string id;  // ORG/NAME
  std::string version;
  uint64_t release_seq = 0;
  // The last day on which the model should be used, "2027-06-30"; readers only warn.
  std::optional<std::string> expires;
  std::string root_text;  // the root file, all of which travels along; the release role of its
                          // newest root must trust the keys
  std::string revocations_text;       // empty: none
  std::vector<SourceFile> documents;  // licence, model card, SBOM ...: sorted by name
  // Makes one more document, the SBOM, from the manifest as far as it is known: id, version, files.
  // None when empty; its name must not be among `documents`.
  std::function<Result<std::string>(const format::Manifest& manifest)> make_sbom;
  uint64_t max_volume_bytes = 0;  // volumes no longer than this; 0: one archive
  bool overwrite = false;         // files that have the names of what is written
  unsigned threads = 0;           // 0: one per core
  // Called after every chunk; total counts both passes over the data.
  std::function<void(uint64_t done_bytes, uint64_t total_bytes)> progress;
};

struct Created {
  Sha256Digest digest;  // of the manifest: the bundle's name in a store
  format::Manifest manifest;
  inspect::ModelFormat model_format = inspect::ModelFormat::kHuggingFace;
  std::vector<std::string> paths;  // of the archive, or of its volumes in order
  uint64_t bundle_bytes = 0;       // of all of them
  // Signatures that the release role still needs; 0: an appliance accepts the bundle.
  uint64_t missing_signatures = 0;
  uint64_t needed_signatures = 0;
};

// The files of `source` for inspect's functions; both must outlive the result.
inspect::ModelFiles FilesOf(FileSystem& files, const Source& source);

// Writes the bundle to `output_path` by way of "output_path.new", or its volumes to names made of
// it; an existing bundle is replaced only by a whole one. The bytes depend on files, options and
// keys alone. kUntrusted for keys that are not in the release role, or for a model that must not
// travel; kCorrupt when a file changed while it was read; kAlreadyExists; kExhausted when the place
// has not enough space, before anything is written.
Result<Created> CreateBundle(FileSystem& source_files, const Source& source,
                             const CreateOptions& options, std::span<const SecretKey> keys,
                             FileSystem& output_files, const std::string& output_path);

}  // namespace skerry::build
