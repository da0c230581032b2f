// `skerry ask`: one question through the same TLS front door that every client uses. With a token
// in SKERRY_TOKEN it is such a client; without one it makes a token that lives for the question
// only.
#include <cstdlib>
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "appliance/base/clock.h"
#include "appliance/base/json.h"
#include "appliance/cli/admin_client.h"
#include "appliance/cli/command.h"
#include "appliance/cli/sse.h"
#include "appliance/http/client.h"

namespace skerry::cli {

namespace {

constexpr int64_t kTemporaryTokenMs = 10 * 60 * 1000;
// A long prompt on a slow machine: the engine sends comments meanwhile, so silence means trouble.
constexpr int kIdleTimeoutMs = 60'000;
// A model without a chat format does not know where to stop.
constexpr int64_t kContinuationTokens = 128;

struct AskOptions {
  std::string alias;
  std::string question;
  std::string system;
  int64_t max_tokens = 0;
};

// A token for one question; revoked when the object goes.
class TemporaryToken {
 public:
  static Result<std::unique_ptr<TemporaryToken>> Create(AdminClient& admin) {
    const Json request = {{"label", "skerry-ask"},
                          {"models", {"*"}},
                          {"expires_ms", RealClock().UnixMillis() + kTemporaryTokenMs}};
    const Json made = TRY(admin.Post("/tokens", request));
    std::unique_ptr<TemporaryToken> token(new TemporaryToken(admin));
    token->id_ = TRY(GetString(made, "id"));
    token->text_ = TRY(GetString(made, "token"));
    return token;
  }
  ~TemporaryToken() {
    if (!id_.empty()) (void)admin_.Delete("/tokens/" + id_);
  }
  const std::string& text() const { return text_; }

