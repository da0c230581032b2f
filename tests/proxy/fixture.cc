#include "tests/proxy/fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "appliance/base/clock.h"
#include "appliance/base/process.h"
#include "appliance/base/unix_socket.h"
#include "appliance/ca/ca.h"
#include "proxy/upstream/dialer.h"

namespace skerry::proxy::testing {

namespace {

UniqueFd ListenLoopback(uint16_t* port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::listen(fd.get(), 1024), 0);
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
  *port = ntohs(address.sin_port);
  return fd;
}

UniqueFd BindNotify(const std::string& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  return fd;
}

bool WaitReady(int notify) {
  pollfd wait{notify, POLLIN, 0};
  if (::poll(&wait, 1, kPatienceMs) != 1) return false;
  char text[256];
  const ssize_t got = ::recv(notify, text, sizeof text, 0);
  return got > 0 && std::string_view(text, static_cast<size_t>(got)) == "READY=1";
}

}  // namespace

TlsClient::TlsClient(uint16_t port, const std::string& ca_file, const Options& options)
    : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
      reader_([this](char* out, size_t size) { return Receive(out, size); }) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const timeval patience{kPatienceMs / 1000, 0};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const int on = 1;
  ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  context_ = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set_security_level(context_, 0);
  SSL_CTX_set_min_proto_version(context_, TLS1_VERSION);
  SSL_CTX_set_max_proto_version(context_, options.max_version);
  EXPECT_EQ(SSL_CTX_load_verify_locations(context_, ca_file.c_str(), nullptr), 1);
  SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
  ssl_ = SSL_new(context_);
  if (!options.alpn.empty()) {
    const std::string list = static_cast<char>(options.alpn.size()) + options.alpn;
    SSL_set_alpn_protos(ssl_, reinterpret_cast<const unsigned char*>(list.data()),
                        static_cast<unsigned>(list.size()));
  }
  X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_), "127.0.0.1");
  SSL_set_fd(ssl_, fd_.get());
  connected_ = SSL_connect(ssl_) == 1;
}

TlsClient::~TlsClient() {
  SSL_free(ssl_);
  SSL_CTX_free(context_);
}

void TlsClient::Send(std::string_view bytes) {
  size_t written = 0;
  EXPECT_EQ(SSL_write_ex(ssl_, bytes.data(), bytes.size(), &written), 1);
}

void TlsClient::Close() { fd_.Reset(); }

ssize_t TlsClient::Receive(char* out, size_t size) {
  errno = 0;
  const int got = SSL_read(ssl_, out, static_cast<int>(size));
  if (got < 0) {
    EXPECT_NE(errno, EAGAIN) << "no answer in time";
  }
  return got;
}

ProxyTest::ProxyTest() {
  ::signal(SIGPIPE, SIG_IGN);
  files_ = OpenFiles(directory_.path()).value();
  for (const char* name : {"tls", "policy", "journal", "run", "run/engine"}) {
    EXPECT_TRUE(files_->MakeDirectory(name).has_value());
  }
  EXPECT_TRUE(files_->MakeDirectory(std::string("run/engine/") + kInstance).has_value());
  EXPECT_TRUE(ca::EnsureCertificates(*files_, "tls", {"127.0.0.1"}, RealClock()).has_value());
  policy_files_ = OpenFiles(directory_.path() + "/policy").value();
  policy_ = policy::Writer::Open(*policy_files_).value();
  EXPECT_TRUE(policy_
                  ->Publish({policy::PutAlias{{"demo", {kInstance}, true}},
                             policy::PutAlias{{"other", {kInstance}, false}},
                             policy::PutAlias{{"secret", {kInstance}, false}},
                             policy::PutAlias{{"down", {kOtherInstance}, false}}})
                  .has_value());
  token_ = policy::View(AddToken("kibana", {"demo", "other", "down"}).text);
}

