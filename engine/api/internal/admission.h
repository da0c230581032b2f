// From a checked body to a request the engine can run: the prompt's tokens and every limit on
// length.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "appliance/http/error.h"
#include "appliance/http/head.h"
#include "appliance/http/server.h"
#include "engine/api/request.h"
#include "engine/api/service.h"
#include "engine/runtime/answer.h"

namespace skerry::engine::internal {

struct Admitted {
  GenerationRequest generation;
  AnswerOptions answer;
  bool stream = false;
  int32_t n = 1;  // answers
  bool chat = true;
  bool legacy_functions = false;
  std::string model;  // name to answer with
};

// `name`: what this engine serves its model as. `now_micros`: the time that chat templates see.
// Nothing is encoded for a client that has gone.
std::variant<Admitted, http::ApiError> Admit(const ServedModel& model, const std::string& name,
                                             const http::RequestHead& head, std::string_view body,
                                             const http::Responder& client, int64_t now_micros);

}  // namespace skerry::engine::internal
