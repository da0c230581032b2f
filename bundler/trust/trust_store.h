// What an appliance keeps of its trust, below trust/ of its data directory: the roots from the one
// on that a person accepted, the revocation list with the highest sequence it has seen, and which
// releases it has imported.
#pragma once

#include <map>
#include <set>
#include <string>

#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "appliance/base/unique_fd.h"
#include "bundler/trust/revocations.h"
#include "bundler/trust/root.h"

namespace skerry::trust {

inline constexpr char kRootPath[] = "trust/root.json";
inline constexpr char kRevocationsPath[] = "trust/revocations.json";
inline constexpr char kStatePath[] = "trust/state.json";

// The highest release of an id that was imported: nothing below it comes in without a permit.
struct Floor {
  uint64_t release_seq = 0;
  Sha256Digest digest;  // of the bundle

  bool operator==(const Floor&) const = default;
};

struct TrustState {
  RootChain roots;
  Revocations revocations;
  std::string revocations_text;         // the file; empty: there is no list
  std::map<std::string, Floor> floors;  // by id
  std::set<Sha256Digest> used_permits;  // SignedPermit::digest
  std::set<Sha256Digest> taken;         // bundles in the store that AbsorbStore has taken over

  const Root& root() const { return roots.newest().root; }
};

// From the data directory `files`. kUntrusted, saying how to accept one, when there is no root.
Result<TrustState> LoadTrust(FileSystem& files);

// Writes the files whose content changed, each as a whole and in an order that a power cut may
// interrupt: a list only after the root that it is signed under, floors after both. The caller has
// the TrustLock since it loaded `state`.
Result<void> SaveTrust(FileSystem& files, const TrustState& state);

// Kept from loading to saving by whoever changes the files, so that the appliance and a command
// beside it do not overwrite each other's. Held until destroyed.
class TrustLock {
 public:
  // Waits for `data_directory`/trust/lock; makes trust/ when absent.
  static Result<TrustLock> Take(const std::string& data_directory);

 private:
  explicit TrustLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

// Takes `text` over as the list in force when its sequence is higher (true), and passes over
// another one unchecked (false). kUntrusted when the newest root's revoke keys have not signed a
// higher one, kCorrupt for a bad form.
Result<bool> TakeRevocations(TrustState& state, std::string_view text);

// Installs the root file `text` from the root on that has this fingerprint. kUntrusted when none
// has it; kAlreadyExists when other roots are in force. When the root is among those in force
// already, the newer ones of the file are taken over.
Result<RootChain> AcceptRoots(FileSystem& files, std::string_view text,
                              const Sha256Digest& fingerprint);

}  // namespace skerry::trust
