#include "appliance/audit/journal.h"

#include <sys/random.h>

#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "appliance/base/encode.h"

namespace skerry::audit {

namespace {

constexpr char kEcsVersion[] = "8.11.0";
constexpr size_t kMaxBatchBytes = 1 << 20;
// Auditors read the journal as members of the writer's group.
constexpr unsigned kMode = 0640;
// Room for what the writing thread adds: the real sequence instead of 0.
constexpr size_t kSequenceDigits = 20;

struct Entry {
  Json record;
  size_t size_bytes = 0;
  Writer::Done done;
};

Result<std::string> RandomId() {
  uint8_t bytes[16];
  if (::getrandom(bytes, sizeof bytes, 0) != sizeof bytes) {
    return ErrnoError("cannot get random bytes", errno);
  }
  return HexEncode(bytes);
}

struct Head {
  uint64_t next_sequence = 1;
  Sha256Digest prev;  // of the record before; zeros at the very beginning
};

struct End {
  Head head;
  std::string writer;        // empty when there is no record
  uint64_t whole_bytes = 0;  // of the last segment
  uint64_t torn_bytes = 0;
};

// The last record with a sequence below `limit` in segment `first`, as the head after it; nullopt
// when there is none.
Result<std::optional<End>> ReadEnd(FileSystem& files, uint64_t first, uint64_t limit) {
  const std::string name = SegmentName(first);
  const std::unique_ptr<File> file = TRY(files.OpenRead(name));
  LineReader reader(*file);
  End end;
  std::string last;  // parsed once, at the end: a start reads up to 64 MiB
  uint64_t records = 0;
  for (;;) {
    const std::optional<Line> line = TRY(reader.Next());
    if (!line) break;
    if (!line->whole) {
      end.torn_bytes = line->end - end.whole_bytes;
      break;
    }
    if (first + records >= limit) break;
    last.assign(line->text);
    end.whole_bytes = line->end;
    ++records;
  }
  if (records == 0) {
    if (end.torn_bytes == 0) return std::optional<End>();
    end.head.next_sequence = 0;
    return std::optional<End>(end);
  }
  const Result<Link> link = ParseLink(last);
  if (!link || link->sequence != first + records - 1) {
    return Error(ErrorCode::kCorrupt,
                 "audit segment '" + name + "' does not end with record " +
                     std::to_string(first + records - 1) +
                     ": keep the folder for the auditor and start with an empty one");
  }
  end.head = {link->sequence + 1, Sha256::Of(last)};
  end.writer = link->writer;
  return std::optional<End>(end);
}

}  // namespace

struct Writer::State {
  FileSystem& files;
  const std::string name;
  const Clock& clock;
  const WriterOptions options;

  // Writing thread only.
  Head head;
  std::unique_ptr<File> segment;  // null: the next record starts a new one
  uint64_t segment_bytes = 0;     // durable
  bool segment_is_new = false;    // its directory entry is not durable yet
  uint64_t torn_bytes = 0;

  std::mutex mu;
  std::condition_variable wake;
  std::deque<Entry> queue;  // guarded by mu
  size_t queued_bytes = 0;  // guarded by mu
  bool stopping = false;    // guarded by mu
  std::thread thread;

  State(FileSystem& the_files, std::string the_name, const Clock& the_clock,
        const WriterOptions& the_options)
      : files(the_files), name(std::move(the_name)), clock(the_clock), options(the_options) {}

