#include "appliance/policy/writer.h"

#include <algorithm>

#include "appliance/base/encode.h"
#include "appliance/policy/document.h"

namespace skerry::policy {

namespace {

constexpr char kKeyName[] = "key";
// The proxy runs as another user of the same group.
constexpr unsigned kMode = 0640;
constexpr size_t kKeptBases = 2;

}  // namespace

Result<std::unique_ptr<Writer>> Writer::Open(FileSystem& files) {
  Result<TokenKey> key = ReadKey(files);
  if (!key && key.error().code() == ErrorCode::kNotFound) {
    const std::vector<DirectoryEntry> entries = TRY(files.List("."));
    for (const DirectoryEntry& entry : entries) {
      if (GenerationOfBase(entry.name)) {
        return Error(ErrorCode::kCorrupt,
                     "the policy's 'key' is missing, so no API token can be checked: restore it "
                     "from a backup, or remove the folder's files to begin without tokens");
      }
    }
    TokenKey made = MakeKey();
    TRY(WriteAtomically(files, kKeyName, AsText(made.bytes()), kMode));
    key = std::move(made);
  }
  if (!key) return std::move(key).error();
  std::unique_ptr<Writer> writer(new Writer(files, std::move(key).value()));
  TRY(writer->Start());
  return writer;
}

Result<void> Writer::Start() {
  Result<ReadOutcome> read = ReadPolicy(files_);
  if (!read) {
    if (read.error().code() != ErrorCode::kNotFound) return std::move(read).error();
    Policy first;
    first.generation = 1;
    TRY(WriteBase(first));
    policy_ = std::move(first);
    return {};
  }
  policy_ = read->policy;
  highest_used_ = read->highest_claimed;
  warnings_ = read->warnings;
  if (!warnings_.empty()) {
    Policy repaired = policy_;
    repaired.generation = highest_used_ + 1;
    TRY(WriteBase(repaired));
    policy_ = std::move(repaired);
    return {};
  }
  base_generation_ = read->base_generation;
  delta_lines_ = read->delta_lines;
  const std::string name = DeltaName(base_generation_);
  if (!files_.Exists(name)) return {};
  delta_ = TRY(files_.OpenAppend(name, kMode));
  const uint64_t size = TRY(delta_->Size());
  if (size > read->delta_bytes) TRY(delta_->Truncate(read->delta_bytes));
  // What a crashed writer left may be visible but not durable yet; the caller will build on it.
  TRY(delta_->Sync());
  return files_.SyncDirectory(".");
}

Result<uint64_t> Writer::Publish(const std::vector<Op>& ops) {
  Policy next = policy_;
  TRY(Apply(ops, policy_.generation + 1, next));
  if (broken_) {
    next.generation = highest_used_ + 1;
    TRY(WriteBase(next));
  } else {
    if (delta_lines_ >= kMaxDeltaLines) TRY(WriteBase(policy_));
    TRY(AppendDelta(ops, next.generation));
  }
  policy_ = std::move(next);
  return policy_.generation;
}

Result<void> Writer::WriteBase(const Policy& policy) {
  // Until all of it is durable nobody knows which base a reader takes.
  broken_ = true;
  highest_used_ = std::max(highest_used_, policy.generation);
  const std::string text = EncodeBase(policy);
  if (text.size() > kMaxBaseBytes) {
    return Error(ErrorCode::kExhausted, "the policy is larger than a reader accepts");
  }
  TRY(WriteAtomically(files_, BaseName(policy.generation), text, kMode));
  broken_ = false;
  base_generation_ = policy.generation;
  delta_lines_ = 0;
  delta_.reset();
  RemoveOldFiles();
  return {};
}

Result<void> Writer::AppendDelta(const std::vector<Op>& ops, uint64_t generation) {
  const std::string line = EncodeDelta({generation, ops}) + "\n";
  if (line.size() > kMaxDeltaLineBytes) {
    return Error(ErrorCode::kExhausted, "one change of the policy is too large");
  }
  broken_ = true;
  highest_used_ = std::max(highest_used_, generation);
  const bool first = delta_ == nullptr;
  if (first) delta_ = TRY(files_.OpenAppend(DeltaName(base_generation_), kMode));
  TRY(delta_->Append(AsBytes(line)));
  TRY(delta_->Sync());
  if (first) TRY(files_.SyncDirectory("."));
  broken_ = false;
  ++delta_lines_;
  return {};
}

// Best effort: what stays is removed next time.
void Writer::RemoveOldFiles() {
  const Result<std::vector<DirectoryEntry>> entries = files_.List(".");
  if (!entries) return;
  std::vector<uint64_t> bases;
  for (const DirectoryEntry& entry : *entries) {
    if (const auto base = GenerationOfBase(entry.name)) bases.push_back(*base);
  }
  if (bases.size() <= kKeptBases) return;
  const uint64_t oldest_kept = bases[bases.size() - kKeptBases];
  for (const DirectoryEntry& entry : *entries) {
    auto generation = GenerationOfBase(entry.name);
    if (!generation) generation = GenerationOfDelta(entry.name);
    if (generation && *generation < oldest_kept) (void)files_.Remove(entry.name).has_value();
  }
}

}  // namespace skerry::policy
