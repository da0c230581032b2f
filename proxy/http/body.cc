#include "proxy/http/body.h"

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

namespace skerry::proxy {

namespace {

using JsonDocument = nlohmann::json;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// Walks the text once; nothing but the facts and the keys of open objects is kept.
class BodyScanner : public nlohmann::json_sax<JsonDocument> {
 public:
  bool null() override { return AtRoot() ? RefuseRoot() : true; }
  bool boolean(bool value) override {
    if (AtRoot()) return RefuseRoot();
    if (IsField("model")) return RefuseModel();
    if (IsField("stream")) facts_.stream = value;
    return true;
  }
  bool number_integer(number_integer_t value) override { return Number(value); }
  bool number_unsigned(number_unsigned_t value) override {
    return Number(value > INT64_MAX ? INT64_MAX : static_cast<int64_t>(value));
  }
  bool number_float(number_float_t, const string_t&) override {
    if (AtRoot()) return RefuseRoot();
    return IsField("model") ? RefuseModel() : true;
  }
  bool string(string_t& value) override {
    if (AtRoot()) return RefuseRoot();
    if (IsField("model")) facts_.model = std::move(value);
    return true;
  }
  bool binary(binary_t&) override { return Refuse("binary data"); }
  bool start_object(std::size_t) override {
    if (IsField("model")) return RefuseModel();
    return Open(/*is_object=*/true);
  }
  bool end_object() override { return Close(); }
  bool start_array(std::size_t) override {
    if (AtRoot()) return RefuseRoot();
    if (IsField("model")) return RefuseModel();
    return Open(/*is_object=*/false);
  }
  bool end_array() override { return Close(); }
  bool key(string_t& value) override {
    if (++keys_ > kMaxBodyKeys) return Refuse("it has too many keys");
    if (open_.size() == 1) field_ = value;
    if (!open_.back().keys.insert(std::move(value)).second)
      return Refuse("a key occurs twice in one object");
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    if (reason_.empty()) reason_ = "it is not valid JSON at byte " + std::to_string(position);
    return false;
  }

  BodyFacts TakeFacts() {
    if (completion_tokens_) facts_.max_tokens = completion_tokens_;
    return std::move(facts_);
  }
  const std::string& reason() const { return reason_; }

 private:
  struct Level {
    bool is_object;
    std::set<std::string> keys;  // ordered: no choice of keys makes it slow
  };

  bool AtRoot() const { return open_.empty(); }
  bool IsField(std::string_view name) const { return open_.size() == 1 && field_ == name; }
  bool Refuse(std::string reason) {
    reason_ = std::move(reason);
    return false;
  }
  bool RefuseRoot() { return Refuse("it is not a JSON object"); }
  bool RefuseModel() { return Refuse("'model' is not a string"); }
  bool Number(int64_t value) {
    if (AtRoot()) return RefuseRoot();
    if (IsField("model")) return RefuseModel();
    if (IsField("max_tokens")) facts_.max_tokens = value;
    if (IsField("max_completion_tokens")) completion_tokens_ = value;
    return true;
  }
  bool Open(bool is_object) {
    if (open_.size() == kMaxBodyDepth) return Refuse("it is nested too deeply");
    open_.push_back({is_object, {}});
    return true;
  }
  bool Close() {
    open_.pop_back();
    return true;
  }

  BodyFacts facts_;
  std::optional<int64_t> completion_tokens_;
  std::vector<Level> open_;
  size_t keys_ = 0;    // of all objects
  std::string field_;  // the outermost object's current key
  std::string reason_;
};

}  // namespace

Result<BodyFacts> InspectBody(std::string_view body) {
  BodyScanner scanner;
  // The parser takes a NUL for the end of its input, whatever follows.
  bool good = body.find('\0') == std::string_view::npos;
  if (!good) return Error(ErrorCode::kInvalidArgument, "the request body has a NUL byte");
  // The parser skips one; the engine's may not.
  if (body.starts_with(kByteOrderMark)) {
    return Error(ErrorCode::kInvalidArgument,
                 "the request body was refused: it begins with a byte order mark");
  }
  try {
    good = JsonDocument::sax_parse(body.begin(), body.end(), &scanner);
  } catch (const std::exception&) {
    good = false;  // a number out of range of its type
  }
  if (good) return scanner.TakeFacts();
  return Error(ErrorCode::kInvalidArgument,
               "the request body was refused: " +
                   (scanner.reason().empty() ? "it is not valid JSON" : scanner.reason()));
}

}  // namespace skerry::proxy