 private:
  explicit TemporaryToken(AdminClient& admin) : admin_(admin) {}
  AdminClient& admin_;
  std::string id_;
  std::string text_;
};

// The message in an error reply of the API, or its status when it has none.
Error ApiFailure(int status, const std::string& body) {
  const ErrorCode code = status == 404   ? ErrorCode::kNotFound
                         : status == 401 ? ErrorCode::kDenied
                                         : ErrorCode::kUnavailable;
  const Result<Json> parsed = ParseJson(body);
  if (parsed && parsed->is_object() && parsed->contains("error")) {
    const Result<std::string> message = GetString((*parsed)["error"], "message");
    if (message) return Error(code, *message);
  }
  return Error(code, "the appliance answered with status " + std::to_string(status));
}

// Prints the text of one event: a chat delta's content, or a completion's text. kUnavailable for an
// error event.
Result<void> PrintEvent(const SseEvent& event) {
  if (event.data == "[DONE]") return {};
  const Json chunk = TRY(ParseJson(event.data));
  if (chunk.is_object() && chunk.contains("error")) return ApiFailure(500, event.data);
  const auto choices = chunk.find("choices");
  if (choices == chunk.end() || !choices->is_array()) return {};
  for (const Json& choice : *choices) {
    const auto delta = choice.find("delta");
    const Json& holder = delta != choice.end() && delta->is_object() ? *delta : choice;
    for (const char* key : {"content", "text"}) {
      const auto text = holder.find(key);
      if (text != holder.end() && text->is_string()) {
        std::cout << text->get<std::string>() << std::flush;
      }
    }
  }
  return {};
}

// Where to ask, and as whom.
struct Endpoint {
  std::string address;
  std::string ca_file;
  std::string token;
};

// Posts `body`, printing the streamed answer; the reply has the error's body when it is not 200.
Result<http::ClientResponse> Stream(const Endpoint& endpoint, const std::string& path,
                                    const Json& body) {
  http::ClientRequest request;
  request.method = "POST";
  request.target = path;
  request.headers = {{"authorization", "Bearer " + endpoint.token},
                     {"content-type", "application/json"}};
  request.body = DumpJson(body);
  http::ClientOptions client_options;
  client_options.idle_timeout_ms = kIdleTimeoutMs;

  SseParser parser;
  Result<void> printed;
  const http::BodySink sink = [&](std::string_view piece) {
    const Result<std::vector<SseEvent>> events = parser.Feed(piece);
    if (!events) printed = events.error();
    for (size_t i = 0; printed && i < events->size(); ++i) printed = PrintEvent((*events)[i]);
    return printed.has_value();
  };
  Result<http::ClientResponse> response =
      http::FetchTls(endpoint.address, endpoint.ca_file, request, client_options, sink);
  if (!printed) return printed.error();
  return response;
}

bool IsChatNotSupported(const http::ClientResponse& response) {
  const Result<Json> parsed = ParseJson(response.body);
  if (!parsed || !parsed->is_object() || !parsed->contains("error")) return false;
  const Result<std::string> code = GetString((*parsed)["error"], "code");
  return code && *code == "chat_not_supported";
}

Result<void> AskAt(const Endpoint& endpoint, const AskOptions& options) {
  Json messages = Json::array();
  if (!options.system.empty()) {
    messages.push_back({{"role", "system"}, {"content", options.system}});
  }
  messages.push_back({{"role", "user"}, {"content", options.question}});
  Json body = {{"model", options.alias}, {"stream", true}, {"temperature", 0}};
  if (options.max_tokens > 0) body["max_tokens"] = options.max_tokens;
  Json chat = body;
  chat["messages"] = std::move(messages);
  http::ClientResponse response = TRY(Stream(endpoint, "/v1/chat/completions", chat));
  if (response.status == 400 && IsChatNotSupported(response)) {
    std::cerr
        << "skerry: this model has no chat template that is known here: it goes on with the text"
        << std::endl;
    if (options.max_tokens == 0) body["max_tokens"] = kContinuationTokens;
    body["prompt"] = options.question;
    std::cout << options.question << std::flush;
    response = TRY(Stream(endpoint, "/v1/completions", body));
  }
  if (response.status != 200) return ApiFailure(response.status, response.body);
  std::cout << std::endl;
  return {};
}

Result<void> Ask(const Context& context, const AskOptions& options) {
  if (options.question.empty()) {
    return Error(ErrorCode::kInvalidArgument, "the question is empty");
  }
  AdminClient admin = TRY(AdminClient::Connect(context.data_directory));
  Endpoint endpoint{admin.api_address(), admin.ca_file(), ""};
  const char* given = std::getenv("SKERRY_TOKEN");
  if (given != nullptr && *given != '\0') {
    endpoint.token = given;
    const bool plain = std::all_of(endpoint.token.begin(), endpoint.token.end(),
                                   [](unsigned char c) { return c > 0x20 && c < 0x7f; });
    if (!plain) {
      return Error(ErrorCode::kInvalidArgument,
                   "SKERRY_TOKEN holds characters that no token has: copy it again");
    }
    return AskAt(endpoint, options);
  }
  const std::unique_ptr<TemporaryToken> token = TRY(TemporaryToken::Create(admin));
  endpoint.token = token->text();
  return AskAt(endpoint, options);
}

}  // namespace

void AddAskCommand(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("ask", "Ask a running model one question");
  AddDataOption(*command, context);
  auto options = std::make_shared<AskOptions>();
  command->add_option("alias", options->alias, "The model's public name")->required();
  command->add_option("question", options->question, "The question")->required();
  command->add_option("--system", options->system, "Instructions before the question");
  command->add_option("--max-tokens", options->max_tokens, "Longest answer, in tokens")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 30));
  command->footer(
      "With SKERRY_TOKEN in the environment that token is used; otherwise one is made for "
      "the question and revoked after it.");
  command->callback([&context, options] {
    context.run = [&context, options] { return Ask(context, *options); };
  });
}

}  // namespace skerry::cli
