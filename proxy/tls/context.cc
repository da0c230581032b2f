#include "proxy/tls/context.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <cstring>

namespace skerry::proxy {

namespace {

// AES before ChaCha20: clients are servers with AES instructions; SSL_OP_PRIORITIZE_CHACHA serves
// others.
constexpr char kTls12Suites[] =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr char kGroups[] = "X25519:P-256";
constexpr int kSecurityLevel = 2;  // 112 bits: refuses short keys and SHA-1 signatures
// One length byte and the name, as RFC 7301 writes it.
constexpr unsigned char kAlpn[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};

Error TlsError(const std::string& what) {
  const unsigned long code = ::ERR_get_error();
  const char* reason = code == 0 ? nullptr : ::ERR_reason_error_string(code);
  ::ERR_clear_error();
  return Error(ErrorCode::kInvalidArgument,
               what + ": " + (reason == nullptr ? "unknown reason" : reason));
}

int SelectProtocol(SSL*, const unsigned char** out, unsigned char* out_size,
                   const unsigned char* offered, unsigned int offered_size, void*) {
  unsigned char* selected = nullptr;
  if (::SSL_select_next_proto(&selected, out_size, kAlpn, sizeof kAlpn, offered, offered_size) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  *out = selected;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

void TlsContext::Free::operator()(ssl_ctx_st* context) const { ::SSL_CTX_free(context); }

Result<TlsContext> TlsContext::Load(const std::string& certificate_file,
                                    const std::string& key_file) {
  TlsContext result(::SSL_CTX_new(::TLS_server_method()));
  SSL_CTX* context = result.get();
  if (context == nullptr) return TlsError("cannot set up TLS");
  ::SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                     SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                                     SSL_OP_NO_TICKET);
  // Buffers are given back between records: an idle connection costs little.
  ::SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  ::SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  ::SSL_CTX_set_num_tickets(context, 0);
  ::SSL_CTX_set_security_level(context, kSecurityLevel);
  ::SSL_CTX_set_read_ahead(context, 1);
  ::SSL_CTX_set_alpn_select_cb(context, SelectProtocol, nullptr);
  if (::SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
      ::SSL_CTX_set_cipher_list(context, kTls12Suites) != 1 ||
      ::SSL_CTX_set1_groups_list(context, kGroups) != 1) {
    return TlsError("cannot set up TLS");
  }
  if (::SSL_CTX_use_certificate_chain_file(context, certificate_file.c_str()) != 1) {
    return TlsError("cannot use the certificate '" + certificate_file + "'");
  }
  if (::SSL_CTX_use_PrivateKey_file(context, key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return TlsError("cannot use the private key '" + key_file + "'");
  }
  if (::SSL_CTX_check_private_key(context) != 1) {
    return TlsError("the private key '" + key_file + "' does not belong to the certificate '" +
                    certificate_file + "'");
  }
  return result;
}

}  // namespace skerry::proxy
