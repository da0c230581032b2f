#include "bundler/build/commands.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>

#include "appliance/base/clock.h"
#include "appliance/base/json.h"
#include "appliance/base/progress.h"
#include "bundler/build/create.h"
#include "bundler/build/secret_key.h"
#include "bundler/format/layout.h"
#include "bundler/inspect/model.h"

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

void PrintCreated(const Created& created, const CreateCommandOptions& options,
                  const Source& source) {
  if (options.json) {
    const Json json = {{"bundle", options.out},
                       {"bundle_bytes", created.bundle_bytes},
                       {"digest", "sha256-" + created.digest.Hex()},
                       {"files", created.manifest.files.size()},
                       {"id", created.manifest.id},
                       {"left_out", source.left_out},
                       {"model_format", inspect::ModelFormatName(created.model_format)},
                       {"release_seq", created.manifest.release_seq},
                       {"version", created.manifest.version}};
    std::cout << DumpJson(json) << "\n";
    return;
  }
  for (const std::string& name : source.left_out) std::cout << "left out  " << name << "\n";
  std::cout << "bundle    " << options.out << " (" << FormatBytes(created.bundle_bytes) << ", "
            << created.manifest.files.size() << " files)\n"
            << "model     " << created.manifest.id << " " << created.manifest.version
            << ", release " << created.manifest.release_seq << "\n"
            << "digest    sha256-" << created.digest.Hex() << "\n";
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

Result<void> RunCreate(const CreateCommandOptions& options) {
  const std::unique_ptr<FileSystem> files = TRY(OpenFiles("."));
  std::vector<SecretKey> keys;
  for (const std::string& path : options.keys) {
    SecretKey key = TRY(ReadSecretKey(*files, path));
    keys.push_back(std::move(key));
  }
  CreateOptions create;
  create.id = options.id;
  create.version = options.version;
  create.release_seq = options.release_seq;
  create.root_text = TRY(ReadAll(*files, options.trust, format::kMaxRootBytes));
  if (!options.revocations.empty()) {
    create.revocations_text =
        TRY(ReadAll(*files, options.revocations, format::kMaxRevocationsBytes));
  }
  for (const std::string& path : options.documents) {
    create.documents.push_back({FileName(path), path});
  }
  std::sort(create.documents.begin(), create.documents.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.name < b.name; });
  std::string model = options.model;
  while (model.size() > 1 && model.back() == '/') model.pop_back();
  const std::string context = "cannot pack '" + model + "'";
  const Source source = TRY(ListSource(*files, model, options.exclude).WithContext(context));
  ProgressPrinter progress(RealClock(), STDERR_FILENO, ::isatty(STDERR_FILENO) == 1, "packing");
  create.progress = [&](uint64_t done, uint64_t total) { progress.Update(done, total); };
  const Created created =
      TRY(CreateBundle(*files, source, create, keys, *files, options.out).WithContext(context));
  PrintCreated(created, options, source);
  return {};
}

}  // namespace skerry::build
