#include "appliance/ca/ca.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <ctime>
#include <memory>
#include <optional>

namespace skerry::ca {

namespace {

constexpr int64_t kSecondsPerDay = 86'400;
constexpr int64_t kCaDays = 20 * 365;
constexpr int64_t kServerDays = 825;  // the longest that common TLS clients accept
constexpr int64_t kRenewDays = 30;

template <auto Free>
struct Deleter {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, Deleter<X509_free>>;
using BioPtr = std::unique_ptr<BIO, Deleter<BIO_free_all>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, Deleter<X509_EXTENSION_free>>;
using SerialPtr = std::unique_ptr<BIGNUM, Deleter<BN_free>>;

Error OpenSslError(std::string_view what) {
  char text[200] = "unknown reason";
  if (const unsigned long code = ERR_get_error(); code != 0) {
    ERR_error_string_n(code, text, sizeof text);
  }
  ERR_clear_error();
  return Error(ErrorCode::kInternal, std::string(what) + ": " + text);
}

struct Identity {
  KeyPtr key;
  CertificatePtr certificate;
};

std::string BioText(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<size_t>(size));
}

Result<std::string> CertificatePem(X509* certificate) {
  const BioPtr bio(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(bio.get(), certificate) != 1) return OpenSslError("cannot write PEM");
  return BioText(bio.get());
}

Result<std::string> KeyPem(EVP_PKEY* key) {
  const BioPtr bio(BIO_new(BIO_s_secmem()));
  if (PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return OpenSslError("cannot write a private key");
  }
  return BioText(bio.get());
}

Result<CertificatePtr> ParseCertificate(std::string_view pem) {
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  CertificatePtr certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
  if (certificate == nullptr) {
    ERR_clear_error();
    return Error(ErrorCode::kCorrupt, "no PEM certificate found");
  }
  return certificate;
}

Result<KeyPtr> ParseKey(std::string_view pem) {
  const BioPtr bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  KeyPtr key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  if (key == nullptr) {
    ERR_clear_error();
    return Error(ErrorCode::kCorrupt, "no PEM private key found");
  }
  return key;
}

bool IsIpAddress(const std::string& host) {
  unsigned char bytes[16];
  return ::inet_pton(AF_INET, host.c_str(), bytes) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

// Only what a host name or address may hold: the text becomes part of an OpenSSL extension string.
bool IsPlainHost(const std::string& host) {
  return !host.empty() && host.size() <= 253 &&
         std::all_of(host.begin(), host.end(), [](unsigned char c) {
           return std::isalnum(c) != 0 || c == '-' || c == '.' || c == ':' || c == '*';
         });
}

std::string AltNames(const Hosts& hosts) {
  std::string text;
  for (const std::string& host : hosts) {
    if (!text.empty()) text += ",";
    text += (IsIpAddress(host) ? "IP:" : "DNS:") + host;
  }
  return text;
}

Result<void> AddExtension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  if (extension == nullptr || X509_add_ext(certificate, extension.get(), -1) != 1) {
    return OpenSslError("cannot add a certificate extension");
  }
  return {};
}

Result<CertificatePtr> NewCertificate(EVP_PKEY* key, const std::string& common_name, int64_t days,
                                      const Clock& clock) {
  CertificatePtr certificate(X509_new());
  // 127 random bits: positive, and unique without a counter to keep.
  const SerialPtr serial(BN_new());
  if (certificate == nullptr ||
      BN_rand(serial.get(), 127, BN_RAND_TOP_ANY, BN_RAND_BOTTOM_ANY) != 1 ||
      BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate.get())) == nullptr) {
    return OpenSslError("cannot make a serial number");
  }
  X509_set_version(certificate.get(), X509_VERSION_3);
  const time_t now = static_cast<time_t>(clock.UnixMillis() / 1000);
  ASN1_TIME_set(X509_getm_notBefore(certificate.get()), now - kSecondsPerDay);
  ASN1_TIME_set(X509_getm_notAfter(certificate.get()), now + days * kSecondsPerDay);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME* name = X509_get_subject_name(certificate.get());
  if (X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                                 reinterpret_cast<const unsigned char*>(common_name.data()),
                                 static_cast<int>(common_name.size()), -1, 0) != 1) {
    return OpenSslError("cannot set the certificate's name");
  }
  return certificate;
}

