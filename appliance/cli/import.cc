// import: hands the open bundle to an importer process, that of a running appliance or one of its
// own.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cerrno>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "appliance/base/control.h"
#include "appliance/base/json.h"
#include "appliance/base/process.h"
#include "appliance/base/progress.h"
#include "appliance/base/unix_socket.h"
#include "appliance/cli/admin_client.h"
#include "appliance/cli/command.h"
#include "appliance/cli/directory_lock.h"

namespace skerry::cli {

namespace {

struct Options {
  std::string file;
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
  // When this process ends, the importer sees the connection close and cleans up before it ends
  // too.
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

// The answer's "result"; shows progress until it comes.
Result<Json> Await(int connection) {
  ProgressPrinter progress(RealClock(), STDERR_FILENO, ::isatty(STDERR_FILENO) == 1, "importing");
  for (;;) {
    const std::string line = TRY(ReadLine(connection, kMaxControlLineBytes));
    const Json json = TRY(ParseJson(line).WithContext("the importer's answer"));
    if (!json.is_object()) return Error(ErrorCode::kCorrupt, "the importer's answer is no object");
    if (json.contains("error")) {
      return ErrorFromJson(json, Error(ErrorCode::kInternal, "the importer failed"));
    }
    const auto result = json.find("result");
    if (result != json.end()) return *result;
    const auto step = json.find("progress");
    if (step == json.end()) continue;
    const int64_t done = TRY(GetInt(*step, "done_bytes"));
    const int64_t total = TRY(GetInt(*step, "total_bytes"));
    progress.Update(static_cast<uint64_t>(done), static_cast<uint64_t>(total));
  }
}

Result<Json> Transfer(Importer& importer, const std::string& name, int bundle) {
  const Json request = {{"files", Json::array({name})}, {"op", "import"}};
  Result<void> sent = SendMessage(importer.connection.get(), DumpJson(request) + "\n", {bundle});
  // An importer that refuses at once may be gone before the request is sent; its reason is waiting.
  Result<Json> result = Await(importer.connection.get());
  if (importer.pid > 0) {
    importer.connection.Reset();
    const std::optional<ExitState> state = TRY(WaitForExit(importer.pid));
    if (!result && result.error().code() == ErrorCode::kUnavailable && state) {
      return Error(ErrorCode::kInternal, "the importer ended without an answer (" +
                                             state->Describe() + "); nothing was imported");
    }
  }
  if (!sent && !result && result.error().code() == ErrorCode::kUnavailable) return sent.error();
  return result;
}

Result<void> RunImport(const Context& context, const Options& options) {
  const UniqueFd bundle(::open(options.file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!bundle) return ErrnoError("cannot open '" + options.file + "'", errno);
  Importer importer = TRY(FindImporter(context));
  const Json result = TRY(Transfer(importer, options.file, bundle.get()));
  const std::string digest = TRY(GetString(result, "digest"));
  const std::string id = TRY(GetString(result, "id"));
  const std::string version = TRY(GetString(result, "version"));
  const int64_t release_seq = TRY(GetInt(result, "release_seq"));
  const bool already_present = TRY(GetBool(result, "already_present"));
  if (importer.pid < 0) {
    AdminClient admin = TRY(AdminClient::Connect(context.data_directory));
    TRY(admin.Post("/models", {{"digest", digest}})
            .WithContext("the model is in the store, but the appliance did not register it"));
  }
  const auto expires = result.find("expires");
  if (expires != result.end() && expires->is_string()) WarnIfPast(expires->get<std::string>());
  if (options.json) {
    std::cout << DumpJson(result) << "\n";
    return {};
  }
  std::cout << (already_present ? "already present: " : "imported ") << id << " " << version
            << ", release " << release_seq << (already_present ? "; nothing was changed" : "")
            << "\n"
            << "digest    " << digest << "\n";
  return {};
}

}  // namespace

void AddImportCommand(CLI::App& app, Context& context) {
  CLI::App* command =
      app.add_subcommand("import", "Verify a bundle and put its model in the store");
  const auto options = std::make_shared<Options>();  // lives as long as the callback
  command->add_option("file", options->file, "Bundle")->required()->type_name("NAME.skb");
  command->add_flag("--json", options->json, "Print JSON");
  AddDataOption(*command, context);
  command->callback(
      [&context, options] { context.run = [&] { return RunImport(context, *options); }; });
}

}  // namespace skerry::cli
