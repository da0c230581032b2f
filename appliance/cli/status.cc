// `skerry status`: whether the parts answer, what is loaded, how long the certificates last.
#include <CLI/CLI.hpp>
#include <iostream>
#include <nlohmann/json.hpp>

#include "appliance/base/clock.h"
#include "appliance/base/files.h"
#include "appliance/base/json.h"
#include "appliance/ca/ca.h"
#include "appliance/cli/admin_client.h"
#include "appliance/cli/command.h"
#include "appliance/cli/listing.h"

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
  for (const Json& item : status["instances"]) {
    std::cout << "loaded      " << TextOf(item, "alias") << ": " << TextOf(item, "state");
    const std::string detail = TextOf(item, "detail");
    std::cout << (detail.empty() ? "" : " (" + detail + ")") << "\n";
  }
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
