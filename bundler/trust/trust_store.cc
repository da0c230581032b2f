#include "bundler/trust/trust_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "appliance/base/json.h"
#include "bundler/format/layout.h"
#include "bundler/format/names.h"

namespace skerry::trust {

namespace {

// Room for 100,000 ids, permits and models.
constexpr size_t kMaxStateBytes = 32 << 20;

// "" when there is no such file.
Result<std::string> ReadIfThere(FileSystem& files, const char* path, size_t max_bytes) {
  Result<std::string> text = ReadAll(files, path, max_bytes);
  if (!text && text.error().code() == ErrorCode::kNotFound) return std::string();
  return text;
}

Json ToJson(const std::set<Sha256Digest>& digests) {
  Json array = Json::array();
  for (const Sha256Digest& digest : digests) array.push_back(digest.Hex());
  return array;
}

Result<std::set<Sha256Digest>> DigestsFromJson(const Json& object, const std::string& key) {
  const auto array = object.find(key);
  if (array == object.end() || !array->is_array()) {
    return Error(ErrorCode::kCorrupt, "field '" + key + "' must be an array");
  }
  std::set<Sha256Digest> digests;
  for (const Json& item : *array) {
    if (!item.is_string()) {
      return Error(ErrorCode::kCorrupt, "field '" + key + "' must hold digests");
    }
    const Sha256Digest digest = TRY(Sha256Digest::FromHex(item.get_ref<const std::string&>()));
    digests.insert(digest);
  }
  return digests;
}

std::string SerializeState(const TrustState& state) {
  Json floors = Json::object();
  for (const auto& [id, floor] : state.floors) {
    floors[id] = {{"digest", floor.digest.Hex()}, {"release_seq", floor.release_seq}};
  }
  const Json json = {{"floors", std::move(floors)},
                     {"permits", ToJson(state.used_permits)},
                     {"taken", ToJson(state.taken)}};
  return DumpJson(json) + "\n";
}

Result<void> ParseState(std::string_view text, TrustState& state) {
  const JsonLimits limits{.max_bytes = kMaxStateBytes, .max_depth = 4, .allow_floats = false};
  const Json json = TRY(ParseJson(text, limits));
  TRY(RefuseUnknownKeys(json, {"floors", "permits", "taken"}));
  const auto floors = json.find("floors");
  if (floors == json.end() || !floors->is_object()) {
    return Error(ErrorCode::kCorrupt, "field 'floors' must be an object");
  }
  for (const auto& item : floors->items()) {
    TRY(format::CheckModelId(item.key()));
    TRY(RefuseUnknownKeys(item.value(), {"digest", "release_seq"}));
    const std::string digest = TRY(GetString(item.value(), "digest"));
    const int64_t release_seq = TRY(GetInt(item.value(), "release_seq"));
    if (release_seq < 1) return Error(ErrorCode::kCorrupt, "field 'release_seq' is out of range");
    Floor floor;
    floor.release_seq = static_cast<uint64_t>(release_seq);
    floor.digest = TRY(Sha256Digest::FromHex(digest));
    state.floors.emplace(item.key(), floor);
  }
  state.used_permits = TRY(DigestsFromJson(json, "permits"));
  state.taken = TRY(DigestsFromJson(json, "taken"));
  return {};
}

Result<void> WriteIfChanged(FileSystem& files, const char* path, const std::string& text,
                            size_t max_bytes) {
  const Result<std::string> old = ReadAll(files, path, max_bytes);
  if (old && *old == text) return {};
  // A content that cannot be read is replaced; a disk that fails fails again.
  return WriteAtomically(files, path, text, 0644);
}

Result<void> MakeTrustDirectory(FileSystem& files) {
  if (files.Exists("trust")) return {};
  TRY(MakeDirectories(files, "trust", 0755));
  return files.SyncDirectory(".");
}

// The list must not stem from other roots than those that are about to be installed.
Result<void> CheckNoForeignList(FileSystem& files, const RootChain& chain) {
  const std::string list = TRY(ReadIfThere(files, kRevocationsPath, format::kMaxRevocationsBytes));
  if (list.empty() || ParseRevocations(chain, list)) return {};
  return Error(ErrorCode::kAlreadyExists,
               "'" + std::string(kRevocationsPath) +
                   "' of the data directory was signed under another root; remove it to accept "
                   "this one (what it revoked is then not revoked any more)");
}

}  // namespace

Result<TrustState> LoadTrust(FileSystem& files) {
  const std::string text = TRY(ReadIfThere(files, kRootPath, format::kMaxRootFileBytes));
  if (text.empty()) {
    return Error(ErrorCode::kUntrusted,
                 "there is no trust root yet; accept one with 'skerry trust accept root.json "
                 "--fingerprint HEX', where HEX came to you by another way than the file");
  }
  TrustState state;
  state.roots = TRY(ParseRootChain(text).WithContext(kRootPath));
  state.revocations_text = TRY(ReadIfThere(files, kRevocationsPath, format::kMaxRevocationsBytes));
  if (!state.revocations_text.empty()) {
    state.revocations =
        TRY(ParseRevocations(state.roots, state.revocations_text).WithContext(kRevocationsPath));
  }
  const std::string floors = TRY(ReadIfThere(files, kStatePath, kMaxStateBytes));
  if (floors.empty()) return state;
  const Result<void> parsed = ParseState(floors, state);
  if (!parsed) {
    return Error(ErrorCode::kCorrupt,
                 std::string(kStatePath) + ": " + parsed.error().message() +
                     "; restore it from a backup. Removing it makes the appliance take the floors "
                     "of the models that are in the store, and forget used permits");
  }
  return state;
}

Result<void> SaveTrust(FileSystem& files, const TrustState& state) {
  TRY(MakeTrustDirectory(files));
  TRY(WriteIfChanged(files, kRootPath, SerializeRootChain(state.roots), format::kMaxRootFileBytes));
  if (!state.revocations_text.empty()) {
    TRY(WriteIfChanged(files, kRevocationsPath, state.revocations_text,
                       format::kMaxRevocationsBytes));
  }
  const bool empty = state.floors.empty() && state.used_permits.empty() && state.taken.empty();
  if (empty && !files.Exists(kStatePath)) return {};
  return WriteIfChanged(files, kStatePath, SerializeState(state), kMaxStateBytes);
}

Result<TrustLock> TrustLock::Take(const std::string& data_directory) {
  const std::string directory = data_directory + "/trust";
  if (::mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) {
    return ErrnoError("cannot make '" + directory + "'", errno);
  }
  const std::string path = directory + "/lock";
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return ErrnoError("cannot open '" + path + "'", errno);
  int status;
  do {
    status = ::flock(fd.get(), LOCK_EX);
  } while (status != 0 && errno == EINTR);
  if (status != 0) return ErrnoError("cannot lock '" + path + "'", errno);
  return TrustLock(std::move(fd));
}

Result<bool> TakeRevocations(TrustState& state, std::string_view text) {
  const uint64_t sequence = TRY(PeekSequence(text));
  if (sequence <= state.revocations.sequence) return false;
  state.revocations = TRY(ParseRevocations(state.root(), text));
  state.revocations_text = text;
  return true;
}

Result<RootChain> AcceptRoots(FileSystem& files, std::string_view text,
                              const Sha256Digest& fingerprint) {
  RootChain chain = TRY(ParseRootChain(text));
  const auto has_it = [&](const SignedRoot& root) { return root.fingerprint == fingerprint; };
  const auto accepted = std::find_if(chain.roots.begin(), chain.roots.end(), has_it);
  if (accepted == chain.roots.end()) {
    return Error(ErrorCode::kUntrusted,
                 "no root in it has the fingerprint that was given; nothing was installed. Compare "
                 "both with the person who made the root: this may be another root");
  }
  chain.roots.erase(chain.roots.begin(), accepted);
  if (!files.Exists(kRootPath)) {
    TRY(CheckNoForeignList(files, chain));
    TRY(MakeTrustDirectory(files));
    TRY(WriteAtomically(files, kRootPath, SerializeRootChain(chain), 0644));
    return chain;
  }
  TrustState state = TRY(LoadTrust(files));
  if (std::none_of(state.roots.roots.begin(), state.roots.roots.end(), has_it)) {
    return Error(
        ErrorCode::kAlreadyExists,
        "another root (version " + std::to_string(state.root().version) + ", fingerprint " +
            Grouped(state.roots.newest().fingerprint) +
            ") is in force and stays so; to replace it on purpose, stop the appliance, remove '" +
            std::string(kRootPath) + "' and '" + std::string(kRevocationsPath) +
            "' (if there) from its data directory, and accept the new root again");
  }
  std::vector<RootText> later;
  for (const SignedRoot& root : chain.roots) later.push_back({root.root.version, root.text});
  state.roots = TRY(FollowRoots(std::move(state.roots), later));
  TRY(SaveTrust(files, state));
  return std::move(state.roots);
}

}  // namespace skerry::trust
