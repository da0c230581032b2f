#include "engine/api/metrics.h"

#include <cstdio>
#include <string_view>

namespace skerry::engine {
namespace {

// Shortest text that reads back as the same number.
std::string NumberText(double value) {
  char text[40];
  for (int digits = 1; digits <= 17; ++digits) {
    std::snprintf(text, sizeof text, "%.*g", digits, value);
    double back = 0;
    if (std::sscanf(text, "%lf", &back) == 1 && back == value) break;
  }
  return text;
}

std::string Escape(std::string_view label) {
  std::string out;
  for (const char c : label) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

class Writer {
 public:
  explicit Writer(const std::string& model_name)
      : labels_("model_name=\"" + Escape(model_name) + "\"") {}

  void Gauge(const std::string& name, const std::string& help, double value) {
    Head(name, help, "gauge");
    Line(name, "", NumberText(value));
  }
  void Counter(const std::string& name, const std::string& help, uint64_t value) {
    Head(name, help, "counter");
    Line(name, "", std::to_string(value));
  }
  void Distribution(const std::string& name, const std::string& help, const Histogram& histogram) {
    Head(name, help, "histogram");
    for (size_t i = 0; i < histogram.bounds().size(); ++i) {
      Line(name + "_bucket", ",le=\"" + NumberText(histogram.bounds()[i]) + "\"",
           std::to_string(histogram.CountUpTo(i)));
    }
    Line(name + "_bucket", ",le=\"+Inf\"", std::to_string(histogram.count()));
    Line(name + "_sum", "", NumberText(histogram.sum()));
    Line(name + "_count", "", std::to_string(histogram.count()));
  }
  void Head(const std::string& name, const std::string& help, const char* type) {
    text_ += "# HELP " + name + " " + help + "\n# TYPE " + name + " " + type + "\n";
  }
  void Line(const std::string& name, const std::string& more_labels, const std::string& value) {
    text_ += name + "{" + labels_ + more_labels + "} " + value + "\n";
  }

  std::string text() && { return std::move(text_); }

 private:
  std::string labels_;
  std::string text_;
};

void WriteCounts(Writer& out, const EngineStats& stats) {
  out.Gauge("vllm:num_requests_running", "Answers that are generated.", stats.n_running);
  out.Gauge("vllm:num_requests_waiting", "Answers that wait for their turn.", stats.n_waiting);
  out.Gauge("vllm:kv_cache_usage_perc", "Part of the key-value cache in use, 0 to 1.",
            stats.n_blocks > 0 ? static_cast<double>(stats.n_blocks_used) / stats.n_blocks : 0);
  out.Counter("vllm:num_preemptions_total", "Times an answer gave its memory back.",
              stats.preemptions);
  out.Counter("vllm:prefix_cache_queries_total", "Prompt tokens looked up in the prefix cache.",
              stats.prefix_queries);
  out.Counter("vllm:prefix_cache_hits_total", "Prompt tokens found in the prefix cache.",
              stats.prefix_hits);
  out.Counter("vllm:prompt_tokens_total", "Tokens of prompts.", stats.prompt_tokens);
  out.Counter("vllm:generation_tokens_total", "Tokens generated.", stats.generated_tokens);
  const std::string finished = "vllm:request_success_total";
  out.Head(finished, "Answers that ended, by reason.", "counter");
  out.Line(finished, ",finished_reason=\"stop\"", std::to_string(stats.finished_stop));
  out.Line(finished, ",finished_reason=\"length\"", std::to_string(stats.finished_length));
  out.Line(finished, ",finished_reason=\"abort\"", std::to_string(stats.cancelled));
  out.Line(finished, ",finished_reason=\"error\"", std::to_string(stats.failed));
  out.Counter("skerry:engine_steps_total", "Steps that were computed.", stats.steps);
  out.Counter("skerry:engine_canaries_total", "Of these, canaries of an idle engine.",
              stats.canaries);
}

}  // namespace

std::string MetricsText(const EngineStats& stats, const Histogram& compile_time,
                        const std::string& model_name) {
  Writer out(model_name);
  WriteCounts(out, stats);
  out.Distribution("vllm:time_to_first_token_seconds", "From arrival to the first token.",
                   stats.first_token);
  out.Distribution("vllm:inter_token_latency_seconds", "Between two tokens of an answer.",
                   stats.inter_token);
  out.Distribution("vllm:e2e_request_latency_seconds", "From arrival to the last token.",
                   stats.request_time);
  out.Distribution("vllm:request_queue_time_seconds", "From arrival to the first step.",
                   stats.queue_time);
  out.Distribution("vllm:request_prefill_time_seconds", "From the first step to the first token.",
                   stats.prefill_time);
  out.Distribution("vllm:request_decode_time_seconds", "From the first token to the last.",
                   stats.decode_time);
  out.Distribution("vllm:iteration_tokens_total", "Tokens of a step.", stats.iteration_tokens);
  out.Distribution("vllm:request_prompt_tokens", "Tokens of a prompt.",
                   stats.request_prompt_tokens);
  out.Distribution("vllm:request_generation_tokens", "Tokens of an answer.",
                   stats.request_generated_tokens);
  out.Distribution("skerry:grammar_mask_seconds",
                   "To find out which tokens a grammar allows next, beside a step.",
                   stats.mask_time);
  out.Distribution("skerry:grammar_compile_seconds", "To compile a grammar that was not known.",
                   compile_time);
  return std::move(out).text();
}

}  // namespace skerry::engine
