// `skerry status`: whether the parts answer, what is loaded, which imports did not end, how long
// the certificates last.
#include <CLI/CLI.hpp>
#include <iostream>
#include <nlohmann/json.hpp>

#include "appliance/base/clock.h"
#include "appliance/base/files.h"
#include "appliance/base/json.h"
#include "appliance/base/progress.h"
#include "appliance/ca/ca.h"
#include "appliance/cli/admin_client.h"
#include "appliance/cli/command.h"
#include "appliance/cli/listing.h"
#include "bundler/import/staging.h"

namespace skerry::cli {

namespace {

constexpr size_t kMaxPemBytes = 64 << 10;

Result<Json> Certificates(const std::string& data_directory) {
  const std::unique_ptr<FileSystem> files = TRY(OpenFiles(data_directory + "/tls"));
  Json certificates = Json::array();
  for (const char* name : {"ca.pem", "server.pem"}) {
    const std::string pem = TRY(ReadAll(*files, name, kMaxPemBytes).WithContext("tls"));
    const ca::CertificateInfo info =
        TRY(ca::ReadCertificate(pem).WithContext(std::string("tls/") + name));
    certificates.push_back({{"file", std::string("tls/") + name},
                            {"subject", info.subject},
                            {"fingerprint", info.fingerprint},
                            {"hosts", info.hosts},
                            {"not_after_ms", info.not_after_ms}});
  }
  return certificates;
}

// Imports that run or were interrupted. Staging belongs to the importer; who may not look into it
// is not told of them.
Result<Json> UnfinishedImports(const std::string& data_directory) {
  Json list = Json::array();
  const std::unique_ptr<FileSystem> files = TRY(OpenFiles(data_directory));
  import::RealStagingLocks locks(data_directory);
  const Result<std::vector<import::Unfinished>> unfinished = import::ListUnfinished(*files, locks);
  if (!unfinished && unfinished.error().code() == ErrorCode::kDenied) return list;
  if (!unfinished) return unfinished.error();
  for (const import::Unfinished& item : *unfinished) {
    list.push_back({{"digest", item.digest},
                    {"id", item.id},
                    {"version", item.version},
                    {"since", item.since},
                    {"done_bytes", item.done_bytes},
                    {"total_bytes", item.total_bytes},
                    {"running", item.running}});
  }
  return list;
}

void PrintUnfinished(const Json& item) {
  const std::string id = TextOf(item, "id");
  const bool running = FlagOf(item, "running");
  std::cout << "import      "
            << (id.empty() ? "of " + TextOf(item, "digest") : id + " " + TextOf(item, "version"))
            << ": " << FormatBytes(static_cast<uint64_t>(IntOf(item, "done_bytes"))) << " of "
            << FormatBytes(static_cast<uint64_t>(IntOf(item, "total_bytes"))) << " copied, "
            << (running ? "running" : "stopped") << "\n";
  if (running) return;
  std::cout << "            'skerry import' with its files goes on from there, 'skerry import "
               "--discard "
            << TextOf(item, "digest") << "' gives it up\n";
}

void Print(const Json& status) {
  const auto word = [](bool good) { return good ? "ok" : "DOES NOT ANSWER"; };
  std::cout << "api         https://" << TextOf(status, "api") << "/v1\n"
            << "admin       https://" << TextOf(status, "admin") << "  ok\n"
            << "proxy       " << word(FlagOf(status["proxy"], "confirmed"))
            << ", policy generation " << IntOf(status, "generation") << "\n"
            << "supervisor  " << word(FlagOf(status["supervisor"], "answers")) << "\n"
            << "tokens      " << IntOf(status, "tokens") << " valid\n"
            << "models      " << IntOf(status, "models") << " in the store";
  const int64_t revoked = IntOf(status, "revoked_models");
  if (revoked > 0) std::cout << ", " << revoked << " REVOKED (skerry models ls)";
  std::cout << "\n";
  const Json trust = status.value("trust", Json::object());
  std::cout << "trust       root version " << IntOf(trust, "root_version") << ", revocation list "
            << IntOf(trust, "revocations") << "\n";
  if (TextOf(trust, "revoked_models") == "warn") {
    std::cout << "            REVOKED MODELS MAY LOAD ([trust] revoked_models in skerry.toml)\n";
  }
  for (const Json& item : status["instances"]) {
    std::cout << "loaded      " << TextOf(item, "alias") << ": " << TextOf(item, "state");
    const std::string detail = TextOf(item, "detail"), warning = TextOf(item, "warning");
    std::cout << (detail.empty() ? "" : " (" + detail + ")") << "\n";
    if (!warning.empty()) std::cout << "            REVOKED MODEL IN USE: " << warning << "\n";
  }
  for (const Json& item : status["unfinished_imports"]) PrintUnfinished(item);
  for (const Json& item : status["certificates"]) {
    std::cout << "certificate " << TextOf(item, "file") << " until "
              << FormatDay(IntOf(item, "not_after_ms")) << "\n";
  }
  std::cout << std::flush;
}

Result<void> Status(const Context& context, bool json) {
  AdminClient admin = TRY(AdminClient::Connect(context.data_directory));
  Json status = TRY(admin.Get("/status"));
  status["api"] = admin.api_address();
  status["admin"] = admin.admin_address();
  status["certificates"] = TRY(Certificates(context.data_directory));
  status["unfinished_imports"] = TRY(UnfinishedImports(context.data_directory));
  for (const char* part : {"proxy", "supervisor", "instances"}) {
    if (!status.contains(part)) {
      return Error(ErrorCode::kCorrupt,
                   "the appliance's answer has no '" + std::string(part) + "'");
    }
  }
  if (json) {
    std::cout << DumpJson(status) << std::endl;
  } else {
    Print(status);
  }
  return {};
}

}  // namespace

void AddStatusCommand(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("status", "Services, loaded models, certificates");
  AddDataOption(*command, context);
  auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "Print JSON");
  command->callback(
      [&context, json] { context.run = [&context, json] { return Status(context, *json); }; });
}

}  // namespace skerry::cli
