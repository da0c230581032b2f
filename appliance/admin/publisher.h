// Changes of the published policy, and the proxy's word that they are in force.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "appliance/policy/policy.h"
#include "appliance/policy/token.h"
#include "appliance/policy/writer.h"

namespace skerry::admin {

// Thread-safe.
class Publisher {
 public:
  // Works on policy/ below `data_directory` and calls run/proxy-api.sock there.
  static Result<std::unique_ptr<Publisher>> Open(const std::string& data_directory);

  // Makes `ops` the next generation, durable when this returns. Errors as policy::Writer::Publish.
  Result<uint64_t> Publish(const std::vector<policy::Op>& ops);

  // Asks the API's proxy to load generation `generation` or later and waits until it says that
  // every request is judged by it. False, with a line in the log, when it does not say so: a proxy
  // that starts later reads the policy by itself.
  bool Confirm(uint64_t generation);

  policy::Policy Current() const;  // a copy
  policy::NewToken MakeToken() const;
  const std::vector<std::string>& warnings() const { return writer_->warnings(); }

 private:
  Publisher(std::unique_ptr<FileSystem> files, std::unique_ptr<policy::Writer> writer,
            std::string proxy_socket)
      : files_(std::move(files)),
        writer_(std::move(writer)),
        proxy_socket_(std::move(proxy_socket)) {}

  const std::unique_ptr<FileSystem> files_;  // rooted at policy/
  mutable std::mutex mu_;
  const std::unique_ptr<policy::Writer> writer_;  // guarded by mu_, but for key and warnings
  const std::string proxy_socket_;
};

}  // namespace skerry::admin
