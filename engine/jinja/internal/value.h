// What expressions evaluate to: Python's types as far as templates see them. Values are small,
// copied freely, and point into the arena of the render.
#pragma once

#include <span>
#include <string_view>

#include "engine/jinja/internal/arena.h"
#include "engine/jinja/internal/text.h"

namespace skerry::engine::jinja {

enum class Kind : uint8_t {
  kMissing,  // an argument that was not given; never seen by templates
  kUndefined,
  kNone,
  kBool,
  kInt,
  kFloat,
  kText,
  kList,
  kDict,
  kNamespace,
  kCallable,
  kLoop,
};

// All of Python's sequences and iterators that templates meet are lists that print, count and
// compare differently.
enum class ListKind : uint8_t {
  kList,
  kTuple,
  kRange,
  kGenerator,  // of a lazy filter: can be walked once, has no length
  kKeysView,
  kValuesView,
  kItemsView,
};

struct Value;
struct Callable;
struct Loop;

struct ListBuffer {
  Value* items;
  uint32_t used;
  uint32_t capacity;
};

struct List {
  ListKind kind = ListKind::kList;
  bool request = false;   // made by the request
  bool consumed = false;  // generators only
  uint32_t n = 0;
  const Value* items = nullptr;
  ListBuffer* buffer = nullptr;               // as Text::buffer
  std::string_view name;                      // generators: the type's name in messages
  const std::string_view* failure = nullptr;  // generators: what raises after the last item
  const Value* source = nullptr;              // views: the dict
};

struct Entry;

// Insertion order; never changed once made.
struct Dict {
  bool request = false;
  uint32_t n = 0;
  const Entry* entries = nullptr;
  const uint32_t* sorted = nullptr;  // indices in key order, for dicts that are not tiny
};

// What `namespace()` makes: the one thing a template can change.
struct Namespace {
  Entry* entries = nullptr;
  uint32_t n = 0;
  uint32_t capacity = 0;
};

// Why a value is undefined; the message is only made when something stumbles over it.
struct Undefined {
  enum class What : uint8_t { kVariable, kAttribute, kElement, kUnsafe, kParameter, kOther };
  What what = What::kVariable;
  std::string_view type;  // of the object
  std::string_view name;
};

struct Value {
  Kind kind = Kind::kNone;
  bool request = false;  // of none, bool and numbers; the others say it themselves
  // kFloat: how the request spelled it, a number that Interpreter::FloatText knows; 0: as Python
  // does.
  uint32_t spelling = 0;
  union {
    bool boolean;
    int64_t integer = 0;
    double number;
    const Undefined* undefined;
    const Text* text;
    List* list;
    const Dict* dict;
    Namespace* ns;
    const Callable* callable;
    Loop* loop;
  };

  static Value None() { return {}; }
  static Value Missing() {
    Value v;
    v.kind = Kind::kMissing;
    return v;
  }
  static Value Bool(bool b) {
    Value v;
    v.kind = Kind::kBool;
    v.boolean = b;
    return v;
  }
  static Value Int(int64_t i, bool request = false) {
    Value v;
    v.kind = Kind::kInt;
    v.request = request;
    v.integer = i;
    return v;
  }
  static Value Float(double d, bool request = false) {
    Value v;
    v.kind = Kind::kFloat;
    v.request = request;
    v.number = d;
    return v;
  }
  static Value Of(const Text* text) {
    Value v;
    v.kind = Kind::kText;
    v.text = text;
    return v;
  }
  static Value Of(List* list) {
    Value v;
    v.kind = Kind::kList;
    v.list = list;
    return v;
  }
  static Value Of(const Dict* dict) {
    Value v;
    v.kind = Kind::kDict;
    v.dict = dict;
    return v;
  }
  static Value Of(Namespace* ns) {
    Value v;
    v.kind = Kind::kNamespace;
    v.ns = ns;
    return v;
  }
  static Value Of(const Callable* callable) {
    Value v;
    v.kind = Kind::kCallable;
    v.callable = callable;
    return v;
  }
  static Value Of(Loop* loop) {
    Value v;
    v.kind = Kind::kLoop;
    v.loop = loop;
    return v;
  }
  static Value Of(const Undefined* undefined) {
    Value v;
    v.kind = Kind::kUndefined;
    v.undefined = undefined;
    return v;
  }

  bool is(Kind k) const { return kind == k; }
  bool missing() const { return kind == Kind::kMissing; }
  bool is_undefined() const { return kind == Kind::kUndefined; }
  bool is_none() const { return kind == Kind::kNone; }
  bool is_text() const { return kind == Kind::kText; }
  bool is_integral() const { return kind == Kind::kInt || kind == Kind::kBool; }
  bool is_number() const { return is_integral() || kind == Kind::kFloat; }
  bool is_list(ListKind k) const { return kind == Kind::kList && list->kind == k; }
  bool is_dict() const { return kind == Kind::kDict; }
  // Of a bool or an int.
  int64_t AsInt() const { return kind == Kind::kBool ? boolean : integer; }
  double AsDouble() const { return kind == Kind::kFloat ? number : static_cast<double>(AsInt()); }
};

struct Entry {
  Value key;
  Value value;
};

// Python's name of the value's type, as messages show it.
std::string_view TypeName(const Value& value);

// Python's bool().
bool Truth(const Value& value);

// Whether the value, or text made of it alone, counts as the request's. For containers only the
// container itself.
bool FromRequest(const Value& value);

// Order of dictionary keys: none, numbers by value, texts by bytes, tuples. Equal means the same
// key in Python. Keys must be Hashable.
int CompareKeys(const Value& a, const Value& b);
// Deep tuples are not.
bool Hashable(const Value& value, int depth = 0);

// nullptr where it is absent.
const Value* Find(const Dict& dict, const Value& key);
const Value* Find(const Dict& dict, std::string_view key);

// Collects a dict: a key that comes again replaces the value and keeps the place.
class DictBuilder {
 public:
  explicit DictBuilder(Arena& arena) : arena_(arena) {}
  void Add(const Value& key, const Value& value);
  Dict* Finish(bool request = false);

 private:
  Arena& arena_;
  Entry* entries_ = nullptr;
  uint32_t n_ = 0;
  uint32_t capacity_ = 0;
};

// Collects a list.
class ListBuilder {
 public:
  explicit ListBuilder(Arena& arena, uint32_t capacity = 0);
  void Add(const Value& value);
  std::span<const Value> items() const { return {items_, n_}; }
  List* Finish(ListKind kind = ListKind::kList, bool request = false);

 private:
  Arena& arena_;
  Value* items_ = nullptr;
  uint32_t n_ = 0;
  uint32_t capacity_ = 0;
};

// Appending to a growing left side costs no more than the right sides.
List* ConcatLists(Arena& arena, const List* left, const List* right);

// Python's repr of a float: the shortest digits that read back as the same number.
std::string FormatFloat(double value);

}  // namespace skerry::engine::jinja
