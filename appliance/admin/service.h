// The admin service as one object: everything opened, agreed with each other, and served.
#pragma once

#include <memory>
#include <string>

#include "appliance/admin/api.h"
#include "appliance/admin/core.h"
#include "appliance/admin/http_server.h"
#include "appliance/admin/instances.h"
#include "appliance/admin/models.h"
#include "appliance/admin/tokens.h"
#include "appliance/admin/trust_keeper.h"
#include "appliance/base/clock.h"
#include "appliance/base/result.h"

namespace skerry::admin {

struct ServiceOptions {
  std::string data_directory;  // absolute
  uint16_t port = 0;           // 0: the one of the last start if it is free, else any
  std::string port_file;       // where the port is written, as digits only; empty: nowhere
};

class Service {
 public:
  // Opens the data directory, reconciles database, policy and store, begins to serve, and starts
  // what is to run. Serves until destroyed; engines go on.
  static Result<std::unique_ptr<Service>> Start(const ServiceOptions& options,
                                                const Clock& clock = RealClock());
  uint16_t port() const { return server_->port(); }

 private:
  explicit Service(std::unique_ptr<Core> core);

  // Destroyed from the last to the first.
  const std::unique_ptr<Core> core_;
  Tokens tokens_;
  TrustKeeper trust_;
  Models models_;
  Instances instances_;
  Api api_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace skerry::admin
