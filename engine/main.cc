// The `skerry-engine` program: serves one model over HTTP, or answers `logits`, `tokenize`,
// `embed`, `render` or `capabilities` on standard output. Every failure is one line "skerry-engine:
// MESSAGE" on stderr; exit 2 for usage, else 1.
#include <pthread.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <iostream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "appliance/base/json.h"
#include "appliance/base/log.h"
#include "appliance/base/process.h"
#include "engine/api/listen.h"
#include "engine/api/service.h"
#include "engine/architectures/checkpoint.h"
#include "engine/jinja/render_command.h"
#include "engine/model/embed_command.h"
#include "engine/model/load.h"
#include "engine/model/logits_command.h"
#include "engine/tokenizer/load.h"
#include "engine/tokenizer/tokenize_command.h"

namespace skerry::engine {
namespace {

constexpr int kDrainMs = 30'000;
constexpr int kLoadedSignal = SIGUSR1;  // from the loading thread, whether it worked or not
constexpr int64_t kNotifyNanos = 1'000'000'000;  // between messages to systemd
constexpr int kCanariesPerWatchdog = 4;

struct ServeFlags {
  std::string model_path;
  std::string listen;
  std::string served_name;
  int threads = 0;
  EngineOptions engine;
  std::string kv_cache_dtype = "auto";
  std::optional<double> memory_utilization;
  std::string tokenizer_mode = "auto";
  AnswerParsers parsers;
  // Flags of vLLM's command line that select the only possibility here.
  int tensor_parallel_size = 1;
  bool enable_auto_tool_choice = false;
  std::string config_format = "auto";
  std::string load_format = "auto";
};

int Fail(const Error& error, int status) {
  std::cerr << "skerry-engine: " << OneLine(error.message()) << std::endl;
  return status;
}

// "/models/x/" and "/models/x.gguf" -> "x".
std::string NameOf(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  path = path.substr(path.rfind('/') + 1);
  return path.ends_with(".gguf") ? path.substr(0, path.size() - 5) : path;
}

ConfigFormat FormatOf(const ServeFlags& flags) {
  if (flags.config_format == "mistral" || flags.load_format == "mistral") {
    return ConfigFormat::kMistral;
  }
  return flags.config_format == "hf" ? ConfigFormat::kHuggingFace : ConfigFormat::kAuto;
}

// Half precision is the smallest type that cannot be told from F32 in an answer
// (docs/decisions/0008). Those of an embedding model live for one step and need not be small.
KvType KvTypeFor(const ServeFlags& flags, bool embeds) {
  return KvTypeOf(flags.kv_cache_dtype).value_or(embeds ? KvType::kF32 : KvType::kF16);
}

// What systemd hears: that steps are finished, and in a sentence what is going on.
class Heartbeat {
 public:
  void Beat(const EngineStats& stats) {
    const int64_t now = RealClock().MonotonicNanos();
    if (now - last_nanos_ < kNotifyNanos) return;
    last_nanos_ = now;
    NotifySystemd("WATCHDOG=1\nSTATUS=serving: " + std::to_string(stats.n_running) + " running, " +
                  std::to_string(stats.n_waiting) + " waiting");
  }

