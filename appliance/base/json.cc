#include "appliance/base/json.h"

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

namespace skerry {

namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
constexpr int64_t kMaxExactInteger = (int64_t{1} << 53) - 1;

// SAX receiver that builds the document and refuses what the limits refuse.
class StrictBuilder : public nlohmann::json_sax<Json> {
 public:
  explicit StrictBuilder(const JsonLimits& limits) : limits_(limits) {}

  bool null() override { return Add(nullptr); }
  bool boolean(bool value) override { return Add(value); }
  bool number_integer(number_integer_t value) override {
    if (!limits_.allow_floats && value < -kMaxExactInteger) return Refuse("an integer below -2^53");
    return Add(value);
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (!limits_.allow_floats && value > static_cast<uint64_t>(kMaxExactInteger)) {
      return Refuse("an integer of 2^53 or more");
    }
    return Add(value);
  }
  bool number_float(number_float_t value, const string_t&) override {
    if (!limits_.allow_floats) return Refuse("a number that is not an integer");
    return Add(value);
  }
  bool string(string_t& value) override { return Add(std::move(value)); }
  bool binary(binary_t&) override { return Refuse("binary data"); }
  bool start_object(std::size_t) override { return Open(Json::object()); }
  bool end_object() override { return Close(); }
  bool start_array(std::size_t) override { return Open(Json::array()); }
  bool end_array() override { return Close(); }
  bool key(string_t& value) override {
    if (stack_.back()->contains(value)) return Refuse("a duplicate key");
    key_ = std::move(value);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    if (reason_.empty()) reason_ = "malformed at byte " + std::to_string(position);
    return false;
  }

  Json root;
  const std::string& reason() const { return reason_; }

 private:
  bool Refuse(std::string reason) {
    reason_ = std::move(reason);
    return false;
  }

  Json* Place(Json value) {
    if (stack_.empty()) {
      root = std::move(value);
      return &root;
    }
    Json& parent = *stack_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    return &(parent[key_] = std::move(value));
  }

  bool Add(Json value) {
    Place(std::move(value));
    return true;
  }
  bool Open(Json value) {
    if (stack_.size() >= limits_.max_depth) return Refuse("nested too deeply");
    stack_.push_back(Place(std::move(value)));
    return true;
  }
  bool Close() {
    stack_.pop_back();
    return true;
  }

  const JsonLimits& limits_;
  std::vector<Json*> stack_;  // into root; a parent does not grow while a child is open
  std::string key_;
  std::string reason_;
};

const Json* Find(const Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

Error Absent(std::string_view key) {
  return Error(ErrorCode::kInvalidArgument, "field '" + std::string(key) + "' is missing");
}
Error Mistyped(std::string_view key, std::string_view wanted) {
  return Error(ErrorCode::kInvalidArgument,
               "field '" + std::string(key) + "' must be " + std::string(wanted));
}

Result<int64_t> AsInt(const Json& value, std::string_view key) {
  if (value.is_number_unsigned() &&
      value.get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return Mistyped(key, "an integer below 2^63");
  }
  if (!value.is_number_integer()) return Mistyped(key, "an integer");
  return value.get<int64_t>();
}

}  // namespace

Result<Json> ParseJson(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) {
    return Error(ErrorCode::kCorrupt,
                 "JSON is longer than " + std::to_string(limits.max_bytes) + " bytes");
  }
  // The parser takes a NUL for the end of its input, whatever follows.
  if (const size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return Error(ErrorCode::kCorrupt,
                 "JSON is refused: malformed at byte " + std::to_string(nul + 1));
  }
  // The parser would skip it: two texts must not be one document.
  if (text.starts_with(kByteOrderMark)) {
    return Error(ErrorCode::kCorrupt, "JSON is refused: it begins with a byte order mark");
  }
  StrictBuilder builder(limits);
  if (!Json::sax_parse(text.begin(), text.end(), &builder)) {
    return Error(ErrorCode::kCorrupt, "JSON is refused: " + builder.reason());
  }
  return std::move(builder.root);
}

std::string DumpJson(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}
std::string DumpJsonAscii(const Json& value) {
  return value.dump(-1, ' ', true, Json::error_handler_t::replace);
}

Result<std::string> GetString(const Json& object, std::string_view key) {
  const Json* value = Find(object, key);
  if (value == nullptr) return Absent(key);
  if (!value->is_string()) return Mistyped(key, "a string");
  return value->get<std::string>();
}
Result<int64_t> GetInt(const Json& object, std::string_view key) {
  const Json* value = Find(object, key);
  if (value == nullptr) return Absent(key);
  return AsInt(*value, key);
}
Result<bool> GetBool(const Json& object, std::string_view key) {
  const Json* value = Find(object, key);
  if (value == nullptr) return Absent(key);
  if (!value->is_boolean()) return Mistyped(key, "true or false");
  return value->get<bool>();
}
Result<std::string> GetStringOr(const Json& object, std::string_view key, std::string fallback) {
  if (Find(object, key) == nullptr) return fallback;
  return GetString(object, key);
}
Result<int64_t> GetIntOr(const Json& object, std::string_view key, int64_t fallback) {
  if (Find(object, key) == nullptr) return fallback;
  return GetInt(object, key);
}
Result<bool> GetBoolOr(const Json& object, std::string_view key, bool fallback) {
  if (Find(object, key) == nullptr) return fallback;
  return GetBool(object, key);
}
Result<double> GetNumberOr(const Json& object, std::string_view key, double fallback) {
  const Json* value = Find(object, key);
  if (value == nullptr) return fallback;
  if (!value->is_number()) return Mistyped(key, "a number");
  return value->get<double>();
}

Result<void> RefuseUnknownKeys(const Json& object, std::initializer_list<std::string_view> known) {
  if (!object.is_object()) return Error(ErrorCode::kInvalidArgument, "an object is expected");
  for (const auto& item : object.items()) {
    bool found = false;
    for (const std::string_view name : known) found = found || name == item.key();
    if (!found) {
      return Error(ErrorCode::kInvalidArgument, "unknown field '" + item.key().substr(0, 80) + "'");
    }
  }
  return {};
}

}  // namespace skerry