  Result<void> FindHead();
  Result<void> Store(const std::string& bytes);
  Result<void> OpenSegment();
  void AbandonSegment();
  void WriteBatch(std::vector<Entry> batch);
  void Run();
};

Result<void> Writer::State::FindHead() {
  const std::vector<uint64_t> segments = TRY(ListSegments(files));
  if (segments.empty()) return {};
  const uint64_t last = segments.back();
  const std::optional<End> end = TRY(ReadEnd(files, last, UINT64_MAX));
  head.next_sequence = last;
  if (end && end->head.next_sequence != 0) {
    head = end->head;
  } else if (segments.size() > 1) {
    // Nothing whole in the last segment: the chain ends just before it.
    const std::optional<End> before = TRY(ReadEnd(files, segments[segments.size() - 2], last));
    if (!before || before->head.next_sequence != last) {
      return Error(ErrorCode::kCorrupt, "audit segment '" + SegmentName(last) +
                                            "' is empty and the one before does not lead up to it");
    }
    head = before->head;
  } else if (last != 1) {
    return Error(ErrorCode::kCorrupt,
                 "audit segment '" + SegmentName(last) + "' is empty and there is none before it");
  }
  if (end && !end->writer.empty() && end->writer != name) {
    return Error(ErrorCode::kCorrupt,
                 "the journal belongs to writer '" + end->writer + "', not to '" + name + "'");
  }
  segment = TRY(files.OpenAppend(SegmentName(last), kMode));
  if (end) {
    segment_bytes = end->whole_bytes;
    torn_bytes = end->torn_bytes;
  }
  if (torn_bytes > 0) TRY(segment->Truncate(segment_bytes));
  // What a crashed writer left may be visible but not durable yet; the chain goes on from it.
  TRY(segment->Sync());
  return files.SyncDirectory(".");
}

Result<void> Writer::State::OpenSegment() {
  const std::string segment_name = SegmentName(head.next_sequence);
  // Only a segment that failed before its first record was durable can have this name.
  if (files.Exists(segment_name)) TRY(files.Remove(segment_name));
  segment = TRY(files.Create(segment_name, kMode));
  segment_bytes = 0;
  segment_is_new = true;
  return {};
}

// After a failed write nobody knows what this file holds behind `segment_bytes`. Cutting it off is
// tried; if that fails too, readers know from the next segment's name that those lines do not
// count.
void Writer::State::AbandonSegment() {
  if (segment == nullptr) return;
  if (segment_is_new) {
    (void)files.Remove(SegmentName(head.next_sequence)).has_value();
  } else if (segment->Truncate(segment_bytes)) {
    (void)segment->Sync().has_value();
  }
  segment.reset();
}

Result<void> Writer::State::Store(const std::string& bytes) {
  if (segment != nullptr && segment_bytes > 0 &&
      segment_bytes + bytes.size() > options.max_segment_bytes) {
    segment.reset();
  }
  if (segment == nullptr) TRY(OpenSegment());
  TRY(segment->Append(AsBytes(bytes)));
  TRY(segment->Sync());
  if (segment_is_new) TRY(files.SyncDirectory("."));
  segment_is_new = false;
  segment_bytes += bytes.size();
  return {};
}

void Writer::State::WriteBatch(std::vector<Entry> batch) {
  Head next = head;
  std::string bytes;
  for (Entry& entry : batch) {
    entry.record["event"]["sequence"] = next.next_sequence;
    entry.record["skerry"]["chain"]["prev"] = next.prev.Hex();
    const std::string line = DumpJson(entry.record);
    next = {next.next_sequence + 1, Sha256::Of(line)};
    bytes.append(line).push_back('\n');
  }
  const Result<void> stored = Store(bytes);
  uint64_t sequence = head.next_sequence;
  if (stored) {
    head = next;
  } else {
    AbandonSegment();
  }
  for (Entry& entry : batch) {
    if (stored) {
      entry.done(sequence++);
    } else {
      entry.done(Error(stored.error()).WithContext("audit journal '" + name + "'"));
    }
  }
}

void Writer::State::Run() {
  for (;;) {
    std::vector<Entry> batch;
    {
      std::unique_lock lock(mu);
      wake.wait(lock, [this] { return stopping || !queue.empty(); });
      if (queue.empty()) return;
      size_t batch_bytes = 0;
      while (!queue.empty() &&
             (batch.empty() || batch_bytes + queue.front().size_bytes <= kMaxBatchBytes)) {
        batch_bytes += queue.front().size_bytes;
        batch.push_back(std::move(queue.front()));
        queue.pop_front();
      }
      queued_bytes -= batch_bytes;
    }
    WriteBatch(std::move(batch));
  }
}

Result<std::unique_ptr<Writer>> Writer::Open(FileSystem& files, std::string writer_name,
                                             const Clock& clock, const WriterOptions& options) {
  auto state = std::make_unique<State>(files, std::move(writer_name), clock, options);
  TRY(state->FindHead());
  State* raw = state.get();
  std::unique_ptr<Writer> writer(new Writer(std::move(state)));
  raw->thread = std::thread([raw] { raw->Run(); });
  return writer;
}

Writer::Writer(std::unique_ptr<State> state) : state_(std::move(state)) {}

Writer::~Writer() {
  {
    const std::lock_guard lock(state_->mu);
    state_->stopping = true;
  }
  state_->wake.notify_all();
  if (state_->thread.joinable()) state_->thread.join();
}

Result<void> Writer::Append(Json fields, Done done) {
  const auto event = fields.find("event");
  if (event == fields.end() || !event->is_object() || !event->contains("action")) {
    return Error(ErrorCode::kInvalidArgument, "an audit record needs 'event.action'");
  }
  Entry entry;
  entry.done = std::move(done);
  std::string id = TRY(RandomId());
  (*event)["id"] = std::move(id);
  (*event)["kind"] = "event";
  (*event)["dataset"] = "skerry.audit";
  (*event)["sequence"] = 0;
  if (!event->contains("outcome")) (*event)["outcome"] = "success";
  fields["@timestamp"] = FormatUtc(state_->clock.UnixMillis());
  fields["ecs"]["version"] = kEcsVersion;
  fields["skerry"]["chain"] = {{"writer", state_->name}, {"prev", Sha256Digest().Hex()}};
  entry.size_bytes = DumpJson(fields).size() + kSequenceDigits;
  if (entry.size_bytes > kMaxRecordBytes) {
    return Error(ErrorCode::kExhausted,
                 "an audit record is longer than " + std::to_string(kMaxRecordBytes) + " bytes");
  }
  entry.record = std::move(fields);
  {
    const std::lock_guard lock(state_->mu);
    if (state_->stopping) return Error(ErrorCode::kCancelled, "the audit journal is being closed");
    if (state_->queue.size() >= state_->options.max_queued_records ||
        state_->queued_bytes + entry.size_bytes > state_->options.max_queued_bytes) {
      return Error(ErrorCode::kExhausted, "the audit journal cannot keep up: its queue is full");
    }
    state_->queued_bytes += entry.size_bytes;
    state_->queue.push_back(std::move(entry));
  }
  state_->wake.notify_one();
  return {};
}

Result<uint64_t> Writer::AppendAndWait(Json fields) {
  // Shared, because this thread may go on before set_value has returned on the other one.
  auto promise = std::make_shared<std::promise<Result<uint64_t>>>();
  std::future<Result<uint64_t>> future = promise->get_future();
  TRY(Append(std::move(fields),
             [promise](Result<uint64_t> result) { promise->set_value(std::move(result)); }));
  return future.get();
}

uint64_t Writer::torn_bytes() const { return state_->torn_bytes; }

}  // namespace skerry::audit
