// Writes an audit journal: one hash chain, appended by one thread of its own that makes many
// records durable with one sync. A record is reported durable only when it is.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "appliance/audit/segment.h"
#include "appliance/base/clock.h"
#include "appliance/base/files.h"
#include "appliance/base/json.h"
#include "appliance/base/result.h"

namespace skerry::audit {

struct WriterOptions {
  uint64_t max_segment_bytes = kMaxSegmentBytes;
  // Bounds on what waits for the disk; beyond them Append refuses.
  size_t max_queued_records = 16'384;
  size_t max_queued_bytes = 32 << 20;
};

// Thread-safe.
class Writer {
 public:
  // The record's sequence once it is durable, or why it never will be. Called exactly once, on the
  // writer's thread: post to your own and return.
  using Done = std::function<void(Result<uint64_t>)>;

  // Opens the journal in `files` (rooted at journal/WRITER; must outlive the writer, like `clock`)
  // and goes on after its last whole record. A torn last line, which was never acknowledged, is cut
  // off: torn_bytes() tells. kCorrupt, naming the file, when the end of the chain cannot be read.
  static Result<std::unique_ptr<Writer>> Open(FileSystem& files, std::string writer_name,
                                              const Clock& clock = RealClock(),
                                              const WriterOptions& options = {});
  // Writes what is queued, calls every callback, joins the thread.
  ~Writer();

  // Queues a record. `fields` is a nested object with at least `event.action`; the writer adds
  // @timestamp (now), ecs.version, event.kind, event.dataset, event.id, event.sequence,
  // event.outcome
  // ("success" unless given) and skerry.chain. Never blocks on the disk.
  // Refusals, after which `done` is not called: kInvalidArgument (no action), kExhausted (record
  // over kMaxRecordBytes or queue full), kCancelled (being destroyed). When a write fails, the
  // records of that write fail, and the next ones go to a new segment.
  Result<void> Append(Json fields, Done done);

  // Append, and waits. Not from a Done callback.
  Result<uint64_t> AppendAndWait(Json fields);

  uint64_t torn_bytes() const;  // cut off by Open

 private:
  struct State;
  explicit Writer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace skerry::audit
