// Fuzz target: a whole bundle as if its manifest were signed. The input is an archive without
// meta/signatures, which is put in. What is accepted to its end is what the writer writes of it:
// archives have one form only.
#include <cstdlib>
#include <memory>
#include <string>

#include "appliance/base/encode.h"
#include "bundler/format/layout.h"
#include "bundler/format/tar.h"
#include "bundler/inspect/model.h"
#include "bundler/reader/verify.h"
#include "tests/bundler/string_file.h"

namespace {

using namespace skerry;

class Sink : public File {
 public:
  Result<size_t> ReadAt(uint64_t, std::span<uint8_t>) const override {
    return Error(ErrorCode::kInternal, "write-only");
  }
  Result<void> Append(std::span<const uint8_t> bytes) override {
    text += AsText(bytes);
    return {};
  }
  Result<void> Sync() override { return {}; }
  Result<uint64_t> Size() const override { return text.size(); }
  Result<void> Truncate(uint64_t) override { return Error(ErrorCode::kInternal, "append-only"); }
  std::string text;
};

// The input with the member meta/signatures behind the manifest; as it is where there is none.
std::string WithSignatures(std::string archive) {
  const size_t manifest_at = format::TarMemberBytes(format::kFormatText.size());
  if (archive.size() < manifest_at + format::kTarBlockBytes) return archive;
  const auto size =
      format::TarExpectedSize(AsBytes(archive).subspan(manifest_at).first<format::kTarBlockBytes>(),
                              format::kManifestName, format::kMaxManifestBytes);
  if (!size || archive.size() < manifest_at + format::TarMemberBytes(*size)) return archive;
  archive.insert(manifest_at + format::TarMemberBytes(*size),
                 format::TarHeader(format::kSignaturesName, format::kSignaturesBytes) +
                     format::PadSignatures("{\"signatures\":[]}"));
  return archive;
}

Result<std::string> WriteAgain(const reader::VolumeSet& set) {
  const reader::VerifiedBundle& bundle = set.parts().front().bundle;
  Sink sink;
  format::ArchiveWriter writer(sink, bundle.map(), bundle.volume());
  format::ArchiveHead head{bundle.manifest_text(), bundle.signatures_text(), bundle.roots(),
                           bundle.revocations_text()};
  TRY(writer.Head(head));
  const reader::ChunkHashes hashes = TRY(bundle.ReadHashes());
  for (size_t i = 0; i < bundle.manifest().files.size(); ++i) {
    TRY(writer.Tree(hashes.OfFile(i)));
  }
  TRY(bundle.ReadDocuments(
      [&](size_t, std::span<const uint8_t> content) { return writer.Document(content); }));
  std::vector<uint8_t> buffer(bundle.map().LargestBytes());
  for (uint64_t chunk = bundle.chunks().first; chunk < bundle.chunks().last; ++chunk) {
    const size_t got = TRY(bundle.ReadChunk(chunk, hashes, buffer));
    TRY(writer.Chunk(chunk, std::span(buffer).first(got)));
  }
  TRY(writer.Finish());
  return std::move(sink.text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string archive =
      WithSignatures(std::string(reinterpret_cast<const char*>(data), size));
  const skerry::testing::StringFile file(archive);
  skerry::trust::TrustState trust;
  trust.roots.roots.emplace_back();
  trust.roots.roots.front().root.version = 1'000'000;  // so that those of the bundle are unread
  trust.roots.roots.front().root.release.threshold = 0;
  trust.roots.roots.front().root.revoke.threshold = 0;
  reader::VerifyOptions options;
  options.read.threads = 1;
  const reader::NamedFile named{"x.skb", &file};
  const auto set = reader::VerifyArchives({&named, 1}, trust, options);
  if (!set) return 0;
  const auto again = WriteAgain(*set);
  if (!again || *again != archive) abort();
  if (!set->IsComplete()) return 0;
  (void)inspect::InspectFiles(
      set->parts().front().bundle.manifest(),
      [&](size_t idx) -> Result<std::unique_ptr<File>> { return set->OpenFile(idx); });
  return 0;
}
