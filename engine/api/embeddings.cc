#include "engine/api/embeddings.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>

#include "appliance/base/encode.h"
#include "appliance/base/json.h"
#include "engine/api/internal/fields.h"
#include "engine/api/internal/request_head.h"
#include "engine/api/token_routes.h"

namespace skerry::engine {
namespace {

using http::ApiError;
using internal::Fields;
using Input = std::variant<std::string, std::vector<TokenId>>;

bool IsTokenId(const Json& item) {
  return item.is_number_integer() && item.get<int64_t>() >= 0 &&
         item.get<int64_t>() <= std::numeric_limits<TokenId>::max();
}

// A string or an array of token ids; nullopt for anything else.
std::optional<Input> ReadInput(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array() || !std::ranges::all_of(value, IsTokenId)) return std::nullopt;
  return value.get<std::vector<TokenId>>();
}

std::string PathOf(size_t index, bool list) {
  return list ? "input[" + std::to_string(index) + "]" : "input";
}

void ParseInputs(Fields& fields, EmbeddingRequest& request) {
  const Json* value = fields.Find("input");
  if (value == nullptr) {
    fields.Fail("input", "is missing", "missing_required_parameter");
    return;
  }
  const bool list = value->is_array() && !value->empty() && !value->front().is_number();
  const size_t n = list ? value->size() : 1;
  if (n > kMaxEmbeddingInputs) {
    fields.Fail("input", "holds more than " + std::to_string(kMaxEmbeddingInputs) + " inputs",
                "invalid_value");
    return;
  }
  for (size_t i = 0; i < n; ++i) {
    std::optional<Input> input = ReadInput(list ? (*value)[i] : *value);
    if (!input) {
      fields.Fail(PathOf(i, list),
                  "must be a string or an array of token ids; 'input' is one of these or an array "
                  "of them",
                  "invalid_type");
      return;
    }
    if (std::visit([](const auto& held) { return held.empty(); }, *input)) {
      fields.Fail(PathOf(i, list), "is empty", "invalid_value");
      return;
    }
    request.inputs.push_back(std::move(*input));
  }
}

// Shortest digits that read back as the same float.
void AppendFloat(std::string& out, float value) {
  char text[32];
  out.append(text, std::to_chars(text, text + sizeof text, value).ptr);
}

std::string LittleEndian(const std::vector<float>& vector) {
  std::string bytes;
  bytes.reserve(vector.size() * sizeof(float));
  for (const float value : vector) {
    const auto bits = std::bit_cast<uint32_t>(value);
    for (int shift = 0; shift < 32; shift += 8) bytes += static_cast<char>(bits >> shift & 0xff);
  }
  return bytes;
}

// Adds the ids of `input`, which is called `path`, to those of `encode`.
std::optional<ApiError> AddTokens(const ServedModel& model, const Input& input,
                                  const std::string& path, EncodeRequest& encode) {
  const int64_t limit = model.encoder->max_model_len();
  const auto too_long = [&](const std::string& amount) {
    ApiError error = internal::TooLong(limit, "your '" + path + "' has " + amount + " tokens");
    error.param = "input";
    return error;
  };
  std::vector<TokenId> tokens;
  if (const auto* text = std::get_if<std::string>(&input)) {
    // Encoding what is certainly too long would only cost time and memory.
    const Tokenizer& tokenizer = *model.text.tokenizer;
    const size_t least = tokenizer.LeastTokens(text->size());
    if (least > static_cast<size_t>(limit)) return too_long("at least " + std::to_string(least));
    tokens = TextTokens(tokenizer, *text, /*add_special=*/true);
  } else {
    tokens = std::get<std::vector<TokenId>>(input);
    const int32_t vocab_size = model.encoder->vocab_size();
    if (std::ranges::any_of(tokens, [&](TokenId id) { return id >= vocab_size; })) {
      return ApiError{
          400,
          "'" + path + "' has a token id outside the vocabulary of " + std::to_string(vocab_size),
          "invalid_value", path};
    }
  }
  if (tokens.empty()) return ApiError{400, "'" + path + "' is empty", "invalid_value", path};
  if (tokens.size() > static_cast<size_t>(limit)) return too_long(std::to_string(tokens.size()));
  encode.inputs.push_back(std::move(tokens));
  return std::nullopt;
}

std::optional<ApiError> CheckDimensions(const EmbeddingRequest& request, int32_t width) {
  if (!request.dimensions || *request.dimensions == width) return std::nullopt;
  return ApiError{400,
                  "'dimensions' must be " + std::to_string(width) +
                      ": this model's vectors have that length and are not cut",
                  "invalid_value", "dimensions"};
}

int64_t CountTokens(const EncodeRequest& request) {
  int64_t n = 0;
  for (const std::vector<TokenId>& input : request.inputs) n += static_cast<int64_t>(input.size());
  return n;
}

// Everything that can be refused before the request is queued.
std::optional<ApiError> Admit(const ServedModel& model, const std::string& name,
                              const http::RequestHead& head, const http::Responder& client,
                              const EmbeddingRequest& request, EncodeRequest& encode,
                              std::string& answer_name) {
  if (auto error = internal::CheckName(request.model, name, head, answer_name)) return error;
  if (auto error = CheckDimensions(request, model.encoder->width())) return error;
  std::optional<ApiError> error;
  const std::optional<int64_t> lease = internal::LeaseTokens(head, error);
  if (error) return error;
  encode.tenant = internal::TextHeader(head, "skerry-tenant");
  for (size_t i = 0; i < request.inputs.size(); ++i) {
    if (client.ClientGone()) return ApiError{499, "the client has gone", "client_gone", ""};
    error = AddTokens(model, request.inputs[i], PathOf(i, request.inputs.size() > 1), encode);
    if (error) return error;
  }
  const int64_t n_tokens = CountTokens(encode);
  if (!lease || n_tokens <= *lease) return std::nullopt;
  return internal::BeyondLease("the input has " + std::to_string(n_tokens) + " tokens", *lease);
}

void SendVectors(http::Responder& responder, const Result<Embeddings>& vectors,
                 const std::string& model, bool base64, int64_t n_tokens) {
  if (!vectors) {
    const ApiError error = http::FromError(vectors.error());
    return responder.Send({error.status,
                           {{"content-type", "application/json"}, {"retry-after", "1"}},
                           http::ErrorBody(error)});
  }
  const std::string count = "prompt=" + std::to_string(n_tokens);
  responder.Send({200,
                  {{"content-type", "application/json"},
                   {"skerry-lease", count},
                   {"skerry-usage", count + " completion=0 finish=stop"}},
                  EmbeddingReplyJson(*vectors, model, base64, n_tokens)});
}

}  // namespace