ProxyTest::~ProxyTest() {
  if (server_) {
    server_->Stop();
    server_->Stop();
    server_thread_.join();
  }
  if (pid_ > 0) (void)StopProcess(pid_, 2'000);
  engine_.reset();
}

policy::NewToken ProxyTest::AddToken(const std::string& label, std::vector<std::string> models,
                                     int64_t expires_ms, std::vector<std::string> scopes) {
  policy::NewToken made = policy::MakeToken(policy_->key());
  policy::Token token;
  token.id = made.id;
  token.hash = made.hash;
  token.label = label;
  token.models = std::move(models);
  token.scopes = std::move(scopes);
  token.created_ms = 1;
  token.expires_ms = expires_ms;
  Publish({policy::PutToken{token}});
  return made;
}

std::string ProxyTest::Publish(const std::vector<policy::Op>& ops) {
  const Result<uint64_t> generation = policy_->Publish(ops);
  if (!generation) {
    ADD_FAILURE() << generation.error().message();
    return "";
  }
  if (!started_) return "";
  if (store_) {
    server_->ApplyPolicy(store_->Load(*generation).value());
    return "";
  }
  return Control(R"({"op":"load","generation":)" + std::to_string(*generation) + "}");
}

std::string ProxyTest::Control(const std::string& line) {
  const UniqueFd socket = ConnectUnix(directory_.path() + "/run/proxy-api.sock").value();
  EXPECT_TRUE(WriteFully(socket.get(), line + "\n").has_value());
  return ReadLine(socket.get(), 4096).value();
}

void ProxyTest::SetEngine(http::Handler handler) {
  const std::scoped_lock lock(mu_);
  handler_ = std::move(handler);
}

std::vector<Seen> ProxyTest::seen() {
  const std::scoped_lock lock(mu_);
  return seen_;
}

void ProxyTest::StartEngine() {
  SetEngine([](http::Request, std::shared_ptr<http::Responder> responder) {
    responder->Start(200, {{"content-type", "application/json"}, {"skerry-lease", "prompt=3"}});
    responder->Write(R"({"object":"chat.completion"})");
    responder->Finish({{"skerry-usage", "prompt=3 completion=5 finish=stop"}});
  });
  const std::string path = directory_.path() + "/run/engine/" + kInstance + "/sock";
  engine_ = http::Server::Start(
                ListenUnix(path).value(), {},
                [this](http::Request request, std::shared_ptr<http::Responder> responder) {
                  http::Handler handler;
                  {
                    const std::scoped_lock lock(mu_);
                    seen_.push_back({request, Journal()});
                    handler = handler_;
                  }
                  handler(std::move(request), std::move(responder));
                })
                .value();
}

void ProxyTest::Launch(const std::vector<std::string>& arguments, bool with_control) {
  const UniqueFd listener = ListenLoopback(&port_);
  UniqueFd control;
  SpawnOptions options;
  options.argv = {std::string(SKERRY_BIN_DIR) + "/skerry-proxy", "--cert",
                  directory_.path() + "/tls/server.pem", "--key",
                  directory_.path() + "/tls/server.key"};
  options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
  options.listen_fds = {{listener.get(), "tls"}};
  if (with_control) {
    control = ListenUnix(directory_.path() + "/run/proxy-api.sock").value();
    options.listen_fds.push_back({control.get(), "control"});
  }
  const std::string notify_path = directory_.path() + "/notify";
  const UniqueFd notify = BindNotify(notify_path);
  options.extra_environment = {"NOTIFY_SOCKET=" + notify_path};
  pid_ = Spawn(options).value();
  ASSERT_TRUE(WaitReady(notify.get()));
  started_ = true;
}

void ProxyTest::StartProgram() {
  StartEngine();
  Launch({"--instance", "api", "--policy", directory_.path() + "/policy", "--journal",
          directory_.path() + "/journal", "--run-dir", directory_.path() + "/run", "--access-log",
          directory_.path() + "/access.log"},
         /*with_control=*/true);
}

void ProxyTest::StartAdminProgram() {
  SetEngine([](http::Request request, std::shared_ptr<http::Responder> responder) {
    responder->Send({200,
                     {{"content-type", "application/json"}, {"x-total", "1"}},
                     request.head.method + " " + request.head.target + " " + request.body});
  });
  uint16_t admin_port = 0;
  engine_ = http::Server::Start(
                ListenLoopback(&admin_port), {},
                [this](http::Request request, std::shared_ptr<http::Responder> responder) {
                  http::Handler handler;
                  {
                    const std::scoped_lock lock(mu_);
                    seen_.push_back({request, ""});
                    handler = handler_;
                  }
                  handler(std::move(request), std::move(responder));
                })
                .value();
  Launch({"--instance", "admin", "--admin-port", std::to_string(admin_port)},
         /*with_control=*/false);
}

void ProxyTest::StartInProcess(Limits limits, FileSystem* journal_files) {
  // The dialer is forked while this process has one thread.
  DialerConfig dialer;
  dialer.run_directory = directory_.path() + "/run";
  ProxyParts parts;
  parts.dialer = ForkDialer(dialer).value();
  StartEngine();
  tls_ = std::make_unique<TlsContext>(
      TlsContext::Load(directory_.path() + "/tls/server.pem", directory_.path() + "/tls/server.key")
          .value());
  if (journal_files == nullptr) {
    EXPECT_TRUE(files_->MakeDirectory("journal/api").has_value());
    journal_files_ = OpenFiles(directory_.path() + "/journal/api").value();
    journal_files = journal_files_.get();
  }
  journal_ = audit::Writer::Open(*journal_files, "api").value();
  store_ = PolicyStore::Open(OpenFiles(directory_.path() + "/policy").value()).value();
  parts.listener = ListenLoopback(&port_);
  parts.tls = tls_.get();
  parts.limits = limits;
  parts.journal = journal_.get();
  parts.policy = store_->current();
  server_ = ProxyServer::Create(std::move(parts)).value();
  server_thread_ = std::thread([this] { EXPECT_TRUE(server_->Run(kPatienceMs).has_value()); });
  started_ = true;
}

std::string ProxyTest::Post(const std::string& path, const std::string& body,
                            const std::string& token, const std::string& more_headers) const {
  return "POST " + path + " HTTP/1.1\r\nHost: a\r\ncontent-type: application/json\r\n" +
         (token.empty() ? "" : "Authorization: Bearer " + token + "\r\n") + more_headers +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

http::testing::RawReply ProxyTest::Ask(const std::string& request) {
  const auto client = Connect();
  client->Send(request);
  return client->ReadReply();
}

std::string ProxyTest::Journal() {
  const auto journal = OpenFiles(directory_.path() + "/journal/api");
  if (!journal) return "";
  const auto names = (*journal)->List(".");
  std::string all;
  if (names) {
    for (const DirectoryEntry& entry : *names) {
      const auto text = ReadAll(**journal, entry.name);
      if (text) all += *text;
    }
  }
  return all;
}

std::vector<std::string> ProxyTest::Records(const std::string& action) {
  std::vector<std::string> records;
  const std::string all = Journal();
  size_t at = 0;
  for (size_t end; (end = all.find('\n', at)) != std::string::npos; at = end + 1) {
    const std::string line = all.substr(at, end - at);
    if (line.find("\"action\":\"" + action + "\"") != std::string::npos) records.push_back(line);
  }
  return records;
}

std::vector<std::string> ProxyTest::WaitForRecords(const std::string& action, size_t count) {
  const int64_t deadline = RealClock().MonotonicNanos() + kPatienceMs * int64_t{1'000'000};
  std::vector<std::string> records;
  do {
    records = Records(action);
    if (records.size() >= count) break;
    std::this_thread::yield();
  } while (RealClock().MonotonicNanos() < deadline);
  EXPECT_EQ(records.size(), count) << action;
  return records;
}

std::string ProxyTest::StopProgram() {
  ::kill(pid_, SIGTERM);
  return AwaitProgram();
}

std::string ProxyTest::AwaitProgram() {
  const auto state = WaitForExit(pid_, kPatienceMs);
  if (!state || !*state) return "still running";
  pid_ = -1;
  return (*state)->Describe();
}

}  // namespace skerry::proxy::testing
