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

struct Request {
  std::string name;
  std::unique_ptr<File> file;
};

// A file whose reads fail once the client is gone, so that the import ends and cleans up.
class CancellableFile : public File {
 public:
  CancellableFile(std::unique_ptr<File> file, const std::atomic<bool>& cancelled)
      : file_(std::move(file)), cancelled_(cancelled) {}

  Result<size_t> ReadAt(uint64_t offset, std::span<uint8_t> out) const override {
    if (cancelled_)
      return Error(ErrorCode::kCancelled, "the client went away; nothing was imported");
    return file_->ReadAt(offset, out);
  }
  Result<uint64_t> Size() const override { return file_->Size(); }
  Result<void> Append(std::span<const uint8_t> bytes) override { return file_->Append(bytes); }
  Result<void> Sync() override { return file_->Sync(); }
  Result<void> Truncate(uint64_t size) override { return file_->Truncate(size); }

 private:
  std::unique_ptr<File> file_;
  const std::atomic<bool>& cancelled_;
};

Result<Request> ReadRequest(int connection) {
  std::string text;
  std::vector<UniqueFd> fds;
  // The descriptors come with the first bytes; a stream may cut the line anywhere.
  while (!text.ends_with('\n')) {
    PassedMessage message = TRY(ReceiveMessage(connection, kMaxControlLineBytes - text.size()));
    if (message.bytes.empty()) {
      return Error(ErrorCode::kUnavailable, "the client sent no complete request");
    }
    text += message.bytes;
    for (UniqueFd& fd : message.fds) fds.push_back(std::move(fd));
    if (text.size() >= kMaxControlLineBytes) {
      return Error(ErrorCode::kExhausted, "the request is longer than 64 KiB");
    }
  }
  text.pop_back();
  const Json json = TRY(ParseJson(text).WithContext("request"));
  TRY(RefuseUnknownKeys(json, {"files", "op"}));
  const std::string op = TRY(GetString(json, "op"));
  const auto names = json.find("files");
  if (op != "import" || names == json.end() || !names->is_array() || names->size() != 1 ||
      !names->at(0).is_string() || fds.size() != 1) {
    return Error(ErrorCode::kInvalidArgument,
                 "a request must be op 'import' with one file and one open descriptor for it");
  }
  struct stat info {};
  if (::fstat(fds[0].get(), &info) != 0) return ErrnoError("cannot stat the bundle", errno);
  const std::string name = names->at(0).get<std::string>();
  if (!S_ISREG(info.st_mode)) {
    return Error(ErrorCode::kInvalidArgument, format::Quote(name) + " is not a regular file");
  }
  // The medium is read once, from beginning to end.
  ::posix_fadvise(fds[0].get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  return Request{name, AdoptFile(std::move(fds[0]), name)};
}

Json ToJson(const ImportResult& result) {
  const Json content = {{"already_present", result.already_present},
                        {"digest", result.digest},
                        {"expires", result.expires ? Json(*result.expires) : Json()},
                        {"id", result.id},
                        {"release_seq", result.release_seq},
                        {"version", result.version}};
  return {{"result", content}};
}

bool ClientGone(int connection) {
  char byte;
  const ssize_t got = ::recv(connection, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

Result<ImportResult> Run(int connection, FileSystem& files, const std::string& staging,
                         const trust::TrustState& trust) {
  Request request = TRY(ReadRequest(connection));
  std::atomic<bool> cancelled = false;
  const CancellableFile bundle(std::move(request.file), cancelled);
  int64_t last_ns = 0;
  ImportOptions options;
  options.read.progress = [&](uint64_t done, uint64_t total) {
    const int64_t now = RealClock().MonotonicNanos();
    if (now - last_ns < kProgressIntervalNs && done < total) return;
    last_ns = now;
    const Json line = {{"progress", {{"done_bytes", done}, {"total_bytes", total}}}};
    if (ClientGone(connection) || !WriteFully(connection, DumpJson(line) + "\n")) cancelled = true;
  };
  return ImportBundle(files, staging, bundle, trust, options)
      .WithContext(format::Quote(request.name));
}

}  // namespace

Result<void> ServeImport(int connection, FileSystem& files, const std::string& staging,
                         const trust::TrustState& trust) {
  const Result<ImportResult> result = Run(connection, files, staging, trust);
  if (!result) {
    (void)RemoveTree(files, staging);
    SendError(connection, result.error());
    return result.error();
  }
  return WriteFully(connection, DumpJson(ToJson(*result)) + "\n");
}

void SendError(int connection, const Error& error) {
  (void)WriteFully(connection, DumpJson(ErrorToJson(error)) + "\n");
}

}  // namespace skerry::import
