// A proxy with everything around it: certificates, a published policy, a stand-in engine on a Unix
// socket and a TLS client that sends any bytes. Either the real program, or a server in this
// process with its own limits and journal files.
#pragma once

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <sys/types.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "appliance/audit/journal.h"
#include "appliance/base/files.h"
#include "appliance/base/testing/fixtures.h"
#include "appliance/http/server.h"
#include "appliance/policy/writer.h"
#include "proxy/http/proxy_server.h"
#include "tests/appliance/http/reply_reader.h"

namespace skerry::proxy::testing {

inline constexpr char kInstance[] = "0a1b2c3d";
inline constexpr char kOtherInstance[] = "ffffffff";  // nothing runs there
inline constexpr int kPatienceMs = 10'000;

class TlsClient {
 public:
  struct Options {
    int max_version = TLS1_3_VERSION;
    std::string alpn;  // one protocol; empty: none offered
  };
  TlsClient(uint16_t port, const std::string& ca_file, const Options& options);
  TlsClient(uint16_t port, const std::string& ca_file) : TlsClient(port, ca_file, Options()) {}
  ~TlsClient();

  bool connected() const { return connected_; }
  std::string Version() const { return SSL_get_version(ssl_); }
  std::string Cipher() const { return SSL_get_cipher_name(ssl_); }
  void Send(std::string_view bytes);
  void Close();
  // All of the connection's end: no close_notify, no more reading.
  http::testing::RawReply ReadReply() { return reader_.ReadReply(); }
  bool WaitFor(std::string_view text) { return reader_.WaitFor(text); }
  std::string ReadToEnd() { return reader_.ReadToEnd(); }

 private:
  ssize_t Receive(char* out, size_t size);
  UniqueFd fd_;
  SSL_CTX* context_ = nullptr;
  SSL* ssl_ = nullptr;
  bool connected_ = false;
  http::testing::ReplyReader reader_;
};

// What the stand-in engine saw of one request.
struct Seen {
  http::Request request;
  std::string journal;  // the journal's bytes at that moment
};

class ProxyTest : public ::testing::Test {
 protected:
  ProxyTest();
  ~ProxyTest() override;

  // The real program, api instance.
  void StartProgram();
  // The real program, admin instance, in front of a stand-in admin on a loopback port.
  void StartAdminProgram();
  // In this process; journal in `journal_files` (default: real files).
  void StartInProcess(Limits limits, FileSystem* journal_files = nullptr);

  std::unique_ptr<TlsClient> Connect() {
    return std::make_unique<TlsClient>(port_, directory_.path() + "/tls/ca.pem");
  }
  // A whole request with a body and the token of `authorization` (empty: no header).
  std::string Post(const std::string& path, const std::string& body, const std::string& token,
                   const std::string& more_headers = "") const;
  http::testing::RawReply Ask(const std::string& request);

  // The engine's answer to the next requests; by default a small JSON reply.
  void SetEngine(http::Handler handler);
  std::vector<Seen> seen();
  std::string Journal();
  // Records of the journal with this action, in order.
  std::vector<std::string> Records(const std::string& action);
  // Waits until there are `count` of them.
  std::vector<std::string> WaitForRecords(const std::string& action, size_t count);

  // Publishes and has the proxy load it: returns its answer.
  std::string Publish(const std::vector<policy::Op>& ops);
  policy::NewToken AddToken(const std::string& label, std::vector<std::string> models,
                            int64_t expires_ms = 0,
                            std::vector<std::string> scopes = {"inference"});
  std::string Control(const std::string& line);
  // SIGTERM, and the exit status as text.
  std::string StopProgram();
  // The same without a signal, for a program that is ending already.
  std::string AwaitProgram();

  skerry::testing::TemporaryDirectory directory_;
  std::unique_ptr<FileSystem> files_;
  std::unique_ptr<FileSystem> policy_files_;
  std::unique_ptr<policy::Writer> policy_;
  std::string token_;  // may use "demo" and "other"
  pid_t pid_ = -1;
  uint16_t port_ = 0;

 private:
  void StartEngine();
  void Launch(const std::vector<std::string>& arguments, bool with_control);

  std::unique_ptr<http::Server> engine_;
  std::mutex mu_;
  http::Handler handler_;
  std::vector<Seen> seen_;
  bool started_ = false;

  // In-process parts.
  std::unique_ptr<TlsContext> tls_;
  std::unique_ptr<FileSystem> journal_files_;
  std::unique_ptr<audit::Writer> journal_;
  std::unique_ptr<PolicyStore> store_;
  std::unique_ptr<ProxyServer> server_;
  std::thread server_thread_;
};

}  // namespace skerry::proxy::testing
