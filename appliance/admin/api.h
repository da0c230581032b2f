// The admin API (docs/http/admin.md): requests in, JSON out. Knows nothing of the HTTP library.
#pragma once

#include <string>

#include "appliance/admin/core.h"
#include "appliance/admin/instances.h"
#include "appliance/admin/models.h"
#include "appliance/admin/tokens.h"
#include "appliance/admin/trust_keeper.h"
#include "appliance/base/result.h"

namespace skerry::admin {

inline constexpr size_t kMaxBodyBytes = 1 << 20;

struct ApiRequest {
  std::string method;  // "GET", "POST", "DELETE", ...
  std::string path;    // without a query
  std::string body;
};

struct ApiReply {
  int status = 200;
  std::string body;  // JSON
};

// Thread-safe; calls block until the change is made.
class Api {
 public:
  Api(Core& core, Tokens& tokens, Models& models, Instances& instances, TrustKeeper& trust)
      : core_(core), tokens_(tokens), models_(models), instances_(instances), trust_(trust) {}

  ApiReply Handle(const ApiRequest& request);

 private:
  Result<ApiReply> Route(const ApiRequest& request);
  Result<ApiReply> GetStatus();
  Result<ApiReply> GetTokens();
  Result<ApiReply> PostToken(const std::string& body);
  Result<ApiReply> DeleteToken(const std::string& id);
  Result<ApiReply> GetModels();
  Result<ApiReply> PostModel(const std::string& body);
  Result<ApiReply> DeleteModel(const std::string& name);
  Result<ApiReply> GetInstances();
  Result<ApiReply> PostInstance(const std::string& body);
  Result<ApiReply> GetInstance(const std::string& iid);
  Result<ApiReply> DeleteInstance(const std::string& name);
  Result<ApiReply> PostTrustReload();

  Core& core_;
  Tokens& tokens_;
  Models& models_;
  Instances& instances_;
  TrustKeeper& trust_;
};

// The reply to a failure: {"error":{"code","message"}} with the code's HTTP status, or another one.
ApiReply ErrorReply(const Error& error);
ApiReply ErrorReply(const Error& error, int status);

}  // namespace skerry::admin
