#include "bundler/import/install.h"

#include <map>
#include <set>

#include "appliance/base/encode.h"
#include "appliance/base/progress.h"
#include "bundler/format/layout.h"
#include "bundler/format/names.h"
#include "bundler/format/volume.h"
#include "bundler/import/describe.h"
#include "bundler/import/model_folder.h"
#include "bundler/import/record.h"
#include "bundler/inspect/model.h"
#include "bundler/reader/volume_set.h"
#include "bundler/trust/absorb.h"
#include "bundler/trust/floor.h"

namespace skerry::import {

namespace {

using format::Quote;
using reader::VerifiedBundle;

constexpr uint64_t kOverheadBytes = 2 << 20;  // directories, journal, import.json

// A medium that is let go when all of it was copied: a thousand volumes are more than a process may
// have open.
class ClosableFile : public File {
 public:
  explicit ClosableFile(std::unique_ptr<File> file) : file_(std::move(file)) {}
  // Not while another thread reads.
  void Close() { file_.reset(); }

  Result<size_t> ReadAt(uint64_t offset, std::span<uint8_t> out) const override {
    if (file_ == nullptr) return Closed();
    return file_->ReadAt(offset, out);
  }
  Result<uint64_t> Size() const override {
    if (file_ == nullptr) return Closed();
    return file_->Size();
  }
  Result<void> Append(std::span<const uint8_t>) override { return Closed(); }
  Result<void> Sync() override { return Closed(); }
  Result<void> Truncate(uint64_t) override { return Closed(); }

 private:
  static Error Closed() { return Error(ErrorCode::kInternal, "the medium was closed"); }
  std::unique_ptr<File> file_;
};

// One import from the first look at its media to the model in the store. One thread.
class ImportJob {
 public:
  ImportJob(FileSystem& files, StagingLocks& locks, const trust::TrustState& trust,
            const ImportOptions& options)
      : files_(files), locks_(locks), trust_(trust), options_(options) {}

  Result<ImportResult> Run(std::vector<Medium> media) {
    for (Medium& medium : media) TRY(Add(std::move(medium)));
    manifest_ = Any().manifest();
    map_ = format::ChunkMap(manifest_.files);
    result_.digest = "sha256-" + Any().digest().Hex();
    result_.id = manifest_.id;
    result_.version = manifest_.version;
    result_.release_seq = manifest_.release_seq;
    result_.expires = manifest_.expires;
    AddWarnings();
    if (manifest_.kind != format::Kind::kModel) {
      return Error(ErrorCode::kUntrusted, "the bundle is of kind '" +
                                              std::string(format::KindName(manifest_.kind)) +
                                              "'; only models can be imported");
    }
    if (files_.Exists(StorePath())) return CheckPresent();
    permit_ = TRY(CheckFloor());
    const UniqueFd lock = TRY(MakeAndTakeFolder(files_, locks_, Folder()));
    if (files_.Exists(StorePath())) {  // another process published it while this one looked
      (void)RemoveTree(files_, Folder());
      return CheckPresent();
    }
    const Result<void> done = CopyAndPublish();
    if (!done) return Leave(done.error());
    return result_;
  }

 private:
  const VerifiedBundle& Any() const { return set_.parts().front().bundle; }
  std::string StorePath() const { return std::string(kStoreDirectory) + "/" + result_.digest; }
  std::string Folder() const { return StagingFolder(result_.digest); }

  // Opens and verifies one medium and puts it beside the others.
  Result<void> Add(Medium medium) {
    auto file = std::make_unique<ClosableFile>(std::move(medium.file));
    const auto verify = [&]() -> Result<VerifiedBundle> {
      reader::UnverifiedBundle unverified = TRY(reader::UnverifiedBundle::Open(*file));
      return std::move(unverified).Verify(trust_);
    };
    VerifiedBundle bundle = TRY(verify().WithContext(Quote(medium.name)));
    const uint64_t number = NumberOf(bundle);
    const reader::VolumeSet::Added added = TRY(set_.Add(medium.name, std::move(bundle)));
    if (added == reader::VolumeSet::Added::kDuplicate) {
      file->Close();
      duplicates_.push_back(std::move(file));
    } else {
      media_[number] = std::move(file);
    }
    return {};
  }

  static uint64_t NumberOf(const VerifiedBundle& bundle) {
    return bundle.volume() ? bundle.volume()->number : 0;
  }

