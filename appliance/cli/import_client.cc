#include "appliance/cli/import_client.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <nlohmann/json.hpp>

#include "appliance/base/control.h"
#include "appliance/base/unique_fd.h"
#include "appliance/base/unix_socket.h"

namespace skerry::cli {

namespace {

// One less than a message carries, for the permit.
constexpr size_t kMaxFilesPerMessage = kMaxPassedFds - 1;
// Leaves room in a line for the rest of the request and for what JSON makes of odd names.
constexpr size_t kMaxNameBytesPerMessage = 8 << 10;
constexpr uint64_t kMostVolumes = 1000;
// The result has a diff of chat templates in it.
constexpr size_t kMaxAnswerBytes = 1 << 20;

Result<UniqueFd> Open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd) return ErrnoError("cannot open '" + path + "'", errno);
  return fd;
}

Result<MissingVolumes> MissingFromJson(const Json& need) {
  MissingVolumes missing;
  const int64_t of = TRY(GetInt(need, "of"));
  missing.of = static_cast<uint64_t>(of);
  missing.refused = TRY(GetStringOr(need, "refused", ""));
  const auto numbers = need.find("volumes");
  if (numbers == need.end() || !numbers->is_array() || numbers->size() > kMostVolumes) {
    return Error(ErrorCode::kCorrupt, "field 'volumes' must be a list of numbers");
  }
  for (const Json& number : *numbers) {
    if (!number.is_number_unsigned()) {
      return Error(ErrorCode::kCorrupt, "field 'volumes' must be a list of numbers");
    }
    missing.numbers.push_back(number.get<uint64_t>());
  }
  return missing;
}

class Conversation {
 public:
  Conversation(int connection, const ImportRequest& request)
      : connection_(connection), request_(request) {}

  Result<Json> Run() {
    // All of them, before anything is begun.
    for (const std::string& file : request_.files) {
      const UniqueFd fd = TRY(Open(file));
    }
    const Result<void> sent = SendNext("import");
    // An importer that refuses at once may be gone before the request is sent; its reason is
    // waiting.
    Result<Json> result = Await();
    if (!sent && !result && result.error().code() == ErrorCode::kUnavailable) return sent.error();
    return result;
  }

 private:
  // The next files that were not sent yet, as many as fit into one message.
  Result<void> SendNext(const std::string& op) {
    Json names = Json::array();
    size_t name_bytes = 0;
    std::vector<UniqueFd> open;
    while (next_ < request_.files.size() && open.size() < kMaxFilesPerMessage &&
           (open.empty() || name_bytes + request_.files[next_].size() <= kMaxNameBytesPerMessage)) {
      const std::string& file = request_.files[next_++];
      UniqueFd fd = TRY(Open(file));
      open.push_back(std::move(fd));
      names.push_back(file);
      name_bytes += file.size();
    }
    Json message = {{"files", std::move(names)}, {"op", op}};
    if (op == "import" && !request_.permit.empty()) {
      UniqueFd fd = TRY(Open(request_.permit));
      open.push_back(std::move(fd));
      message["permit"] = request_.permit;
    }
    return Send(message, open);
  }

  Result<void> Send(const Json& message, const std::vector<UniqueFd>& open) {
    std::vector<int> fds;
    for (const UniqueFd& fd : open) fds.push_back(fd.get());
    return SendMessage(connection_, DumpJson(message) + "\n", fds);
  }

  Result<Json> Await() {
    for (;;) {
      TRY(WaitForLine());
      const std::string line = TRY(ReadLine(connection_, kMaxAnswerBytes));
      const Json json = TRY(ParseJson(line).WithContext("the importer's answer"));
      if (!json.is_object())
        return Error(ErrorCode::kCorrupt, "the importer's answer is no object");
      if (json.contains("error")) {
        return ErrorFromJson(json, Error(ErrorCode::kInternal, "the importer failed"));
      }
      if (json.contains("result")) return json["result"];
      if (json.contains("progress")) TRY(ShowProgress(json["progress"]));
      if (json.contains("need")) {
        const MissingVolumes missing =
            TRY(MissingFromJson(json["need"]).WithContext("the importer's answer"));
        TRY(GiveMore(missing));
      }
    }
  }

  // Until the importer has something to say. A wish to stop is handed on to it, by closing this
  // side; it then records what it has copied and says so.
  Result<void> WaitForLine() {
    for (;;) {
      pollfd waits[] = {{connection_, POLLIN, 0}, {stopping_ ? -1 : request_.stop, POLLIN, 0}};
      if (::poll(waits, 2, -1) < 0 && errno != EINTR) {
        return ErrnoError("cannot wait for the importer", errno);
      }
      if (waits[0].revents != 0) return {};
      if (waits[1].revents != 0) {
        stopping_ = true;
        ::shutdown(connection_, SHUT_WR);
      }
    }
  }

  Result<void> ShowProgress(const Json& step) {
    const int64_t done = TRY(GetInt(step, "done_bytes"));
    const int64_t total = TRY(GetInt(step, "total_bytes"));
    const int64_t resumed = TRY(GetIntOr(step, "resumed_bytes", 0));
    if (request_.progress) {
      request_.progress(static_cast<uint64_t>(done), static_cast<uint64_t>(total),
                        static_cast<uint64_t>(resumed));
    }
    return {};
  }

  Result<void> GiveMore(const MissingVolumes& missing) {
    if (next_ < request_.files.size() && missing.refused.empty()) return SendNext("add");
    const Error error = Missing(missing);
    if (!request_.ask) return error;
    MissingVolumes question = missing;
    for (;;) {
      const std::optional<std::string> file = TRY(request_.ask(question));
      if (!file) return error;
      Result<UniqueFd> fd = Open(*file);
      if (!fd) {
        question.refused = fd.error().message();
        continue;
      }
      std::vector<UniqueFd> open;
      open.push_back(std::move(*fd));
      return Send({{"files", Json::array({*file})}, {"op", "add"}}, open);
    }
  }

  static Error Missing(const MissingVolumes& missing) {
    const std::string reason = missing.refused.empty() ? "" : missing.refused + "; ";
    return Error(ErrorCode::kNotFound,
                 reason + "missing: " + DescribeMissing(missing) +
                     "; what was copied is kept: 'skerry import' with the missing files goes on "
                     "from there");
  }

  const int connection_;
  const ImportRequest& request_;
  size_t next_ = 0;  // of the files, to be sent
  bool stopping_ = false;
};

}  // namespace

std::string DescribeMissing(const MissingVolumes& missing) {
  std::string text = missing.numbers.size() == 1 ? "volume " : "volumes ";
  for (size_t i = 0; i < missing.numbers.size();) {
    size_t end = i + 1;
    while (end < missing.numbers.size() && missing.numbers[end] == missing.numbers[end - 1] + 1) {
      ++end;
    }
    if (i > 0) text += ", ";
    text += std::to_string(missing.numbers[i]);
    if (end - i == 2) text += ", " + std::to_string(missing.numbers[end - 1]);
    if (end - i > 2) text += "-" + std::to_string(missing.numbers[end - 1]);
    i = end;
  }
  return text + " of " + std::to_string(missing.of);
}

Result<Json> RunImportClient(int connection, const ImportRequest& request) {
  return Conversation(connection, request).Run();
}

}  // namespace skerry::cli
