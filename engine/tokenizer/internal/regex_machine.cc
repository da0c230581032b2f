#include "engine/tokenizer/internal/regex_machine.h"

#include <algorithm>
#include <map>

#include "engine/unicode/code_points.h"

namespace skerry::engine::internal {

std::optional<RegexAlphabet> RegexAlphabet::Create(const std::vector<CharSet>& sets) {
  std::vector<uint32_t> borders = {0, unicode::kCodePoints};
  for (const CharSet& set : sets) {
    for (const CharSet::Range& range : set.ranges()) {
      borders.push_back(range.first);
      borders.push_back(range.last + 1);
    }
  }
  std::ranges::sort(borders);
  borders.erase(std::unique(borders.begin(), borders.end()), borders.end());

  RegexAlphabet alphabet;
  alphabet.members_.resize(sets.size());
  std::map<std::vector<bool>, uint8_t> classes;
  std::vector<uint8_t> class_of(unicode::kCodePoints);
  for (size_t i = 0; i + 1 < borders.size(); ++i) {
    std::vector<bool> in(sets.size());
    for (size_t s = 0; s < sets.size(); ++s) in[s] = sets[s].Contains(borders[i]);
    const auto [found, is_new] = classes.emplace(in, static_cast<uint8_t>(classes.size()));
    if (is_new) {
      if (classes.size() > kMaxClasses) return std::nullopt;
      for (size_t s = 0; s < sets.size(); ++s) alphabet.members_[s][found->second] = in[s];
    }
    std::fill(class_of.begin() + borders[i], class_of.begin() + borders[i + 1], found->second);
  }
  alphabet.n_classes_ = static_cast<uint32_t>(classes.size());

  std::map<std::array<uint8_t, 256>, uint16_t> known;
  for (size_t at = 0; at < class_of.size(); at += 256) {
    std::array<uint8_t, 256> block;
    std::copy_n(class_of.begin() + static_cast<std::ptrdiff_t>(at), 256, block.begin());
    const auto [found, is_new] = known.emplace(block, static_cast<uint16_t>(known.size()));
    if (is_new) alphabet.blocks_.push_back(block);
    alphabet.block_of_.push_back(found->second);
  }
  return alphabet;
}

bool RegexMachine::Step(const RegexThreads& threads, uint32_t character_class, RegexThreads& next,
                        Space& space) const {
  const std::vector<RegexInstruction>& code = program_.instructions;
  space.seen.resize(code.size());
  space.queued.resize(code.size());
  const uint32_t step = ++space.step;
  const bool end = character_class == EndClass();
  next.clear();
  for (const uint32_t thread : threads) {
    space.stack.push_back(thread);
    while (!space.stack.empty()) {
      const uint32_t at = space.stack.back();
      space.stack.pop_back();
      if (space.seen[at] == step) continue;
      space.seen[at] = step;
      const RegexInstruction& instruction = code[at];
      switch (instruction.kind) {
        case RegexInstruction::Kind::kMatch:
          space.stack.clear();
          return true;
        case RegexInstruction::Kind::kSplit:
          space.stack.push_back(instruction.other);
          space.stack.push_back(instruction.next);
          break;
        case RegexInstruction::Kind::kCheck:
          if (end ? instruction.at_end : alphabet_.IsIn(character_class, instruction.set)) {
            space.stack.push_back(instruction.next);
          }
          break;
        case RegexInstruction::Kind::kChar:
          if (!end && alphabet_.IsIn(character_class, instruction.set) &&
              space.queued[instruction.next] != step) {
            space.queued[instruction.next] = step;
            next.push_back(instruction.next);
          }
          break;
      }
    }
  }
  return false;
}

}  // namespace skerry::engine::internal
