// Filters on lists and dicts as a whole.
#include <algorithm>

#include "engine/jinja/internal/text_tools.h"

namespace skerry::engine::jinja {

namespace {

bool Given(const Value& arg) { return !arg.missing() && Truth(arg); }

Value Generator(ListBuilder& list, std::string_view name = {}) {
  List* generator = list.Finish(ListKind::kGenerator);
  generator->name = name;
  return Value::Of(generator);
}

Result<Value> Default(Interpreter&, Call& call) {
  const bool use = call.self.is_undefined() || (Given(call.arg[1]) && !Truth(call.self));
  if (!use) return call.self;
  return call.arg[0].missing() ? Value::Of(static_cast<const Text*>(&kEmptyText)) : call.arg[0];
}

Result<Value> Length(Interpreter& in, Call& call) {
  const int64_t length = TRY(in.Length(call.self));
  return Value::Int(length);
}

Result<Value> First(Interpreter& in, Call& call) {
  const std::string_view* failure = nullptr;
  const auto items = TRY(in.Iterate(call.self, &failure));
  if (!items.empty()) return items.front();
  if (failure != nullptr) return in.Fail(std::string(*failure));
  return in.NewUndefined(Undefined::What::kOther, {}, "no first item, sequence was empty");
}

Result<Value> Last(Interpreter& in, Call& call) {
  if (call.self.is_list(ListKind::kGenerator)) return in.Fail("a generator is not reversible");
  const auto items = TRY(in.Iterate(call.self));
  if (!items.empty()) return items.back();
  return in.NewUndefined(Undefined::What::kOther, {}, "no last item, sequence was empty");
}

Result<Value> ToList(Interpreter& in, Call& call) {
  const auto items = TRY(in.Iterate(call.self));
  TRY(in.Step(1 + items.size() / 4));
  ListBuilder list(in.arena(), static_cast<uint32_t>(items.size()));
  for (const Value& item : items) list.Add(item);
  return Value::Of(list.Finish(ListKind::kList, FromRequest(call.self)));
}

// join(d="", attribute=None)
Result<Value> JoinFilter(Interpreter& in, Call& call) {
  const Text* separator = &kEmptyText;
  if (!call.arg[0].missing()) separator = TRY(in.ToText(call.arg[0]));
  auto items = TRY(in.Iterate(call.self));
  if (call.arg[1].missing() || call.arg[1].is_none()) return Join(in, *separator, items, true);
  ListBuilder chosen(in.arena());
  for (const Value& item : items) {
    const Value value = TRY(in.AttributePath(item, call.arg[1]));
    chosen.Add(value);
  }
  return Join(in, *separator, chosen.items(), true);
}

Result<Value> Items(Interpreter& in, Call& call) {
  ListBuilder list(in.arena());
  if (!call.self.is_undefined() && !call.self.is_dict()) {
    return in.Fail("Can only get item pairs from a mapping.");
  }
  for (uint32_t i = 0; call.self.is_dict() && i < call.self.dict->n; ++i) {
    TRY(in.Step());
    ListBuilder pair(in.arena(), 2);
    pair.Add(call.self.dict->entries[i].key);
    pair.Add(call.self.dict->entries[i].value);
    list.Add(Value::Of(pair.Finish(ListKind::kTuple)));
  }
  return Generator(list);
}

Result<Value> Reverse(Interpreter& in, Call& call) {
  if (call.self.is_text()) {
    return in.Slice(call.self, Value::None(), Value::None(), Value::Int(-1));
  }
  const auto items = TRY(in.Iterate(call.self));
  TRY(in.Step(1 + items.size() / 4));
  ListBuilder list(in.arena(), static_cast<uint32_t>(items.size()));
  for (size_t i = items.size(); i > 0; --i) list.Add(items[i - 1]);
  return Generator(list, "list_reverseiterator");
}

// What is sorted or compared: the element or an attribute of it, lower case unless asked.
Result<Value> KeyOf(Interpreter& in, const Value& item, const Value& attribute, bool fold) {
  Value key = item;
  if (!attribute.missing() && !attribute.is_none()) key = TRY(in.AttributePath(item, attribute));
  if (!fold || !key.is_text()) return key;
  TRY(in.StepBytes(key.text->size * uint64_t{8}));
  return CaseOf(in, *key.text, Case::kLower);
}

struct Keyed {
  Value key, item;
};

// Stable; fails where two keys cannot be ordered.
Result<void> SortKeyed(Interpreter& in, std::vector<Keyed>* items, bool reverse) {
  std::optional<Error> failure;
  const auto less = [&](const Keyed& a, const Keyed& b) {
    if (failure) return false;
    const Result<int> order = in.Order(a.key, b.key);
    if (!order) failure = order.error();
    return order && (reverse ? *order > 0 : *order < 0);
  };
  // Merges cope with an order that turns out to be none.
  std::stable_sort(items->begin(), items->end(), less);
  if (failure) return *failure;
  return {};
}

// sort(reverse=False, case_sensitive=False, attribute=None)
Result<Value> Sort(Interpreter& in, Call& call) {
  const auto items = TRY(in.Iterate(call.self));
  std::vector<Keyed> keyed;
  // "a,b" sorts by several attributes.
  std::vector<Value> paths;
  if (call.arg[2].is_text()) {
    std::string_view rest = call.arg[2].text->view();
    while (true) {
      const size_t comma = std::min(rest.find(','), rest.size());
      paths.push_back(in.NewText(rest.substr(0, comma)));
      if (comma == rest.size()) break;
      rest.remove_prefix(comma + 1);
    }
  } else {
    paths.push_back(call.arg[2]);
  }
  for (const Value& item : items) {
    ListBuilder keys(in.arena(), static_cast<uint32_t>(paths.size()));
    for (const Value& path : paths) {
      const Value key = TRY(KeyOf(in, item, path, !Given(call.arg[1])));
      keys.Add(key);
    }
    keyed.push_back({Value::Of(keys.Finish()), item});
  }
  TRY(SortKeyed(in, &keyed, Given(call.arg[0])));
  ListBuilder list(in.arena(), static_cast<uint32_t>(keyed.size()));
  for (const Keyed& entry : keyed) list.Add(entry.item);
  return Value::Of(list.Finish(ListKind::kList, FromRequest(call.self)));
}

// dictsort(case_sensitive=False, by="key", reverse=False)
Result<Value> DictSort(Interpreter& in, Call& call) {
  if (call.self.is_undefined()) return in.UndefinedError(call.self);
  if (!call.self.is_dict()) return in.Fail("dictsort needs a dict");
  const std::string_view by = call.arg[1].is_text() ? call.arg[1].text->view() : "key";
  if (by != "key" && by != "value") return in.Fail("dictsort: by must be 'key' or 'value'");
  std::vector<Keyed> keyed;
  for (uint32_t i = 0; i < call.self.dict->n; ++i) {
    const Entry& entry = call.self.dict->entries[i];
    ListBuilder pair(in.arena(), 2);
    pair.Add(entry.key);
    pair.Add(entry.value);
    const Value key = TRY(
        KeyOf(in, by == "key" ? entry.key : entry.value, Value::Missing(), !Given(call.arg[0])));
    keyed.push_back({key, Value::Of(pair.Finish(ListKind::kTuple))});
  }
  TRY(SortKeyed(in, &keyed, Given(call.arg[2])));
  ListBuilder list(in.arena(), static_cast<uint32_t>(keyed.size()));
  for (const Keyed& entry : keyed) list.Add(entry.item);
  return Value::Of(list.Finish());
}

// unique(case_sensitive=False, attribute=None)
Result<Value> Unique(Interpreter& in, Call& call) {
  const auto items = TRY(in.Iterate(call.self));
  std::vector<Keyed> keyed;
  for (size_t i = 0; i < items.size(); ++i) {
    const Value key = TRY(KeyOf(in, items[i], call.arg[1], !Given(call.arg[0])));
    if (!Hashable(key)) return in.Fail("unique: unhashable type");
    keyed.push_back({key, Value::Int(static_cast<int64_t>(i))});
  }
  TRY(in.Step(1 + items.size() * 4));
  std::stable_sort(keyed.begin(), keyed.end(),
                   [](const Keyed& a, const Keyed& b) { return CompareKeys(a.key, b.key) < 0; });
  std::vector<bool> kept(items.size(), false);
  for (size_t i = 0; i < keyed.size(); ++i) {
    if (i == 0 || CompareKeys(keyed[i - 1].key, keyed[i].key) != 0) {
      kept[static_cast<size_t>(keyed[i].item.integer)] = true;
    }
  }
  ListBuilder list(in.arena());
  for (size_t i = 0; i < items.size(); ++i) {
    if (kept[i]) list.Add(items[i]);
  }
  return Generator(list);
}

// min, max(case_sensitive=False, attribute=None)
template <bool largest>
Result<Value> Extreme(Interpreter& in, Call& call) {
  const auto items = TRY(in.Iterate(call.self));
  Keyed best{Value::Missing(), Value::Missing()};
  for (const Value& item : items) {
    const Value key = TRY(KeyOf(in, item, call.arg[1], !Given(call.arg[0])));
    int order = 1;
    if (!best.key.missing()) order = TRY(in.Order(key, best.key));
    if (best.key.missing() || (largest ? order > 0 : order < 0)) best = {key, item};
  }
  if (!best.item.missing()) return best.item;
  return in.NewUndefined(Undefined::What::kOther, {}, "no aggregated item, sequence was empty");
}

// sum(attribute=None, start=0)
Result<Value> Sum(Interpreter& in, Call& call) {
  const auto items = TRY(in.Iterate(call.self));
  Value total = call.arg[1].missing() ? Value::Int(0) : call.arg[1];
  if (total.is_text()) return in.Fail("sum() can't sum strings");
  for (const Value& item : items) {
    TRY(in.Step());
    const Value value = TRY(KeyOf(in, item, call.arg[0], /*fold=*/false));
    total = TRY(in.Arithmetic(BinaryOp::kAdd, total, value));
  }
  return total;
}

// batch(linecount, fill_with=None)
Result<Value> Batch(Interpreter& in, Call& call) {
  const auto items = TRY(in.Iterate(call.self));
  if (!call.arg[0].is_integral() || call.arg[0].AsInt() < 1 || call.arg[0].AsInt() > kMaxRange) {
    return in.Fail("batch needs a positive size");
  }
  const auto size = static_cast<size_t>(call.arg[0].AsInt());
  ListBuilder batches(in.arena());
  for (size_t at = 0; at < items.size(); at += size) {
    ListBuilder batch(in.arena());
    for (size_t i = at; i < at + size; ++i) {
      if (i < items.size())
        batch.Add(items[i]);
      else if (!call.arg[1].missing() && !call.arg[1].is_none())
        batch.Add(call.arg[1]);
    }
    TRY(in.Step(size));
    batches.Add(Value::Of(batch.Finish()));
  }
  return Generator(batches);
}

constexpr Builtin kFilters[] = {
    {"default", "default_value boolean", 0, Default},
    {"d", "default_value boolean", 0, Default},
    {"length", "", 0, Length},
    {"count", "", 0, Length},
    {"first", "", 0, First},
    {"last", "", 0, Last},
    {"list", "", 0, ToList},
    {"join", "d attribute", 0, JoinFilter},
    {"items", "", 0, Items},
    {"reverse", "", 0, Reverse},
    {"sort", "reverse case_sensitive attribute", 0, Sort},
    {"dictsort", "case_sensitive by reverse", 0, DictSort},
    {"unique", "case_sensitive attribute", 0, Unique},
    {"min", "case_sensitive attribute", 0, Extreme<false>},
    {"max", "case_sensitive attribute", 0, Extreme<true>},
    {"sum", "attribute start", 0, Sum},
    {"batch", "linecount fill_with", 1, Batch},
};

}  // namespace

std::span<const Builtin> SequenceFilters() { return kFilters; }

}  // namespace skerry::engine::jinja
