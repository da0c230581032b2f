// The CLI's way to a running appliance: admin's API through the TLS front door of
// skerry-proxy@admin.
#pragma once

#include <string>

#include "appliance/base/json.h"
#include "appliance/base/result.h"

namespace skerry::cli {

class AdminClient {
 public:
  // Reads run/serve.json and run/admin.secret below `data_directory`. kUnavailable when no
  // appliance runs there.
  static Result<AdminClient> Connect(const std::string& data_directory);
  ~AdminClient();
  AdminClient(AdminClient&&) = default;
  AdminClient& operator=(AdminClient&&) = default;

  // `path` follows on /admin/api/v1, e.g. "/tokens". Admin's errors become errors with their own
  // code. Calls wait as long as admin needs to stop a model.
  Result<Json> Get(const std::string& path);
  Result<Json> Post(const std::string& path, const Json& body);
  Result<Json> Delete(const std::string& path);

  const std::string& api_address() const { return api_address_; }  // "127.0.0.1:8443"
  const std::string& admin_address() const { return admin_address_; }
  const std::string& ca_file() const { return ca_file_; }

 private:
  AdminClient() = default;
  Result<Json> Call(const std::string& method, const std::string& path, std::string body);

  std::string data_directory_;
  std::string api_address_;
  std::string admin_address_;
  std::string ca_file_;
  std::string secret_;
};

// One path segment with everything but letters, digits, '-', '.' and '_' percent-encoded.
std::string EncodeSegment(std::string_view text);

}  // namespace skerry::cli
