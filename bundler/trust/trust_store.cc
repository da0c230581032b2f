#include "bundler/trust/trust_store.h"

#include "bundler/format/layout.h"

namespace skerry::trust {

Result<TrustState> LoadTrust(FileSystem& files) {
  const Result<std::string> text = ReadAll(files, kRootPath, format::kMaxRootBytes);
  if (!text && text.error().code() == ErrorCode::kNotFound) {
    return Error(ErrorCode::kUntrusted,
                 "there is no trust root yet; accept one with 'skerry trust accept root.json "
                 "--fingerprint HEX', where HEX came to you by another way than the file");
  }
  if (!text) return text.error();
  TrustState state;
  state.root = TRY(ParseRoot(*text).WithContext(kRootPath));
  const Result<std::string> list = ReadAll(files, kRevocationsPath, format::kMaxRevocationsBytes);
  if (list) {
    state.revocations = TRY(ParseRevocations(state.root.root, *list).WithContext(kRevocationsPath));
  } else if (list.error().code() != ErrorCode::kNotFound) {
    return list.error();
  }
  return state;
}

Result<SignedRoot> AcceptRoot(FileSystem& files, std::string_view text,
                              const Sha256Digest& fingerprint) {
  SignedRoot root = TRY(ParseRoot(text));
  if (root.fingerprint != fingerprint) {
    return Error(
        ErrorCode::kUntrusted,
        "its fingerprint is not the one given; nothing was installed. Compare both with the "
        "person who made the root: this may be another root");
  }
  if (files.Exists(kRootPath)) {
    const TrustState current = TRY(LoadTrust(files));
    if (current.root.fingerprint == root.fingerprint) return root;
    return Error(
        ErrorCode::kAlreadyExists,
        "another root (version " + std::to_string(current.root.root.version) + ", fingerprint " +
            Grouped(current.root.fingerprint) +
            ") is in force and stays so; to replace it on purpose, stop the appliance, remove '" +
            std::string(kRootPath) + "' and '" + std::string(kRevocationsPath) +
            "' (if there) from its data directory, and accept the new root again");
  }
  TRY(MakeDirectories(files, "trust", 0755));
  TRY(files.SyncDirectory("."));
  TRY(WriteAtomically(files, kRootPath, text, 0644));
  return root;
}

}  // namespace skerry::trust