Result<Identity> MakeCa(const Clock& clock) {
  Identity identity;
  identity.key.reset(EVP_EC_gen("P-256"));
  unsigned char tag[4];
  if (identity.key == nullptr || RAND_bytes(tag, sizeof tag) != 1) {
    return OpenSslError("cannot make a key");
  }
  char name[64];
  std::snprintf(name, sizeof name, "Skerry appliance CA %02x%02x%02x%02x", tag[0], tag[1], tag[2],
                tag[3]);
  identity.certificate = TRY(NewCertificate(identity.key.get(), name, kCaDays, clock));
  X509* ca = identity.certificate.get();
  X509_set_issuer_name(ca, X509_get_subject_name(ca));
  TRY(AddExtension(ca, ca, NID_basic_constraints, "critical,CA:TRUE,pathlen:0"));
  TRY(AddExtension(ca, ca, NID_key_usage, "critical,keyCertSign,cRLSign"));
  TRY(AddExtension(ca, ca, NID_subject_key_identifier, "hash"));
  if (X509_sign(ca, identity.key.get(), EVP_sha256()) == 0) return OpenSslError("cannot sign");
  return identity;
}

Result<Identity> MakeServer(const Identity& ca, const Hosts& hosts, const Clock& clock) {
  Identity identity;
  identity.key.reset(EVP_EC_gen("P-256"));
  if (identity.key == nullptr) return OpenSslError("cannot make a key");
  identity.certificate =
      TRY(NewCertificate(identity.key.get(), "Skerry appliance", kServerDays, clock));
  X509* server = identity.certificate.get();
  X509* issuer = ca.certificate.get();
  X509_set_issuer_name(server, X509_get_subject_name(issuer));
  TRY(AddExtension(server, issuer, NID_basic_constraints, "critical,CA:FALSE"));
  TRY(AddExtension(server, issuer, NID_key_usage, "critical,digitalSignature"));
  TRY(AddExtension(server, issuer, NID_ext_key_usage, "serverAuth"));
  TRY(AddExtension(server, issuer, NID_subject_alt_name, AltNames(hosts)));
  TRY(AddExtension(server, issuer, NID_subject_key_identifier, "hash"));
  TRY(AddExtension(server, issuer, NID_authority_key_identifier, "keyid:always"));
  if (X509_sign(server, ca.key.get(), EVP_sha256()) == 0) return OpenSslError("cannot sign");
  return identity;
}

int64_t ToUnixMillis(const ASN1_TIME* time) {
  std::tm parts{};
  ASN1_TIME_to_tm(time, &parts);
  return static_cast<int64_t>(::timegm(&parts)) * 1000;
}

Hosts ReadHosts(X509* certificate) {
  Hosts hosts;
  auto* names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type == GEN_DNS) {
      hosts.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(name->d.dNSName)),
                         static_cast<size_t>(ASN1_STRING_length(name->d.dNSName)));
    } else if (name->type == GEN_IPADD) {
      char text[INET6_ADDRSTRLEN] = "";
      const int size = ASN1_STRING_length(name->d.iPAddress);
      ::inet_ntop(size == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(name->d.iPAddress), text,
                  sizeof text);
      hosts.emplace_back(text);
    }
  }
  GENERAL_NAMES_free(names);
  return hosts;
}

