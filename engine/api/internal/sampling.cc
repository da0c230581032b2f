// The fields of a body that say how tokens are chosen and which numbers about them are wanted.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "engine/api/internal/parse_parts.h"

namespace skerry::engine::internal {
namespace {

constexpr int64_t kMaxInt = INT32_MAX;
constexpr double kMaxPenalty = 1000;

void ParseLogitBias(Fields& fields, SamplingParams& sampling) {
  const Json* bias = fields.Object("logit_bias");
  if (bias == nullptr) return;
  if (bias->size() > kMaxLogitBiases) {
    fields.Fail("logit_bias", "has more than " + std::to_string(kMaxLogitBiases) + " entries",
                "invalid_value");
    return;
  }
  for (const auto& [key, value] : bias->items()) {
    TokenId id = 0;
    const char* end = key.data() + key.size();
    const auto parsed = std::from_chars(key.data(), end, id);
    if (parsed.ec != std::errc() || parsed.ptr != end || id < 0) {
      fields.Fail("logit_bias", "has a key that is no token id", "invalid_value");
      return;
    }
    if (!value.is_number() || !(std::abs(value.get<double>()) <= 100)) {
      fields.Fail("logit_bias", "has a value that is not a number from -100 to 100",
                  "invalid_value");
      return;
    }
    sampling.logit_bias.emplace_back(id, value.get<float>());
  }
}

void ParseStopTokens(Fields& fields, CommonRequest& request) {
  const Json* list = fields.Array("stop_token_ids");
  if (list == nullptr) return;
  for (const Json& item : *list) {
    if (!item.is_number_integer() || item.get<int64_t>() < 0 || item.get<int64_t>() > kMaxInt ||
        list->size() > kMaxStopTokens) {
      fields.Fail("stop_token_ids",
                  "must hold at most " + std::to_string(kMaxStopTokens) + " token ids",
                  "invalid_value");
      return;
    }
    request.stop_token_ids.push_back(item.get<TokenId>());
  }
}

void ParseBadWords(Fields& fields, CommonRequest& request) {
  const Json* list = fields.Array("bad_words");
  if (list == nullptr) return;
  for (const Json& item : *list) {
    if (!item.is_string() || item.get_ref<const std::string&>().empty() ||
        item.get_ref<const std::string&>().size() > kMaxBadWordBytes ||
        list->size() > kMaxBadWords) {
      fields.Fail("bad_words",
                  "must hold at most " + std::to_string(kMaxBadWords) + " strings of 1 to " +
                      std::to_string(kMaxBadWordBytes) + " bytes",
                  "invalid_value");
      return;
    }
    request.bad_words.push_back(item.get<std::string>());
  }
}

// A chat asks with true or false and a number beside it, a completion with a number.
void ParseLogprobs(Fields& fields, bool chat, CommonRequest& request) {
  if (chat) {
    const auto top = fields.Int("top_logprobs", 0, kMaxLogprobs);
    if (fields.Bool("logprobs", false)) {
      request.logprobs = static_cast<int32_t>(top.value_or(0));
    } else if (top.value_or(0) > 0) {
      fields.Fail("top_logprobs", "needs 'logprobs' to be true", "invalid_value");
    }
  } else if (const Json* wanted = fields.Find("logprobs");
             wanted != nullptr && *wanted != Json(false)) {
    if (const auto top = fields.Int("logprobs", 0, kMaxLogprobs)) {
      request.logprobs = static_cast<int32_t>(*top);
    }
  }
  if (const auto top = fields.Int("prompt_logprobs", 0, kMaxLogprobs)) {
    request.prompt_logprobs = static_cast<int32_t>(*top);
    if (request.stream) {
      fields.Fail("prompt_logprobs", "is given in whole replies only; send 'stream' false",
                  "unsupported_value");
    }
  }
}

void ParseChoices(Fields& fields, CommonRequest& request) {
  request.n = static_cast<int32_t>(fields.Int("n", 1, kMaxChoices).value_or(1));
  const auto best_of = fields.Int("best_of", 1, kMaxInt);
  if (best_of && *best_of != request.n) {
    fields.Fail("best_of", "must be equal to 'n': answers are not ranked", "unsupported_value");
  }
}

}  // namespace

void ParseSampling(Fields& fields, const SamplingDefaults& defaults, bool chat,
                   CommonRequest& request) {
  SamplingParams& sampling = request.sampling;
  sampling.temperature = fields.Number("temperature", defaults.temperature, 0, 2);
  sampling.top_p = fields.Number("top_p", defaults.top_p, 0, 1);
  if (sampling.top_p == 0) sampling.temperature = 0;  // only the most likely token is left
  sampling.top_k = static_cast<int32_t>(
      std::max<int64_t>(fields.Int("top_k", -1, kMaxInt).value_or(defaults.top_k), 0));
  sampling.min_p = fields.Number("min_p", 0, 0, 1);
  sampling.typical_p = fields.Number("typical_p", 1, 0, 1);
  if (sampling.typical_p == 0) fields.Fail("typical_p", "must be above 0", "invalid_value");
  sampling.presence_penalty = fields.Number("presence_penalty", 0, -2, 2);
  sampling.frequency_penalty = fields.Number("frequency_penalty", 0, -2, 2);
  sampling.repetition_penalty = fields.Number("repetition_penalty", 1, 0, kMaxPenalty);
  if (sampling.repetition_penalty == 0) {
    fields.Fail("repetition_penalty", "must be above 0", "invalid_value");
  }
  sampling.min_tokens = static_cast<int32_t>(fields.Int("min_tokens", 0, kMaxInt).value_or(0));
  if (const auto seed = fields.Int("seed", INT64_MIN, INT64_MAX)) {
    request.seed = static_cast<uint64_t>(*seed);
  }
  request.ignore_eos = fields.Bool("ignore_eos", false);
  request.priority = static_cast<int32_t>(fields.Int("priority", 0, kMaxPriority).value_or(0));
  request.cache_salt = fields.String("cache_salt");
  if (request.cache_salt.size() > kMaxSaltBytes) {
    fields.Fail("cache_salt", "is longer than " + std::to_string(kMaxSaltBytes) + " bytes",
                "invalid_value");
  }
  ParseLogitBias(fields, sampling);
  ParseStopTokens(fields, request);
  ParseBadWords(fields, request);
  ParseLogprobs(fields, chat, request);
  ParseChoices(fields, request);
}

}  // namespace skerry::engine::internal
