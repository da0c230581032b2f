#include "engine/tokenizer/regex.h"

#include <map>

#include "engine/tokenizer/internal/regex_machine.h"
#include "engine/unicode/code_points.h"

namespace skerry::engine {
namespace {

using internal::RegexMachine;
using internal::RegexThreads;
using unicode::NextCodePoint;

// Patterns of tokenizers have a few dozen states; beyond this, threads are run instead.
constexpr size_t kMaxStates = 2048;

// Every state that can be reached, by its threads; empty when there are too many.
std::vector<uint32_t> BuildTable(const RegexMachine& machine) {
  const uint32_t columns = machine.EndClass() + 1;
  std::map<RegexThreads, uint32_t> numbers = {{{}, 0}, {machine.Start(), 1}};
  std::vector<RegexThreads> states = {{}, machine.Start()};
  std::vector<uint32_t> table(columns);  // state 0 stays where it is
  RegexMachine::Space space;
  RegexThreads next;
  for (size_t state = 1; state < states.size(); ++state) {
    for (uint32_t c = 0; c < columns; ++c) {
      const bool matched = machine.Step(states[state], c, next, space);
      const auto [found, is_new] = numbers.emplace(next, static_cast<uint32_t>(states.size()));
      if (is_new) {
        if (states.size() == kMaxStates) return {};
        states.push_back(next);
      }
      table.push_back(found->second << 1 | (matched ? 1 : 0));
    }
  }
  return table;
}

}  // namespace

Regex::~Regex() = default;
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;

Regex::Regex(std::unique_ptr<RegexMachine> machine) : machine_(std::move(machine)) {
  n_classes_ = machine_->EndClass() + 1;
  for (uint32_t c = 0; c < ascii_.size(); ++c) ascii_[c] = machine_->alphabet().ClassOf(c);
  table_ = BuildTable(*machine_);
}

Result<Regex> Regex::Create(std::string_view pattern) {
  internal::RegexProgram program = TRY(internal::ParseRegex(pattern));
  auto alphabet = internal::RegexAlphabet::Create(program.sets);
  if (!alphabet) return Error(ErrorCode::kExhausted, "pattern: too many classes of characters");
  return Regex(std::make_unique<RegexMachine>(std::move(program), std::move(*alphabet)));
}

Result<Regex> Regex::CreateLiteral(std::string_view text) {
  if (text.empty()) return Error(ErrorCode::kInvalidArgument, "an empty pattern finds nothing");
  std::string pattern;
  for (size_t at = 0; at < text.size();) {
    const uint32_t c = NextCodePoint(text, &at);
    pattern += "\\x{";
    for (int shift = 20; shift >= 0; shift -= 4) pattern += "0123456789ABCDEF"[c >> shift & 0xF];
    pattern += "}";
  }
  return Create(pattern);
}

size_t Regex::MatchByTable(std::string_view text, size_t at) const {
  size_t match = kNone;
  const size_t start = at;
  uint32_t state = 1;
  while (at < text.size()) {
    const size_t here = at;
    const auto byte = static_cast<uint8_t>(text[at]);
    uint32_t character_class = 0;
    if (byte < 0x80) {
      character_class = ascii_[byte];
      ++at;
    } else {
      character_class = machine_->alphabet().ClassOf(NextCodePoint(text, &at));
    }
    const uint32_t entry = table_[state * n_classes_ + character_class];
    if (entry & 1) match = here;
    state = entry >> 1;
    if (state == 0) return match == start ? kNone : match;
  }
  if (table_[state * n_classes_ + n_classes_ - 1] & 1) match = text.size();
  return match == start ? kNone : match;
}

size_t Regex::MatchByThreads(std::string_view text, size_t at) const {
  size_t match = kNone;
  const size_t start = at;
  RegexMachine::Space space;
  RegexThreads threads = machine_->Start();
  RegexThreads next;
  while (!threads.empty()) {
    const size_t here = at;
    const uint32_t character_class = at < text.size()
                                         ? machine_->alphabet().ClassOf(NextCodePoint(text, &at))
                                         : machine_->EndClass();
    if (machine_->Step(threads, character_class, next, space)) match = here;
    threads.swap(next);
  }
  return match == start ? kNone : match;
}

}  // namespace skerry::engine
