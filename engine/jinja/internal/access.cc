// Attributes, subscripts, slices, walking.
#include <algorithm>
#include <charconv>

#include "engine/jinja/internal/interpreter.h"

namespace skerry::engine::jinja {

namespace {

// As jinja2's messages call the type of an object.
std::string_view ObjectName(const Value& value) {
  if (value.is_none()) return "None";
  if (value.is_text()) return "str object";
  if (value.is_dict()) return "dict object";
  if (value.is_list(ListKind::kList)) return "list object";
  if (value.is_list(ListKind::kTuple)) return "tuple object";
  if (value.is(Kind::kInt)) return "int object";
  if (value.is(Kind::kBool)) return "bool object";
  if (value.is(Kind::kFloat)) return "float object";
  return TypeName(value);
}

const Value* FindAttribute(const Namespace& ns, std::string_view name) {
  for (uint32_t i = 0; i < ns.n; ++i) {
    if (ns.entries[i].key.is_text() && ns.entries[i].key.text->view() == name) {
      return &ns.entries[i].value;
    }
  }
  return nullptr;
}

// Sequences that take a number in [].
bool IsIndexed(const Value& value) {
  return value.is_text() || (value.is(Kind::kList) && (value.list->kind == ListKind::kList ||
                                                       value.list->kind == ListKind::kTuple ||
                                                       value.list->kind == ListKind::kRange));
}

}  // namespace

Result<Value> Interpreter::GetAttribute(const Value& object, std::string_view name) {
  if (object.is_undefined()) return UndefinedError(object);
  if (object.is(Kind::kNamespace)) {
    TRY(Step(1 + object.ns->n / 8));
    if (const Value* found = FindAttribute(*object.ns, name)) return *found;
  }
  if (object.is(Kind::kLoop)) return LoopAttribute(*object.loop, name);
  if (object.is(Kind::kCallable) && object.callable->macro != nullptr && name == "name") {
    return Value::Of(object.callable->macro->name);
  }
  if (const Builtin* method = FindMethod(object, name)) {
    Callable* callable = arena_.New<Callable>();
    callable->builtin = method;
    callable->self = object;
    return Value::Of(callable);
  }
  if (IsRefusedMethod(object, name) || name.starts_with("__")) {
    return NewUndefined(Undefined::What::kUnsafe, ObjectName(object), name);
  }
  if (object.is_dict()) {
    if (const Value* found = Find(*object.dict, name)) return *found;
  }
  return NewUndefined(Undefined::What::kAttribute, ObjectName(object), name);
}

Result<Value> Interpreter::GetItem(const Value& object, const Value& key) {
  if (object.is_undefined()) return UndefinedError(object);
  if (object.is_dict() && Hashable(key)) {
    if (const Value* found = Find(*object.dict, key)) return *found;
  } else if (IsIndexed(object) && key.is_integral()) {
    const int64_t n = object.is_text() ? object.text->n_chars : object.list->n;
    const int64_t index = key.AsInt() < 0 ? key.AsInt() + n : key.AsInt();
    if (index >= 0 && index < n) {
      if (!object.is_text()) return object.list->items[index];
      TRY(StepBytes(object.text->ascii() ? 0 : object.text->size));
      const uint32_t begin = ByteOffset(*object.text, static_cast<uint32_t>(index));
      return Value::Of(
          SliceText(arena_, object.text, begin, begin + CharBytes(object.text->data[begin])));
    }
  }
  if (key.is_text()) {
    // The same names as behind a dot, but the message is the subscript's.
    const Value attribute = TRY(GetAttribute(object, key.text->view()));
    return attribute;
  }
  if (key.is_undefined() && !object.is_dict()) {
    return NewUndefined(Undefined::What::kElement, ObjectName(object), "Undefined");
  }
  const Text* shown = TRY(Repr(key));
  return NewUndefined(Undefined::What::kElement, ObjectName(object), shown->view());
}

Result<Value> Interpreter::Slice(const Value& object, const Value& start, const Value& stop,
                                 const Value& step) {
  if (object.is_undefined()) return UndefinedError(object);
  if (!IsIndexed(object)) {
    return Fail("'" + std::string(TypeName(object)) + "' object cannot be sliced");
  }
  for (const Value* bound : {&start, &stop, &step}) {
    if (!bound->is_none() && !bound->is_integral()) {
      return Fail("slice indices must be integers or none");
    }
  }
  const int64_t n = object.is_text() ? object.text->n_chars : object.list->n;
  const int64_t by = step.is_none() ? 1 : step.AsInt();
  if (by == 0) return Fail("slice step cannot be zero");
  const auto clamp = [&](const Value& bound, int64_t fallback) {
    if (bound.is_none()) return fallback;
    const int64_t i =
        bound.AsInt() < 0 ? std::max<int64_t>(bound.AsInt(), -n - 1) + n : bound.AsInt();
    return by > 0 ? std::clamp<int64_t>(i, 0, n) : std::clamp<int64_t>(i, -1, n - 1);
  };
  const int64_t first = clamp(start, by > 0 ? 0 : n - 1);
  const int64_t end = clamp(stop, by > 0 ? n : -1);
  if (object.is_text() && by == 1) {
    TRY(StepBytes(object.text->ascii() ? 0 : object.text->size));
    const uint32_t from = ByteOffset(*object.text, static_cast<uint32_t>(first));
    const uint32_t to = ByteOffset(*object.text, static_cast<uint32_t>(std::max(first, end)));
    return Value::Of(SliceText(arena_, object.text, from, to));
  }
  const int64_t span = by > 0 ? end - first : first - end;
  const int64_t stride = by > 0 ? by : by == INT64_MIN ? INT64_MAX : -by;
  const int64_t count = span <= 0 ? 0 : (span - 1) / stride + 1;
  TRY(Step(static_cast<uint64_t>(1 + count)));
  if (!object.is_text()) {
    ListBuilder list(arena_, static_cast<uint32_t>(count));
    for (int64_t i = 0; i < count; ++i) list.Add(object.list->items[first + i * by]);
    const ListKind kind =
        object.list->kind == ListKind::kTuple ? ListKind::kTuple : ListKind::kList;
    return Value::Of(list.Finish(kind, object.list->request));
  }
  TRY(StepBytes(object.text->size));
  std::vector<uint32_t> offsets;
  for (uint32_t at = 0; at < object.text->size; at += CharBytes(object.text->data[at])) {
    offsets.push_back(at);
  }
  TextBuilder builder(arena_);
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t at = offsets[static_cast<size_t>(first + i * by)];
    builder.Append(*object.text, at, at + CharBytes(object.text->data[at]));
  }
  Text* result = builder.Finish();
  result->markup = object.text->markup;
  return Value::Of(result);
}

