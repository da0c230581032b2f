// From an open file to contents that may be used: the order of docs/formats/bundle.md, "Order of
// reading".
#include <algorithm>

#include "appliance/base/encode.h"
#include "bundler/format/layout.h"
#include "bundler/format/names.h"
#include "bundler/format/tar.h"
#include "bundler/format/tree.h"
#include "bundler/reader/bundle.h"
#include "bundler/reader/internal/members.h"

namespace skerry::reader {

namespace {

using format::Quote;

Error Bad(std::string message) { return Error(ErrorCode::kCorrupt, std::move(message)); }

Result<uint64_t> RootVersion(const std::string& name) {
  const std::string digits = name.substr(format::kRootPrefix.size());
  if (digits.empty() || digits.size() > 7 || digits[0] == '0' ||
      digits.find_first_not_of("0123456789") != std::string::npos) {
    return Bad("member " + Quote(name) + " has no root version");
  }
  return static_cast<uint64_t>(std::stoull(digits));
}

Result<std::vector<trust::Signature>> ParseSignatures(const std::string& member) {
  const std::string_view json = TRY(format::UnpadSignatures(member));
  return trust::ParseSignatures(json, format::kSignaturesBytes);
}

// What was read before the signatures held must be what was signed.
bool IsAsSigned(const format::ArchiveHead& head, const format::Manifest& manifest) {
  bool same = manifest.roots.size() == head.roots.size() &&
              manifest.revocations.has_value() == head.revocations_text.has_value();
  for (size_t i = 0; same && i < head.roots.size(); ++i) {
    same = manifest.roots[i].version == head.roots[i].version &&
           manifest.roots[i].size == head.roots[i].text.size() &&
           manifest.roots[i].sha256 == Sha256::Of(std::string_view(head.roots[i].text));
  }
  if (same && head.revocations_text) {
    same = manifest.revocations->size == head.revocations_text->size() &&
           manifest.revocations->sha256 == Sha256::Of(std::string_view(*head.revocations_text));
  }
  return same;
}

struct FoundVolume {
  std::optional<format::Volume> volume;
  uint64_t end = 0;  // where the next member begins
};

// The member meta/volume, when there is one at `position` of `file`.
Result<FoundVolume> FindVolume(const File& file, uint64_t position, const format::ChunkMap& map) {
  MemberReader members(file, position);
  const std::string name = TRY(members.ClaimedName());
  if (name != format::kVolumeName) return FoundVolume{std::nullopt, position};
  const std::string text = TRY(members.Next(format::kVolumeName, format::kMaxVolumeBytes));
  const format::Volume volume = TRY(format::ParseVolume(text));
  TRY(format::CheckVolume(volume, map.count()).WithContext(format::kVolumeName));
  return FoundVolume{volume, members.position()};
}

}  // namespace

Result<UnverifiedBundle> UnverifiedBundle::Open(const File& file) {
  UnverifiedBundle bundle;
  format::ArchiveHead& head = bundle.head_;
  bundle.file_ = &file;
  bundle.size_ = TRY(file.Size());
  if (bundle.size_ < format::kTarBlockBytes) return Bad("too short to be a bundle");
  MemberReader members(file, 0);
  const Result<std::string> format_text =
      members.Exactly(format::kFormatName, format::kFormatText.size());
  if (!format_text && format_text.error().code() != ErrorCode::kCorrupt) return format_text.error();
  if (!format_text || *format_text != format::kFormatText) {
    return Bad("not a bundle of version 1 (or its first bytes are damaged)");
  }
  head.manifest_text = TRY(members.Next(format::kManifestName, format::kMaxManifestBytes));
  head.signatures_text = TRY(members.Exactly(format::kSignaturesName, format::kSignaturesBytes));
  for (;;) {
    const std::string name = TRY(members.ClaimedName());
    if (!name.starts_with(format::kRootPrefix)) break;
    if (head.roots.size() == format::kMaxRoots) return Bad("more than 64 trust roots");
    format::RootText root;
    root.version = TRY(RootVersion(name));
    if (!head.roots.empty() && root.version != head.roots.back().version + 1) {
      return Bad("trust roots do not ascend by one: version " + std::to_string(root.version) +
                 " after " + std::to_string(head.roots.back().version));
    }
    root.text = TRY(members.Next(format::RootName(root.version), format::kMaxRootBytes));
    head.roots.push_back(std::move(root));
  }
  const std::string name = TRY(members.ClaimedName());
  if (name == format::kRevocationsName) {
    head.revocations_text =
        TRY(members.Next(format::kRevocationsName, format::kMaxRevocationsBytes));
  }
  bundle.end_of_head_ = members.position();
  return bundle;
}

Result<UnverifiedBundle::Claims> UnverifiedBundle::ReadClaims() const {
  Claims claims;
  claims.manifest = TRY(format::ParseManifest(head_.manifest_text));
  claims.digest = Sha256::Of(std::string_view(head_.manifest_text));
  const std::vector<trust::Signature> signatures = TRY(ParseSignatures(head_.signatures_text));
  for (const trust::Signature& signature : signatures) claims.signers.push_back(signature.key_id);
  const format::ChunkMap map(claims.manifest.files);
  const FoundVolume found = TRY(FindVolume(*file_, end_of_head_, map));
  claims.volume = found.volume;
  if (claims.volume) claims.volume_count = claims.volume->Count(map.count());
  return claims;
}

// What the signatures vouch for.
struct UnverifiedBundle::Checked {
  trust::Root root;
  std::vector<trust::KeyId> signers;
  format::Manifest manifest;
};

Result<UnverifiedBundle::Checked> UnverifiedBundle::Check(const trust::TrustState& trust,
                                                          bool threshold_counts) const {
  // What the bundle brings counts for it, and is kept by whoever installs it.
  trust::TrustState state = trust;
  state.roots = TRY(trust::FollowRoots(std::move(state.roots), head_.roots));
  if (head_.revocations_text) TRY(trust::TakeRevocations(state, *head_.revocations_text));
  const std::vector<trust::Signature> signatures = TRY(ParseSignatures(head_.signatures_text));
  Checked checked;
  checked.root = state.root();
  trust::Root asked = state.root();
  if (!threshold_counts) asked.release.threshold = 0;
  checked.signers = TRY(trust::CheckSignatures(asked, trust::RoleName::kRelease, signatures,
                                               format::kManifestType, head_.manifest_text,
                                               state.revocations.keys));
  checked.manifest = TRY(format::ParseManifest(head_.manifest_text));
  if (!IsAsSigned(head_, checked.manifest)) {
    return Bad("trust roots or revocations are not those that the manifest names");
  }
  TRY(trust::CheckRevoked(state.revocations, {checked.manifest.id, checked.manifest.release_seq,
                                              Sha256::Of(std::string_view(head_.manifest_text)),
                                              format::ModelDigest(checked.manifest)}));
  return checked;
}

Result<BundleContents> UnverifiedBundle::Contents(Checked checked) && {
  BundleContents::Common common;
  common.map = format::ChunkMap(checked.manifest.files);
  common.model_digest = format::ModelDigest(checked.manifest);
  common.digest = Sha256::Of(std::string_view(head_.manifest_text));
  common.manifest = std::move(checked.manifest);
  common.manifest_text = std::move(head_.manifest_text);
  common.roots = std::move(head_.roots);
  common.revocations_text = std::move(head_.revocations_text);

  BundleContents contents;
  const FoundVolume found = TRY(FindVolume(*file_, end_of_head_, common.map));
  contents.file_ = file_;
  contents.size_ = size_;
  contents.volume_ = found.volume;
  contents.layout_ = format::DataLayout(common.map, contents.volume_);
  contents.trees_at_ = contents.documents_at_ = found.end;
  for (const format::FileEntry& entry : common.manifest.files) {
    contents.documents_at_ +=
        format::TarMemberBytes(format::ChunkCount(entry.size) * sizeof(Sha256Digest::bytes));
  }
  contents.data_at_ = contents.documents_at_;
  for (const format::FileEntry& entry : common.manifest.documents) {
    contents.data_at_ += format::TarMemberBytes(entry.size);
  }
  const uint64_t wanted = contents.data_at_ + contents.layout_.bytes() + format::kTarEndBytes;
  if (size_ != wanted) {
    return Bad("the bundle has " + std::to_string(size_) + " bytes instead of " +
               std::to_string(wanted) +
               (size_ < wanted ? ": it is truncated" : ": something was appended"));
  }
  contents.signatures_text_ = std::move(head_.signatures_text);
  contents.signers_ = std::move(checked.signers);
  contents.root_version_ = checked.root.version;
  contents.release_role_ = std::move(checked.root.release);
  contents.common_ = std::make_shared<const BundleContents::Common>(std::move(common));
  return contents;
}

Result<VerifiedBundle> UnverifiedBundle::Verify(const trust::TrustState& trust) && {
  Checked checked = TRY(Check(trust, /*threshold_counts=*/true));
  BundleContents contents = TRY(std::move(*this).Contents(std::move(checked)));
  return VerifiedBundle(std::move(contents));
}

Result<SignableBundle> UnverifiedBundle::VerifyForSigning(const trust::TrustState& trust) && {
  Checked checked = TRY(Check(trust, /*threshold_counts=*/false));
  BundleContents contents = TRY(std::move(*this).Contents(std::move(checked)));
  return SignableBundle(std::move(contents));
}

}  // namespace skerry::reader
