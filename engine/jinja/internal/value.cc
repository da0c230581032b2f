#include "engine/jinja/internal/value.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace skerry::engine::jinja {

namespace {

constexpr uint32_t kTinyDict = 8;
constexpr int kMaxKeyDepth = 20;

// Exact, where a double cannot hold the integer.
int CompareNumbers(const Value& a, const Value& b) {
  if (a.is_integral() && b.is_integral()) {
    return a.AsInt() < b.AsInt() ? -1 : a.AsInt() > b.AsInt() ? 1 : 0;
  }
  const long double x = a.is_integral() ? static_cast<long double>(a.AsInt()) : a.number;
  const long double y = b.is_integral() ? static_cast<long double>(b.AsInt()) : b.number;
  if (std::isnan(x) || std::isnan(y)) return std::isnan(x) - std::isnan(y);
  return x < y ? -1 : x > y ? 1 : 0;
}

int KeyClass(const Value& v) {
  switch (v.kind) {
    case Kind::kUndefined:
      return 0;
    case Kind::kNone:
      return 1;
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kFloat:
      return 2;
    case Kind::kText:
      return 3;
    case Kind::kList:
      return 4;
    default:
      return 5;
  }
}

}  // namespace

std::string_view TypeName(const Value& value) {
  switch (value.kind) {
    case Kind::kMissing:
      return "missing";
    case Kind::kUndefined:
      return "Undefined";
    case Kind::kNone:
      return "NoneType";
    case Kind::kBool:
      return "bool";
    case Kind::kInt:
      return "int";
    case Kind::kFloat:
      return "float";
    case Kind::kText:
      return value.text->markup ? "Markup" : "str";
    case Kind::kDict:
      return "dict";
    case Kind::kNamespace:
      return "Namespace";
    case Kind::kCallable:
      return "function";
    case Kind::kLoop:
      return "LoopContext";
    case Kind::kList:
      break;
  }
  switch (value.list->kind) {
    case ListKind::kList:
      return "list";
    case ListKind::kTuple:
      return "tuple";
    case ListKind::kRange:
      return "range";
    case ListKind::kGenerator:
      return value.list->name.empty() ? "generator" : value.list->name;
    case ListKind::kKeysView:
      return "dict_keys";
    case ListKind::kValuesView:
      return "dict_values";
    case ListKind::kItemsView:
      return "dict_items";
  }
  return "list";
}

bool Truth(const Value& value) {
  switch (value.kind) {
    case Kind::kMissing:
    case Kind::kUndefined:
    case Kind::kNone:
      return false;
    case Kind::kBool:
      return value.boolean;
    case Kind::kInt:
      return value.integer != 0;
    case Kind::kFloat:
      return value.number != 0;
    case Kind::kText:
      return value.text->size > 0;
    case Kind::kDict:
      return value.dict->n > 0;
    case Kind::kList:
      return value.list->kind == ListKind::kGenerator || value.list->n > 0;
    case Kind::kNamespace:
    case Kind::kCallable:
    case Kind::kLoop:
      return true;
  }
  return true;
}

bool FromRequest(const Value& value) {
  switch (value.kind) {
    case Kind::kText:
      return value.text->request;
    case Kind::kList:
      return value.list->request;
    case Kind::kDict:
      return value.dict->request;
    default:
      return value.request;
  }
}

int CompareKeys(const Value& a, const Value& b) {
  const int class_a = KeyClass(a);
  const int class_b = KeyClass(b);
  if (class_a != class_b) return class_a < class_b ? -1 : 1;
  if (class_a == 2) return CompareNumbers(a, b);
  if (class_a == 3) return a.text->view().compare(b.text->view());
  if (class_a == 4) {
    for (uint32_t i = 0; i < std::min(a.list->n, b.list->n); ++i) {
      // The depth is bounded: keys are Hashable.
      if (const int c = CompareKeys(a.list->items[i], b.list->items[i]); c != 0) return c;
    }
    return a.list->n < b.list->n ? -1 : a.list->n > b.list->n ? 1 : 0;
  }
  if (class_a == 5) return a.ns < b.ns ? -1 : a.ns > b.ns ? 1 : 0;
  return 0;
}

bool Hashable(const Value& value, int depth) {
  if (value.is_dict()) return false;
  if (!value.is(Kind::kList)) return true;
  if (value.list->kind != ListKind::kTuple || depth > kMaxKeyDepth) return false;
  for (uint32_t i = 0; i < value.list->n; ++i) {
    if (!Hashable(value.list->items[i], depth + 1)) return false;
  }
  return true;
}

const Value* Find(const Dict& dict, const Value& key) {
  if (dict.sorted == nullptr) {
    for (uint32_t i = 0; i < dict.n; ++i) {
      if (CompareKeys(dict.entries[i].key, key) == 0) return &dict.entries[i].value;
    }
    return nullptr;
  }
  const uint32_t* end = dict.sorted + dict.n;
  const uint32_t* at = std::lower_bound(dict.sorted, end, key, [&](uint32_t i, const Value& k) {
    return CompareKeys(dict.entries[i].key, k) < 0;
  });
  if (at == end || CompareKeys(dict.entries[*at].key, key) != 0) return nullptr;
  return &dict.entries[*at].value;
}

