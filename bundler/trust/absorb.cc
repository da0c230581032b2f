#include "bundler/trust/absorb.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "appliance/base/json.h"
#include "bundler/format/layout.h"
#include "bundler/format/manifest.h"
#include "bundler/format/names.h"

namespace skerry::trust {

namespace {

constexpr std::string_view kFolderPrefix = "sha256-";
constexpr size_t kMaxImportBytes = 1 << 20;

// A model in the store that is not taken over yet.
struct Candidate {
  std::string folder;  // "store/sha256-HEX"
  Release release;
  std::string manifest_text;
  std::vector<Signature> signatures;
  std::vector<RootText> roots;   // ascending
  std::string revocations_text;  // empty: none
  std::string permit_text;       // empty: none
  bool good = true;              // its signatures hold

  uint64_t NewestRoot() const { return roots.empty() ? 0 : roots.back().version; }
};

Result<std::string> ReadIfThere(FileSystem& files, const std::string& path, size_t max_bytes) {
  Result<std::string> text = ReadAll(files, path, max_bytes);
  if (!text && text.error().code() == ErrorCode::kNotFound) return std::string();
  return text;
}

Result<bool> IsThere(FileSystem& files, const std::string& path) {
  const Result<FileKind> kind = files.Stat(path);
  if (!kind && kind.error().code() != ErrorCode::kNotFound) return kind.error();
  return kind.has_value();
}

// Whether a folder failed by what it holds, not because it could not be read.
bool IsOfContent(const Error& error) {
  switch (error.code()) {
    case ErrorCode::kNotFound:
    case ErrorCode::kCorrupt:
    case ErrorCode::kUntrusted:
    case ErrorCode::kInvalidArgument:
      return true;
    default:
      return false;
  }
}

Result<std::vector<RootText>> ReadRoots(FileSystem& files, const std::string& directory) {
  std::vector<RootText> roots;
  const bool there = TRY(IsThere(files, directory));
  if (!there) return roots;
  const std::vector<DirectoryEntry> entries = TRY(files.List(directory));
  for (const DirectoryEntry& entry : entries) {
    const std::string& name = entry.name;
    if (name.empty() || name.size() > 7 || name[0] == '0' ||
        name.find_first_not_of("0123456789") != std::string::npos ||
        roots.size() == format::kMaxRoots) {
      return Error(ErrorCode::kCorrupt, "its roots are not those of a bundle");
    }
    RootText root;
    root.version = std::stoull(name);
    root.text = TRY(ReadAll(files, directory + "/" + name, format::kMaxRootBytes));
    roots.push_back(std::move(root));
  }
  std::sort(roots.begin(), roots.end(),
            [](const RootText& a, const RootText& b) { return a.version < b.version; });
  return roots;
}

// The manifest and what it says, checked against the folder's name.
Result<Candidate> ReadRelease(FileSystem& files, const std::string& name) {
  Candidate candidate;
  candidate.folder = "store/" + name;
  const Sha256Digest digest =
      TRY(Sha256Digest::FromHex(std::string_view(name).substr(kFolderPrefix.size())));
  candidate.manifest_text =
      TRY(ReadAll(files, candidate.folder + "/bundle/manifest", format::kMaxManifestBytes));
  if (Sha256::Of(std::string_view(candidate.manifest_text)) != digest) {
    return Error(ErrorCode::kCorrupt, "its manifest is not the one that its name says");
  }
  const format::Manifest manifest = TRY(format::ParseManifest(candidate.manifest_text));
  candidate.release = {manifest.id, manifest.release_seq, digest, format::ModelDigest(manifest)};
  return candidate;
}

Result<Candidate> ReadCandidate(FileSystem& files, const std::string& name) {
  Candidate candidate = TRY(ReadRelease(files, name));
  const std::string bundle = candidate.folder + "/bundle/";
  std::string signatures = TRY(ReadAll(files, bundle + "signatures", format::kSignaturesBytes));
  // Written with line feeds up to a fixed size.
  signatures.erase(signatures.find_last_not_of('\n') + 1);
  candidate.signatures = TRY(ParseSignatures(signatures, format::kSignaturesBytes));
  candidate.roots = TRY(ReadRoots(files, bundle + "roots"));
  candidate.revocations_text =
      TRY(ReadIfThere(files, bundle + "revocations", format::kMaxRevocationsBytes));
  candidate.permit_text = TRY(ReadIfThere(files, bundle + "permit", kMaxPermitBytes));
  return candidate;
}

// Under the newest root of which the release keys, without the revoked ones, have signed.
Result<void> CheckManifest(const TrustState& state, const Candidate& candidate) {
  std::optional<Error> first;
  for (auto root = state.roots.roots.rbegin(); root != state.roots.roots.rend(); ++root) {
    const Result<std::vector<KeyId>> signers =
        CheckSignatures(root->root, RoleName::kRelease, candidate.signatures, format::kManifestType,
                        candidate.manifest_text, state.revocations.keys);
    if (signers) return {};
    if (!first) first = signers.error();
  }
  return *first;
}

Result<SignedPermit> CheckPermit(const TrustState& state, const std::string& text) {
  std::optional<Error> first;
  for (auto root = state.roots.roots.rbegin(); root != state.roots.roots.rend(); ++root) {
    Result<SignedPermit> permit = ParsePermit(root->root, state.revocations.keys, text);
    if (permit) return permit;
    if (!first) first = permit.error();
  }
  return *first;
}

class Absorber {
 public:
  explicit Absorber(TrustState& state) : state_(state) {}

