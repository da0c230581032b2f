#include "engine/grammar/internal/nfa_builder.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "engine/grammar/internal/byte_dfa.h"
#include "engine/grammar/internal/nfa_check.h"
#include "engine/grammar/internal/text_search.h"
#include "engine/grammar/internal/utf8_ranges.h"

namespace skerry::engine::internal {
namespace {

using Kind = Expression::Kind;

// A state while it is made.
struct Draft {
  std::vector<Nfa::ByteEdge> bytes;
  std::vector<uint32_t> empty;
  std::vector<uint32_t> calls;
  bool end = false;
};

// States are made from the last to the first: Emit gets the state that comes behind an expression
// and returns the one in front of it.
class Builder {
 public:
  explicit Builder(const GrammarSource& source) : source_(source) {}

  Result<Nfa> Build() {
    if (source_.Full()) return TooLarge();
    for (const GrammarSource::NamedRule& rule : source_.rules()) {
      if (source_.at(rule.body).depth > NfaLimits::kMaxDepth) return TooDeep();
    }
    if (source_.at(source_.root()).depth > NfaLimits::kMaxDepth) return TooDeep();
    // Rules begin at a state that is known before their body is.
    for (size_t i = 0; i < source_.rules().size(); ++i) rule_starts_.push_back(NewState());
    for (size_t i = 0; i < source_.rules().size(); ++i) {
      const uint32_t body = Emit(source_.rules()[i].body, NewEnd());
      drafts_[rule_starts_[i]].empty.push_back(body);
    }
    nfa_.start = Emit(source_.root(), NewEnd());
    if (!error_.empty()) return Error(ErrorCode::kInvalidArgument, error_);
    if (Full()) return TooLarge();
    Flatten();
    return std::move(nfa_);
  }

  // Names of the states that rules begin with.
  std::map<uint32_t, std::string> RuleNames() const {
    std::map<uint32_t, std::string> names;
    for (size_t i = 0; i < rule_starts_.size(); ++i) {
      names[rule_starts_[i]] = source_.rules()[i].name;
    }
    return names;
  }

 private:
  static Error TooLarge() { return Error(ErrorCode::kExhausted, "the grammar is too large"); }
  static Error TooDeep() {
    return Error(ErrorCode::kExhausted, "the grammar is nested too deeply");
  }

  bool Full() const {
    return drafts_.size() > NfaLimits::kMaxStates || steps_ > NfaLimits::kMaxSteps;
  }

  uint32_t NewState() {
    drafts_.emplace_back();
    return static_cast<uint32_t>(drafts_.size() - 1);
  }
  uint32_t NewEnd() {
    const uint32_t state = NewState();
    drafts_[state].end = true;
    return state;
  }

  uint32_t Emit(ExprId id, uint32_t to) {
    ++steps_;
    if (Full()) return to;
    const Expression& expression = source_.at(id);
    switch (expression.kind) {
      case Kind::kChars:
        return EmitChars(expression.chars, to);
      case Kind::kText:
        return EmitText(expression.texts[0], to);
      case Kind::kLiterals:
        return EmitLiterals(expression.texts, to);
      case Kind::kSequence:
        for (size_t i = expression.parts.size(); i-- > 0;) to = Emit(expression.parts[i], to);
        return to;
      case Kind::kChoice:
        return EmitChoice(expression, to);
      case Kind::kRepeat:
        return EmitRepeat(expression, to);
      case Kind::kSeparated: {
        const uint32_t behind = NewState();
        const uint32_t item = Emit(expression.parts[0], behind);
        const uint32_t separator = Emit(expression.parts[1], item);
        drafts_[behind].empty = {to, separator};
        return item;
      }
      case Kind::kMembers:
        return EmitMembers(expression, to);
      case Kind::kRule:
        return EmitCall({rule_starts_[expression.rule], to, 1, 1, false});
      case Kind::kDfa:
      case Kind::kJsonDfa:
        return EmitDfa(*expression.dfa, expression.kind == Kind::kJsonDfa, to);
      case Kind::kUntil:
        return EmitUntil(expression, to);
    }
    return to;
  }

  uint32_t EmitText(const std::string& text, uint32_t to) {
    for (size_t i = text.size(); i-- > 0;) {
      const uint32_t state = NewState();
      const auto byte = static_cast<uint8_t>(text[i]);
      drafts_[state].bytes.push_back({byte, byte, to});
      to = state;
    }
    return to;
  }

  uint32_t EmitChars(const CharSet& chars, uint32_t to) {
    const uint32_t entry = NewState();
    // Sequences that end alike share their ends: (first byte, last byte, target) -> state.
    std::map<std::pair<std::pair<uint8_t, uint8_t>, uint32_t>, uint32_t> shared;
    ForEachUtf8Range(chars, [&](const Utf8Range& range) {
      uint32_t target = to;
      for (size_t i = range.length - 1; i > 0; --i) {
        const auto [place, is_new] =
            shared.try_emplace({{range.first[i], range.last[i]}, target}, 0);
        if (is_new) {
          place->second = NewState();
          drafts_[place->second].bytes.push_back({range.first[i], range.last[i], target});
        }
        target = place->second;
      }
      drafts_[entry].bytes.push_back({range.first[0], range.last[0], target});
      steps_ += 1;
    });
    return entry;
  }

