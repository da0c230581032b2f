#include "engine/jinja/internal/interpreter.h"

#include <cstdlib>
#include <nlohmann/json.hpp>

namespace skerry::engine::jinja {

Interpreter::Interpreter(const Names& names, const KnownNames& known, const RenderOptions& options)
    : names_(names),
      known_(known),
      options_(options),
      arena_(options.limits.max_memory_bytes),
      output_(arena_, options.limits.max_output_bytes),
      out_(&output_) {}

Result<void> Interpreter::SetContext(const OrderedJson& context) {
  context_.assign(names_.size(), Value::Missing());
  for (NameId id = 0; id < names_.size(); ++id) {
    const std::string_view name = names_.NameOf(id);
    if (const auto found = context.find(std::string(name)); found != context.end()) {
      bool trusted = false;
      for (const std::string& key : options_.trusted_keys) trusted = trusted || key == name;
      context_[id] = TRY(FromJson(*found, /*request=*/!trusted, /*copy=*/false));
    } else if (const Builtin* global = FindGlobal(name)) {
      Callable* callable = arena_.New<Callable>();
      callable->builtin = global;
      context_[id] = Value::Of(callable);
    }
  }
  return {};
}

Result<void> Interpreter::Run(Block body) {
  TRY(RunBlock(body, NewScope(nullptr)));
  return Step();  // what the last statement made may be too much
}

Error Interpreter::LimitError() const {
  if (steps_ > options_.limits.max_steps) {
    return Error(ErrorCode::kExhausted, "the template takes more than " +
                                            std::to_string(options_.limits.max_steps) + " steps");
  }
  return Error(ErrorCode::kExhausted,
               "the template makes more text or values than the memory limit allows");
}

Result<void> Interpreter::Enter(Position position) {
  position_ = position;
  if (depth_ > options_.limits.max_depth) {
    return Error(ErrorCode::kExhausted, "blocks, calls and expressions are nested more than " +
                                            std::to_string(options_.limits.max_depth) +
                                            " levels deep");
  }
  return Step();
}

Value Interpreter::NewUndefined(Undefined::What what, std::string_view type,
                                std::string_view name) {
  Undefined* undefined = arena_.New<Undefined>();
  *undefined = {what, type, name};
  return Value::Of(static_cast<const Undefined*>(undefined));
}

Error Interpreter::UndefinedError(const Value& value) const {
  const Undefined& why = *value.undefined;
  const std::string name(why.name.substr(0, 80));
  const std::string type(why.type);
  switch (why.what) {
    case Undefined::What::kVariable:
      return Fail("'" + name + "' is undefined");
    case Undefined::What::kAttribute:
      return Fail("'" + type + "' has no attribute '" + name + "'");
    case Undefined::What::kElement:
      return Fail("'" + type + "' has no element " + name);
    case Undefined::What::kUnsafe:
      return Fail("access to attribute '" + name + "' of '" + type + "' is unsafe");
    case Undefined::What::kParameter:
      return Fail("parameter '" + name + "' was not provided");
    case Undefined::What::kOther:
      break;
  }
  return Fail(name);
}

std::string Interpreter::FloatText(const Value& value) const {
  return value.spelling == 0 ? FormatFloat(value.number) : spellings_[value.spelling - 1];
}

const Text* Interpreter::NewJsonText(std::string_view text, bool request, bool copy) {
  return copy ? CopyText(arena_, text, request) : ViewText(arena_, text, request);
}

Result<Value> Interpreter::FromJson(const OrderedJson& json, bool request, bool copy, int depth) {
  if (depth > kMaxValueDepth) {
    return Error(ErrorCode::kExhausted,
                 "the JSON is nested more than " + std::to_string(kMaxValueDepth) + " levels deep");
  }
  TRY(Step());
  Value value;
  switch (json.type()) {
    case OrderedJson::value_t::boolean:
      value = Value::Bool(json.get<bool>());
      break;
    case OrderedJson::value_t::number_integer:
      value = Value::Int(json.get<int64_t>());
      break;
    case OrderedJson::value_t::number_unsigned: {
      const auto number = json.get<uint64_t>();
      if (number > static_cast<uint64_t>(INT64_MAX)) {
        return Fail("an integer in the JSON does not fit in 64 bits");
      }
      value = Value::Int(static_cast<int64_t>(number));
      break;
    }
    case OrderedJson::value_t::number_float:
      value = Value::Float(json.get<double>());
      break;
    case OrderedJson::value_t::binary: {  // a number of Numbers::kAsWritten
      const OrderedJson::binary_t& bytes = json.get_binary();
      spellings_.emplace_back(bytes.begin(), bytes.end());
      value = Value::Float(std::strtod(spellings_.back().c_str(), nullptr));
      value.spelling = static_cast<uint32_t>(spellings_.size());
      break;
    }
    case OrderedJson::value_t::string:
      return Value::Of(NewJsonText(json.get_ref<const std::string&>(), request, copy));
    case OrderedJson::value_t::array: {
      ListBuilder list(arena_, static_cast<uint32_t>(json.size()));
      for (const OrderedJson& item : json) {
        const Value element = TRY(FromJson(item, request, copy, depth + 1));
        list.Add(element);
      }
      return Value::Of(list.Finish(ListKind::kList, request));
    }
    case OrderedJson::value_t::object: {
      DictBuilder dict(arena_);
      for (const auto& item : json.items()) {
        const Value element = TRY(FromJson(item.value(), request, copy, depth + 1));
        dict.Add(Value::Of(NewJsonText(item.key(), request, copy)), element);
      }
      return Value::Of(static_cast<const Dict*>(dict.Finish(request)));
    }
    default:
      break;
  }
  value.request = request;
  return value;
}

}  // namespace skerry::engine::jinja
