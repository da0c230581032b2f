#include "bundler/import/record.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <span>

#include "bundler/format/layout.h"
#include "bundler/import/staging.h"

namespace skerry::import {

namespace {

// The `most` chunks that were recorded last, ascending.
std::vector<uint64_t> NewestChunks(const std::vector<RecordedChunks>& ranges, uint64_t most) {
  std::vector<uint64_t> newest;
  for (auto range = ranges.rbegin(); range != ranges.rend(); ++range) {
    for (uint64_t i = range->count; i > 0 && newest.size() < most; --i) {
      newest.push_back(range->first + i - 1);
    }
  }
  std::sort(newest.begin(), newest.end());
  return newest;
}

}  // namespace

Result<ChunkRecord> ChunkRecord::Resume(const RecordSubject& subject, const ModelFolder& folder,
                                        uint64_t look_chunks, const std::string& now) {
  ChunkRecord record(subject);
  record.done_.assign(subject.map.count(), false);
  const std::optional<JournalState> state =
      TRY(Journal::Read(subject.files, JournalPath(subject.digest)));
  record.since_ = state ? state->head.since : now;
  if (!state || state->head.digest != subject.digest || state->head.chunks != subject.map.count()) {
    return record;
  }
  for (const RecordedChunks& range : state->ranges) {
    for (uint64_t i = 0; i < range.count; ++i) record.done_[range.first + i] = true;
  }
  record.newest_ = NewestChunks(state->ranges, look_chunks);
  const bool holds = TRY(record.Holds(folder));
  if (!holds) {
    record.done_.assign(subject.map.count(), false);
    record.newest_.clear();
  }
  record.resumed_bytes_ = record.DoneBytes();
  return record;
}

Result<bool> ChunkRecord::Holds(const ModelFolder& folder) const {
  const bool sizes_hold = TRY(SizesHold(folder));
  if (!sizes_hold) return false;
  const auto buffer = std::make_unique_for_overwrite<uint8_t[]>(format::kChunkBytes);
  for (const uint64_t chunk : newest_) {
    const format::ChunkPlace place = subject_.map.At(chunk);
    const std::unique_ptr<File> file = TRY(folder.OpenRead(place.file_idx));
    const size_t got = TRY(file->ReadAt(place.offset, {buffer.get(), place.size}));
    if (got != place.size || !subject_.hashes.Holds(chunk, {buffer.get(), got})) return false;
    file->WillNotNeed(place.offset, place.size);
  }
  return true;
}

// Whether every file that something is recorded of has its size.
Result<bool> ChunkRecord::SizesHold(const ModelFolder& folder) const {
  for (size_t i = 0; i < subject_.manifest.files.size(); ++i) {
    const format::ChunkRange chunks = subject_.map.Of(i);
    const auto begin = done_.begin() + static_cast<ptrdiff_t>(chunks.first);
    const auto end = done_.begin() + static_cast<ptrdiff_t>(chunks.last);
    if (std::find(begin, end, true) == end) continue;
    const bool is_there = TRY(folder.HasFile(i));
    if (!is_there) return false;
  }
  return true;
}

Result<Journal> ChunkRecord::StartJournal() const {
  JournalState state;
  const format::Manifest& manifest = subject_.manifest;
  state.head = {subject_.digest,
                manifest.id,
                manifest.version,
                manifest.release_seq,
                subject_.map.count(),
                manifest.DataBytes(),
                since_};
  // The newest ones last, so that a further try looks at them again.
  std::vector<bool> older = done_;
  for (const uint64_t chunk : newest_) older[chunk] = false;
  for (uint64_t chunk = 0; chunk < subject_.map.count(); ++chunk) {
    if (older[chunk]) Append(state.ranges, chunk);
  }
  for (const uint64_t chunk : newest_) Append(state.ranges, chunk);
  return Journal::Start(subject_.files, JournalPath(subject_.digest), state);
}

void ChunkRecord::Append(std::vector<RecordedChunks>& ranges, uint64_t chunk) const {
  if (ranges.empty() || ranges.back().first + ranges.back().count != chunk) {
    ranges.push_back({chunk, 0, 0});
  }
  ++ranges.back().count;
  ranges.back().bytes += subject_.map.At(chunk).size;
}

bool ChunkRecord::HasAny() const {
  return std::find(done_.begin(), done_.end(), true) != done_.end();
}

bool ChunkRecord::HasAll(const format::ChunkRange& range) const {
  const auto begin = done_.begin() + static_cast<ptrdiff_t>(range.first);
  const auto end = begin + static_cast<ptrdiff_t>(range.count());
  return std::find(begin, end, false) == end;
}

uint64_t ChunkRecord::DoneBytes() const {
  uint64_t bytes = 0;
  for (uint64_t chunk = 0; chunk < subject_.map.count(); ++chunk) {
    if (done_[chunk]) bytes += subject_.map.At(chunk).size;
  }
  return bytes;
}

}  // namespace skerry::import