  // A trie, so that a thousand values cost no more than their letters while they are matched.
  uint32_t EmitLiterals(const std::vector<std::string>& texts, uint32_t to) {
    std::map<std::pair<uint32_t, uint8_t>, uint32_t> edges;
    const uint32_t root = NewState();
    for (const std::string& text : texts) {
      uint32_t state = root;
      for (const char c : text) {
        const auto byte = static_cast<uint8_t>(c);
        const auto [place, is_new] = edges.try_emplace({state, byte}, 0);
        if (is_new) {
          if (Full()) return root;
          place->second = NewState();
          drafts_[state].bytes.push_back({byte, byte, place->second});
        }
        state = place->second;
      }
      if (drafts_[state].empty.empty()) drafts_[state].empty.push_back(to);
    }
    return root;
  }

  uint32_t EmitChoice(const Expression& expression, uint32_t to) {
    const uint32_t entry = NewState();
    for (const ExprId part : expression.parts) {
      const uint32_t start = Emit(part, to);
      drafts_[entry].empty.push_back(start);
    }
    return entry;
  }

  uint32_t EmitCall(Nfa::Call call) {
    const uint32_t state = NewState();
    drafts_[state].calls.push_back(static_cast<uint32_t>(nfa_.calls.size()));
    nfa_.calls.push_back(call);
    return state;
  }

  // Up to this often a part is written out; beyond, a frame on the stack counts.
  static constexpr uint32_t kWrittenOut = 3;

  uint32_t EmitRepeat(const Expression& expression, uint32_t to) {
    const ExprId part = expression.parts[0];
    uint32_t least = expression.least;
    if (least > NfaLimits::kMaxRepeat ||
        (expression.most != kUnbounded && expression.most > NfaLimits::kMaxRepeat)) {
      error_ = "a repetition of more than " + std::to_string(NfaLimits::kMaxRepeat) + " times";
      return to;
    }
    if (expression.most == 0) return to;
    if (expression.most == kUnbounded) {
      const uint32_t loop = NewState();
      const uint32_t body = Emit(part, loop);
      drafts_[loop].empty = {to, body};
      if (least == 0) return loop;
      if (least == 1) return body;
      to = loop;
      if (least > kWrittenOut) return EmitCounted(part, to, least, least);
    } else if (expression.most > kWrittenOut) {
      return EmitCounted(part, to, least, expression.most);
    } else {
      const uint32_t behind = to;
      for (uint32_t i = least; i < expression.most; ++i) {
        const uint32_t entry = NewState();
        const uint32_t body = Emit(part, to);
        drafts_[entry].empty = {behind, body};
        to = entry;
      }
    }
    for (uint32_t i = 0; i < least; ++i) to = Emit(part, to);
    return to;
  }

  uint32_t EmitCounted(ExprId part, uint32_t to, uint32_t least, uint32_t most) {
    const uint32_t start = Emit(part, NewEnd());
    return EmitCall({start, to, least, most, false});
  }

  uint32_t EmitMembers(const Expression& expression, uint32_t to) {
    uint32_t none = to;  // no member yet, and none of those before
    uint32_t some = to;  // the same behind a member
    for (size_t i = expression.parts.size() - 1; i > 0; --i) {
      const uint32_t member = Emit(expression.parts[i], some);
      const uint32_t separated = Emit(expression.parts[0], member);
      if (expression.required[i - 1]) {
        none = member;
        some = separated;
        continue;
      }
      const uint32_t next_none = NewState();
      drafts_[next_none].empty = {none, member};
      const uint32_t next_some = NewState();
      drafts_[next_some].empty = {some, separated};
      none = next_none;
      some = next_some;
    }
    return none;
  }

  uint32_t EmitDfa(const ByteDfa& dfa, bool in_json_string, uint32_t to) {
    std::vector<uint32_t> states;
    for (size_t i = 0; i < dfa.edges.size() && !Full(); ++i) states.push_back(NewState());
    if (Full()) return to;
    for (size_t i = 0; i < dfa.edges.size(); ++i) {
      if (dfa.accepting[i]) drafts_[states[i]].empty.push_back(to);
      for (const ByteDfa::Edge& edge : dfa.edges[i]) {
        if (in_json_string) {
          EmitEscaped(states[i], edge, states[edge.target]);
        } else {
          drafts_[states[i]].bytes.push_back({edge.first, edge.last, states[edge.target]});
        }
      }
    }
    return states[0];
  }

