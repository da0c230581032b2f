#include "engine/api/service.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "appliance/base/encode.h"
#include "appliance/base/files.h"
#include "appliance/base/json.h"
#include "engine/api/embeddings.h"
#include "engine/api/internal/admission.h"
#include "engine/api/metrics.h"
#include "engine/api/reply.h"
#include "engine/api/token_routes.h"

namespace skerry::engine {
namespace {

constexpr std::string_view kChatPath = "/v1/chat/completions";
constexpr std::string_view kCompletionPath = "/v1/completions";
constexpr std::string_view kEmbeddingsPath = "/v1/embeddings";
constexpr std::string_view kModelsPath = "/v1/models";
constexpr std::string_view kHealthPath = "/health";
constexpr std::string_view kMetricsPath = "/metrics";
constexpr std::string_view kVersionPath = "/version";
constexpr std::string_view kTokenizePath = "/tokenize";
constexpr std::string_view kDetokenizePath = "/detokenize";
constexpr int kRetryAfterSeconds = 1;

void SendJson(http::Responder& responder, int status, std::string body,
              http::HeaderList headers = {}) {
  headers.emplace_back("content-type", "application/json");
  responder.Send({status, std::move(headers), std::move(body)});
}

void SendError(http::Responder& responder, const http::ApiError& error,
               http::HeaderList headers = {}, int retry_after = kRetryAfterSeconds) {
  if (error.status == 503 || error.status == 429) {
    headers.emplace_back("retry-after", std::to_string(retry_after));
  }
  SendJson(responder, error.status, http::ErrorBody(error), std::move(headers));
}

std::string RandomHex() {
  std::array<uint8_t, 12> bytes{};
  RAND_bytes(bytes.data(), static_cast<int>(bytes.size()));
  return HexEncode(bytes);
}

bool IsPostPath(std::string_view path) {
  return path == kChatPath || path == kCompletionPath || path == kEmbeddingsPath ||
         path == kTokenizePath || path == kDetokenizePath;
}
bool IsGetPath(std::string_view path) {
  return path == kModelsPath || path == kHealthPath || path == kMetricsPath || path == kVersionPath;
}

}  // namespace

ServedModel MakeServedModel(LoadedTokenizer text, const ChatSource& source, TokenizerMode mode,
                            SamplingDefaults defaults, std::unique_ptr<Engine> engine,
                            const AnswerParsers& parsers) {
  ServedModel model;
  model.text = std::move(text);
  model.defaults = defaults;
  model.engine = std::move(engine);
  Result<ChatFormat> chat = ChatFormat::Create(*model.text.tokenizer, source, mode, parsers);
  if (chat) {
    model.chat = std::move(*chat);
  } else {
    model.no_chat_reason = chat.error().message();
  }
  if (model.engine == nullptr) return model;
  std::vector<TokenId> stops = model.text.stop_tokens;
  if (model.chat) stops = model.chat->StopTokens(std::move(stops));
  Result<std::unique_ptr<AnswerConstraints>> constraints = AnswerConstraints::Create(
      *model.text.tokenizer, stops, model.engine->model_info().vocab_size);
  if (constraints) model.constraints = std::move(*constraints);
  return model;
}

ServedModel MakeServedEncoder(LoadedTokenizer text, std::unique_ptr<Encoder> encoder) {
  ServedModel model;
  model.text = std::move(text);
  model.no_chat_reason = "this is an embedding model, which has no chats: send a text";
  model.encoder = std::move(encoder);
  return model;
}

Result<SamplingDefaults> LoadSamplingDefaults(const std::string& path) {
  SamplingDefaults defaults;
  const std::filesystem::path file = std::filesystem::path(path) / "generation_config.json";
  if (!std::filesystem::exists(file)) return defaults;
  const auto files = TRY(OpenFiles(path));
  const std::string text = TRY(ReadAll(*files, "generation_config.json", 1 << 20));
  const Json json = TRY(ParseJson(text).WithContext(file.string()));
  if (!json.is_object()) return defaults;
  defaults.temperature = TRY(GetNumberOr(json, "temperature", 1.0));
  defaults.top_p = TRY(GetNumberOr(json, "top_p", 1.0));
  const int64_t top_k = TRY(GetIntOr(json, "top_k", 0));
  const bool do_sample = TRY(GetBoolOr(json, "do_sample", true));
  if (!do_sample) defaults.temperature = 0;
  defaults.temperature = std::clamp(defaults.temperature, 0.0, 2.0);
  defaults.top_p = std::clamp(defaults.top_p, 0.0, 1.0);
  defaults.top_k = static_cast<int32_t>(std::clamp<int64_t>(top_k, 0, 1 << 20));
  return defaults;
}

Service::Service(ServiceOptions options, const Clock& clock)
    : options_(std::move(options)), clock_(clock), created_(clock.UnixMillis() / 1000) {
  for (int i = 0; i < options_.n_workers; ++i) threads_.emplace_back([this] { RunWorker(); });
  threads_.emplace_back([this] { RunPinger(); });
}

Service::~Service() {
  {
    const std::lock_guard lock(mu_);
    stopping_ = true;
    work_changed_.notify_all();
    stop_changed_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
  if (model_ && model_->engine) model_->engine->Stop();
  if (model_ && model_->encoder) model_->encoder->Stop();
}

void Service::SetModel(ServedModel model) {
  auto holder = std::make_unique<ServedModel>(std::move(model));
  const std::lock_guard lock(mu_);
  model_ = std::move(holder);
}

void Service::SetProgress(std::string phase, double part) {
  const std::lock_guard lock(mu_);
  phase_ = std::move(phase);
  part_done_ = part;
}

void Service::Drain() {
  const std::lock_guard lock(mu_);
  if (model_ != nullptr) model_->Drain();
}

// mu_ held.
http::ApiError Service::Loading() {
  return {503,
          "the model is being loaded: " + phase_ + ", " +
              std::to_string(static_cast<int>(part_done_ * 100)) + " % done",
          "loading", ""};
}

void Service::Handle(http::Request request, std::shared_ptr<http::Responder> responder) {
  const std::string& path = request.head.path;
  const std::string& method = request.head.method;
  if (IsGetPath(path)) {
    if (method == "GET" || method == "HEAD") return Get(request, std::move(responder));
    return SendError(*responder, {405, path + " takes GET", "method_not_allowed", ""},
                     {{"allow", "GET, HEAD"}});
  }
  if (!IsPostPath(path)) {
    return SendError(*responder, {404, "there is nothing at this path", "not_found", ""});
  }
  if (method != "POST") {
    return SendError(*responder, {405, path + " takes POST", "method_not_allowed", ""},
                     {{"allow", "POST"}});
  }
  {
    const std::lock_guard lock(mu_);
    const size_t size = request.body.size();
    if (model_ != nullptr && queue_.size() < options_.max_queued_requests &&
        (queue_.empty() || queued_bytes_ + size <= options_.max_queued_bytes)) {
      queued_bytes_ += size;
      queue_.push_back({std::move(request), std::move(responder)});
      work_changed_.notify_one();
      return;
    }
    if (model_ == nullptr) return SendError(*responder, Loading());
  }
  SendError(*responder, {503, "too many requests wait already; try again later", "overloaded", ""});
}

void Service::Get(const http::Request& request, std::shared_ptr<http::Responder> responder) {
  const std::string& path = request.head.path;
  if (path == kHealthPath) return Health(std::move(responder));
  if (path == kModelsPath) return Models(request, *responder);
  if (path == kVersionPath) {
    return SendJson(*responder, 200, DumpJsonAscii({{"version", options_.version}}));
  }
  const std::string* alias = http::FindHeader(request.head.headers, "skerry-model");
  EngineStats stats;
  Histogram compile_time(kGrammarTimeBounds);
  {
    const std::lock_guard lock(mu_);
    if (model_ != nullptr) stats = model_->stats();
    if (model_ != nullptr && model_->constraints)
      compile_time = model_->constraints->compile_time();
  }
  responder->Send(
      {200,
       {{"content-type", kMetricsType}},
       MetricsText(stats, compile_time, alias != nullptr ? *alias : options_.model_name)});
}

// 200 is said only when a token or vector was computed, now or in the step before.
void Service::Health(std::shared_ptr<http::Responder> responder) {
  const ServedModel* model = nullptr;
  std::string ok;
  {
    const std::lock_guard lock(mu_);
    if (model_ == nullptr) {
      const Json body = {{"status", "loading"}, {"phase", phase_}, {"progress", part_done_}};
      return SendJson(*responder, 503, DumpJsonAscii(body),
                      {{"retry-after", std::to_string(kRetryAfterSeconds)}});
    }
    model = model_.get();
    ok = DumpJsonAscii({{"status", "ok"}, {"notes", model_->notes}});
  }
  const auto answer = [responder, ok](const Result<void>& alive) {
    if (alive) return SendJson(*responder, 200, ok);
    SendJson(*responder, 503,
             DumpJsonAscii({{"status", "failing"}, {"reason", alive.error().message()}}));
  };
  model->generates() ? model->engine->Probe(answer) : model->encoder->Probe(answer);
}

void Service::Models(const http::Request& request, http::Responder& responder) {
  const std::string* alias = http::FindHeader(request.head.headers, "skerry-model");
  Json model = {{"id", alias != nullptr ? *alias : options_.model_name},
                {"object", "model"},
                {"created", created_},
                {"owned_by", "skerry"}};
  {
    const std::lock_guard lock(mu_);
    if (model_ != nullptr) model["max_model_len"] = model_->max_model_len();
  }
  SendJson(responder, 200, DumpJsonAscii({{"object", "list"}, {"data", Json::array({model})}}));
}

void Service::RunWorker() {
  while (true) {
    Work work;
    {
      std::unique_lock lock(mu_);
      work_changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      work = std::move(queue_.front());
      queue_.pop_front();
      queued_bytes_ -= work.request.body.size();
    }
    Process(std::move(work));
  }
}

void Service::Process(Work work) {
  if (work.responder->ClientGone()) return;
  const std::string& path = work.request.head.path;
  if (path == kTokenizePath || path == kDetokenizePath) {
    const auto answer = path == kTokenizePath
                            ? TokenizeRoute(*model_, work.request.body, clock_.UnixMillis() * 1000)
                            : DetokenizeRoute(*model_, work.request.body);
    if (const auto* error = std::get_if<http::ApiError>(&answer)) {
      return SendError(*work.responder, *error);
    }
    return SendJson(*work.responder, 200, std::get<std::string>(answer));
  }
  if (path == kEmbeddingsPath) {
    const auto refused =
        EmbeddingsRoute(*model_, options_.model_name, work.request, work.responder);
    if (refused) SendError(*work.responder, refused->error, {}, refused->retry_after);
    return;
  }
  if (!model_->generates()) {
    return SendError(*work.responder,
                     {400,
                      "this is an embedding model: it gives vectors and cannot answer; use "
                      "/v1/embeddings, or send this request to a model that generates text",
                      "generation_not_supported", "model"});
  }
  Generate(work);
}

void Service::Generate(const Work& work) {
  const ServedModel& model = *model_;  // set before anything is queued, never changed
  std::variant<internal::Admitted, http::ApiError> result =
      internal::Admit(model, options_.model_name, work.request.head, work.request.body,
                      *work.responder, clock_.UnixMillis() * 1000);
  if (const auto* error = std::get_if<http::ApiError>(&result)) {
    return SendError(*work.responder, *error);
  }
  auto& admitted = std::get<internal::Admitted>(result);
  ReplyIdentity identity;
  identity.id = (admitted.chat ? "chatcmpl-" : "cmpl-") + RandomHex();
  identity.model = std::move(admitted.model);
  identity.created = clock_.UnixMillis() / 1000;
  identity.chat = admitted.chat;
  identity.legacy_functions = admitted.legacy_functions;
  const Tokenizer& tokenizer = *model.text.tokenizer;
  const auto reply =
      std::make_shared<Reply>(work.responder, std::move(identity), admitted.stream,
                              static_cast<int64_t>(admitted.generation.prompt.size()),
                              Answer(tokenizer, admitted.answer), clock_, &tokenizer);
  for (int32_t i = 1; i < admitted.n; ++i) reply->AddChoice(Answer(tokenizer, admitted.answer));
  const Result<void> submitted =
      reply->Submit(reply, *model.engine, std::move(admitted.generation));
  if (!submitted) {
    return SendError(*work.responder, http::FromError(submitted.error()), {},
                     model.engine->RetryAfterSeconds());
  }
  if (!admitted.stream) return;
  const std::lock_guard lock(mu_);
  std::erase_if(live_, [](const std::weak_ptr<Reply>& known) { return known.expired(); });
  live_.push_back(reply);
}

// Looks at every stream often enough that a ping is at most a quarter late.
void Service::RunPinger() {
  const auto interval = std::chrono::milliseconds(std::max(options_.ping_ms / 4, 1));
  std::unique_lock lock(mu_);
  while (!stop_changed_.wait_for(lock, interval, [this] { return stopping_; })) {
    const std::vector<std::weak_ptr<Reply>> live = live_;
    lock.unlock();
    for (const std::weak_ptr<Reply>& known : live) {
      const std::shared_ptr<Reply> reply = known.lock();
      if (reply != nullptr) reply->Ping(options_.ping_ms);
    }
    lock.lock();
  }
}

}  // namespace skerry::engine
