// What answers must be, compiled for the served model and kept for the next request that asks for
// the same.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "appliance/base/clock.h"
#include "appliance/base/result.h"
#include "appliance/http/error.h"
#include "engine/grammar/answer.h"
#include "engine/grammar/constraint_cache.h"
#include "engine/runtime/stats.h"

namespace skerry::engine {

// An answer's shape, and how to tell the client of what is wrong with it.
struct WantedAnswer {
  AnswerShape shape;
  std::string text_field;          // of the request, that gave the shape's text
  std::string tools_field;         // the same for its tools
  std::vector<std::string> names;  // of the shape's tools
  // Those whose schema must be kept to; the arguments of the others are any object where their
  // schema is not supported.
  std::vector<bool> strict;
};

// Thread-safe.
class AnswerConstraints {
 public:
  // As TokenVocabulary::Create.
  static Result<std::unique_ptr<AnswerConstraints>> Create(const Tokenizer& tokenizer,
                                                           std::span<const TokenId> stop_tokens,
                                                           int32_t n_tokens);

  // Null, with `error` set, for what cannot be compiled: `invalid_schema`, naming the field or the
  // tool, and the place in it.
  std::shared_ptr<Constraint> Get(const WantedAnswer& wanted, std::optional<http::ApiError>& error);

  // Of grammars that were not known yet.
  Histogram compile_time() const;

 private:
  explicit AnswerConstraints(std::shared_ptr<const TokenVocabulary> vocabulary)
      : cache_(std::move(vocabulary)) {}

  ConstraintCache cache_;
  mutable std::mutex mu_;
  Histogram compile_time_{kGrammarTimeBounds};  // guarded by mu_
};

}  // namespace skerry::engine