  // Characters that must be escaped have one short spelling; those without one are left out.
  void EmitEscaped(uint32_t from, const ByteDfa::Edge& edge, uint32_t to) {
    const auto plain = [&](int first, int last) {
      first = std::max<int>(first, edge.first);
      last = std::min<int>(last, edge.last);
      if (first > last) return;
      drafts_[from].bytes.push_back({static_cast<uint8_t>(first), static_cast<uint8_t>(last), to});
    };
    plain(' ', '"' - 1);
    plain('"' + 1, '\\' - 1);
    plain('\\' + 1, kLastTextByte);
    uint32_t escape = 0;
    for (const auto& [byte, letter] : {std::pair<int, char>{'"', '"'},
                                       {'\\', '\\'},
                                       {'\b', 'b'},
                                       {'\f', 'f'},
                                       {'\n', 'n'},
                                       {'\r', 'r'},
                                       {'\t', 't'}}) {
      if (byte < edge.first || byte > edge.last) continue;
      if (escape == 0) {
        escape = NewState();
        drafts_[from].bytes.push_back({'\\', '\\', escape});
      }
      const auto code = static_cast<uint8_t>(letter);
      drafts_[escape].bytes.push_back({code, code, to});
    }
  }

  // Texts are searched for; control tokens can come anywhere and need no search.
  uint32_t EmitUntil(const Expression& expression, uint32_t to) {
    const uint32_t everywhere = NewState();
    if (expression.may_end) drafts_[everywhere].empty.push_back(to);
    std::vector<std::string> texts;
    std::vector<uint32_t> behind;
    for (size_t i = 0; i < expression.texts.size() && !Full(); ++i) {
      const std::string& text = expression.texts[i];
      const uint32_t part = Emit(expression.parts[i], to);
      if (text.empty() || static_cast<uint8_t>(text[0]) == kControlBegin) {
        const uint32_t control = EmitText(text, part);
        drafts_[everywhere].empty.push_back(control);
      } else {
        texts.push_back(text);
        behind.push_back(part);
      }
    }
    const TextSearch search(texts);
    std::vector<uint32_t> states(search.size());
    for (size_t node = 0; node < states.size(); ++node) {
      const std::optional<size_t> found = search.Found(node);
      states[node] = found ? behind[*found] : NewState();
    }
    for (size_t node = 0; node < states.size(); ++node) {
      if (search.Found(node)) continue;
      Draft& draft = drafts_[states[node]];
      draft.empty.push_back(everywhere);
      for (int byte = 0; byte <= kLastTextByte; ++byte) {
        const auto code = static_cast<uint8_t>(byte);
        const uint32_t target = states[search.Next(node, code)];
        if (!draft.bytes.empty() && draft.bytes.back().target == target) {
          draft.bytes.back().last = code;
        } else {
          draft.bytes.push_back({code, code, target});
        }
      }
    }
    return states[0];
  }

  void Flatten() {
    nfa_.states.resize(drafts_.size());
    for (size_t i = 0; i < drafts_.size(); ++i) {
      Nfa::State& state = nfa_.states[i];
      const Draft& draft = drafts_[i];
      state.end = draft.end;
      state.first_byte = static_cast<uint32_t>(nfa_.byte_edges.size());
      state.n_bytes = static_cast<uint32_t>(draft.bytes.size());
      nfa_.byte_edges.insert(nfa_.byte_edges.end(), draft.bytes.begin(), draft.bytes.end());
      state.first_empty = static_cast<uint32_t>(nfa_.empty_edges.size());
      state.n_empty = static_cast<uint32_t>(draft.empty.size());
      nfa_.empty_edges.insert(nfa_.empty_edges.end(), draft.empty.begin(), draft.empty.end());
      state.first_call = static_cast<uint32_t>(nfa_.call_edges.size());
      state.n_calls = static_cast<uint32_t>(draft.calls.size());
      nfa_.call_edges.insert(nfa_.call_edges.end(), draft.calls.begin(), draft.calls.end());
    }
    for (Nfa::Call& call : nfa_.calls) {
      const Nfa::State& target = nfa_.states[call.target];
      call.tail = call.least == 1 && call.most == 1 && target.end && target.n_bytes == 0 &&
                  target.n_empty == 0 && target.n_calls == 0;
    }
  }

  const GrammarSource& source_;
  Nfa nfa_;
  std::vector<Draft> drafts_;
  std::vector<uint32_t> rule_starts_;
  std::string error_;
  size_t steps_ = 0;
};

void MakeClasses(Nfa& nfa) {
  std::array<bool, 257> begins{};
  begins[0] = true;
  for (const Nfa::ByteEdge& edge : nfa.byte_edges) {
    begins[edge.first] = true;
    begins[edge.last + 1] = true;
  }
  for (size_t byte = 0; byte < 256; ++byte) {
    if (begins[byte]) {
      nfa.byte_of_class.push_back(static_cast<uint8_t>(byte));
      nfa.class_sizes.push_back(0);
    }
    nfa.class_of[byte] = static_cast<uint8_t>(nfa.byte_of_class.size() - 1);
    ++nfa.class_sizes.back();
  }
}

}  // namespace

Result<Nfa> BuildNfa(const GrammarSource& source) {
  Builder builder(source);
  Nfa nfa = TRY(builder.Build());
  TRY(CheckNfa(nfa, builder.RuleNames()));
  MakeClasses(nfa);
  return nfa;
}

}  // namespace skerry::engine::internal
