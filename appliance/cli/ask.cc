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

struct AskOptions {
  std::string alias;
  std::string question;
  std::string system;
  int64_t max_tokens = 0;
};

// A token for one question; revoked when the object goes.
class TemporaryToken {
 public:
  static Result<std::unique_ptr<TemporaryToken>> Create(AdminClient& admin,
                                                        const std::string& alias) {
    const Json request = {{"label", "skerry-ask"},
                          {"models", {alias}},
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

// Prints the text deltas of one event; kUnavailable for an error event.
Result<void> PrintEvent(const SseEvent& event) {
  if (event.data == "[DONE]") return {};
  const Json chunk = TRY(ParseJson(event.data));
  if (chunk.is_object() && chunk.contains("error")) return ApiFailure(500, event.data);
  const auto choices = chunk.find("choices");
  if (choices == chunk.end() || !choices->is_array()) return {};
  for (const Json& choice : *choices) {
    const auto delta = choice.find("delta");
    if (delta == choice.end() || !delta->is_object()) continue;
    const auto content = delta->find("content");
    if (content != delta->end() && content->is_string()) {
      std::cout << content->get<std::string>() << std::flush;
    }
  }
  return {};
}

Result<void> Stream(const std::string& address, const std::string& ca_file,
                    const std::string& token, const AskOptions& options) {
  Json messages = Json::array();
  if (!options.system.empty()) {
    messages.push_back({{"role", "system"}, {"content", options.system}});
  }
  messages.push_back({{"role", "user"}, {"content", options.question}});
  Json body = {
      {"model", options.alias}, {"messages", messages}, {"stream", true}, {"temperature", 0}};
  if (options.max_tokens > 0) body["max_tokens"] = options.max_tokens;

  http::ClientRequest request;
  request.method = "POST";
  request.target = "/v1/chat/completions";
  request.headers = {{"authorization", "Bearer " + token}, {"content-type", "application/json"}};
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
  const Result<http::ClientResponse> response =
      http::FetchTls(address, ca_file, request, client_options, sink);
  if (!printed) return printed;
  if (!response) return response.error();
  if (response->status != 200) return ApiFailure(response->status, response->body);
  std::cout << std::endl;
  return {};
}

Result<void> Ask(const Context& context, const AskOptions& options) {
  AdminClient admin = TRY(AdminClient::Connect(context.data_directory));
  const char* given = std::getenv("SKERRY_TOKEN");
  if (given != nullptr && *given != '\0') {
    return Stream(admin.api_address(), admin.ca_file(), given, options);
  }
  const std::unique_ptr<TemporaryToken> token = TRY(TemporaryToken::Create(admin, options.alias));
  return Stream(admin.api_address(), admin.ca_file(), token->text(), options);
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
      ->check(CLI::PositiveNumber);
  command->footer(
      "With SKERRY_TOKEN in the environment that token is used; otherwise one is made for "
      "the question and revoked after it.");
  command->callback([&context, options] {
    context.run = [&context, options] { return Ask(context, *options); };
  });
}

}  // namespace skerry::cli
