#include "appliance/audit/verify.h"

#include <algorithm>
#include <deque>

namespace skerry::audit {

namespace {

std::string Number(uint64_t number) { return std::to_string(number); }

// Follows one chain through the segments.
class Verifier {
 public:
  Verifier(FileSystem& files, const std::optional<Sha256Digest>& known)
      : files_(files), known_(known) {
    result_.contains_known = !known.has_value();
  }

  Result<Verification> Run() {
    segments_ = TRY(ListSegments(files_));
    for (size_t i = 0; i < segments_.size() && !result_.broken; ++i) {
      ++result_.segments;
      TRY(Segment(i));
    }
    if (result_.broken) TRY(Refine());
    return std::move(result_);
  }

 private:
  void Break(BreakKind kind, uint64_t sequence, std::string message) {
    result_.broken =
        ChainBreak{kind, SegmentName(segments_[segment_]), line_, sequence, std::move(message)};
  }

  Result<void> Segment(size_t index) {
    segment_ = index;
    line_ = 0;
    const bool is_last = index + 1 == segments_.size();
    const uint64_t first = segments_[index];
    if (first != expected_) {
      if (first > expected_) {
        Break(BreakKind::kMissing, expected_,
              "records " + Number(expected_) + " to " + Number(first - 1) +
                  " are missing before this segment");
      } else {
        Break(BreakKind::kReordered, first,
              "the segment before already has record " + Number(first));
      }
      return {};
    }
    const std::unique_ptr<File> file = TRY(files_.OpenRead(SegmentName(first)));
    LineReader reader(*file);
    uint64_t whole_bytes = 0;
    for (;;) {
      const std::optional<Line> line = TRY(reader.Next());
      if (!line) return {};
      ++line_;
      const bool abandoned = !is_last && expected_ == segments_[index + 1];
      if (!line->whole) {
        if (is_last || abandoned) {
          result_.torn_bytes += line->end - whole_bytes;
        } else {
          Break(BreakKind::kTruncated, expected_,
                "the segment ends in the middle of record " + Number(expected_));
        }
        return {};
      }
      whole_bytes = line->end;
      if (abandoned) return Abandoned(*line, reader);
      if (!Record(*line, expected_, prev_)) return {};
      ++expected_;
      ++result_.records;
      prev_ = Sha256::Of(line->text);
      result_.head = prev_;
      if (known_ && *known_ == prev_) result_.contains_known = true;
    }
  }

  // Lines behind the place where the next segment goes on: a write that failed. They must be what
  // the writer tried to write, a continuation of the chain, or someone put them there.
  Result<void> Abandoned(const Line& first, LineReader& reader) {
    std::optional<Line> line = first;
    uint64_t sequence = expected_;
    Sha256Digest prev = prev_;
    while (line && line->whole) {
      if (!Record(*line, sequence, prev)) return {};
      ++result_.abandoned;
      ++sequence;
      prev = Sha256::Of(line->text);
      line = TRY(reader.Next());
      ++line_;
    }
    return {};
  }

  // True when the line is record `expected` and linked to `prev`; otherwise the break is noted.
  bool Record(const Line& line, uint64_t expected, const Sha256Digest& prev) {
    if (line.too_long) {
      Break(BreakKind::kAltered, expected, "the line is longer than any record");
      return false;
    }
    const Result<Link> link = ParseLink(line.text);
    if (!link) {
      Break(BreakKind::kAltered, expected, link.error().message());
      return false;
    }
    if (result_.writer.empty()) result_.writer = link->writer;
    const bool linked = link->prev == prev;
    if (link->sequence != expected && linked) {
      Break(BreakKind::kAltered, expected, "the record's own number was changed");
    } else if (link->sequence > expected) {
      Break(BreakKind::kMissing, expected,
            "record " + Number(link->sequence) + " follows on " + Number(expected - 1));
    } else if (link->sequence < expected) {
      Break(BreakKind::kReordered, link->sequence,
            "record " + Number(link->sequence) + " stands behind " + Number(expected - 1));
    } else if (!linked) {
      Break(BreakKind::kAltered, expected == 1 ? 1 : expected - 1,
            expected == 1 ? "the first record claims to follow on another"
                          : "record " + Number(expected - 1) + ", or the link to it in record " +
                                Number(expected) + ", was changed");
    } else if (link->writer != result_.writer) {
      Break(BreakKind::kAltered, expected, "the record names another writer");
    } else {
      return true;
    }
    return false;
  }

  // A record that seems missing may stand further on.
  Result<void> Refine() {
    if (result_.broken->kind != BreakKind::kMissing) return {};
    const uint64_t wanted = result_.broken->sequence;
    for (size_t i = segment_; i < segments_.size(); ++i) {
      const std::unique_ptr<File> file = TRY(files_.OpenRead(SegmentName(segments_[i])));
      LineReader reader(*file);
      for (;;) {
        const std::optional<Line> line = TRY(reader.Next());
        if (!line) break;
        if (line->too_long) continue;
        const Result<Link> link = ParseLink(line->text);
        if (!link || link->sequence != wanted) continue;
        result_.broken->kind = BreakKind::kReordered;
        result_.broken->message += "; it stands further on";
        return {};
      }
    }
    return {};
  }

  FileSystem& files_;
  const std::optional<Sha256Digest>& known_;
  Verification result_;
  std::vector<uint64_t> segments_;
  size_t segment_ = 0;
  uint64_t line_ = 0;
  uint64_t expected_ = 1;
  Sha256Digest prev_;
};

}  // namespace

std::string_view BreakKindName(BreakKind kind) {
  switch (kind) {
    case BreakKind::kAltered:
      return "altered";
    case BreakKind::kMissing:
      return "missing";
    case BreakKind::kReordered:
      return "reordered";
    case BreakKind::kTruncated:
      return "truncated";
  }
  return "unknown";
}

Result<Verification> VerifyJournal(FileSystem& files, const std::optional<Sha256Digest>& known) {
  return Verifier(files, known).Run();
}

Result<std::vector<std::string>> LastRecords(FileSystem& files, size_t count) {
  const std::vector<uint64_t> segments = TRY(ListSegments(files));
  std::deque<std::string> last;
  for (size_t i = segments.size(); i-- > 0 && last.size() < count;) {
    const size_t wanted = count - last.size();
    // Lines from the next segment's first record on do not count (a failed write).
    const uint64_t limit = i + 1 < segments.size() ? segments[i + 1] - segments[i] : UINT64_MAX;
    const std::unique_ptr<File> file = TRY(files.OpenRead(SegmentName(segments[i])));
    LineReader reader(*file);
    std::deque<std::string> here;
    for (uint64_t n = 0; n < limit; ++n) {
      const std::optional<Line> line = TRY(reader.Next());
      if (!line || !line->whole) break;
      here.emplace_back(line->text);
      if (here.size() > wanted) here.pop_front();
    }
    last.insert(last.begin(), here.begin(), here.end());
  }
  return std::vector<std::string>(last.begin(), last.end());
}

}  // namespace skerry::audit