  void AddWarnings() {
    if (!manifest_.expires || !format::IsPastDay(*manifest_.expires, *options_.clock)) return;
    result_.warnings.push_back("release " + std::to_string(manifest_.release_seq) + " of " +
                               manifest_.id + " was to be replaced after " + *manifest_.expires +
                               " (by this machine's clock); ask for a newer one");
  }

  // Reads every byte of what was given; the store stays as it is.
  Result<ImportResult> CheckPresent() {
    for (const reader::VolumeSet::Part& part : set_.parts()) {
      reader::ReadOptions read;
      read.threads = options_.copy.threads;
      read.progress = [&](uint64_t done, uint64_t total) {
        if (options_.progress) options_.progress({done, total, 0});
      };
      TRY(part.bundle.Read(read).WithContext(Quote(part.name)));
    }
    // What an import left that ended between publishing and removing it.
    if (files_.Exists(Folder())) {
      const Result<UniqueFd> lock = locks_.TakeFolder(Folder());
      if (lock) (void)RemoveTree(files_, Folder());
    }
    const auto open = [this](size_t file_idx) {
      return files_.OpenRead(StorePath() + "/files/" + manifest_.files[file_idx].name);
    };
    // What was read is good; what lies in the store, 'skerry models verify' checks.
    const Result<void> reviewed = Review(open);
    if (!reviewed) {
      result_.warnings.push_back("in the store: " + reviewed.error().message() +
                                 "; check it with 'skerry models verify " + result_.digest + "'");
    }
    result_.already_present = true;
    return result_;
  }

  // Whether this release may come in, against everything that is in the store by now.
  Result<std::optional<trust::SignedPermit>> CheckFloor() const {
    trust::TrustState state = trust_;
    // Its warnings are the business of whoever keeps the trust files.
    TRY(trust::AbsorbStore(files_, state));
    state.roots = TRY(trust::FollowRoots(std::move(state.roots), Any().roots()));
    if (Any().revocations_text()) TRY(trust::TakeRevocations(state, *Any().revocations_text()));
    const trust::Release release{manifest_.id, manifest_.release_seq, Any().digest(),
                                 Any().model_digest()};
    TRY(trust::CheckRevoked(state.revocations, release));
    std::optional<trust::SignedPermit> permit;
    if (options_.permit_text) {
      permit = TRY(trust::ParsePermit(state.root(), state.revocations.keys, *options_.permit_text));
    }
    const trust::FloorOutcome outcome =
        TRY(trust::CheckFloor(state, release, permit ? &*permit : nullptr));
    // One that is not needed is not used up.
    if (outcome != trust::FloorOutcome::kPermit) permit.reset();
    return permit;
  }

  Result<void> CopyAndPublish() {
    hashes_ = TRY(Any().ReadHashes().WithContext(Quote(set_.parts().front().name)));
    folder_.emplace(files_, Folder() + "/model", manifest_);
    const RecordSubject subject{files_, result_.digest, manifest_, map_, hashes_};
    ChunkRecord record = TRY(ChunkRecord::Resume(subject, *folder_, options_.copy.window_chunks,
                                                 FormatUtc(options_.clock->UnixMillis())));
    record_.emplace(std::move(record));
    TRY(CheckSpace());
    TRY(folder_->MakeFiles());
    Journal journal = TRY(record_->StartJournal());
    TRY(PutProof());
    for (;;) {
      for (const reader::VolumeSet::Part& part : set_.parts()) TRY(Copy(part, journal));
      const VolumesNeeded needed = Needed();
      if (needed.numbers.empty()) break;
      TRY(GetMore(needed));
    }
    return Publish();
  }

  Result<void> CheckSpace() {
    const uint64_t block = TRY(files_.BlockBytes());
    uint64_t needed = TRY(folder_->MissingBytes());
    needed += kOverheadBytes;
    const auto add = [&](uint64_t size) { needed += (size / block + 1) * block; };
    add(Any().manifest_text().size());
    add(Any().signatures_text().size());
    add(map_.count() * sizeof(Sha256Digest::bytes));  // bundle/tree
    for (const format::RootText& root : Any().roots()) add(root.text.size());
    if (Any().revocations_text()) add(Any().revocations_text()->size());
    for (const format::FileEntry& entry : manifest_.documents) add(entry.size);
    const uint64_t free = TRY(files_.FreeBytes());
    if (free >= needed && free - needed >= options_.reserved_bytes) return {};
    return Error(
        ErrorCode::kExhausted,
        "not enough space in " + Quote(options_.place) + ": the model still needs " +
            std::to_string(needed) + " bytes and " + std::to_string(options_.reserved_bytes) +
            " stay reserved, " + std::to_string(free) + " are free; free " +
            std::to_string(needed + options_.reserved_bytes - free) + " more; nothing was written");
  }

