#include "bundler/build/trust_commands.h"

#include <sodium.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "bundler/build/key_commands.h"
#include "bundler/build/trust_documents.h"
#include "bundler/format/layout.h"
#include "bundler/reader/bundle.h"

namespace skerry::build {

namespace {

using Run = std::function<Result<void>()>;
using trust::RoleName;

struct Options {
  std::string file;                     // the document to continue or sign
  std::string trust;                    // root file
  std::vector<std::string> keys;        // secret: they sign
  std::vector<std::string> new_keys;    // secret root keys that come in with the next root
  std::vector<std::string> releases;    // public keys
  std::vector<std::string> revokes;     // public keys
  std::vector<std::string> roots;       // public keys
  std::vector<std::string> remove;      // key ids
  std::vector<std::string> thresholds;  // "release=2"
  std::vector<std::string> bundles, models, revoked_keys, expired;
  std::string bundle;
  std::string digest, id;
  uint64_t release_seq = 0;
  std::string out;
  std::string passphrase_file;
  bool partial = false;
};

Error Invalid(std::string message) {
  return Error(ErrorCode::kInvalidArgument, std::move(message));
}

std::string FileName(const std::string& path) { return path.substr(path.rfind('/') + 1); }

Result<uint64_t> ParseNumber(const std::string& digits, const std::string& what) {
  if (digits.empty() || digits.size() > 15 ||
      digits.find_first_not_of("0123456789") != std::string::npos) {
    return Invalid(what);
  }
  return static_cast<uint64_t>(std::stoull(digits));
}

// "release=2".
Result<std::pair<RoleName, uint64_t>> ParseThreshold(const std::string& text) {
  const std::string bad = "threshold '" + text + "' must be ROLE=NUMBER, for example release=2";
  const size_t equals = text.find('=');
  if (equals == std::string::npos) return Invalid(bad);
  const Result<RoleName> role = trust::RoleFromText(text.substr(0, equals));
  if (!role) return Invalid(bad);
  const uint64_t number = TRY(ParseNumber(text.substr(equals + 1), bad));
  return std::pair(*role, number);
}

Result<void> CheckRole(const std::string& path, RoleName is, RoleName wanted) {
  if (is == wanted) return {};
  return Invalid("'" + path + "' was made for role '" + std::string(trust::RoleText(is)) +
                 "', not '" + std::string(trust::RoleText(wanted)) + "'");
}

Result<void> AddPublicKeys(FileSystem& files, const std::vector<std::string>& paths, RoleName role,
                           std::vector<trust::PublicKeyFile>& keys) {
  for (const std::string& path : paths) {
    const trust::PublicKeyFile file = TRY(ReadPublicKey(files, path));
    TRY(CheckRole(path, file.role, role));
    keys.push_back(file);
  }
  return {};
}

Result<std::vector<SecretKey>> ReadRoleKeys(FileSystem& files,
                                            const std::vector<std::string>& paths, RoleName role,
                                            const std::string& passphrase_file) {
  std::vector<SecretKey> keys = TRY(ReadKeys(files, paths, passphrase_file));
  for (size_t i = 0; i < keys.size(); ++i) TRY(CheckRole(paths[i], keys[i].role(), role));
  return keys;
}

// Writing over a file is only for what continues it.
Result<void> CheckOut(FileSystem& files, const std::string& out, const std::string& input) {
  if (out == input || !files.Exists(out)) return {};
  return Error(ErrorCode::kAlreadyExists,
               "'" + out + "' exists and is not what is continued; choose another name");
}

Result<void> WriteDocument(FileSystem& files, const SignedDocument& document,
                           const Options& options, const std::string& what) {
  std::string missing;
  for (const std::string& part : document.missing) missing += (missing.empty() ? "" : ", ") + part;
  if (!document.complete() && !options.partial) {
    return Invalid("signatures are missing: " + missing +
                   "; nothing was written. Give more keys, or --partial to have others sign the "
                   "file with 'skerry trust sign'");
  }
  TRY(WriteAtomically(files, options.out, document.text, 0644));
  std::cout << what << "  " << options.out << "\n";
  if (!document.complete()) {
    std::cout << "missing  " << missing << "\n"
              << "No appliance accepts it yet; whoever signs next runs\n"
              << "  skerry trust sign " << FileName(options.out) << " --key NAME.key\n";
  }
  return {};
}

void PrintFingerprint(const std::string& file, const trust::SignedRoot& root) {
  std::cout << "fingerprint  " << trust::Grouped(root.fingerprint) << "\n"
            << "Give the fingerprint to whoever accepts this root by another way than the file:\n"
            << "  skerry trust accept " << FileName(file) << " --fingerprint "
            << root.fingerprint.Hex() << "\n";
}

Result<void> RunInit(const Options& options) {
  const std::unique_ptr<FileSystem> files = TRY(OpenFiles("."));
  if (files->Exists(options.out)) {
    return Error(ErrorCode::kAlreadyExists,
                 "'" + options.out + "' exists; a trust root is never overwritten");
  }
  const std::vector<SecretKey> signers =
      TRY(ReadRoleKeys(*files, options.keys, RoleName::kRoot, options.passphrase_file));
  trust::Root root;
  const auto add = [&](const trust::PublicKey& key, RoleName role) -> Result<void> {
    root.keys.emplace(key.Id(), key);
    if (root.At(role).keys.insert(key.Id()).second) return {};
    return Invalid("key " + key.Id().Hex().substr(0, 16) + " is given twice");
  };
  for (const SecretKey& key : signers) TRY(add(key.public_key(), RoleName::kRoot));
  std::vector<trust::PublicKeyFile> others;
  TRY(AddPublicKeys(*files, options.releases, RoleName::kRelease, others));
  TRY(AddPublicKeys(*files, options.revokes, RoleName::kRevoke, others));
  for (const trust::PublicKeyFile& file : others) TRY(add(file.key, file.role));
  if (options.revokes.empty()) root.revoke.keys = root.root.keys;
  for (const std::string& text : options.thresholds) {
    const auto [role, threshold] = TRY(ParseThreshold(text));
    root.At(role).threshold = threshold;
  }
  const std::string text = TRY(SignRoot(root, signers));
  TRY(WriteAtomically(*files, options.out, text, 0644));
  const trust::SignedRoot made = TRY(trust::ParseRoot(text));
  std::cout << "trust root   " << options.out << " (version " << root.version << ")\n";
  PrintFingerprint(options.out, made);
  return {};
}

Result<void> RunRotate(const Options& options) {
  const std::unique_ptr<FileSystem> files = TRY(OpenFiles("."));
  TRY(CheckOut(*files, options.out, options.file));
  const std::string text = TRY(ReadAll(*files, options.file, format::kMaxRootFileBytes));
  const trust::RootChain chain =
      TRY(trust::ParseRootChain(text).WithContext("'" + options.file + "'"));
  std::vector<SecretKey> signers =
      TRY(ReadRoleKeys(*files, options.keys, RoleName::kRoot, options.passphrase_file));
  std::vector<SecretKey> fresh =
      TRY(ReadRoleKeys(*files, options.new_keys, RoleName::kRoot, options.passphrase_file));
  RootChange change;
  for (SecretKey& key : fresh) {
    change.add.push_back({RoleName::kRoot, key.public_key()});
    signers.push_back(std::move(key));
  }
  TRY(AddPublicKeys(*files, options.roots, RoleName::kRoot, change.add));
  TRY(AddPublicKeys(*files, options.releases, RoleName::kRelease, change.add));
  TRY(AddPublicKeys(*files, options.revokes, RoleName::kRevoke, change.add));
  for (const std::string& id : options.remove) {
    const Sha256Digest key = TRY(ParseDigest(id, "a key id"));
    change.remove.push_back(key);
  }
  for (const std::string& threshold : options.thresholds) {
    const auto parsed = TRY(ParseThreshold(threshold));
    change.thresholds.push_back(parsed);
  }
  const trust::Root next = TRY(NextRoot(chain.newest().root, change));
  const SignedDocument document = TRY(SignNextRoot(chain, next, signers));
  TRY(WriteDocument(*files, document, options,
                    "trust root version " + std::to_string(next.version)));
  if (document.complete()) {
    const trust::RootChain made = TRY(trust::ParseRootChain(document.text));
    std::cout << "fingerprint  " << trust::Grouped(made.newest().fingerprint) << "\n"
              << "Appliances that have the version before follow by the next bundle, or by\n"
              << "  skerry trust update " << FileName(options.out) << "\n";
  }
  return {};
}

Result<trust::RootChain> ReadTrust(FileSystem& files, const std::string& path) {
  const std::string text = TRY(ReadAll(files, path, format::kMaxRootFileBytes));
  return trust::ParseRootChain(text).WithContext("'" + path + "'");
}

// "ORG/NAME=N".
Result<std::pair<std::string, uint64_t>> ParseExpired(const std::string& text) {
  const std::string bad = "'" + text + "' must be ORG/NAME=N: releases below N expire";
  const size_t equals = text.find('=');
  if (equals == std::string::npos) return Invalid(bad);
  const uint64_t number = TRY(ParseNumber(text.substr(equals + 1), bad));
  return std::pair(text.substr(0, equals), number);
}

Result<void> ParseDigests(const std::vector<std::string>& texts, const std::string& what,
                          std::vector<Sha256Digest>& digests) {
  for (const std::string& text : texts) {
    const Sha256Digest digest = TRY(ParseDigest(text, what));
    digests.push_back(digest);
  }
  return {};
}

Result<void> RunRevoke(const Options& options) {
  const std::unique_ptr<FileSystem> files = TRY(OpenFiles("."));
  TRY(CheckOut(*files, options.out, options.file));
  const trust::RootChain chain = TRY(ReadTrust(*files, options.trust));
  trust::Revocations old;
  if (!options.file.empty()) {
    const std::string text = TRY(ReadAll(*files, options.file, format::kMaxRevocationsBytes));
    // Under an older root, too: its successor is signed by the newest one.
    old = TRY(trust::ParseRevocations(chain, text).WithContext("'" + options.file + "'"));
  }
  RevocationChange change;
  TRY(ParseDigests(options.bundles, "a bundle's digest", change.bundles));
  TRY(ParseDigests(options.models, "a model's digest", change.models));
  TRY(ParseDigests(options.revoked_keys, "a key id", change.keys));
  for (const std::string& text : options.expired) {
    std::pair<std::string, uint64_t> expired = TRY(ParseExpired(text));
    change.expired.push_back(std::move(expired));
  }
  const trust::Revocations next = TRY(NextRevocations(old, change));
  const std::vector<SecretKey> signers =
      TRY(ReadKeys(*files, options.keys, options.passphrase_file));
  const SignedDocument document = TRY(SignRevocations(chain.newest().root, next, signers));
  TRY(WriteDocument(*files, document, options, "revocation list " + std::to_string(next.sequence)));
  std::cout << "now      " << next.bundles.size() << " bundles, " << next.models.size()
            << " models, " << next.keys.size() << " keys, " << next.expired.size()
            << " ids with expired releases\n";
  return {};
}

// What the permit is for: as the user says, or of a bundle that holds under the root.
Result<trust::Permit> PermitFor(FileSystem& files, const Options& options,
                                const trust::RootChain& chain) {
  trust::Permit permit;
  ::randombytes_buf(permit.serial.data(), permit.serial.size());
  if (options.bundle.empty()) {
    if (options.digest.empty() || options.id.empty() || options.release_seq == 0) {
      return Invalid("name the bundle with --bundle, or all of --digest, --id and --seq");
    }
    permit.bundle = TRY(ParseDigest(options.digest, "a bundle's digest"));
    permit.id = options.id;
    permit.release_seq = options.release_seq;
    return permit;
  }
  trust::TrustState state;
  state.roots = chain;
  const std::unique_ptr<File> file = TRY(files.OpenRead(options.bundle));
  const std::string context = "'" + options.bundle + "'";
  reader::UnverifiedBundle unverified =
      TRY(reader::UnverifiedBundle::Open(*file).WithContext(context));
  // A bundle of an older root is what a permit is for: signatures by listed keys must hold, and how
  // many they are the appliance checks.
  const reader::SignableBundle bundle =
      TRY(std::move(unverified).VerifyForSigning(state).WithContext(context));
  permit.bundle = bundle.digest();
  permit.id = bundle.manifest().id;
  permit.release_seq = bundle.manifest().release_seq;
  return permit;
}

Result<void> RunPermit(const Options& options) {
  const std::unique_ptr<FileSystem> files = TRY(OpenFiles("."));
  TRY(CheckOut(*files, options.out, ""));
  const trust::RootChain chain = TRY(ReadTrust(*files, options.trust));
  const trust::Permit permit = TRY(PermitFor(*files, options, chain));
  const std::vector<SecretKey> signers =
      TRY(ReadRoleKeys(*files, options.keys, RoleName::kRelease, options.passphrase_file));
  const SignedDocument document = TRY(SignPermit(chain.newest().root, permit, signers));
  TRY(WriteDocument(*files, document, options, "permit"));
  std::cout << "for      " << permit.id << " release " << permit.release_seq << "\n"
            << "bundle   sha256-" << permit.bundle.Hex() << "\n"
            << "Each appliance takes it once, beside the bundle:\n"
            << "  skerry import NAME.skb --permit " << FileName(options.out) << "\n";
  return {};
}

Result<void> RunSign(const Options& options) {
  const std::unique_ptr<FileSystem> files = TRY(OpenFiles("."));
  const std::string text = TRY(ReadAll(*files, options.file, format::kMaxRootFileBytes));
  std::string root_text;
  if (!options.trust.empty()) {
    root_text = TRY(ReadAll(*files, options.trust, format::kMaxRootFileBytes));
  }
  const std::vector<SecretKey> signers =
      TRY(ReadKeys(*files, options.keys, options.passphrase_file));
  const SignedDocument document =
      TRY(AddSignatures(text, root_text, signers).WithContext("'" + options.file + "'"));
  Options write = options;
  write.out = options.file;
  write.partial = true;
  return WriteDocument(*files, document, write, document.complete() ? "complete" : "signed");
}

class Command {
 public:
  Command(CLI::App& parent, Run& run, const char* name, const char* text,
          Result<void> (*action)(const Options&))
      : options_(std::make_shared<Options>()), app_(parent.add_subcommand(name, text)) {
    app_->callback([&run, action, options = options_] {  // the options live as long as the callback
      run = [action, options] { return action(*options); };
    });
    AddPassphraseOption(*app_, options_->passphrase_file);
  }

