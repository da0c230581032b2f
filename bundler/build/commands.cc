#include "bundler/build/commands.h"

#include <algorithm>
#include <iostream>

#include "appliance/base/files.h"
#include "bundler/build/secret_key.h"
#include "bundler/trust/root.h"

namespace skerry::build {

namespace {

std::string FileName(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? path : path.substr(slash + 1);
}

Result<void> AddKeys(FileSystem& files, const std::vector<std::string>& paths, trust::RoleName role,
                     trust::Root& root) {
  for (const std::string& path : paths) {
    const trust::PublicKeyFile file = TRY(ReadPublicKey(files, path));
    if (file.role != role) {
      return Error(ErrorCode::kInvalidArgument,
                   "'" + path + "' was made for role '" + std::string(trust::RoleText(file.role)) +
                       "', not '" + std::string(trust::RoleText(role)) + "'");
    }
    if (!root.At(role).keys.insert(file.key.Id()).second) {
      return Error(ErrorCode::kInvalidArgument, "'" + path + "' is given twice");
    }
    root.keys.emplace(file.key.Id(), file.key);
  }
  return {};
}

Result<void> SetThreshold(const std::string& text, trust::Root& root) {
  const Error bad(ErrorCode::kInvalidArgument,
                  "threshold '" + text + "' must be ROLE=NUMBER, for example release=2");
  const size_t equals = text.find('=');
  if (equals == std::string::npos) return bad;
  const Result<trust::RoleName> role = trust::RoleFromText(text.substr(0, equals));
  const std::string digits = text.substr(equals + 1);
  if (!role || digits.empty() || digits.size() > 3 ||
      !std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return bad;
  }
  root.At(*role).threshold = std::stoul(digits);
  return {};
}

}  // namespace

Result<void> RunGenerate(const GenerateOptions& options) {
  const trust::RoleName role = TRY(trust::RoleFromText(options.role));
  const std::unique_ptr<FileSystem> files = TRY(OpenFiles("."));
  const SecretKey key = TRY(GenerateKeyFiles(*files, options.out, role));
  std::cout << "secret key  " << options.out << " (keep it offline; nobody can restore it)\n"
            << "public key  " << PublicKeyPath(options.out) << "\n"
            << "key id      " << trust::Grouped(key.public_key().Id()) << "\n";
  return {};
}

Result<void> RunInit(const InitOptions& options) {
  const std::unique_ptr<FileSystem> files = TRY(OpenFiles("."));
  if (files->Exists(options.out)) {
    return Error(ErrorCode::kAlreadyExists,
                 "'" + options.out + "' exists; a trust root is never overwritten");
  }
  trust::Root root;
  std::vector<SecretKey> signers;
  for (const std::string& path : options.root_keys) {
    SecretKey key = TRY(ReadSecretKey(*files, path));
    if (key.role() != trust::RoleName::kRoot) {
      return Error(ErrorCode::kInvalidArgument, "'" + path + "' was made for role '" +
                                                    std::string(trust::RoleText(key.role())) +
                                                    "', not 'root'");
    }
    const trust::KeyId id = key.public_key().Id();
    if (!root.root.keys.insert(id).second) {
      return Error(ErrorCode::kInvalidArgument, "'" + path + "' is given twice");
    }
    root.keys.emplace(id, key.public_key());
    signers.push_back(std::move(key));
  }
  TRY(AddKeys(*files, options.release_keys, trust::RoleName::kRelease, root));
  TRY(AddKeys(*files, options.revoke_keys, trust::RoleName::kRevoke, root));
  if (options.revoke_keys.empty()) root.revoke.keys = root.root.keys;
  for (const std::string& text : options.thresholds) TRY(SetThreshold(text, root));
  const std::string text = TRY(SignRoot(root, signers));
  TRY(WriteAtomically(*files, options.out, text, 0644));
  const trust::SignedRoot made = TRY(trust::ParseRoot(text));
  std::cout << "trust root   " << options.out << " (version " << root.version << ")\n"
            << "fingerprint  " << trust::Grouped(made.fingerprint) << "\n"
            << "Give the fingerprint to whoever accepts this root by another way than the file:\n"
            << "  skerry trust accept " << FileName(options.out) << " --fingerprint "
            << made.fingerprint.Hex() << "\n";
  return {};
}

}  // namespace skerry::build
