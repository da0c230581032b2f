#include "engine/jinja/template.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "appliance/base/json.h"
#include "engine/jinja/internal/interpreter.h"

namespace skerry::engine::jinja {

namespace {

// Nodes of a template of the largest size fit many times.
constexpr size_t kTemplateMemoryBytes = 512 << 20;

// Builds the document without looking a key up while its object grows, which would be quadratic.
class ContextBuilder : public nlohmann::json_sax<OrderedJson> {
 public:
  explicit ContextBuilder(Numbers numbers) : numbers_(numbers) {}

  bool null() override { return Add(nullptr); }
  bool boolean(bool value) override { return Add(value); }
  bool number_integer(number_integer_t value) override { return Add(value); }
  bool number_unsigned(number_unsigned_t value) override {
    if (numbers_ == Numbers::kAsWritten && value > static_cast<uint64_t>(INT64_MAX)) {
      return AddAsWritten(std::to_string(value));
    }
    return Add(value);
  }
  bool number_float(number_float_t value, const string_t& text) override {
    if (numbers_ == Numbers::kAsWritten && text != FormatFloat(value)) return AddAsWritten(text);
    return Add(value);
  }
  bool string(string_t& value) override { return Add(std::move(value)); }
  bool binary(binary_t&) override { return Refuse("binary data"); }
  bool start_object(std::size_t) override { return Open(OrderedJson::object()); }
  bool end_object() override {
    std::vector<std::string_view> keys;
    for (const auto& item : stack_.back()->items()) keys.push_back(item.key());
    std::sort(keys.begin(), keys.end());
    if (std::adjacent_find(keys.begin(), keys.end()) != keys.end()) {
      return Refuse("a duplicate key");
    }
    stack_.pop_back();
    return true;
  }
  bool start_array(std::size_t) override { return Open(OrderedJson::array()); }
  bool end_array() override {
    stack_.pop_back();
    return true;
  }
  bool key(string_t& value) override {
    key_ = std::move(value);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    if (reason_.empty()) reason_ = "malformed at byte " + std::to_string(position);
    return false;
  }

  OrderedJson root;
  const std::string& reason() const { return reason_; }

 private:
  bool Refuse(std::string reason) {
    reason_ = std::move(reason);
    return false;
  }
  bool AddAsWritten(const std::string& text) {
    return Add(OrderedJson::binary({text.begin(), text.end()}));
  }
  OrderedJson* Place(OrderedJson value) {
    if (stack_.empty()) {
      root = std::move(value);
      return &root;
    }
    OrderedJson& parent = *stack_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    // The map is a vector of pairs; its own emplace would search for the key.
    using Pairs = std::vector<std::pair<const std::string, OrderedJson>>;
    Pairs& pairs = parent.get_ref<OrderedJson::object_t&>();
    pairs.emplace_back(std::move(key_), std::move(value));
    return &pairs.back().second;
  }
  bool Add(OrderedJson value) {
    Place(std::move(value));
    return true;
  }
  bool Open(OrderedJson value) {
    if (stack_.size() >= static_cast<size_t>(kMaxValueDepth)) return Refuse("nested too deeply");
    stack_.push_back(Place(std::move(value)));
    return true;
  }

  const Numbers numbers_;
  std::vector<OrderedJson*> stack_;  // into root; a parent does not grow while a child is open
  std::string key_;
  std::string reason_;
};

}  // namespace

struct Template::State {
  Arena arena{kTemplateMemoryBytes};
  Names names;
  KnownNames known{};
  Block body;
};

Template::Template(std::unique_ptr<State> state) : state_(std::move(state)) {}
Template::Template(Template&&) noexcept = default;
Template& Template::operator=(Template&&) noexcept = default;
Template::~Template() = default;

Result<Template> Template::Parse(std::string_view text) {
  if (text.size() > kMaxTemplateBytes) {
    return Error(ErrorCode::kExhausted,
                 "the template is longer than " + std::to_string(kMaxTemplateBytes) + " bytes");
  }
  if (!IsValidUtf8(text)) return Error(ErrorCode::kCorrupt, "the template is not valid UTF-8");
  auto state = std::make_unique<State>();
  state->known = {state->names.IdOf("loop"), state->names.IdOf("caller"),
                  state->names.IdOf("varargs"), state->names.IdOf("kwargs")};
  std::vector<Token> tokens = TRY(Tokenize(state->arena, text));
  Parser parser(state->arena, state->names, std::move(tokens));
  state->body = TRY(parser.ParseTemplate());
  return Template(std::move(state));
}

Result<Rendered> Template::Render(const OrderedJson& context, const RenderOptions& options) const {
  if (!context.is_object()) {
    return Error(ErrorCode::kInvalidArgument, "the context must be a JSON object");
  }
  Interpreter interpreter(state_->names, state_->known, options);
  TRY(interpreter.SetContext(context));
  const Result<void> done = interpreter.Run(state_->body);
  Rendered rendered;
  if (interpreter.refusal()) {
    rendered.refusal = interpreter.refusal();
    return rendered;
  }
  if (!done) {
    return ErrorAt(interpreter.position(), done.error().message(), done.error().code());
  }
  const TextBuilder& out = interpreter.output();
  for (uint32_t i = 0; i < out.n_runs(); ++i) {
    const uint32_t begin = out.runs()[i].start;
    const uint32_t end = i + 1 < out.n_runs() ? out.runs()[i + 1].start : out.size();
    rendered.parts.push_back(
        {std::string(out.view().substr(begin, end - begin)), out.runs()[i].request});
  }
  return rendered;
}

std::string Rendered::text() const {
  std::string result;
  for (const Part& part : parts) result += part.text;
  return result;
}

Result<OrderedJson> ParseContext(std::string_view text, Numbers numbers) {
  if (text.size() > kMaxContextBytes) {
    return Error(ErrorCode::kCorrupt,
                 "JSON is longer than " + std::to_string(kMaxContextBytes) + " bytes");
  }
  // As ParseJson: two parsers must not see two documents.
  if (text.find('\0') != std::string_view::npos || text.starts_with("\xef\xbb\xbf")) {
    return Error(ErrorCode::kCorrupt, "JSON is refused: a NUL or a byte order mark");
  }
  ContextBuilder builder(numbers);
  if (!OrderedJson::sax_parse(text.begin(), text.end(), &builder)) {
    return Error(ErrorCode::kCorrupt, "JSON is refused: " + builder.reason());
  }
  return std::move(builder.root);
}

}  // namespace skerry::engine::jinja
