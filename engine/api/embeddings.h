// `/v1/embeddings` in OpenAI's shape: texts or token ids to vectors.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "appliance/http/server.h"
#include "engine/api/request.h"
#include "engine/api/service.h"

namespace skerry::engine {

inline constexpr size_t kMaxEmbeddingInputs = 2048;

struct EmbeddingRequest {
  std::string model;                                                    // empty: not given
  std::vector<std::variant<std::string, std::vector<TokenId>>> inputs;  // none empty
  bool base64 = false;
  std::optional<int64_t> dimensions;
};

// What the model need not be known for. "input" is a string, an array of strings, an array of token
// ids, or an array of those.
Parsed<EmbeddingRequest> ParseEmbeddingRequest(std::string_view body);

// `base64`: vectors as little-endian float32 in base64. Numbers read back as the same float32.
std::string EmbeddingReplyJson(const Embeddings& vectors, const std::string& model, bool base64,
                               int64_t prompt_tokens);

// Sends the vectors when they are computed, on the encoder's thread; what is refused is returned,
// with when to come again. A client that goes cancels its request. `name`: what this engine serves
// its model as.
struct EmbeddingRefusal {
  http::ApiError error;
  int retry_after = 1;
};
std::optional<EmbeddingRefusal> EmbeddingsRoute(const ServedModel& model, const std::string& name,
                                                const http::Request& request,
                                                const std::shared_ptr<http::Responder>& responder);

}  // namespace skerry::engine
