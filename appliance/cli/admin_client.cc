#include "appliance/cli/admin_client.h"

#include <sodium.h>

#include <nlohmann/json.hpp>

#include "appliance/base/control.h"
#include "appliance/base/files.h"
#include "appliance/http/client.h"

namespace skerry::cli {

namespace {

constexpr char kPrefix[] = "/admin/api/v1";
constexpr size_t kMaxFactsBytes = 64 << 10;
constexpr size_t kMaxReplyBytes = 64 << 20;
// Unloading waits for the engine's last replies, 35 s at most, and starts of the machine may be
// slow.
constexpr int kTimeoutMs = 120'000;

Error NothingRuns(const std::string& data_directory) {
  return Error(ErrorCode::kUnavailable, "no appliance runs on '" + data_directory +
                                            "': start it with: skerry serve --data " +
                                            data_directory);
}

}  // namespace

Result<AdminClient> AdminClient::Connect(const std::string& data_directory) {
  const Result<std::unique_ptr<FileSystem>> files = OpenFiles(data_directory);
  if (!files) return NothingRuns(data_directory);
  const Result<std::string> facts = ReadAll(**files, "run/serve.json", kMaxFactsBytes);
  if (!facts && facts.error().code() == ErrorCode::kNotFound) return NothingRuns(data_directory);
  if (!facts) return facts.error();
  Result<Json> json = ParseJson(*facts).WithContext("'run/serve.json'");
  if (!json) return std::move(json).error();
  AdminClient client;
  client.data_directory_ = data_directory;
  client.api_address_ = TRY(GetString(*json, "api"));
  client.admin_address_ = TRY(GetString(*json, "admin"));
  client.ca_file_ = data_directory + "/tls/ca.pem";
  client.secret_ = TRY(ReadAll(**files, "run/admin.secret", kMaxFactsBytes));
  while (client.secret_.ends_with('\n')) client.secret_.pop_back();
  return client;
}

AdminClient::~AdminClient() { sodium_memzero(secret_.data(), secret_.size()); }

Result<Json> AdminClient::Get(const std::string& path) { return Call("GET", path, ""); }
Result<Json> AdminClient::Post(const std::string& path, const Json& body) {
  return Call("POST", path, DumpJson(body));
}
Result<Json> AdminClient::Delete(const std::string& path) { return Call("DELETE", path, ""); }

Result<Json> AdminClient::Call(const std::string& method, const std::string& path,
                               std::string body) {
  http::ClientRequest request;
  request.method = method;
  request.target = kPrefix + path;
  request.headers = {{"authorization", "Bearer " + secret_}};
  if (!body.empty()) request.headers.emplace_back("content-type", "application/json");
  request.body = std::move(body);
  http::ClientOptions options;
  options.idle_timeout_ms = kTimeoutMs;
  options.max_body_bytes = kMaxReplyBytes;
  Result<http::ClientResponse> response =
      http::FetchTls(admin_address_, ca_file_, request, options);
  if (!response && response.error().message().find("Connection refused") != std::string::npos) {
    return NothingRuns(data_directory_);  // what a killed appliance leaves: facts, but nobody there
  }
  if (!response) {
    return std::move(response).error().WithContext("the appliance at " + admin_address_);
  }
  const Error unknown(ErrorCode::kUnavailable, "the appliance at " + admin_address_ +
                                                   " answered with status " +
                                                   std::to_string(response->status));
  Result<Json> json = ParseJson(response->body, {.max_bytes = kMaxReplyBytes});
  if (response->status < 200 || response->status > 299) {
    return json ? ErrorFromJson(*json, unknown) : unknown;
  }
  return std::move(json).WithContext("the appliance's answer");
}

std::string EncodeSegment(std::string_view text) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       c == '-' || c == '.' || c == '_';
    if (plain) {
      encoded.push_back(c);
    } else {
      encoded.push_back('%');
      encoded.push_back(kDigits[byte >> 4]);
      encoded.push_back(kDigits[byte & 15]);
    }
  }
  return encoded;
}

}  // namespace skerry::cli
