// One answer as the engine's thread sees it.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "engine/runtime/engine.h"
#include "engine/runtime/internal/guide.h"
#include "engine/sampler/sampler.h"

namespace skerry::engine {

struct Engine::Job {
  Job(const GenerationRequest& request, RequestId its_id, RequestId its_group,
      SamplingParams params, std::shared_ptr<GenerationSink> its_sink)
      : id(its_id),
        group(its_group),
        tenant(request.tenant),
        sampler(std::move(params), {.banned = request.banned,
                                    .stop_tokens = request.stop_tokens,
                                    .prompt = request.prompt}),
        stop_tokens(request.stop_tokens),
        forced(request.forced.begin(), request.forced.end()),
        logprobs(request.logprobs),
        prompt_logprobs(request.prompt_logprobs),
        prompt_tokens(static_cast<int32_t>(request.prompt.size())),
        sink(std::move(its_sink)) {
    if (request.constraint) guide.emplace(request.constraint, request.constraint_strips_space);
    if (prompt_logprobs) prompt = request.prompt;
  }

  RequestId id;
  RequestId group;
  std::string tenant;
  Sampler sampler;
  std::vector<TokenId> stop_tokens;
  std::deque<TokenId> forced;
  std::optional<internal::Guide> guide;
  std::optional<int32_t> logprobs;
  std::optional<int32_t> prompt_logprobs;
  std::vector<TokenId> prompt;  // when its log probabilities are wanted
  std::vector<PositionLogprobs> prompt_result;
  int32_t prompt_tokens = 0;
  int32_t completion_tokens = 0;
  std::shared_ptr<GenerationSink> sink;

  // Monotonic; 0: not yet.
  int64_t arrival_nanos = 0;
  int64_t scheduled_nanos = 0;
  int64_t first_token_nanos = 0;
  int64_t last_token_nanos = 0;
};

}  // namespace skerry::engine
