// The server's TLS settings and certificate: TLS 1.3 and 1.2 with forward-secret AEAD suites only.
#pragma once

#include <memory>
#include <string>

#include "appliance/base/result.h"

struct ssl_ctx_st;  // OpenSSL's SSL_CTX

namespace skerry::proxy {

class TlsContext {
 public:
  // PEM files: the certificate with its chain, and its unencrypted private key. kInvalidArgument
  // names the file that cannot be used and why.
  static Result<TlsContext> Load(const std::string& certificate_file, const std::string& key_file);

  ssl_ctx_st* get() const { return context_.get(); }

 private:
  struct Free {
    void operator()(ssl_ctx_st* context) const;
  };
  explicit TlsContext(ssl_ctx_st* context) : context_(context) {}
  std::unique_ptr<ssl_ctx_st, Free> context_;
};

}  // namespace skerry::proxy
