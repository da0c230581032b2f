#include "engine/api/answer_constraints.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "appliance/base/json.h"
#include "engine/grammar/json_schema.h"

namespace skerry::engine {
namespace {

using http::ApiError;

// Arguments are an object, also where a schema leaves that to be understood. The text of the schema
// is kept as it is: references point into it. kInvalidArgument for arguments of another type.
Result<std::string> SchemaOfArguments(const std::string& parameters) {
  if (parameters.empty()) return parameters;
  const Json schema = TRY(ParseJson(parameters));
  if (!schema.is_object()) return Error(ErrorCode::kInvalidArgument, "a schema must be an object");
  if (schema.empty()) return std::string();
  const auto type = schema.find("type");
  if (type == schema.end()) {
    const size_t at = parameters.find('{') + 1;
    return parameters.substr(0, at) + "\"type\":\"object\"," + parameters.substr(at);
  }
  if (*type == "object") return parameters;
  return Error(ErrorCode::kInvalidArgument, "/type: arguments are always an object");
}

ApiError Invalid(const std::string& field, const std::string& message) {
  return {400, message, "invalid_schema", field};
}

// Makes the tools' schemas those that will be kept to: what is not supported becomes any object.
std::optional<ApiError> SettleTools(const WantedAnswer& wanted, CallShape& calls) {
  for (size_t i = 0; i < calls.tools.size(); ++i) {
    std::string& parameters = calls.tools[i].parameters;
    Result<std::string> schema = SchemaOfArguments(parameters);
    std::optional<Error> wrong;
    if (!schema) {
      wrong = schema.error();
    } else if (!schema->empty()) {
      const Result<Grammar> alone = CompileJsonSchema(*schema);
      if (!alone) wrong = alone.error();
    }
    if (wrong && wanted.strict[i]) {
      return Invalid(wanted.tools_field,
                     "the parameters of '" + wanted.names[i] +
                         "' cannot be kept to, as 'strict' asks for: " + wrong->message());
    }
    parameters = wrong ? std::string() : std::move(*schema);
  }
  return std::nullopt;
}

Result<Grammar> Compile(const WantedAnswer& wanted, std::optional<ApiError>& refusal) {
  AnswerShape shape = wanted.shape;
  if (shape.calls) refusal = SettleTools(wanted, *shape.calls);
  if (refusal) return Error(ErrorCode::kInvalidArgument, refusal->message);
  // A text that is wrong is wrong beside tools, too, and is then said without them.
  if (shape.calls && shape.text.kind != TextRule::Kind::kFree) TRY(CompileText(shape.text));
  Result<Grammar> made = CompileAnswer(shape);
  if (made || !shape.calls) return made;
  // Too large together.
  for (size_t i = 0; i < shape.calls->tools.size(); ++i) {
    if (!wanted.strict[i]) shape.calls->tools[i].parameters.clear();
  }
  made = CompileAnswer(shape);
  if (!made) refusal = Invalid(wanted.tools_field, "the tools: " + made.error().message());
  return made;
}

}  // namespace

Result<std::unique_ptr<AnswerConstraints>> AnswerConstraints::Create(
    const Tokenizer& tokenizer, std::span<const TokenId> stop_tokens, int32_t n_tokens) {
  TokenVocabulary vocabulary = TRY(TokenVocabulary::Create(tokenizer, stop_tokens, n_tokens));
  return std::unique_ptr<AnswerConstraints>(
      new AnswerConstraints(std::make_shared<const TokenVocabulary>(std::move(vocabulary))));
}

std::shared_ptr<Constraint> AnswerConstraints::Get(const WantedAnswer& wanted,
                                                   std::optional<ApiError>& error) {
  std::string key = KeyOf(wanted.shape);
  for (const bool strict : wanted.strict) key += strict ? '!' : '.';
  std::optional<ApiError> refusal;
  const Result<std::shared_ptr<Constraint>> made = cache_.Get(key, [&] {
    const int64_t began = RealClock().MonotonicNanos();
    Result<Grammar> grammar = Compile(wanted, refusal);
    const int64_t nanos = RealClock().MonotonicNanos() - began;
    const std::lock_guard lock(mu_);
    compile_time_.Observe(static_cast<double>(nanos) * 1e-9);
    return grammar;
  });
  if (made) return *made;
  const std::string& field = wanted.text_field;
  error = refusal ? *refusal : Invalid(field, "'" + field + "': " + made.error().message());
  return nullptr;
}

Histogram AnswerConstraints::compile_time() const {
  const std::lock_guard lock(mu_);
  return compile_time_;
}

}  // namespace skerry::engine
