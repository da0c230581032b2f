// The appliance's own small certificate authority: ECDSA P-256, made offline at the first start, so
// that TLS works without any outside party. Clients trust one file, tls/ca.pem.
#pragma once

#include <string>
#include <vector>

#include "appliance/base/clock.h"
#include "appliance/base/files.h"
#include "appliance/base/result.h"

namespace skerry::ca {

// Names a server certificate is for: DNS names and IP addresses (v4, v6), told apart by their form.
using Hosts = std::vector<std::string>;

struct CertificateInfo {
  std::string subject;      // "CN = ..."
  std::string fingerprint;  // SHA-256 of the DER form, upper-case hex pairs with colons
  Hosts hosts;              // subjectAltName
  int64_t not_before_ms = 0;
  int64_t not_after_ms = 0;
};

struct EnsureResult {
  bool made_ca = false;
  bool made_server = false;
  CertificateInfo ca;
  CertificateInfo server;
};

// Below `directory`: makes ca.pem and ca.key when both are absent, then server.pem and server.key
// when they are absent, expire within 30 days, were not issued by this CA or lack one of `hosts`.
// Keys are unencrypted PKCS#8, mode 0600. A CA with only one of its two files is kCorrupt (nothing
// is replaced). Validity starts a day before now, because the clock of an offline machine may be
// wrong; the CA lasts 20 years, a server certificate 825 days.
Result<EnsureResult> EnsureCertificates(FileSystem& files, const std::string& directory,
                                        const Hosts& hosts, const Clock& clock);

// Reads the first certificate of PEM text.
Result<CertificateInfo> ReadCertificate(std::string_view pem);

}  // namespace skerry::ca
