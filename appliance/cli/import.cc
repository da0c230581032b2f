// import: hands open files to an importer process, that of a running appliance or one of its own.
#include <fcntl.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <CLI/CLI.hpp>
#include <cerrno>
#include <csignal>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "appliance/base/json.h"
#include "appliance/base/process.h"
#include "appliance/base/progress.h"
#include "appliance/base/unix_socket.h"
#include "appliance/cli/admin_client.h"
#include "appliance/cli/command.h"
#include "appliance/cli/directory_lock.h"
#include "appliance/cli/import_client.h"
#include "appliance/cli/listing.h"
#include "bundler/import/staging.h"

namespace skerry::cli {

namespace {

struct Options {
  std::vector<std::string> files;
  std::string permit;
  bool unfinished = false;
  std::string discard;
  bool json = false;
};

// An importer at the other end of `connection`.
struct Importer {
  UniqueFd connection;
  // Without a running appliance: the lock on the data directory and the process.
  std::optional<DirectoryLock> lock;
  pid_t pid = -1;
};

Result<Importer> StartOwn(const Context& context) {
  Importer importer;
  Result<DirectoryLock> lock = DirectoryLock::Take(context.data_directory, "skerry import");
  if (!lock && lock.error().code() == ErrorCode::kNotFound) {
    return Error(ErrorCode::kNotFound, "there is no data directory '" + context.data_directory +
                                           "'; 'skerry trust accept' makes one");
  }
  importer.lock = TRY(std::move(lock));
  std::pair<UniqueFd, UniqueFd> pair = TRY(StreamPair());
  const UniqueFd null(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  if (!null) return ErrnoError("cannot open '/dev/null'", errno);
  SpawnOptions spawn;
  spawn.argv = {context.program_directory + "/skerry-import", "--data", context.data_directory};
  // What it has to say comes over the connection.
  spawn.fds = {{pair.second.get(), 0}, {null.get(), 1}, {null.get(), 2}};
  // When this process ends, the importer sees the connection close, records what it has copied and
  // ends too.
  spawn.die_with_parent = false;
  importer.pid = TRY(Spawn(spawn));
  importer.connection = std::move(pair.first);
  return importer;
}

Result<Importer> FindImporter(const Context& context) {
  Result<UniqueFd> running = ConnectUnix(context.data_directory + "/run/import.sock");
  if (!running) return StartOwn(context);
  Importer importer;
  importer.connection = std::move(*running);
  return importer;
}

// SIGINT and SIGTERM arrive on the descriptor instead of ending the process.
Result<UniqueFd> StopSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  if (::sigprocmask(SIG_BLOCK, &set, nullptr) != 0) {
    return ErrnoError("cannot block signals", errno);
  }
  UniqueFd fd(::signalfd(-1, &set, SFD_CLOEXEC));
  if (!fd) return ErrnoError("cannot receive signals", errno);
  return fd;
}

// A line of the terminal; nullopt at its end, for an empty one, or when `stop` becomes readable.
std::optional<std::string> ReadAnswer(int stop) {
  constexpr size_t kMaxPathBytes = 4096;
  std::string answer;
  while (answer.size() < kMaxPathBytes) {
    pollfd waits[] = {{STDIN_FILENO, POLLIN, 0}, {stop, POLLIN, 0}};
    if (::poll(waits, 2, -1) < 0 && errno != EINTR) return std::nullopt;
    if (waits[1].revents != 0) return std::nullopt;
    if (waits[0].revents == 0) continue;
    char c;
    if (::read(STDIN_FILENO, &c, 1) != 1) return std::nullopt;
    if (c == '\n') break;
    answer.push_back(c);
  }
  while (!answer.empty() && answer.back() == ' ') answer.pop_back();
  if (answer.empty()) return std::nullopt;
  return answer;
}

Result<std::optional<std::string>> AskForVolume(const MissingVolumes& missing, int stop) {
  if (!missing.refused.empty()) std::cerr << missing.refused << "\n";
  std::cerr << "Insert the medium with " << DescribeMissing(missing)
            << " and give the file (an empty line stops; what was copied is kept): " << std::flush;
  return ReadAnswer(stop);
}

Result<Json> Transfer(const Context& context, const Options& options) {
  const UniqueFd stop = TRY(StopSignals());
  Importer importer = TRY(FindImporter(context));
  ImportRequest request;
  request.files = options.files;
  request.permit = options.permit;
  request.stop = stop.get();
  // One for each stretch between two questions, so that waiting for a person does not count.
  std::optional<ProgressPrinter> progress;
  request.progress = [&](uint64_t done, uint64_t total, uint64_t resumed) {
    if (!progress) {
      progress.emplace(RealClock(), STDERR_FILENO, ::isatty(STDERR_FILENO) == 1, "importing");
    }
    progress->Update(done, total, resumed);
  };
  if (::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1) {
    request.ask = [&](const MissingVolumes& missing) {
      progress.reset();
      return AskForVolume(missing, stop.get());
    };
  }
  Result<Json> result = RunImportClient(importer.connection.get(), request);
  progress.reset();
  if (importer.pid > 0) {
    importer.connection.Reset();
    const std::optional<ExitState> state = TRY(WaitForExit(importer.pid));
    if (!result && result.error().code() == ErrorCode::kUnavailable && state && state->signalled) {
      return Error(ErrorCode::kInternal, "the importer ended without an answer (" +
                                             state->Describe() +
                                             "); the same command goes on "
                                             "from what it had copied");
    }
  }
  return result;
}

// What changed in the chat templates, for a person to judge: a template decides what a model is
// told.
void PrintTemplates(const Json& result) {
  for (const Json& item : ListOf(result, "templates")) {
    const std::string change = TextOf(item, "change");
    std::cout << "template  " << TextOf(item, "name") << ": " << change << ", sha256 "
              << TextOf(item, "sha256") << "\n";
  }
  const std::string diff = TextOf(result, "template_diff");
  if (diff.empty()) return;
  std::cout << "\nthe chat templates changed since release " << IntOf(result, "compared_with")
            << ":\n\n"
            << diff << (diff.ends_with('\n') ? "" : "\n");
}

Result<void> Print(const Json& result) {
  const std::string digest = TRY(GetString(result, "digest"));
  const std::string id = TRY(GetString(result, "id"));
  const std::string version = TRY(GetString(result, "version"));
  const int64_t release_seq = TRY(GetInt(result, "release_seq"));
  const bool already_present = TRY(GetBool(result, "already_present"));
  std::cout << (already_present ? "already present: " : "imported ") << id << " " << version
            << ", release " << release_seq << (already_present ? "; nothing was changed" : "")
            << "\n"
            << "digest    " << digest << "\n";
  PrintTemplates(result);
  return {};
}

Result<void> RunImport(const Context& context, const Options& options) {
  const bool running =
      Result<UniqueFd>(ConnectUnix(context.data_directory + "/run/import.sock")).has_value();
  const Json result = TRY(Transfer(context, options));
  const std::string digest = TRY(GetString(result, "digest"));
  for (const std::string& warning : StringsOf(result, "warnings")) {
    std::cerr << "skerry: warning: " << warning << "\n";
  }
  if (running) {
    AdminClient admin = TRY(AdminClient::Connect(context.data_directory));
    const Json registered =
        TRY(admin.Post("/models", {{"digest", digest}})
                .WithContext("the model is in the store, but the appliance did not register it"));
    for (const std::string& alias : StringsOf(registered, "unloaded")) {
      std::cerr << "skerry: warning: the bundle's revocation list revokes the model of '" << alias
                << "', which was unloaded\n";
    }
  }
  if (!options.json) return Print(result);
  std::cout << DumpJson(result) << "\n";
  return {};
}

Json ToJson(const import::Unfinished& item) {
  return {{"digest", item.digest},         {"id", item.id},
          {"version", item.version},       {"since", item.since},
          {"done_bytes", item.done_bytes}, {"total_bytes", item.total_bytes},
          {"running", item.running}};
}

Result<void> ListThem(const Context& context, bool json) {
  const std::unique_ptr<FileSystem> files = TRY(OpenFiles(context.data_directory));
  import::RealStagingLocks locks(context.data_directory);
  const std::vector<import::Unfinished> list = TRY(import::ListUnfinished(*files, locks));
  Json array = Json::array();
  Table table({"MODEL", "VERSION", "COPIED", "SINCE", "STATE", "DIGEST"});
  for (const import::Unfinished& item : list) {
    array.push_back(ToJson(item));
    table.Add({item.id.empty() ? "?" : item.id, item.version.empty() ? "?" : item.version,
               FormatBytes(item.done_bytes) + " of " + FormatBytes(item.total_bytes), item.since,
               item.running ? "running" : "stopped", item.digest});
  }
  if (json) {
    std::cout << DumpJson({{"unfinished", array}}) << "\n";
  } else if (list.empty()) {
    std::cout << "No import is unfinished.\n";
  } else {
    std::cout << table.Text();
  }
  return {};
}

Result<void> Discard(const Context& context, const std::string& what) {
  const std::unique_ptr<FileSystem> files = TRY(OpenFiles(context.data_directory));
  import::RealStagingLocks locks(context.data_directory);
  if (what == "all") {
    const size_t removed = TRY(import::DiscardAll(*files, locks));
    std::cout << "discarded: " << removed << "\n";
    return {};
  }
  TRY(import::Discard(*files, locks, what));
  std::cout << "discarded: " << what << "\n";
  return {};
}

Result<void> Run(const Context& context, const Options& options) {
  const int wanted = (options.files.empty() ? 0 : 1) + (options.unfinished ? 1 : 0) +
                     (options.discard.empty() ? 0 : 1);
  if (wanted != 1) {
    return Error(ErrorCode::kInvalidArgument,
                 "give the files to import, or --unfinished, or --discard; run with --help for the "
                 "usage");
  }
  if (options.unfinished) return ListThem(context, options.json);
  if (!options.discard.empty()) return Discard(context, options.discard);
  return RunImport(context, options);
}

}  // namespace

void AddImportCommand(CLI::App& app, Context& context) {
  CLI::App* command =
      app.add_subcommand("import", "Verify a bundle and put its model in the store");
  const auto options = std::make_shared<Options>();  // lives as long as the callback
  command->add_option("files", options->files, "Bundle, or its volumes in any order")
      ->type_name("NAME.skb");
  command->add_option("--permit", options->permit, "Rollback permit for an older release")
      ->type_name("FILE");
  command->add_flag("--unfinished", options->unfinished, "List imports that were interrupted");
  command->add_option("--discard", options->discard, "Remove what an interrupted import has copied")
      ->type_name("DIGEST|all");
  command->add_flag("--json", options->json, "Print JSON");
  AddDataOption(*command, context);
  command->callback([&context, options] { context.run = [&] { return Run(context, *options); }; });
}

}  // namespace skerry::cli