Parsed<EmbeddingRequest> ParseEmbeddingRequest(std::string_view body) {
  Json document;
  std::optional<ApiError> error = internal::ReadObject(body, document);
  if (error) return *error;
  EmbeddingRequest request;
  Fields fields(document, "", error);
  request.model = fields.String("model");
  const std::string format = fields.String("encoding_format", "float");
  if (format != "float" && format != "base64") {
    fields.Fail("encoding_format", "must be float or base64", "invalid_value");
  }
  request.base64 = format == "base64";
  request.dimensions = fields.Int("dimensions", 1, std::numeric_limits<int32_t>::max());
  ParseInputs(fields, request);
  if (error) return *error;
  return request;
}

std::string EmbeddingReplyJson(const Embeddings& vectors, const std::string& model, bool base64,
                               int64_t prompt_tokens) {
  std::string out = R"({"object":"list","data":[)";
  for (size_t i = 0; i < vectors.size(); ++i) {
    if (i > 0) out += ',';
    out += R"({"object":"embedding","index":)" + std::to_string(i) + R"(,"embedding":)";
    if (base64) {
      out += '"' + Base64Encode(AsBytes(LittleEndian(vectors[i]))) + '"';
    } else {
      char before = '[';
      for (const float value : vectors[i]) {
        out += std::exchange(before, ',');
        AppendFloat(out, value);
      }
      out += ']';
    }
    out += '}';
  }
  const std::string count = std::to_string(prompt_tokens);
  out += R"(],"model":)" + DumpJsonAscii(Json(model));
  return out + R"(,"usage":{"prompt_tokens":)" + count + R"(,"total_tokens":)" + count + "}}";
}

std::optional<EmbeddingRefusal> EmbeddingsRoute(const ServedModel& model, const std::string& name,
                                                const http::Request& request,
                                                const std::shared_ptr<http::Responder>& responder) {
  if (model.generates()) {
    return EmbeddingRefusal{{400,
                             "this model generates text and gives no vectors; send this request to "
                             "an embedding model",
                             "embeddings_not_supported", "model"}};
  }
  const Parsed<EmbeddingRequest> parsed = ParseEmbeddingRequest(request.body);
  if (const auto* error = std::get_if<ApiError>(&parsed)) return EmbeddingRefusal{*error};
  const auto& wanted = std::get<EmbeddingRequest>(parsed);
  EncodeRequest encode;
  std::string answer_name;
  if (auto error = Admit(model, name, request.head, *responder, wanted, encode, answer_name)) {
    return EmbeddingRefusal{std::move(*error)};
  }
  Encoder& encoder = *model.encoder;
  const auto send = [responder, answer_name, base64 = wanted.base64,
                     n_tokens = CountTokens(encode)](const Result<Embeddings>& vectors) {
    SendVectors(*responder, vectors, answer_name, base64, n_tokens);
  };
  const Result<uint64_t> id = encoder.Submit(std::move(encode), send);
  if (!id) return EmbeddingRefusal{http::FromError(id.error()), encoder.RetryAfterSeconds()};
  responder->OnClientGone([&encoder, id = *id] { encoder.Cancel(id); });
  return std::nullopt;
}

}  // namespace skerry::engine