  Options* operator->() { return options_.get(); }
  CLI::App& app() { return *app_; }
  CLI::Option* Several(const char* names, std::vector<std::string>& values, const char* text,
                       const char* type) {
    return app_->add_option(names, values, std::string(text) + " (repeatable)")
        ->allow_extra_args(false)
        ->type_name(type);
  }
  CLI::Option* One(const char* names, std::string& value, const char* text, const char* type) {
    return app_->add_option(names, value, text)->type_name(type);
  }
  void Partial() {
    app_->add_flag("--partial", options_->partial,
                   "Write the file although signatures are missing, for 'trust sign'");
  }

 private:
  std::shared_ptr<Options> options_;
  CLI::App* app_;
};

void AddInit(CLI::App& trust, Run& run) {
  Command c(trust, run, "init", "Make a trust root, version 1", RunInit);
  c.Several("--root-key", c->keys, "Secret root key that signs", "FILE")->required();
  c.Several("--release-key", c->releases, "Public release key", "FILE")->required();
  c.Several("--revoke-key", c->revokes, "Public revoke key; default: the root keys", "FILE");
  c.Several("--threshold", c->thresholds, "Signatures that a role needs, e.g. release=2; default 1",
            "ROLE=N");
  c.One("--out", c->out, "File to write", "root.json")->required();
}

void AddRotate(CLI::App& trust, Run& run) {
  Command c(trust, run, "rotate", "Append the next version to a root file", RunRotate);
  c.One("file", c->file, "Root file", "root.json")->required();
  c.Several("--root-key", c->keys, "Secret root key that signs", "FILE")->required();
  c.Several("--new-root-key", c->new_keys, "Secret root key that comes in, and signs", "FILE");
  c.Several("--add-root", c->roots, "Public root key that comes in", "FILE");
  c.Several("--add-release", c->releases, "Public release key that comes in", "FILE");
  c.Several("--add-revoke", c->revokes, "Public revoke key that comes in", "FILE");
  c.Several("--remove-key", c->remove, "Key that goes, from all roles", "KEYID");
  c.Several("--threshold", c->thresholds, "Signatures that a role needs, e.g. release=2", "ROLE=N");
  c.One("--out", c->out, "File to write; may be the root file itself", "root.json")->required();
  c.Partial();
}

void AddRevoke(CLI::App& trust, Run& run) {
  Command c(trust, run, "revoke", "Make the next revocation list", RunRevoke);
  c.One("--list", c->file, "List to continue; none: the first one", "revocations.json");
  c.One("--trust", c->trust, "Root file", "root.json")->required();
  c.Several("--revoke-key", c->keys, "Secret key of the revoke role", "FILE")->required();
  c.Several("--bundle", c->bundles, "Digest of a bundle", "DIGEST");
  c.Several("--model", c->models, "Digest of a model, whatever bundle carries it", "DIGEST");
  c.Several("--key", c->revoked_keys, "Key whose signatures no longer count", "KEYID");
  c.Several("--expire", c->expired, "Releases of the id below N expire", "ORG/NAME=N");
  c.One("--out", c->out, "File to write; may be the list itself", "revocations.json")->required();
  c.Partial();
}

void AddPermit(CLI::App& trust, Run& run) {
  Command c(trust, run, "permit", "Let appliances import one bundle below their floor", RunPermit);
  c.One("--trust", c->trust, "Root file", "root.json")->required();
  c.Several("--key", c->keys, "Secret release key", "FILE")->required();
  c.One("--bundle", c->bundle, "The bundle", "NAME.skb");
  c.One("--digest", c->digest, "Or its digest, with --id and --seq", "DIGEST");
  c.One("--id", c->id, "Its id", "ORG/NAME");
  c.app().add_option("--seq", c->release_seq, "Its release sequence")->type_name("N");
  c.One("--out", c->out, "File to write", "permit.json")->required();
  c.Partial();
}

void AddSign(CLI::App& trust, Run& run) {
  Command c(trust, run, "sign", "Add signatures to a root file, list or permit", RunSign);
  c.One("file", c->file, "File that --partial wrote", "FILE")->required();
  c.Several("--key,--root-key,--revoke-key", c->keys, "Secret key that signs", "FILE")->required();
  c.One("--trust", c->trust, "Root file, for a list or a permit", "root.json");
}

}  // namespace

void AddTrustCommands(CLI::App& app, Run& run) {
  CLI::App* trust = app.add_subcommand("trust", "Trust roots, revocation lists, permits");
  trust->require_subcommand(1);
  AddInit(*trust, run);
  AddRotate(*trust, run);
  AddRevoke(*trust, run);
  AddPermit(*trust, run);
  AddSign(*trust, run);
}

}  // namespace skerry::build
