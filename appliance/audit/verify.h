// Verifies a journal: every line hashed, every link followed. Needs the files only; streams with
// bounded memory; changes nothing, so it can run beside the writer.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "appliance/audit/segment.h"
#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "appliance/base/sha256.h"

namespace skerry::audit {

enum class BreakKind {
  kAltered,    // a line, or the link to it, is not what was written
  kMissing,    // records are not there
  kReordered,  // a record stands at another place, or twice
  kTruncated,  // a segment that is not the last ends in the middle of a record
};
std::string_view BreakKindName(BreakKind kind);  // "altered", ...

struct ChainBreak {
  BreakKind kind;
  std::string file;       // segment where it shows
  uint64_t line = 0;      // from 1; 0: the file as a whole
  uint64_t sequence = 0;  // first record that is concerned
  std::string message;    // a sentence
};

struct Verification {
  uint64_t segments = 0;
  uint64_t records = 0;     // that hold, from the first on
  std::string writer;       // as the records name it
  Sha256Digest head;        // hash of the last record that holds; zeros without any
  uint64_t torn_bytes = 0;  // of a last line that was never acknowledged
  uint64_t abandoned =
      0;  // lines of failed writes, never acknowledged, that stand behind a segment's end
  bool contains_known = true;  // whether `known` is the hash of a record that holds
  std::optional<ChainBreak> broken;
};

// Verifies the journal in `files` (rooted at journal/WRITER). A broken chain is a result, not an
// error; errors are kIo and the like. `known` is a head that was noted earlier: what was cut off
// the end of a journal shows only by its absence.
Result<Verification> VerifyJournal(FileSystem& files,
                                   const std::optional<Sha256Digest>& known = std::nullopt);

// The last `count` whole lines, oldest first; not verified.
Result<std::vector<std::string>> LastRecords(FileSystem& files, size_t count);

}  // namespace skerry::audit