  // The leaf hashes of all files, so that damage in the store can be told to a chunk.
  std::string Leaves() const {
    std::string text;
    for (size_t i = 0; i < manifest_.files.size(); ++i) {
      for (const Sha256Digest& leaf : hashes_.OfFile(i)) text += AsText(leaf.bytes);
    }
    return text;
  }

  // What proves where the model is from, anew in every try: the signatures may be others.
  Result<void> PutProof() {
    TRY(folder_->Put("bundle/manifest", Any().manifest_text()));
    TRY(folder_->Put("bundle/signatures", Any().signatures_text()));
    TRY(folder_->Put("bundle/tree", Leaves()));
    for (const format::RootText& root : Any().roots()) {
      TRY(folder_->Put("bundle/roots/" + std::to_string(root.version), root.text));
    }
    if (Any().revocations_text()) {
      TRY(folder_->Put("bundle/revocations", *Any().revocations_text()));
    }
    // An earlier try may have come with one that this try does not need.
    const std::string permit_path = folder_->path() + "/bundle/permit";
    if (files_.Exists(permit_path)) TRY(files_.Remove(permit_path));
    if (permit_) TRY(folder_->Put("bundle/permit", permit_->text));
    const auto put = [&](size_t idx, std::span<const uint8_t> content) {
      return folder_->Put("bundle/documents/" + manifest_.documents[idx].name, AsText(content));
    };
    return Any().ReadDocuments(put).WithContext(Quote(set_.parts().front().name));
  }

  // The chunks of one medium that are not there yet; and every other bit of it, so that a medium
  // with damage is not called good.
  Result<void> Copy(const reader::VolumeSet::Part& part, Journal& journal) {
    const uint64_t number = NumberOf(part.bundle);
    if (!copied_.insert(number).second) return {};
    const std::string name =
        Quote(part.name) +
        (part.bundle.volume() ? " (" + reader::DescribeVolume(part.bundle) + ")" : "");
    if (&part.bundle != &Any()) {
      TRY(part.bundle.ReadHashes().WithContext(name));
      const auto pass = [](size_t, std::span<const uint8_t>) { return Result<void>(); };
      TRY(part.bundle.ReadDocuments(pass).WithContext(name));
    }
    CopyWork work;
    work.first = part.bundle.chunks().first;
    work.count = part.bundle.chunks().count();
    work.read = [&](uint64_t chunk, std::span<uint8_t> out) -> Result<void> {
      TRY(part.bundle.ReadChunk(chunk, hashes_, out).WithContext(name));
      return {};
    };
    work.open = [&](size_t file_idx) { return folder_->OpenWrite(file_idx); };
    CopyOptions copy = options_.copy;
    const uint64_t before = record_->DoneBytes();
    copy.progress = [&](uint64_t copied_bytes) {
      if (!options_.progress) return;
      options_.progress({before + copied_bytes, manifest_.DataBytes(), record_->resumed_bytes()});
    };
    TRY(CopyChunks(map_, work, record_->done(), journal, copy));
    TRY(part.bundle.CheckFraming().WithContext(name));
    media_[number]->Close();
    return {};
  }

  // Volumes with chunks that nobody has copied.
  VolumesNeeded Needed() const {
    VolumesNeeded needed;
    needed.of = set_.volume_count();
    needed.refused = refused_;
    const std::optional<format::Volume> any = Any().volume();
    if (!any) return needed;
    for (const uint64_t number : set_.Missing()) {
      const format::Volume volume{number, any->chunks};
      if (!record_->HasAll(volume.Range(map_.count()))) needed.numbers.push_back(number);
    }
    return needed;
  }

  // One answer to the question for more; what of it cannot be used is said with the next question.
  Result<void> GetMore(const VolumesNeeded& needed) {
    std::vector<Medium> more;
    if (options_.more) more = TRY(options_.more(needed));
    refused_.clear();
    for (Medium& medium : more) {
      const Result<void> added = Add(std::move(medium));
      if (!added) refused_ = added.error().message();
    }
    if (!more.empty()) return {};
    std::string numbers;
    for (const uint64_t number : needed.numbers) {
      numbers += (numbers.empty() ? "" : ", ") + std::to_string(number);
    }
    return Error(ErrorCode::kNotFound, "missing: volume " + numbers + " of " +
                                           std::to_string(needed.of) +
                                           "; import with these files, too");
  }