  // Roots and lists, those of the oldest root first: a list must hold under the root that was the
  // newest at its import.
  void TakeTrust(std::vector<Candidate>& candidates) {
    std::stable_sort(
        candidates.begin(), candidates.end(),
        [](const Candidate& a, const Candidate& b) { return a.NewestRoot() < b.NewestRoot(); });
    for (Candidate& candidate : candidates) {
      Result<RootChain> chain = FollowRoots(state_.roots, candidate.roots);
      if (chain) {
        state_.roots = std::move(*chain);
      } else {
        Warn(candidate, "its trust roots are passed over: " + chain.error().message());
      }
      if (candidate.revocations_text.empty()) continue;
      const Result<bool> taken = TakeRevocations(state_, candidate.revocations_text);
      if (!taken) Warn(candidate, "its list is passed over: " + taken.error().message());
    }
  }

  void CheckManifests(std::vector<Candidate>& candidates) {
    for (Candidate& candidate : candidates) {
      const Result<void> signed_by_us = CheckManifest(state_, candidate);
      candidate.good = signed_by_us.has_value();
      if (!candidate.good) {
        Warn(candidate,
             "it does not count for what may be imported: " + signed_by_us.error().message());
      }
    }
  }

  // Permits before releases: in which order two imports came is not recorded, and the higher floor
  // is the safe one.
  void TakeFloors(const std::vector<Candidate>& candidates) {
    std::set<std::string> permitted;  // folders
    for (const Candidate& candidate : candidates) {
      if (candidate.good && TakePermit(candidate)) permitted.insert(candidate.folder);
    }
    for (const Candidate& candidate : candidates) {
      if (!candidate.good) continue;
      state_.taken.insert(candidate.release.bundle);
      if (!permitted.contains(candidate.folder)) Raise(candidate);
    }
  }

  std::vector<std::string> warnings;

 private:
  void Warn(const Candidate& candidate, const std::string& message) {
    warnings.push_back(candidate.folder + ": " + message);
  }

  bool TakePermit(const Candidate& candidate) {
    if (candidate.permit_text.empty()) return false;
    const Result<SignedPermit> permit = CheckPermit(state_, candidate.permit_text);
    if (!permit) {
      Warn(candidate, "its permit is passed over: " + permit.error().message());
      return false;
    }
    if (!IsFor(permit->permit, candidate.release)) {
      Warn(candidate, "its permit is passed over: it is for another bundle");
      return false;
    }
    // A folder with a permit that was used before is no import of its own: a copy put back.
    if (!state_.used_permits.insert(permit->digest).second) return false;
    const Floor floor{candidate.release.release_seq, candidate.release.bundle};
    Floor& now = state_.floors[candidate.release.id];
    // Of several permits the highest release counts.
    const bool first = permitted_ids_.insert(candidate.release.id).second;
    if (first || floor.release_seq > now.release_seq) now = floor;
    return true;
  }

