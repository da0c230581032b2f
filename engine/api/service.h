// The routes of docs/http/engine.md: takes whole HTTP requests, checks and tokenises them on
// threads of its own, and gives them to the engine.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "appliance/base/clock.h"
#include "appliance/http/server.h"
#include "engine/api/answer_constraints.h"
#include "engine/api/request.h"
#include "engine/chat/format.h"
#include "engine/runtime/encoder.h"
#include "engine/runtime/engine.h"
#include "engine/tokenizer/load.h"

namespace skerry::engine {

class Reply;

// A loaded model and what is needed to talk to it: one that generates text has an engine, an
// embedding model an encoder.
struct ServedModel {
  LoadedTokenizer text;
  std::optional<ChatFormat> chat;  // empty: `no_chat_reason` says why
  std::string no_chat_reason;
  SamplingDefaults defaults;
  std::unique_ptr<AnswerConstraints> constraints;  // null: the vocabulary is too large
  std::unique_ptr<Engine> engine;
  std::vector<std::string> notes = {};  // what of the checkpoint is left out, a sentence each
  std::unique_ptr<Encoder> encoder = nullptr;

  bool generates() const { return encoder == nullptr; }
  int32_t max_model_len() const {
    return generates() ? engine->max_model_len() : encoder->max_model_len();
  }
  EngineStats stats() const { return generates() ? engine->stats() : encoder->stats(); }
  void Drain() { generates() ? engine->Drain() : encoder->Drain(); }
};

// Puts the parts together: makes the chat format. `engine` may be null until it runs.
ServedModel MakeServedModel(LoadedTokenizer text, const ChatSource& source, TokenizerMode mode,
                            SamplingDefaults defaults, std::unique_ptr<Engine> engine,
                            const AnswerParsers& parsers = {});

// The parts of an embedding model, which has no chats.
ServedModel MakeServedEncoder(LoadedTokenizer text, std::unique_ptr<Encoder> encoder);

// generation_config.json of the folder at `path`: do_sample, temperature, top_p, top_k. Without
// one, or for a file that is not a folder, OpenAI's defaults.
Result<SamplingDefaults> LoadSamplingDefaults(const std::string& path);

struct ServiceOptions {
  std::string model_name;
  std::string version;                 // of the program
  int ping_ms = 10'000;                // silence in a stream after which a comment is sent
  int n_workers = 2;                   // threads that check and tokenise
  size_t max_queued_requests = 128;    // waiting for one of them
  size_t max_queued_bytes = 64 << 20;  // bodies of those
};

// Thread-safe. Must outlive the HTTP server it handles requests for.
class Service {
 public:
  Service(ServiceOptions options, const Clock& clock);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // From now on requests are answered by `model`; before, they get 503. Once.
  void SetModel(ServedModel model);
  // What loading is at, for those who ask before: a word or two, and the part that is done.
  void SetProgress(std::string phase, double part);
  // From now on new requests get 503; those under way go on.
  void Drain();

  // http::Handler: parses and tokenises elsewhere, so it returns at once.
  void Handle(http::Request request, std::shared_ptr<http::Responder> responder);

 private:
  struct Work {
    http::Request request;
    std::shared_ptr<http::Responder> responder;
  };

  void RunWorker();
  void RunPinger();
  void Process(Work work);
  void Get(const http::Request& request, std::shared_ptr<http::Responder> responder);
  void Health(std::shared_ptr<http::Responder> responder);
  void Models(const http::Request& request, http::Responder& responder);
  void Generate(const Work& work);
  http::ApiError Loading();

  const ServiceOptions options_;
  const Clock& clock_;
  const int64_t created_;

  std::mutex mu_;
  std::condition_variable work_changed_;
  std::condition_variable stop_changed_;
  std::unique_ptr<ServedModel> model_;      // set once, guarded by mu_; then read-only
  std::string phase_ = "starting";          // guarded by mu_
  double part_done_ = 0;                    // guarded by mu_
  std::deque<Work> queue_;                  // guarded by mu_
  size_t queued_bytes_ = 0;                 // guarded by mu_
  std::vector<std::weak_ptr<Reply>> live_;  // guarded by mu_
  bool stopping_ = false;                   // guarded by mu_
  std::vector<std::thread> threads_;
};

}  // namespace skerry::engine
