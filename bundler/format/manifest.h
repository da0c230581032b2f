// The manifest: the only object of a bundle that is signed. It names every other byte of the
// archive, so whoever trusts it can check all the rest.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/result.h"
#include "appliance/base/sha256.h"

namespace skerry::format {

enum class Kind { kModel, kSoftware, kImage };
std::string_view KindName(Kind kind);  // "model", ...

struct FileEntry {
  std::string name;     // relative path, CheckFileName
  uint64_t size = 0;    // bytes
  Sha256Digest root;    // TreeRoot of its chunks
  Sha256Digest sha256;  // of the whole file, to compare with the publisher's
};

struct RootEntry {
  uint64_t version = 0;
  uint64_t size = 0;
  Sha256Digest sha256;
};

struct BlobEntry {
  uint64_t size = 0;
  Sha256Digest sha256;
};

struct Manifest {
  Kind kind = Kind::kModel;
  std::string id;  // ORG/NAME
  std::string version;
  uint64_t release_seq = 0;            // 1 and up, growing with every release of the id
  std::optional<std::string> expires;  // last day of its use, "2027-06-30" (UTC): only a warning
  std::vector<FileEntry> files;        // sorted by name
  std::vector<FileEntry> documents;    // SBOM, licence, ...; sorted by name, at most one chunk each
  std::vector<RootEntry> roots;        // trust roots that travel along, ascending versions
  std::optional<BlobEntry> revocations;

  uint64_t DataBytes() const;  // sum of the files' sizes
};

// The one text form: strict JSON without white space, keys sorted. Fails as ParseManifest would.
Result<std::string> SerializeManifest(const Manifest& manifest);

// Inverse of SerializeManifest; refuses every other spelling of the same content. kCorrupt or
// kUntrusted, naming the field.
Result<Manifest> ParseManifest(std::string_view text);

// Names the content of a model whatever its id, version and signers: SHA-256 of the text form of
// `files`.
Sha256Digest ModelDigest(const Manifest& manifest);

}  // namespace skerry::format