  void Raise(const Candidate& candidate) {
    const Floor floor{candidate.release.release_seq, candidate.release.bundle};
    const auto [place, is_new] = state_.floors.emplace(candidate.release.id, floor);
    if (!is_new && floor.release_seq > place->second.release_seq) place->second = floor;
  }

  TrustState& state_;
  std::set<std::string> permitted_ids_;
};

bool IsFolderName(const std::string& name) {
  return name.starts_with(kFolderPrefix) &&
         Sha256Digest::FromHex(std::string_view(name).substr(kFolderPrefix.size()));
}

}  // namespace

Result<std::vector<std::string>> AbsorbStore(FileSystem& files, TrustState& state,
                                             Unreadable unreadable) {
  std::vector<DirectoryEntry> entries;
  const bool there = TRY(IsThere(files, "store"));
  if (there) entries = TRY(files.List("store"));
  Absorber absorber(state);
  std::vector<Candidate> candidates;
  std::set<Sha256Digest> still_there;
  for (const DirectoryEntry& entry : entries) {
    if (entry.name.starts_with(kTakenOutPrefix)) continue;
    if (entry.kind != FileKind::kDirectory || !IsFolderName(entry.name)) {
      absorber.warnings.push_back("store/" + format::Quote(entry.name) + ": no model's folder");
      continue;
    }
    const Sha256Digest digest =
        Sha256Digest::FromHex(std::string_view(entry.name).substr(kFolderPrefix.size())).value();
    if (state.taken.contains(digest)) {
      still_there.insert(digest);
      continue;
    }
    Result<Candidate> candidate = ReadCandidate(files, entry.name);
    if (candidate) {
      candidates.push_back(std::move(*candidate));
    } else if (unreadable == Unreadable::kIsAnError && !IsOfContent(candidate.error())) {
      return Error(candidate.error().code(),
                   "store/" + entry.name + ": " + candidate.error().message());
    } else {
      absorber.warnings.push_back("store/" + entry.name +
                                  ": left out: " + candidate.error().message());
    }
  }
  // A bundle that was deleted and is imported again is an import of its own.
  state.taken = std::move(still_there);
  absorber.TakeTrust(candidates);
  absorber.CheckManifests(candidates);
  absorber.TakeFloors(candidates);
  return std::move(absorber.warnings);
}

Result<ImportedFacts> ReadImportedFacts(FileSystem& files, const std::string& folder) {
  if (!IsFolderName(folder)) {
    return Error(ErrorCode::kInvalidArgument, format::Quote(folder) + " is no model's folder");
  }
  const Candidate candidate = TRY(ReadRelease(files, folder).WithContext("store/" + folder));
  const std::string text = TRY(ReadAll(files, candidate.folder + "/import.json", kMaxImportBytes));
  const Error bad(ErrorCode::kCorrupt, candidate.folder + "/import.json records no signers");
  const Result<Json> json = ParseJson(text);
  if (!json || !json->is_object()) return bad;
  ImportedFacts facts;
  facts.release = candidate.release;
  const auto signers = json->find("signers");
  if (signers == json->end() || !signers->is_array()) return bad;
  for (const Json& signer : *signers) {
    if (!signer.is_string()) return bad;
    const KeyId id = TRY(Sha256Digest::FromHex(signer.get_ref<const std::string&>()));
    facts.signers.push_back(id);
  }
  // Imports of the first releases recorded no threshold; one signature was needed at least.
  const int64_t threshold = TRY(GetIntOr(*json, "release_threshold", 1));
  if (threshold < 1) return bad;
  facts.release_threshold = static_cast<uint64_t>(threshold);
  return facts;
}

}  // namespace skerry::trust
