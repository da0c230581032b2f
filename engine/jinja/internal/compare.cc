// ==, <, in: as Python compares.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/jinja/internal/interpreter.h"

namespace skerry::engine::jinja {

namespace {

// Lists equal lists, tuples tuples; a range only a range.
bool IsSequence(const Value& v) {
  return v.is(Kind::kList) && v.list->kind != ListKind::kGenerator;
}

int Sign(std::string_view a, std::string_view b) {
  const int c = a.compare(b);  // the order of UTF-8 is that of code points
  return c < 0 ? -1 : c > 0;
}

}  // namespace

Result<bool> Interpreter::Equal(const Value& a, const Value& b, int depth) {
  if (depth > kMaxValueDepth) {
    return Error(ErrorCode::kExhausted, "compared values are nested too deeply");
  }
  TRY(Step());
  if (a.is_number() && b.is_number()) {
    if ((a.is(Kind::kFloat) && std::isnan(a.number)) ||
        (b.is(Kind::kFloat) && std::isnan(b.number))) {
      return false;
    }
    return CompareKeys(a, b) == 0;
  }
  if (a.kind != b.kind) return false;
  switch (a.kind) {
    case Kind::kUndefined:
    case Kind::kNone:
    case Kind::kMissing:
      return true;
    case Kind::kText:
      TRY(StepBytes(a.text->size == b.text->size ? a.text->size : 0));
      return a.text->view() == b.text->view();
    case Kind::kList: {
      if (a.list == b.list) return true;
      if (a.list->kind != b.list->kind || !IsSequence(a) || a.list->n != b.list->n) return false;
      for (uint32_t i = 0; i < a.list->n; ++i) {
        const bool same = TRY(Equal(a.list->items[i], b.list->items[i], depth + 1));
        if (!same) return false;
      }
      return true;
    }
    case Kind::kDict: {
      if (a.dict == b.dict) return true;
      if (a.dict->n != b.dict->n) return false;
      for (uint32_t i = 0; i < a.dict->n; ++i) {
        const Value* other = Find(*b.dict, a.dict->entries[i].key);
        if (other == nullptr) return false;
        const bool same = TRY(Equal(a.dict->entries[i].value, *other, depth + 1));
        if (!same) return false;
      }
      return true;
    }
    case Kind::kNamespace:
      return a.ns == b.ns;
    case Kind::kCallable:
      return a.callable == b.callable;
    case Kind::kLoop:
      return a.loop == b.loop;
    default:
      return false;
  }
}

Result<int> Interpreter::Order(const Value& a, const Value& b, int depth) {
  if (depth > kMaxValueDepth) {
    return Error(ErrorCode::kExhausted, "compared values are nested too deeply");
  }
  TRY(Step());
  if (a.is_undefined()) return UndefinedError(a);
  if (b.is_undefined()) return UndefinedError(b);
  if (a.is_number() && b.is_number()) return CompareKeys(a, b);
  if (a.is_text() && b.is_text()) {
    TRY(StepBytes(std::min(a.text->size, b.text->size)));
    return Sign(a.text->view(), b.text->view());
  }
  const bool lists = a.is(Kind::kList) && b.is(Kind::kList) && a.list->kind == b.list->kind &&
                     (a.list->kind == ListKind::kList || a.list->kind == ListKind::kTuple);
  if (!lists) {
    return Fail("'" + std::string(TypeName(a)) + "' and '" + std::string(TypeName(b)) +
                "' cannot be ordered");
  }
  for (uint32_t i = 0; i < std::min(a.list->n, b.list->n); ++i) {
    const bool same = TRY(Equal(a.list->items[i], b.list->items[i], depth + 1));
    if (!same) return Order(a.list->items[i], b.list->items[i], depth + 1);
  }
  return a.list->n < b.list->n ? -1 : a.list->n > b.list->n ? 1 : 0;
}

Result<bool> Interpreter::Contains(const Value& container, const Value& item) {
  if (container.is_text()) {
    if (!item.is_text()) {
      return Fail("'in <string>' requires string as left operand, not " +
                  std::string(TypeName(item)));
    }
    TRY(StepBytes(container.text->size));
    return item.text->size == 0 || memmem(container.text->data, container.text->size,
                                          item.text->data, item.text->size) != nullptr;
  }
  if (container.is_dict() || container.is_list(ListKind::kKeysView)) {
    if (!Hashable(item)) return Fail("unhashable type: '" + std::string(TypeName(item)) + "'");
    const Dict* dict = container.is_dict() ? container.dict : container.list->source->dict;
    return Find(*dict, item) != nullptr;
  }
  if (!container.is(Kind::kList) && !container.is_undefined()) {
    return Fail("argument of type '" + std::string(TypeName(container)) + "' is not iterable");
  }
  const std::span<const Value> items = TRY(Iterate(container));
  for (const Value& other : items) {
    const bool same = TRY(Equal(other, item));
    if (same) return true;
  }
  return false;
}

}  // namespace skerry::engine::jinja