CertificateInfo Describe(X509* certificate) {
  CertificateInfo info;
  const BioPtr bio(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(bio.get(), X509_get_subject_name(certificate), 0, XN_FLAG_ONELINE);
  info.subject = BioText(bio.get());
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  X509_digest(certificate, EVP_sha256(), digest, &size);
  for (unsigned int i = 0; i < size; ++i) {
    char pair[4];
    std::snprintf(pair, sizeof pair, i == 0 ? "%02X" : ":%02X", digest[i]);
    info.fingerprint += pair;
  }
  info.hosts = ReadHosts(certificate);
  info.not_before_ms = ToUnixMillis(X509_get0_notBefore(certificate));
  info.not_after_ms = ToUnixMillis(X509_get0_notAfter(certificate));
  return info;
}

// What a file in `directory` holds, or nothing when it is absent.
Result<std::optional<std::string>> ReadIfPresent(FileSystem& files, const std::string& path) {
  Result<std::string> content = ReadAll(files, path, 1 << 20);
  if (content) return std::optional<std::string>(std::move(content).value());
  if (content.error().code() == ErrorCode::kNotFound) return std::optional<std::string>();
  return std::move(content).error();
}

Result<void> WriteIdentity(FileSystem& files, const std::string& certificate_path,
                           const std::string& key_path, const Identity& identity) {
  const std::string key = TRY(KeyPem(identity.key.get()));
  const std::string certificate = TRY(CertificatePem(identity.certificate.get()));
  // The key first: a certificate without its key would look like an operator's own.
  TRY(WriteAtomically(files, key_path, key, 0600));
  return WriteAtomically(files, certificate_path, certificate, 0644);
}

Result<std::optional<Identity>> ReadIdentity(FileSystem& files, const std::string& certificate_path,
                                             const std::string& key_path) {
  const std::optional<std::string> certificate = TRY(ReadIfPresent(files, certificate_path));
  const std::optional<std::string> key = TRY(ReadIfPresent(files, key_path));
  if (!certificate && !key) return std::optional<Identity>();
  // A key alone is what a power cut between the two writes leaves; it never signed anything.
  if (!certificate) return std::optional<Identity>();
  if (!key) {
    return Error(ErrorCode::kCorrupt,
                 "'" + certificate_path + "' is there but '" + key_path +
                     "' is not: put the key back, or move both away to start anew");
  }
  Identity identity;
  identity.certificate = TRY(ParseCertificate(*certificate).WithContext(certificate_path));
  identity.key = TRY(ParseKey(*key).WithContext(key_path));
  if (X509_check_private_key(identity.certificate.get(), identity.key.get()) != 1) {
    ERR_clear_error();
    return Error(ErrorCode::kCorrupt,
                 "'" + certificate_path + "' and '" + key_path + "' do not belong together");
  }
  return std::optional<Identity>(std::move(identity));
}

bool Serves(const Identity& server, const Identity& ca, const Hosts& hosts, const Clock& clock) {
  const CertificateInfo info = Describe(server.certificate.get());
  if (info.not_after_ms < clock.UnixMillis() + kRenewDays * kSecondsPerDay * 1000) return false;
  for (const std::string& host : hosts) {
    if (std::find(info.hosts.begin(), info.hosts.end(), host) == info.hosts.end()) return false;
  }
  const bool issued =
      X509_verify(server.certificate.get(), X509_get0_pubkey(ca.certificate.get())) == 1;
  ERR_clear_error();
  return issued;
}

}  // namespace

Result<EnsureResult> EnsureCertificates(FileSystem& files, const std::string& directory,
                                        const Hosts& hosts, const Clock& clock) {
  if (hosts.empty()) return Error(ErrorCode::kInvalidArgument, "a certificate needs a host name");
  for (const std::string& host : hosts) {
    if (!IsPlainHost(host)) {
      return Error(ErrorCode::kInvalidArgument,
                   "'" + host + "' is neither a host name nor an address");
    }
  }
  TRY(MakeDirectories(files, directory, 0755));
  EnsureResult result;
  const std::string ca_path = directory + "/ca.pem";
  const std::string ca_key_path = directory + "/ca.key";
  std::optional<Identity> ca = TRY(ReadIdentity(files, ca_path, ca_key_path));
  if (!ca) {
    ca = TRY(MakeCa(clock));
    TRY(WriteIdentity(files, ca_path, ca_key_path, *ca));
    result.made_ca = true;
  }
  const std::string server_path = directory + "/server.pem";
  const std::string server_key_path = directory + "/server.key";
  Result<std::optional<Identity>> found = ReadIdentity(files, server_path, server_key_path);
  // A server certificate is ours to replace, so a damaged pair is simply made again.
  std::optional<Identity> server;
  if (found) server = std::move(found).value();
  if (!server || !Serves(*server, *ca, hosts, clock)) {
    server = TRY(MakeServer(*ca, hosts, clock));
    TRY(WriteIdentity(files, server_path, server_key_path, *server));
    result.made_server = true;
  }
  result.ca = Describe(ca->certificate.get());
  result.server = Describe(server->certificate.get());
  return result;
}

Result<CertificateInfo> ReadCertificate(std::string_view pem) {
  const CertificatePtr certificate = TRY(ParseCertificate(pem));
  return Describe(certificate.get());
}

}  // namespace skerry::ca