Result<std::span<const Value>> Interpreter::Iterate(const Value& value,
                                                    const std::string_view** failure) {
  using Items = std::span<const Value>;
  switch (value.kind) {
    case Kind::kUndefined:
      return Items();
    case Kind::kList: {
      List& list = *value.list;
      if (list.kind == ListKind::kGenerator) {
        if (list.consumed) return Items();
        list.consumed = true;
        if (list.failure != nullptr && failure == nullptr) return Fail(std::string(*list.failure));
        if (failure != nullptr) *failure = list.failure;
      }
      TRY(Step(1 + list.n / 16));
      return Items(list.items, list.n);
    }
    case Kind::kDict: {
      TRY(Step(1 + value.dict->n / 4));
      ListBuilder keys(arena_, value.dict->n);
      for (uint32_t i = 0; i < value.dict->n; ++i) keys.Add(value.dict->entries[i].key);
      return keys.items();
    }
    case Kind::kText: {
      const Text& text = *value.text;
      TRY(Step(1 + text.n_chars));
      ListBuilder chars(arena_, text.n_chars);
      for (uint32_t at = 0; at < text.size; at += CharBytes(text.data[at])) {
        Text* letter = SliceText(arena_, &text, at, at + CharBytes(text.data[at]));
        letter->markup = false;  // to Python the characters of markup are strings
        chars.Add(Value::Of(static_cast<const Text*>(letter)));
      }
      return chars.items();
    }
    case Kind::kLoop: {
      ListBuilder rest(arena_);
      while (true) {
        const bool any = TRY(NextItem(*value.loop));
        if (!any) break;
        TRY(Step());
        const Value pair[2] = {value.loop->current, value};
        ListBuilder both(arena_, 2);
        for (const Value& item : pair) both.Add(item);
        rest.Add(Value::Of(both.Finish(ListKind::kTuple)));
      }
      return rest.items();
    }
    default:
      return Fail("'" + std::string(TypeName(value)) + "' object is not iterable");
  }
}

Result<int64_t> Interpreter::Length(const Value& value) {
  if (value.is_undefined()) return int64_t{0};
  if (value.is_text()) return int64_t{value.text->n_chars};
  if (value.is_dict()) return int64_t{value.dict->n};
  if (value.is(Kind::kList) && value.list->kind != ListKind::kGenerator) {
    return int64_t{value.list->n};
  }
  if (value.is(Kind::kLoop)) {
    const Value length = TRY(LoopAttribute(*value.loop, "length"));
    return length.integer;
  }
  return Fail("object of type '" + std::string(TypeName(value)) + "' has no len()");
}

Result<Value> Interpreter::AttributePath(const Value& value, const Value& path) {
  if (path.is_integral()) return GetItem(value, path);
  if (!path.is_text()) return GetItem(value, path);
  Value current = value;
  std::string_view rest = path.text->view();
  while (true) {
    const std::string_view name = rest.substr(0, rest.find('.'));
    int64_t index = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), index);
    const bool is_number = !name.empty() && name[0] != '-' && parsed.ec == std::errc() &&
                           parsed.ptr == name.data() + name.size();
    const Value key = is_number ? Value::Int(index) : Value::Of(ViewText(arena_, name, false));
    TRY(Step());
    current = TRY(GetItem(current, key));
    if (name.size() == rest.size()) return current;
    rest.remove_prefix(name.size() + 1);
  }
}

}  // namespace skerry::engine::jinja