 private:
  int64_t last_nanos_ = 0;
};

// How often an idle model proves that it can compute: well before systemd loses patience.
int32_t CanaryInterval(int32_t usual_ms) {
  const char* watchdog = std::getenv("WATCHDOG_USEC");
  const int64_t watchdog_ms = watchdog == nullptr ? 0 : std::atoll(watchdog) / 1000;
  if (watchdog_ms <= 0) return usual_ms;
  return static_cast<int32_t>(std::clamp<int64_t>(watchdog_ms / kCanariesPerWatchdog, 1, usual_ms));
}

EngineOptions OptionsFor(const ServeFlags& flags) {
  EngineOptions options = flags.engine;
  // A machine without a GPU has other uses for its memory, too.
  if (!flags.memory_utilization) options.kv_share = 0.5;
  options.memory_utilization = flags.memory_utilization.value_or(options.memory_utilization);
  options.canary_interval_ms = CanaryInterval(options.canary_interval_ms);
  options.on_step = [heartbeat = std::make_shared<Heartbeat>()](const EngineStats& stats) {
    heartbeat->Beat(stats);
  };
  return options;
}

EncoderOptions EncoderOptionsFor(const ServeFlags& flags, const ModelConfig& config) {
  EncoderOptions options;
  options.pooling = config.pooling;
  options.normalise = config.normalise_embedding;
  options.max_model_len = flags.engine.max_model_len;
  options.max_batched_tokens = flags.engine.max_batched_tokens;
  options.max_waiting = flags.engine.max_waiting;
  options.memory_utilization = flags.memory_utilization.value_or(options.memory_utilization);
  options.canary_interval_ms = CanaryInterval(options.canary_interval_ms);
  options.on_step = [heartbeat = std::make_shared<Heartbeat>()](const EngineStats& stats) {
    heartbeat->Beat(stats);
  };
  return options;
}

// `progress`: what is being done, and the part of all that is done.
Result<ServedModel> Load(const ServeFlags& flags,
                         const std::function<void(const std::string&, double)>& progress) {
  progress("reading the checkpoint", 0);
  const Checkpoint checkpoint = TRY(Checkpoint::Open(flags.model_path, FormatOf(flags)));
  for (const std::string& note : checkpoint.config().notes) {
    LogInfo("model '" + flags.model_path + "': " + note);
  }
  const TokenizerMode mode = flags.tokenizer_mode == "mistral" ? TokenizerMode::kMistral
                             : flags.tokenizer_mode == "hf"    ? TokenizerMode::kHuggingFace
                                                               : TokenizerMode::kAuto;
  LoadedTokenizer text = TRY(LoadTokenizer(flags.model_path, mode));
  TRY(text.tokenizer->LimitTo(static_cast<int32_t>(checkpoint.config().vocab_size))
          .WithContext(text.source));
  const bool embeds = checkpoint.config().pooling != Pooling::kNone;
  ModelOptions model_options;
  model_options.threads = flags.threads;
  model_options.kv_type = KvTypeFor(flags, embeds);
  model_options.progress = [&](double part) { progress("loading weights", 0.1 + 0.6 * part); };
  std::unique_ptr<LanguageModel> model = TRY(LoadModel(checkpoint, model_options));
  progress("taking memory and computing the first token", 0.7);
  if (embeds) {
    std::unique_ptr<Encoder> encoder =
        TRY(Encoder::Start(std::move(model), EncoderOptionsFor(flags, checkpoint.config())));
    ServedModel served = MakeServedEncoder(std::move(text), std::move(encoder));
    served.notes = checkpoint.config().notes;
    return served;
  }
  for (const int32_t id : checkpoint.config().eos_ids) text.stop_tokens.push_back(id);
  const ChatSource source = TRY(LoadChatSource(flags.model_path, text.mistral_version));
  const SamplingDefaults defaults = TRY(LoadSamplingDefaults(checkpoint.folder()));
  std::unique_ptr<Engine> engine = TRY(Engine::Start(std::move(model), OptionsFor(flags)));
  ServedModel served =
      MakeServedModel(std::move(text), source, mode, defaults, std::move(engine), flags.parsers);
  served.notes = checkpoint.config().notes;
  return served;
}

void LogLoaded(const ServeFlags& flags, const ServedModel& model) {
  if (!model.generates()) {
    LogInfo("embedding model '" + flags.model_path + "' is ready: inputs of up to " +
            std::to_string(model.max_model_len()) + " tokens, vectors of " +
            std::to_string(model.encoder->width()) + " numbers");
    return LogInfo("memory: " + model.encoder->memory());
  }
  LogInfo("model '" + flags.model_path + "' is ready: context " +
          std::to_string(model.engine->max_model_len()) + " tokens, keys and values in " +
          std::string(KvTypeName(KvTypeFor(flags, /*embeds=*/false))) + ", chat format " +
          (model.chat ? model.chat->name() + ", tool calls " +
                            std::string(ToolNotationName(model.chat->notation())) + ", thoughts " +
                            std::string(ReasoningNotationName(model.chat->reasoning()))
                      : "none"));
  LogInfo("memory: " + model.engine->memory());
  if (!model.chat) LogWarning(model.no_chat_reason);
}

// Waits until loading has ended or a signal asks to stop; true for the latter.
bool AwaitSignal(const sigset_t& signals) {
  int signal = 0;
  while (sigwait(&signals, &signal) != 0) {
  }
  return signal != kLoadedSignal;
}

int Serve(const ServeFlags& flags) {
  // Blocked before any thread exists, so that only sigwait sees them.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, kLoadedSignal}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  Result<Listener> listener = Listen(flags.listen);
  if (!listener) {
    return Fail(listener.error(), listener.error().code() == ErrorCode::kInvalidArgument ? 2 : 1);
  }
  const auto remove_socket = [path = listener->unix_path] {
    if (!path.empty()) ::unlink(path.c_str());
  };
  ServiceOptions options;
  options.version = SKERRY_VERSION;
  options.model_name = flags.served_name.empty() ? NameOf(flags.model_path) : flags.served_name;
  Service service(options, RealClock());
  http::ServerOptions server_options;
  server_options.max_body_bytes = kMaxBodyBytes;
  auto server = http::Server::Start(
      std::move(listener->fd), server_options,
      [&service](http::Request request, std::shared_ptr<http::Responder> responder) {
        service.Handle(std::move(request), std::move(responder));
      });
  if (!server) {
    remove_socket();
    return Fail(server.error(), 1);
  }

  std::optional<Result<ServedModel>> loaded;
  const pthread_t main_thread = pthread_self();
  std::thread loader([&] {
    loaded = Load(flags, [&service](const std::string& phase, double part) {
      service.SetProgress(phase, part);
      NotifySystemd("STATUS=" + phase);
    });
    pthread_kill(main_thread, kLoadedSignal);
  });
  if (AwaitSignal(signals)) {
    // Nothing was promised to anybody yet, and loading cannot be interrupted.
    remove_socket();
    _exit(0);
  }
  loader.join();
  if (!*loaded) {
    (*server)->Stop(0);
    remove_socket();
    return Fail(loaded->error(), 1);
  }
  LogLoaded(flags, **loaded);
  service.SetModel(std::move(**loaded));
  NotifySystemd("READY=1\nSTATUS=serving");
  AwaitSignal(signals);
  NotifySystemd("STOPPING=1\nSTATUS=waiting for running requests to end");
  service.Drain();
  LogInfo("stopping: running requests may end within 30 s");
  remove_socket();
  (*server)->Stop(kDrainMs);
  return 0;
}

int RunEmbedCommand(const EmbedCommand& command) {
  const Result<std::string> output = RunEmbed(command);
  if (!output) return Fail(output.error(), ExitStatus(output.error().code()));
  std::cout << *output << std::flush;
  return std::cout ? 0 : 1;
}

int RunLogitsCommand(const LogitsCommand& command) {
  const Result<std::string> output = RunLogits(command);
  if (!output) return Fail(output.error(), ExitStatus(output.error().code()));
  std::cout << *output << std::flush;
  return std::cout ? 0 : 1;
}

Result<std::string> ReadStandardInput(size_t max_bytes) {
  std::string input;
  char buffer[1 << 16];
  while (std::cin.read(buffer, sizeof buffer) || std::cin.gcount() > 0) {
    input.append(buffer, static_cast<size_t>(std::cin.gcount()));
    if (input.size() > max_bytes) {
      return Error(ErrorCode::kExhausted,
                   "standard input is longer than " + std::to_string(max_bytes >> 20) + " MiB");
    }
  }
  return input;
}

int RunRenderCommand(const RenderCommand& command) {
  const Result<std::string> input = ReadStandardInput(kMaxRenderInput);
  if (!input) return Fail(input.error(), 1);
  const Result<std::string> output = RunRender(command, *input, RealClock().UnixMillis() * 1000);
  if (!output) return Fail(output.error(), ExitStatus(output.error().code()));
  std::cout << *output << std::flush;
  return std::cout ? 0 : 1;
}

int RunTokenizeCommand(const TokenizeCommand& command) {
  const Result<std::string> input = ReadStandardInput(kMaxTokenizeInput);
  if (!input) return Fail(input.error(), 1);
  const Result<std::string> output = RunTokenize(command, *input);
  if (!output) return Fail(output.error(), ExitStatus(output.error().code()));
  std::cout << *output << std::flush;
  return std::cout ? 0 : 1;
}

// One object; the `architectures` are keyed by the form of the model's folder, as import.json names
// it.
int PrintCapabilities() {
  const CheckpointSupport support = SupportedCheckpoints();
  const Json json = {{"architectures",
                      {{"gguf", support.gguf},
                       {"huggingface", support.huggingface},
                       {"mistral", support.mistral}}},
                     {"format", 1},
                     {"kv_bytes_per_element", KvElementBytes(KvType::kF16)},
                     {"split_gguf", true},
                     {"tensor_types", support.tensor_types},
                     {"tokenizers",
                      {{"gguf", kGgufTokenizers},
                       {"huggingface", kFolderTokenizers},
                       {"mistral", kFolderTokenizers}}},
                     {"version", SKERRY_VERSION}};
  std::cout << DumpJson(json) << std::endl;
  return std::cout ? 0 : 1;
}

void AddServeFlags(CLI::App& app, ServeFlags& flags) {
  app.add_option("--model", flags.model_path, "model folder or GGUF file");
  app.add_option("--listen", flags.listen, "unix:/PATH or 127.0.0.1:PORT");
  app.add_option("--served-model-name", flags.served_name, "name in replies (default: the path's)");
  app.add_option("--max-model-len", flags.engine.max_model_len,
                 "longest prompt plus answer, tokens (default: the model's own)")
      ->check(CLI::Range(2, 1 << 30));
  app.add_option("--max-num-seqs", flags.engine.max_num_seqs, "answers generated at the same time")
      ->check(CLI::Range(1, 4096));
  app.add_option("--max-num-batched-tokens", flags.engine.max_batched_tokens,
                 "tokens of one step over all sequences")
      ->check(CLI::Range(1, 1 << 20));
  app.add_option("--max-waiting", flags.engine.max_waiting, "requests that may wait; more get 503")
      ->check(CLI::Range(0, 1 << 16));
  app.add_option(
         "--gpu-memory-utilization", flags.memory_utilization,
         "part of the device's memory to use, without a GPU of the memory that is available "
         "(default: 0.9, of which keys and values take half of what the rest leaves)")
      ->check(CLI::Range(0.0, 1.0));
  app.add_option("--kv-cache-memory-bytes", flags.engine.kv_cache_bytes,
                 "memory for keys and values (default: what weights and activations leave)");
  app.add_option("--kv-cache-dtype", flags.kv_cache_dtype,
                 "type of keys and values: auto (float16), float32, float16, bfloat16, fp8 or int8")
      ->check([](const std::string& name) {
        return name == "auto" || KvTypeOf(name)
                   ? std::string()
                   : "'" + name + "' is not auto, float32, float16, bfloat16, fp8 or int8";
      });
  app.add_flag("--enable-prefix-caching,!--no-enable-prefix-caching", flags.engine.prefix_caching,
               "find the beginnings of prompts that were computed before (default: on)");
  app.add_option("--threads", flags.threads, "worker threads (default: one for each processor)")
      ->check(CLI::Range(0, 1024));
  const std::string only = "accepted for vLLM's command lines; ";
  app.add_option("--tensor-parallel-size", flags.tensor_parallel_size, only + "must be 1")
      ->check(CLI::IsMember({1}));
  app.add_flag("--enable-auto-tool-choice", flags.enable_auto_tool_choice, only + "always on");
  // CLI11 shows what a check returns.
  const auto known = [](const auto& parsed) {
    return parsed ? std::string() : parsed.error().message();
  };
  app.add_option("--tool-call-parser", flags.parsers.tool_calls,
                 "how answers call tools, by vLLM's names; none: tools are refused (default: as "
                 "the model's template teaches)")
      ->check([known](const std::string& name) {
        return name == "auto" ? "" : known(ParseToolCallParser(name, /*mistral_named=*/false));
      });
  app.add_option("--reasoning-parser", flags.parsers.reasoning,
                 "how answers mark thoughts, by vLLM's names; none: they are a part of the text "
                 "(default: as the model's vocabulary and template say)")
      ->check([known](const std::string& name) {
        return name == "auto" ? "" : known(ParseReasoningParser(name));
      });
  app.add_option("--tokenizer-mode", flags.tokenizer_mode,
                 "how chats are written: mistral (Mistral's own formats), hf (the checkpoint's "
                 "template) or auto (default: whichever the checkpoint comes in)")
      ->check(CLI::IsMember({"auto", "mistral", "hf"}));
  app.add_option("--config-format", flags.config_format,
                 "auto, hf (config.json) or mistral (params.json)")
      ->check(CLI::IsMember({"auto", "hf", "mistral"}));
  app.add_option("--load-format", flags.load_format, only + "auto, safetensors, gguf or mistral")
      ->check(CLI::IsMember({"auto", "safetensors", "gguf", "mistral"}));
}

int Main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  InitLogging("skerry-engine");
  ServeFlags serve;
  LogitsCommand logits;
  TokenizeCommand tokenize;
  RenderCommand render;
  CLI::App app("Serves one language model over HTTP", "skerry-engine");
  app.set_version_flag("--version", "skerry-engine " SKERRY_VERSION);
  AddServeFlags(app, serve);
  app.require_subcommand(0, 1);
  CLI::App* logits_app = app.add_subcommand("logits", "print the model's raw numbers as JSON");
  logits_app->add_option("--model", logits.model_path, "model folder or GGUF file")->required();
  logits_app->add_option("--tokens", logits.tokens, "ids: \"1 403 407\"")->required();
  logits_app->add_option("--greedy", logits.greedy, "ids to continue with");
  logits_app->add_option("--threads", logits.threads, "worker threads");
  EmbedCommand embed;
  CLI::App* embed_app = app.add_subcommand("embed", "print a text's vector as JSON");
  embed_app->add_option("--model", embed.model_path, "model folder or GGUF file")->required();
  embed_app->add_option("--tokens", embed.tokens, "ids: \"2 5 9\"")->required();
  embed_app->add_option("--pooling", embed.pooling, "default: as the model's files say")
      ->check(CLI::IsMember({"cls", "mean", "last"}));
  embed_app->add_option("--threads", embed.threads, "worker threads");
  CLI::App* tokenize_app = app.add_subcommand("tokenize", "token ids of standard input as JSON");
  tokenize_app->add_option("--model", tokenize.model_path, "model or tokenizer files")->required();
  tokenize_app->add_flag("--special", tokenize.special, "parse and add special tokens");
  tokenize_app->add_flag("--json", tokenize.json, "read an array of strings, write one of arrays");
  CLI::App* capabilities_app =
      app.add_subcommand("capabilities", "print which models can be loaded, as JSON");
  bool json = false;
  capabilities_app->add_flag("--json", json, "accepted for symmetry; it is always JSON");
  CLI::App* render_app =
      app.add_subcommand("render", "the prompt of the context on standard input");
  CLI::Option* file = render_app->add_option("--template", render.template_path, "template file");
  CLI::Option* batch =
      render_app->add_flag("--batch", render.batch, "a {\"template\", \"context\"} on each line");
  render_app->require_option(1);
  file->excludes(batch);
  try {
    app.parse(argc, argv);
    if (app.get_subcommands().empty()) {
      if (serve.model_path.empty()) throw CLI::RequiredError("--model");
      if (serve.listen.empty()) throw CLI::RequiredError("--listen");
    }
  } catch (const CLI::Success& wanted) {  // --help, --version
    return app.exit(wanted);
  } catch (const CLI::ParseError& error) {
    return Fail(Error(ErrorCode::kInvalidArgument,
                      std::string(error.what()) + "; run with --help for the usage"),
                2);
  }
  if (capabilities_app->parsed()) return PrintCapabilities();
  if (logits_app->parsed()) return RunLogitsCommand(logits);
  if (embed_app->parsed()) return RunEmbedCommand(embed);
  if (render_app->parsed()) return RunRenderCommand(render);
  if (tokenize_app->parsed()) return RunTokenizeCommand(tokenize);
  return Serve(serve);
}

}  // namespace
}  // namespace skerry::engine

int main(int argc, char** argv) { return skerry::engine::Main(argc, argv); }
