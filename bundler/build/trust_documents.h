// What the officer signs besides bundles: roots that follow one another, revocation lists, permits.
// Each may be signed by several people one after the other; until the threshold is reached it is a
// file that no reader accepts.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/result.h"
#include "bundler/build/secret_key.h"
#include "bundler/trust/permit.h"
#include "bundler/trust/revocations.h"
#include "bundler/trust/root.h"

namespace skerry::build {

// How the next root differs from the newest one. Keys by id; all of it may be empty.
struct RootChange {
  std::vector<trust::PublicKeyFile> add;  // with the role they were made for
  std::vector<trust::KeyId> remove;       // from all roles
  std::vector<std::pair<trust::RoleName, uint64_t>> thresholds;
};
// The root that follows `current`. kInvalidArgument for a key that is there already or is not, for
// a role without keys and for an impossible threshold.
Result<trust::Root> NextRoot(const trust::Root& current, const RootChange& change);

// What `revoke` adds to a list (absent: the first one); the sequence grows by one.
struct RevocationChange {
  std::vector<Sha256Digest> bundles;
  std::vector<Sha256Digest> models;
  std::vector<trust::KeyId> keys;
  std::vector<std::pair<std::string, uint64_t>> expired;
};
// kInvalidArgument when an expired release would become valid again. Nothing added is a list signed
// anew, as after a change of the revoke keys.
Result<trust::Revocations> NextRevocations(const trust::Revocations& old,
                                           const RevocationChange& change);

// "bundle HEX", with "sha256-" or without. kInvalidArgument naming `what`.
Result<Sha256Digest> ParseDigest(std::string_view text, const std::string& what);

// A signed document and what it lacks.
struct SignedDocument {
  std::string text;                  // the file
  std::vector<std::string> missing;  // for people; empty: every reader accepts it

  bool complete() const { return missing.empty(); }
};

// The root file `chain` with `next` as a further line, signed by `keys`. kInvalidArgument for a key
// that neither the old nor the new `root` role has.
Result<SignedDocument> SignNextRoot(const trust::RootChain& chain, const trust::Root& next,
                                    std::span<const SecretKey> keys);
Result<SignedDocument> SignRevocations(const trust::Root& root, const trust::Revocations& list,
                                       std::span<const SecretKey> keys);
Result<SignedDocument> SignPermit(const trust::Root& root, const trust::Permit& permit,
                                  std::span<const SecretKey> keys);

// Adds signatures to a document of any of the three kinds. `root_text` is the root file that a list
// or a permit is checked against; a root file brings its own. Signatures that are there must hold.
Result<SignedDocument> AddSignatures(std::string_view text, std::string_view root_text,
                                     std::span<const SecretKey> keys);

}  // namespace skerry::build
