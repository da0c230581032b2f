#include "bundler/import/journal.h"

#include <nlohmann/json.hpp>
#include <string_view>

#include "appliance/base/encode.h"
#include "appliance/base/json.h"
#include "appliance/base/sha256.h"

namespace skerry::import {

namespace {

constexpr size_t kCheckDigits = 16;
constexpr unsigned kMode = 0644;
// A model has at most about a million chunks; every start of an import puts the lines together.
constexpr size_t kMaxBytes = 32 << 20;

std::string Check(std::string_view text) { return Sha256::Of(text).Hex().substr(0, kCheckDigits); }

std::string Line(const Json& json) {
  const std::string text = DumpJson(json);
  return text + " " + Check(text) + "\n";
}

std::string HeadLine(const JournalHead& head) {
  return Line({{"chunks", head.chunks},
               {"digest", head.digest},
               {"id", head.id},
               {"release_seq", head.release_seq},
               {"since", head.since},
               {"total_bytes", head.total_bytes},
               {"version", head.version}});
}

std::string RangeLine(const RecordedChunks& range) {
  return Line({{"bytes", range.bytes}, {"count", range.count}, {"first", range.first}});
}

// The next whole line of `rest` as JSON; moves `rest` on.
std::optional<Json> TakeLine(std::string_view& rest) {
  const size_t end = rest.find('\n');
  if (end == std::string_view::npos || end <= kCheckDigits) return std::nullopt;
  const std::string_view text = rest.substr(0, end - kCheckDigits - 1);
  if (rest[text.size()] != ' ' || rest.substr(text.size() + 1, kCheckDigits) != Check(text)) {
    return std::nullopt;
  }
  Result<Json> json = ParseJson(text);
  if (!json || !json->is_object()) return std::nullopt;
  rest.remove_prefix(end + 1);
  return std::move(*json);
}

Result<uint64_t> GetCount(const Json& json, std::string_view key) {
  const int64_t value = TRY(GetInt(json, key));
  if (value < 0) return Error(ErrorCode::kCorrupt, "a count is negative");
  return static_cast<uint64_t>(value);
}

Result<JournalHead> HeadFromJson(const Json& json) {
  JournalHead head;
  head.digest = TRY(GetString(json, "digest"));
  head.id = TRY(GetString(json, "id"));
  head.version = TRY(GetString(json, "version"));
  head.since = TRY(GetString(json, "since"));
  head.release_seq = TRY(GetCount(json, "release_seq"));
  head.chunks = TRY(GetCount(json, "chunks"));
  head.total_bytes = TRY(GetCount(json, "total_bytes"));
  return head;
}

Result<RecordedChunks> RangeFromJson(const Json& json, const JournalHead& head) {
  RecordedChunks range;
  range.first = TRY(GetCount(json, "first"));
  range.count = TRY(GetCount(json, "count"));
  range.bytes = TRY(GetCount(json, "bytes"));
  if (range.first >= head.chunks || range.count == 0 || range.count > head.chunks - range.first) {
    return Error(ErrorCode::kCorrupt, "chunks that the model does not have");
  }
  return range;
}

}  // namespace

Result<std::optional<JournalState>> Journal::Read(FileSystem& files, const std::string& path) {
  const Result<std::string> text = ReadAll(files, path, kMaxBytes);
  if (!text && text.error().code() == ErrorCode::kIo) return text.error();
  if (!text) return std::optional<JournalState>();
  std::string_view rest = *text;
  const std::optional<Json> first = TakeLine(rest);
  if (!first) return std::optional<JournalState>();
  Result<JournalHead> head = HeadFromJson(*first);
  if (!head) return std::optional<JournalState>();
  JournalState state;
  state.head = std::move(*head);
  while (const std::optional<Json> json = TakeLine(rest)) {
    const Result<RecordedChunks> range = RangeFromJson(*json, state.head);
    if (!range) break;
    state.ranges.push_back(*range);
  }
  return std::optional<JournalState>(std::move(state));
}

Result<Journal> Journal::Start(FileSystem& files, const std::string& path,
                               const JournalState& state) {
  std::string text = HeadLine(state.head);
  for (const RecordedChunks& range : state.ranges) text += RangeLine(range);
  TRY(WriteAtomically(files, path, text, kMode));
  std::unique_ptr<File> file = TRY(files.OpenAppend(path, kMode));
  return Journal(std::move(file));
}

Result<void> Journal::Add(std::span<const RecordedChunks> ranges) {
  if (ranges.empty()) return {};
  std::string text;
  for (const RecordedChunks& range : ranges) text += RangeLine(range);
  TRY(file_->Append(AsBytes(text)));
  return file_->Sync();
}

}  // namespace skerry::import
