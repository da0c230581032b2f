#include "bundler/import/session.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <vector>

#include "appliance/base/control.h"
#include "appliance/base/json.h"
#include "appliance/base/unix_socket.h"
#include "bundler/format/names.h"
#include "bundler/import/install.h"

namespace skerry::import {

namespace {

constexpr int64_t kProgressIntervalNs = 200'000'000;
constexpr size_t kMaxPermitBytes = 64 << 10;
constexpr size_t kMaxFilesPerMessage = kMaxPassedFds - 1;
// Smaller reads are looks at headers, which are cheap to keep.
constexpr size_t kBulkBytes = 64 << 10;

// A medium: read once from beginning to end, so what was read is not kept in memory; and its reads
// fail once the client is gone, so that the import ends.
class MediumFile : public File {
 public:
  MediumFile(std::unique_ptr<File> file, const std::atomic<bool>& cancelled)
      : file_(std::move(file)), cancelled_(cancelled) {}

  Result<size_t> ReadAt(uint64_t offset, std::span<uint8_t> out) const override {
    if (cancelled_) return Error(ErrorCode::kCancelled, "stopped");
    Result<size_t> got = file_->ReadAt(offset, out);
    if (got && *got >= kBulkBytes) file_->WillNotNeed(offset, *got);
    return got;
  }
  Result<uint64_t> Size() const override { return file_->Size(); }
  Result<void> Append(std::span<const uint8_t>) override { return ReadOnly(); }
  Result<void> Sync() override { return ReadOnly(); }
  Result<void> Truncate(uint64_t) override { return ReadOnly(); }

 private:
  static Error ReadOnly() { return Error(ErrorCode::kInternal, "a medium is never written"); }

  std::unique_ptr<File> file_;
  const std::atomic<bool>& cancelled_;
};

// One line with the descriptors that came with it.
struct Message {
  Json json;
  std::vector<UniqueFd> fds;
};

// kUnavailable when the client closes instead.
Result<Message> ReadMessage(int connection) {
  Message message;
  std::string text;
  // The descriptors come with the first bytes; a stream may cut the line anywhere.
  while (!text.ends_with('\n')) {
    PassedMessage part = TRY(ReceiveMessage(connection, kMaxControlLineBytes - text.size()));
    if (part.bytes.empty()) {
      return Error(ErrorCode::kUnavailable, "the client sent no complete request");
    }
    text += part.bytes;
    for (UniqueFd& fd : part.fds) message.fds.push_back(std::move(fd));
    if (text.size() >= kMaxControlLineBytes) {
      return Error(ErrorCode::kExhausted, "the request is longer than 64 KiB");
    }
  }
  text.pop_back();
  message.json = TRY(ParseJson(text).WithContext("request"));
  return message;
}

// One connection. One thread, except for the reads of the media.
class Session {
 public:
  Session(int connection, FileSystem& files, StagingLocks& locks, const trust::TrustState& trust,
          const std::string& place)
      : connection_(connection), files_(files), locks_(locks), trust_(trust), place_(place) {}

  Result<ImportResult> Run() {
    Message request = TRY(ReadMessage(connection_));
    TRY(RefuseUnknownKeys(request.json, {"files", "op", "permit"}));
    ImportOptions options;
    if (request.json.contains("permit")) {
      options.permit_text = TRY(TakePermit(request).WithContext("permit"));
    }
    std::vector<Medium> media = TRY(TakeMedia("import", request));
    options.copy.cancelled = &cancelled_;
    options.place = place_;
    options.progress = [this](const ImportProgress& progress) { Report(progress); };
    options.more = [this](const VolumesNeeded& needed) { return Ask(needed); };
    return ImportBundle(files_, locks_, std::move(media), trust_, options);
  }

 private:
  // Its descriptor is the last one.
  static Result<std::string> TakePermit(Message& request) {
    const std::string name = TRY(GetString(request.json, "permit"));
    if (request.fds.empty()) {
      return Error(ErrorCode::kInvalidArgument, "there is no open descriptor for it");
    }
    const std::unique_ptr<File> file = TRY(Adopt(std::move(request.fds.back()), name));
    request.fds.pop_back();
    return ReadAll(*file, kMaxPermitBytes).WithContext(format::Quote(name));
  }

