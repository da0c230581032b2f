// Adding signatures to a bundle in place: only the bytes of meta/signatures change.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "bundler/build/secret_key.h"
#include "bundler/format/manifest.h"
#include "bundler/reader/bundle.h"
#include "bundler/trust/trust_store.h"

namespace skerry::build {

struct SignOptions {
  reader::ReadOptions read;
  std::optional<Sha256Digest> digest;  // of the bundle that the signer agreed to
  // Called when every byte of all archives was read and holds, before anything is changed.
  std::function<void(const reader::SignableBundle& bundle)> show;
};

struct SignedBundle {
  Sha256Digest digest;
  size_t changed_files = 0;
  size_t restored_files = 0;  // that an interrupted signing had left half-written
  uint64_t signatures = 0;    // that count, now; of the archive that has the fewest
  uint64_t needed = 0;
};

// Adds signatures of `keys` to each of `paths`: a bundle, or volumes of one. The old content of
// meta/signatures is kept in "PATH.signatures" until the new one is durable; when that file is
// there at the beginning, its content is put back first. kUntrusted for a key that the release role
// does not list; kInvalidArgument when `paths` are of different bundles or not of the one agreed
// to; else as the reader.
Result<SignedBundle> SignBundle(FileSystem& files, const std::vector<std::string>& paths,
                                const trust::TrustState& trust, std::span<const SecretKey> keys,
                                const SignOptions& options = {});

// "PATH.signatures".
std::string KeptSignaturesPath(const std::string& path);

}  // namespace skerry::build
