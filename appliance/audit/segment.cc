#include "appliance/audit/segment.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "appliance/base/json.h"

namespace skerry::audit {

namespace {

constexpr std::string_view kSuffix = ".ndjson";
constexpr size_t kDigits = 20;
constexpr size_t kReadBytes = 256 << 10;
static_assert(kReadBytes > kMaxRecordBytes);

Error NotARecord(std::string_view why) {
  return Error(ErrorCode::kCorrupt, "not a record: " + std::string(why));
}

const Json* Object(const Json& parent, const char* key) {
  const auto found = parent.find(key);
  return found == parent.end() || !found->is_object() ? nullptr : &*found;
}

}  // namespace

std::string SegmentName(uint64_t first_sequence) {
  const std::string digits = std::to_string(first_sequence);
  return std::string(kDigits - digits.size(), '0') + digits + std::string(kSuffix);
}

std::optional<uint64_t> SequenceOfSegment(std::string_view name) {
  if (name.size() != kDigits + kSuffix.size() || !name.ends_with(kSuffix)) return std::nullopt;
  uint64_t sequence = 0;
  const auto end = std::from_chars(name.data(), name.data() + kDigits, sequence);
  if (end.ec != std::errc() || end.ptr != name.data() + kDigits || sequence == 0) {
    return std::nullopt;
  }
  return sequence;
}

Result<std::vector<uint64_t>> ListSegments(FileSystem& files) {
  const std::vector<DirectoryEntry> entries = TRY(files.List("."));
  std::vector<uint64_t> segments;
  for (const DirectoryEntry& entry : entries) {
    if (const auto sequence = SequenceOfSegment(entry.name)) segments.push_back(*sequence);
  }
  return segments;  // List sorts by name, and names have a fixed width
}

Result<bool> LineReader::Fill() {
  if (at_end_) return false;
  buffer_.erase(0, at_);
  offset_ += at_;
  at_ = 0;
  const size_t old_size = buffer_.size();
  buffer_.resize(old_size + kReadBytes);
  const size_t got = TRY(file_.ReadAt(
      offset_ + old_size, {reinterpret_cast<uint8_t*>(buffer_.data()) + old_size, kReadBytes}));
  buffer_.resize(old_size + got);
  at_end_ = got < kReadBytes;
  return got > 0;
}

Result<std::optional<Line>> LineReader::Next() {
  Line line;
  for (;;) {
    const size_t end = buffer_.find('\n', at_);
    if (end != std::string::npos) {
      line.text = std::string_view(buffer_).substr(at_, end - at_);
      at_ = end + 1;
      line.whole = true;
      break;
    }
    if (buffer_.size() - at_ > kMaxRecordBytes) {
      // Keep nothing of it: whoever reads only needs to know that it is no record.
      line.too_long = true;
      at_ = buffer_.size();
    }
    const bool more = TRY(Fill());
    if (more) continue;
    line.text = std::string_view(buffer_).substr(at_);
    at_ = buffer_.size();
    if (line.text.empty() && !line.too_long) return std::optional<Line>();
    break;
  }
  line.end = offset_ + at_;
  line.too_long = line.too_long || line.text.size() > kMaxRecordBytes;
  return std::optional<Line>(line);
}

Result<Link> ParseLink(std::string_view text) {
  const Result<Json> parsed = ParseJson(text, {.max_bytes = kMaxRecordBytes});
  if (!parsed) return NotARecord(parsed.error().message());
  if (!parsed->is_object()) return NotARecord("an object is expected");
  const Json* event = Object(*parsed, "event");
  const Json* own = Object(*parsed, "skerry");
  const Json* chain = own == nullptr ? nullptr : Object(*own, "chain");
  if (event == nullptr || chain == nullptr)
    return NotARecord("'event' or 'skerry.chain' is missing");
  Link link;
  const Result<int64_t> sequence = GetInt(*event, "sequence");
  if (!sequence || *sequence < 1) return NotARecord("'event.sequence' is missing");
  link.sequence = static_cast<uint64_t>(*sequence);
  const Result<std::string> prev = GetString(*chain, "prev");
  const Result<std::string> writer = GetString(*chain, "writer");
  if (!prev || !writer) return NotARecord("'skerry.chain' is incomplete");
  const Result<Sha256Digest> digest = Sha256Digest::FromHex(*prev);
  if (!digest) return NotARecord("'skerry.chain.prev' is not a hash");
  link.prev = *digest;
  link.writer = *writer;
  return link;
}

}  // namespace skerry::audit
