// The files of a journal: segment names, lines read one by one, and the link that chains a record
// to the one before (docs/formats/audit.md). Shared by the writer and by everything that reads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "appliance/base/sha256.h"

namespace skerry::audit {

inline constexpr uint64_t kMaxSegmentBytes = 64 << 20;
inline constexpr size_t kMaxRecordBytes = 64 << 10;  // one line without '\n'

std::string SegmentName(uint64_t first_sequence);  // "00000000000000000001.ndjson"
std::optional<uint64_t> SequenceOfSegment(std::string_view name);

// First sequences of the segments in `files` (rooted at journal/WRITER), ascending.
Result<std::vector<uint64_t>> ListSegments(FileSystem& files);

struct Line {
  std::string_view text;  // without '\n'; valid until the next call of Next
  uint64_t end = 0;       // offset just after the line
  bool whole = false;     // ended by '\n'
  bool too_long = false;  // more than kMaxRecordBytes; `text` is its beginning
};

// Reads a file line by line with bounded memory. One thread.
class LineReader {
 public:
  explicit LineReader(const File& file) : file_(file) {}
  // nullopt at the end of the file. The last line may lack its '\n' (whole is false).
  Result<std::optional<Line>> Next();

 private:
  Result<bool> Fill();

  const File& file_;
  std::string buffer_;
  size_t at_ = 0;        // of the next line within buffer_
  uint64_t offset_ = 0;  // of buffer_[0] within the file
  bool at_end_ = false;
};

// What chains a record to the one before.
struct Link {
  uint64_t sequence = 0;
  Sha256Digest prev;
  std::string writer;
};

// kCorrupt when the line is not a record.
Result<Link> ParseLink(std::string_view line);

}  // namespace skerry::audit