const Value* Find(const Dict& dict, std::string_view key) {
  Text text;
  text.data = key.data();
  text.size = static_cast<uint32_t>(key.size());
  return Find(dict, Value::Of(&text));
}

void DictBuilder::Add(const Value& key, const Value& value) {
  if (n_ == capacity_) {
    const uint32_t capacity = std::max<uint32_t>(4, capacity_ * 2);
    Entry* entries = arena_.NewArray<Entry>(capacity);
    std::copy_n(entries_, n_, entries);
    entries_ = entries;
    capacity_ = capacity;
  }
  entries_[n_++] = {key, value};
}

Dict* DictBuilder::Finish(bool request) {
  Dict* dict = arena_.New<Dict>();
  dict->request = request;
  const auto less = [this](uint32_t a, uint32_t b) {
    const int c = CompareKeys(entries_[a].key, entries_[b].key);
    return c != 0 ? c < 0 : a < b;
  };
  uint32_t* sorted = arena_.NewArray<uint32_t>(n_);
  for (uint32_t i = 0; i < n_; ++i) sorted[i] = i;
  std::sort(sorted, sorted + n_, less);
  // Of equal keys the first keeps its place and takes the last one's value.
  bool* dropped = arena_.NewArray<bool>(n_);
  uint32_t kept = 0;
  for (uint32_t i = 0; i < n_;) {
    uint32_t end = i + 1;
    while (end < n_ && CompareKeys(entries_[sorted[i]].key, entries_[sorted[end]].key) == 0) {
      dropped[sorted[end++]] = true;
    }
    entries_[sorted[i]].value = entries_[sorted[end - 1]].value;
    sorted[kept++] = sorted[i];
    i = end;
  }
  uint32_t* moved = arena_.NewArray<uint32_t>(n_);
  uint32_t n = 0;
  for (uint32_t i = 0; i < n_; ++i) {
    moved[i] = n;
    if (!dropped[i]) entries_[n++] = entries_[i];
  }
  for (uint32_t i = 0; i < kept; ++i) sorted[i] = moved[sorted[i]];
  dict->entries = entries_;
  dict->n = n;
  if (n > kTinyDict) dict->sorted = sorted;
  return dict;
}

ListBuilder::ListBuilder(Arena& arena, uint32_t capacity) : arena_(arena), capacity_(capacity) {
  if (capacity > 0) items_ = arena.NewArray<Value>(capacity);
}

void ListBuilder::Add(const Value& value) {
  if (n_ == capacity_) {
    const uint32_t capacity = std::max<uint32_t>(4, capacity_ * 2);
    Value* items = arena_.NewArray<Value>(capacity);
    std::copy_n(items_, n_, items);
    items_ = items;
    capacity_ = capacity;
  }
  items_[n_++] = value;
}

List* ListBuilder::Finish(ListKind kind, bool request) {
  List* list = arena_.New<List>();
  list->kind = kind;
  list->request = request;
  list->n = n_;
  list->items = items_;
  return list;
}

List* ConcatLists(Arena& arena, const List* left, const List* right) {
  ListBuffer* buffer = left->buffer;
  if (buffer == nullptr || left->items != buffer->items || left->n != buffer->used ||
      right->n > buffer->capacity - buffer->used) {
    buffer = arena.New<ListBuffer>();
    buffer->capacity = std::max<uint32_t>(4, (left->n + right->n) * 2);
    buffer->items = arena.NewArray<Value>(buffer->capacity);
    std::copy_n(left->items, left->n, buffer->items);
    buffer->used = left->n;
  }
  std::copy_n(right->items, right->n, buffer->items + buffer->used);
  buffer->used += right->n;
  List* list = arena.New<List>();
  list->kind = left->kind;
  list->request = left->request || right->request;
  list->n = buffer->used;
  list->items = buffer->items;
  list->buffer = buffer;
  return list;
}

std::string FormatFloat(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value < 0 ? "-inf" : "inf";
  char digits[64];
  const auto end =
      std::to_chars(digits, digits + sizeof digits, value, std::chars_format::scientific).ptr;
  std::string_view text(digits, end - digits);
  const size_t e = text.find('e');
  int exponent = 0;
  const char* from = text.data() + e + 1;
  std::from_chars(*from == '+' ? from + 1 : from, end, exponent);
  std::string mantissa(text.substr(0, e));
  if (exponent < -4 || exponent >= 16) {
    const std::string size = std::to_string(std::abs(exponent));
    return mantissa + (exponent < 0 ? "e-" : "e+") + (size.size() < 2 ? "0" : "") + size;
  }
  const auto fixed =
      std::to_chars(digits, digits + sizeof digits, value, std::chars_format::fixed).ptr;
  std::string result(digits, fixed - digits);
  if (result.find('.') == std::string::npos) result += ".0";
  return result;
}

}  // namespace skerry::engine::jinja
