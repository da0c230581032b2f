#include "bundler/build/sign.h"

#include <algorithm>

#include "appliance/base/encode.h"
#include "bundler/build/signers.h"
#include "bundler/format/archive_writer.h"
#include "bundler/format/layout.h"
#include "bundler/format/tar.h"

namespace skerry::build {

namespace {

using reader::SignableBundle;
using reader::UnverifiedBundle;

// Where the content of meta/signatures begins. The manifest's length is taken from its header, as
// the reader does before it compares all of it.
Result<uint64_t> SignaturesOffset(const File& file) {
  const uint64_t manifest_at = format::TarMemberBytes(format::kFormatText.size());
  uint8_t block[format::kTarBlockBytes];
  const size_t got = TRY(file.ReadAt(manifest_at, block));
  if (got < sizeof block) return Error(ErrorCode::kCorrupt, "it is not a bundle");
  const uint64_t manifest_bytes =
      TRY(format::TarExpectedSize(block, format::kManifestName, format::kMaxManifestBytes));
  return manifest_at + format::TarMemberBytes(manifest_bytes) +
         format::TarHeaderBytes(format::kSignaturesBytes);
}

Result<void> WriteSignatures(FileSystem& files, const std::string& path, std::string_view member) {
  const std::unique_ptr<File> file = TRY(files.OpenWrite(path));
  const uint64_t offset = TRY(SignaturesOffset(*file));
  TRY(file->WriteAt(offset, AsBytes(member)));
  return file->Sync();
}

Result<void> RemoveKept(FileSystem& files, const std::string& path) {
  TRY(files.Remove(KeptSignaturesPath(path)));
  return files.SyncDirectory(ParentDirectory(path));
}

// Puts back what an interrupted signing may have torn. False: there was nothing to do.
Result<bool> Restore(FileSystem& files, const std::string& path) {
  const std::string kept = KeptSignaturesPath(path);
  if (!files.Exists(kept)) return false;
  const std::string member = TRY(ReadAll(files, kept, format::kSignaturesBytes));
  const std::string_view text = TRY(format::UnpadSignatures(member).WithContext("'" + kept + "'"));
  TRY(trust::ParseSignatures(text, format::kSignaturesBytes).WithContext("'" + kept + "'"));
  TRY(WriteSignatures(files, path, member));
  TRY(RemoveKept(files, path));
  return true;
}

// The member with signatures of `keys` added; the same text when they all signed before.
Result<std::string> WithSignatures(const SignableBundle& bundle, std::span<const SecretKey> keys) {
  const std::string_view text = TRY(format::UnpadSignatures(bundle.signatures_text()));
  std::vector<trust::Signature> signatures =
      TRY(trust::ParseSignatures(text, format::kSignaturesBytes));
  for (const SecretKey& key : keys) {
    const trust::KeyId id = key.public_key().Id();
    const bool signed_before =
        std::any_of(signatures.begin(), signatures.end(),
                    [&](const trust::Signature& signature) { return signature.key_id == id; });
    if (!signed_before)
      signatures.push_back(key.Sign(format::kManifestType, bundle.manifest_text()));
  }
  if (signatures.size() > trust::kMaxSignatures) {
    return Error(ErrorCode::kExhausted,
                 "a bundle holds at most " + std::to_string(trust::kMaxSignatures) + " signatures");
  }
  std::string json = trust::SerializeSignatures(std::move(signatures));
  if (json.size() > format::kSignaturesBytes) {
    return Error(ErrorCode::kExhausted, "the signatures do not fit into the bundle any more");
  }
  return format::PadSignatures(std::move(json));
}

// One archive of those to be signed, open and read to its end.
struct Target {
  std::string path;
  std::unique_ptr<File> file;
  std::string old_member;
  std::string new_member;
};

Result<SignableBundle> OpenForSigning(const File& file, const trust::TrustState& trust) {
  UnverifiedBundle unverified = TRY(UnverifiedBundle::Open(file));
  return std::move(unverified).VerifyForSigning(trust);
}

Result<void> Apply(FileSystem& files, const Target& target) {
  TRY(WriteAtomically(files, KeptSignaturesPath(target.path), target.old_member, 0644));
  const Result<void> written = WriteSignatures(files, target.path, target.new_member);
  if (!written) {
    return Error(written.error().code(),
                 written.error().message() + "; the signatures of before are kept in '" +
                     KeptSignaturesPath(target.path) +
                     "': run 'bundle sign' again, which puts them back first");
  }
  return RemoveKept(files, target.path);
}

}  // namespace

std::string KeptSignaturesPath(const std::string& path) { return path + ".signatures"; }

Result<SignedBundle> SignBundle(FileSystem& files, const std::vector<std::string>& paths,
                                const trust::TrustState& trust, std::span<const SecretKey> keys,
                                const SignOptions& options) {
  SignedBundle done;
  std::vector<Target> targets;
  for (const std::string& path : paths) {
    const std::string context = "'" + path + "'";
    const bool restored = TRY(Restore(files, path).WithContext(context));
    if (restored) ++done.restored_files;
    Target target;
    target.path = path;
    target.file = TRY(files.OpenRead(path));
    const SignableBundle bundle = TRY(OpenForSigning(*target.file, trust).WithContext(context));
    if (!targets.empty() && bundle.digest() != done.digest) {
      return Error(ErrorCode::kInvalidArgument, context + " is of another bundle than '" +
                                                    targets.front().path + "'; nothing was signed");
    }
    if (options.digest && bundle.digest() != *options.digest) {
      return Error(ErrorCode::kInvalidArgument,
                   context +
                       " is not the bundle that was shown: it changed meanwhile; nothing "
                       "was signed");
    }
    done.digest = bundle.digest();
    TRY(CountSigners(bundle.release_role(), trust.revocations.keys, keys));
    TRY(bundle.Read(options.read).WithContext(context));
    target.old_member = bundle.signatures_text();
    target.new_member = TRY(WithSignatures(bundle, keys).WithContext(context));
    if (options.show) options.show(bundle);
    targets.push_back(std::move(target));
  }
  for (const Target& target : targets) {
    if (target.new_member == target.old_member) continue;
    TRY(Apply(files, target));
    ++done.changed_files;
  }
  done.signatures = UINT64_MAX;
  for (const Target& target : targets) {
    const SignableBundle bundle = TRY(OpenForSigning(*target.file, trust));
    done.signatures = std::min<uint64_t>(done.signatures, bundle.signers().size());
    done.needed = bundle.release_role().threshold;
  }
  return done;
}

}  // namespace skerry::build
