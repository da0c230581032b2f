// Where names are looked up, and the methods of lists and dicts and the global functions.
#include "engine/jinja/internal/builtins.h"

#include <algorithm>

#include "engine/jinja/internal/interpreter.h"
#include "engine/jinja/internal/strftime.h"

namespace skerry::engine::jinja {

namespace {

Result<Value> DictGet(Interpreter& in, Call& call) {
  if (!Hashable(call.arg[0])) return in.Fail("unhashable type");
  if (const Value* found = Find(*call.self.dict, call.arg[0])) return *found;
  return call.arg[1].missing() ? Value::None() : call.arg[1];
}

template <ListKind kind>
Result<Value> DictView(Interpreter& in, Call& call) {
  const Dict& dict = *call.self.dict;
  TRY(in.Step(1 + dict.n / 2));
  ListBuilder list(in.arena(), dict.n);
  for (uint32_t i = 0; i < dict.n; ++i) {
    if (kind != ListKind::kItemsView) {
      list.Add(kind == ListKind::kKeysView ? dict.entries[i].key : dict.entries[i].value);
      continue;
    }
    ListBuilder pair(in.arena(), 2);
    pair.Add(dict.entries[i].key);
    pair.Add(dict.entries[i].value);
    list.Add(Value::Of(pair.Finish(ListKind::kTuple)));
  }
  List* view = list.Finish(kind, dict.request);
  view->source = in.arena().New<Value>(call.self);
  return Value::Of(view);
}

Result<Value> Same(Interpreter&, Call& call) { return call.self; }

Result<Value> ListCount(Interpreter& in, Call& call) {
  int64_t count = 0;
  for (uint32_t i = 0; i < call.self.list->n; ++i) {
    const bool same = TRY(in.Equal(call.self.list->items[i], call.arg[0]));
    count += same;
  }
  return Value::Int(count);
}

Result<Value> ListIndex(Interpreter& in, Call& call) {
  for (uint32_t i = 0; i < call.self.list->n; ++i) {
    const bool same = TRY(in.Equal(call.self.list->items[i], call.arg[0]));
    if (same) return Value::Int(i);
  }
  return in.Fail("the value is not in the list");
}

Result<Value> MakeRange(Interpreter& in, Call& call) {
  int64_t bounds[3] = {0, 0, 1};
  for (size_t i = 0; i < 3; ++i) {
    const Value& arg = call.arg[i];
    if (arg.missing()) continue;
    if (!arg.is_integral()) {
      return in.Fail("'" + std::string(TypeName(arg)) +
                     "' object cannot be interpreted as an integer");
    }
    bounds[i] = arg.AsInt();
  }
  if (call.arg[1].missing()) std::swap(bounds[0], bounds[1]);
  const auto [start, stop, step] = std::tuple(bounds[0], bounds[1], bounds[2]);
  if (step == 0) return in.Fail("range() arg 3 must not be zero");
  const __int128 span = static_cast<__int128>(stop) - start;
  const __int128 n =
      (span > 0) != (step > 0) || span == 0 ? 0 : (span + step + (step > 0 ? -1 : 1)) / step;
  if (n > kMaxRange) {
    return in.Fail("range too big: the limit is " + std::to_string(kMaxRange) + " elements");
  }
  TRY(in.Step(static_cast<uint64_t>(1 + n / 4)));
  ListBuilder list(in.arena(), static_cast<uint32_t>(n));
  for (int64_t i = 0; i < static_cast<int64_t>(n); ++i) list.Add(Value::Int(start + i * step));
  List* range = list.Finish(ListKind::kRange);
  Value* source = in.arena().NewArray<Value>(3);
  for (int i = 0; i < 3; ++i) source[i] = Value::Int(bounds[i]);
  range->source = source;
  return Value::Of(range);
}

// The entries dict(...) and namespace(...) make: of a dict or of pairs, then of the keywords.
Result<Dict*> MakeEntries(Interpreter& in, Call& call) {
  DictBuilder dict(in.arena());
  if (call.args.size() > 1) return in.Fail("at most one argument is expected");
  if (call.args.size() == 1 && call.args[0].is_dict()) {
    for (uint32_t i = 0; i < call.args[0].dict->n; ++i) {
      dict.Add(call.args[0].dict->entries[i].key, call.args[0].dict->entries[i].value);
    }
  } else if (call.args.size() == 1) {
    const std::span<const Value> items = TRY(in.Iterate(call.args[0]));
    for (const Value& item : items) {
      const std::span<const Value> pair = TRY(in.Iterate(item));
      if (pair.size() != 2 || !Hashable(pair[0]))
        return in.Fail("pairs of key and value are needed");
      dict.Add(pair[0], pair[1]);
    }
  }
  for (const KeywordValue& keyword : call.kwargs) dict.Add(in.NewText(keyword.name), keyword.value);
  return dict.Finish();
}

Result<Value> MakeDict(Interpreter& in, Call& call) {
  const Dict* dict = TRY(MakeEntries(in, call));
  return Value::Of(dict);
}

Result<Value> MakeNamespace(Interpreter& in, Call& call) {
  const Dict* dict = TRY(MakeEntries(in, call));
  Namespace* ns = in.arena().New<Namespace>();
  ns->n = ns->capacity = dict->n;
  ns->entries = in.arena().NewArray<Entry>(dict->n);
  std::copy_n(dict->entries, dict->n, ns->entries);
  return Value::Of(ns);
}

Result<Value> RaiseException(Interpreter& in, Call& call) {
  const Text* message = TRY(in.ToText(call.arg[0]));
  in.Refuse(std::string(message->view()));
  return in.Fail(std::string(message->view()));
}

Result<Value> StrftimeNow(Interpreter& in, Call& call) {
  if (!call.arg[0].is_text()) return in.Fail("strftime_now needs a string");
  if (call.arg[0].text->size > 4096) return in.Fail("strftime_now: the format is too long");
  TRY(in.StepBytes(call.arg[0].text->size * uint64_t{8}));
  return in.NewText(FormatTime(call.arg[0].text->view(), in.options().now_micros),
                    call.arg[0].text->request);
}

constexpr Builtin kDictMethods[] = {
    {"get", "_ _", 1, DictGet},
    {"items", "", 0, DictView<ListKind::kItemsView>},
    {"keys", "", 0, DictView<ListKind::kKeysView>},
    {"values", "", 0, DictView<ListKind::kValuesView>},
    {"copy", "", 0, Same},
};
constexpr Builtin kListMethods[] = {
    {"count", "_", 1, ListCount},
    {"index", "_", 1, ListIndex},
    {"copy", "", 0, Same},
};
constexpr Builtin kGlobals[] = {
    {"range", "_ _ _", 1, MakeRange},           {"dict", "*", 0, MakeDict},
    {"namespace", "*", 0, MakeNamespace},       {"raise_exception", "message", 1, RaiseException},
    {"strftime_now", "format", 1, StrftimeNow},
};

const Builtin* FindIn(std::span<const Builtin> table, std::string_view name) {
  for (const Builtin& builtin : table) {
    if (builtin.name == name) return &builtin;
  }
  return nullptr;
}

}  // namespace

const Builtin* FindGlobal(std::string_view name) { return FindIn(kGlobals, name); }

const Builtin* FindFilter(std::string_view name) {
  for (const auto table : {TextFilters(), SequenceFilters(), SelectFilters(), JsonFilters()}) {
    if (const Builtin* found = FindIn(table, name)) return found;
  }
  return nullptr;
}

const Builtin* FindMethod(const Value& object, std::string_view name) {
  if (object.is_text()) return FindIn(TextMethods(), name);
  if (object.is_dict()) return FindIn(kDictMethods, name);
  if (object.is_list(ListKind::kList)) return FindIn(kListMethods, name);
  if (object.is_list(ListKind::kTuple) || object.is_list(ListKind::kRange)) {
    return FindIn(std::span(kListMethods).first(2), name);
  }
  return nullptr;
}

bool IsRefusedMethod(const Value& object, std::string_view name) {
  static constexpr std::string_view kOfDicts[] = {"clear",      "pop",    "popitem",
                                                  "setdefault", "update", "fromkeys"};
  static constexpr std::string_view kOfLists[] = {"append", "clear",   "extend", "insert",
                                                  "pop",    "reverse", "remove", "sort"};
  static constexpr std::string_view kOfTexts[] = {
      "casefold", "encode",      "expandtabs", "format_map", "isascii",   "isidentifier",
      "istitle",  "isprintable", "maketrans",  "swapcase",   "translate", "zfill"};
  const auto among = [&](std::span<const std::string_view> names) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  if (object.is_dict()) return among(kOfDicts);
  if (object.is_text()) return among(kOfTexts);
  return object.is_list(ListKind::kList) && among(kOfLists);
}

}  // namespace skerry::engine::jinja
