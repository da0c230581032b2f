// Arguments that a model wrote as bare text become the JSON that the tool's schema asks for.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "appliance/base/json.h"

namespace skerry::engine::internal {

// Of one tool. One thread.
class ArgumentTypes {
 public:
  // `schema`: JSON of the tool's parameters; what is not understood of it counts as absent.
  explicit ArgumentTypes(std::string_view schema);

  // The value of parameter `key`, written as `text`, as JSON: text where the schema allows a string
  // and nothing else fits, else the JSON that the text is. Text that is no JSON is a string.
  std::string ToJson(std::string_view key, std::string_view text) const;

 private:
  Json schema_;
};

}  // namespace skerry::engine::internal
