// What an appliance trusts: DIR/trust/root.json, accepted by a person, and
// DIR/trust/revocations.json.
#pragma once

#include <string>

#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "bundler/trust/revocations.h"
#include "bundler/trust/root.h"

namespace skerry::trust {

inline constexpr char kRootPath[] = "trust/root.json";
inline constexpr char kRevocationsPath[] = "trust/revocations.json";

struct TrustState {
  SignedRoot root;
  Revocations revocations;
};

// From the data directory `files`. kUntrusted, saying how to accept one, when there is no root.
Result<TrustState> LoadTrust(FileSystem& files);

// Installs `text` as the root of the data directory after comparing its fingerprint. kUntrusted
// when it differs; kAlreadyExists when another root is in force (the same one again is success).
Result<SignedRoot> AcceptRoot(FileSystem& files, std::string_view text,
                              const Sha256Digest& fingerprint);

}  // namespace skerry::trust