  Result<std::vector<Medium>> TakeMedia(const std::string& wanted_op, Message& message) const {
    const std::string op = TRY(GetString(message.json, "op"));
    const auto names = message.json.find("files");
    const bool well_formed = op == wanted_op && names != message.json.end() && names->is_array() &&
                             !names->empty() && names->size() <= kMaxFilesPerMessage &&
                             names->size() == message.fds.size();
    if (!well_formed) {
      return Error(ErrorCode::kInvalidArgument, "a request must be op '" + wanted_op +
                                                    "' with 1 to " +
                                                    std::to_string(kMaxFilesPerMessage) +
                                                    " files and one open descriptor for each");
    }
    std::vector<Medium> media;
    for (size_t i = 0; i < names->size(); ++i) {
      if (!names->at(i).is_string()) {
        return Error(ErrorCode::kInvalidArgument, "field 'files' must hold names");
      }
      const std::string name = names->at(i).get<std::string>();
      std::unique_ptr<File> file = TRY(Adopt(std::move(message.fds[i]), name));
      media.push_back({name, std::make_unique<MediumFile>(std::move(file), cancelled_)});
    }
    return media;
  }

  static Result<std::unique_ptr<File>> Adopt(UniqueFd fd, const std::string& name) {
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) {
      return ErrnoError("cannot stat " + format::Quote(name), errno);
    }
    if (!S_ISREG(info.st_mode)) {
      return Error(ErrorCode::kInvalidArgument, format::Quote(name) + " is not a regular file");
    }
    ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    return AdoptFile(std::move(fd), name);
  }

  void Report(const ImportProgress& progress) {
    const int64_t now = RealClock().MonotonicNanos();
    if (ClientGone()) cancelled_ = true;
    if (now - last_ns_ < kProgressIntervalNs && progress.done_bytes < progress.total_bytes) return;
    last_ns_ = now;
    const Json line = {{"progress",
                        {{"done_bytes", progress.done_bytes},
                         {"resumed_bytes", progress.resumed_bytes},
                         {"total_bytes", progress.total_bytes}}}};
    if (!Send(line)) cancelled_ = true;
  }

  // No medium when the client closes instead of answering.
  Result<std::vector<Medium>> Ask(const VolumesNeeded& needed) {
    Json need = {{"of", needed.of}, {"volumes", needed.numbers}};
    if (!needed.refused.empty()) need["refused"] = needed.refused;
    if (!Send({{"need", need}})) return std::vector<Medium>();
    Result<Message> answer = ReadMessage(connection_);
    if (!answer && answer.error().code() == ErrorCode::kUnavailable) return std::vector<Medium>();
    if (!answer) return answer.error();
    TRY(RefuseUnknownKeys(answer->json, {"files", "op"}));
    return TakeMedia("add", *answer);
  }

  bool Send(const Json& line) { return WriteFully(connection_, DumpJson(line) + "\n").has_value(); }

  bool ClientGone() const {
    char byte;
    const ssize_t got = ::recv(connection_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
  }

  const int connection_;
  FileSystem& files_;
  StagingLocks& locks_;
  const trust::TrustState& trust_;
  const std::string place_;
  std::atomic<bool> cancelled_ = false;
  int64_t last_ns_ = 0;
};

Json ToJson(const ImportResult& result) {
  const TemplateReview& review = result.templates;
  Json templates = Json::array();
  for (const inspect::ComparedTemplate& item : review.templates) {
    templates.push_back({{"change", inspect::TemplateChangeName(item.change)},
                         {"name", item.name},
                         {"sha256", item.sha256.Hex()}});
  }
  const Json content = {
      {"already_present", result.already_present},
      {"compared_with", review.compared_with ? Json(*review.compared_with) : Json()},
      {"digest", result.digest},
      {"expires", result.expires ? Json(*result.expires) : Json()},
      {"id", result.id},
      {"release_seq", result.release_seq},
      {"template_diff", review.diff},
      {"templates", std::move(templates)},
      {"version", result.version},
      {"warnings", result.warnings}};
  return {{"result", content}};
}

}  // namespace

Result<void> ServeImport(int connection, FileSystem& files, StagingLocks& locks,
                         const trust::TrustState& trust, const std::string& place) {
  const Result<ImportResult> result = Session(connection, files, locks, trust, place).Run();
  if (!result) {
    SendError(connection, result.error());
    return result.error();
  }
  return WriteFully(connection, DumpJson(ToJson(*result)) + "\n");
}

void SendError(int connection, const Error& error) {
  (void)WriteFully(connection, DumpJson(ErrorToJson(error)) + "\n");
}

}  // namespace skerry::import