  using OpenByIndex = std::function<Result<std::unique_ptr<File>>(size_t file_idx)>;

  Result<void> Review(const OpenByIndex& open) {
    result_.templates = TRY(ReviewTemplates(files_, result_.digest, manifest_, open));
    const std::string& warning = result_.templates.warning;
    if (!warning.empty()) result_.warnings.push_back(warning);
    return {};
  }

  // Whether the files are a model that may travel, and which templates it has.
  Result<inspect::ModelFormat> Inspect() {
    // What was written, not what a medium might answer now.
    const OpenByIndex open = [this](size_t file_idx) { return folder_->OpenRead(file_idx); };
    const inspect::ModelFormat format = TRY(inspect::InspectFiles(manifest_, open));
    TRY(Review(open));
    return format;
  }

  Result<void> Publish() {
    ImportFacts facts;
    const Result<inspect::ModelFormat> format = Inspect();
    if (!format) {
      is_refused_ = format.error().code() != ErrorCode::kIo;
      return format.error();
    }
    facts.model_format = *format;
    facts.templates = result_.templates.templates;
    if (permit_) facts.permit = permit_->digest;
    facts.unix_millis = options_.clock->UnixMillis();
    TRY(folder_->Put("import.json", DescribeImport(Any(), facts)));
    TRY(folder_->Finish());
    // Between this look at the store and the model's appearance there nobody else publishes.
    const UniqueFd publishing = TRY(locks_.TakePublishing());
    const std::optional<trust::SignedPermit> permit = TRY(CheckFloor());
    if (permit.has_value() != permit_.has_value()) {
      return Error(ErrorCode::kUnavailable,
                   "another release of the model was imported meanwhile: import again");
    }
    TRY(files_.RenameNoReplace(folder_->path(), StorePath()));
    Result<void> synced = files_.SyncDirectory(kStoreDirectory);
    if (synced) synced = files_.SyncDirectory(Folder());
    if (!synced) {
      // Not durable, so not imported: take it back as far as the disk still answers.
      (void)files_.Rename(StorePath(), folder_->path());
      return synced;
    }
    // What cannot be removed now, the next import of this bundle or a person removes.
    (void)RemoveTree(files_, Folder());
    return {};
  }

  // Keeps or removes what an import has copied that failed with `error`.
  Error Leave(const Error& error) {
    if (!record_) {
      (void)files_.Remove(Folder());  // only if it is empty: an earlier try's work stays
      return error;
    }
    const uint64_t kept = record_->DoneBytes();
    if (is_refused_ || !record_->HasAny()) {
      (void)RemoveTree(files_, Folder());
      return error;
    }
    return Error(error.code(), error.message() + "; " + FormatBytes(kept) + " of " +
                                   FormatBytes(manifest_.DataBytes()) +
                                   " are copied and kept: the same command goes on from there, "
                                   "'skerry import --discard " +
                                   result_.digest + "' gives them up");
  }

  FileSystem& files_;
  StagingLocks& locks_;
  trust::TrustState trust_;                    // with what the store has brought
  std::optional<trust::SignedPermit> permit_;  // that lets this release in
  const ImportOptions& options_;

  std::map<uint64_t, std::unique_ptr<ClosableFile>> media_;  // by number of volume
  std::vector<std::unique_ptr<ClosableFile>> duplicates_;    // closed; the set knows them
  reader::VolumeSet set_;
  std::string refused_;  // why the medium given last is not used
  format::Manifest manifest_;
  format::ChunkMap map_;
  reader::ChunkHashes hashes_;

  std::optional<ModelFolder> folder_;
  std::optional<ChunkRecord> record_;  // as soon as it is known what the folder has
  std::set<uint64_t> copied_;          // numbers of volumes
  bool is_refused_ = false;            // for its content

  ImportResult result_;
};

}  // namespace

Result<ImportResult> ImportBundle(FileSystem& files, StagingLocks& locks, std::vector<Medium> media,
                                  const trust::TrustState& trust, const ImportOptions& options) {
  if (media.empty()) return Error(ErrorCode::kInvalidArgument, "no bundle was given");
  // Roots and lists that came with models which nobody has taken over yet count already.
  trust::TrustState state = trust;
  TRY(trust::AbsorbStore(files, state));
  return ImportJob(files, locks, state, options).Run(std::move(media));
}

}  // namespace skerry::import
