#include "appliance/policy/reader.h"

#include <algorithm>

#include "appliance/policy/document.h"

namespace skerry::policy {

namespace {

constexpr char kKeyName[] = "key";

std::string Name(const std::string& file) { return "policy file '" + file + "'"; }

// Applies the delta beside base `base_generation` to `outcome.policy`; lines up to its generation
// are already part of it. False when a line is damaged or does not count on: nothing after it is
// used.
Result<bool> ApplyDeltaFile(FileSystem& files, uint64_t base_generation, ReadOutcome& outcome) {
  const std::string name = DeltaName(base_generation);
  outcome.base_generation = base_generation;
  outcome.delta_bytes = 0;
  outcome.delta_lines = 0;
  const Result<std::string> read = ReadAll(files, name, kMaxDeltaBytes);
  if (!read) {
    if (read.error().code() == ErrorCode::kNotFound) return true;
    return read.error();
  }
  const std::string_view content = *read;
  bool whole = true;
  size_t at = 0;
  for (size_t end; (end = content.find('\n', at)) != std::string_view::npos; at = end + 1) {
    const uint64_t expected = base_generation + ++outcome.delta_lines;
    outcome.highest_claimed = std::max(outcome.highest_claimed, expected);
    outcome.delta_bytes = end + 1;
    if (!whole || expected <= outcome.policy.generation) continue;
    const Result<Delta> delta = ParseDelta(content.substr(at, end - at));
    std::string reason;
    if (!delta) {
      reason = delta.error().message();
    } else if (delta->generation != expected) {
      reason = "generation " + std::to_string(expected) + " is expected there";
    } else if (Result<void> applied = Apply(delta->ops, expected, outcome.policy); !applied) {
      reason = applied.error().message();
    }
    if (!reason.empty()) {
      outcome.warnings.push_back(Name(name) + ": line " + std::to_string(outcome.delta_lines) +
                                 " is damaged (" + reason + "); later changes are not in force");
      whole = false;
    }
  }
  return whole;
}

}  // namespace

Result<ReadOutcome> ReadPolicy(FileSystem& files) {
  const std::vector<DirectoryEntry> entries = TRY(files.List("."));
  std::vector<uint64_t> bases;  // ascending
  ReadOutcome outcome;
  for (const DirectoryEntry& entry : entries) {
    if (const auto base = GenerationOfBase(entry.name)) bases.push_back(*base);
  }
  if (bases.empty()) return Error(ErrorCode::kNotFound, "no policy has been published yet");
  outcome.highest_claimed = bases.back();
  for (size_t i = bases.size(); i-- > 0;) {
    const std::string name = BaseName(bases[i]);
    const Result<std::string> text = ReadAll(files, name, kMaxBaseBytes);
    Result<Policy> policy = text ? ParseBase(*text) : Result<Policy>(text.error());
    if (policy && policy->generation != bases[i]) {
      policy = Error(ErrorCode::kCorrupt, "it holds another generation than its name says");
    }
    if (!policy) {
      outcome.warnings.push_back(Name(name) + " cannot be used (" + policy.error().message() +
                                 "); the one before is tried");
      continue;
    }
    outcome.policy = std::move(policy).value();
    for (size_t j = i; j < bases.size(); ++j) {
      // The delta of a later base counts on only if the earlier ones led up to that base.
      if (outcome.policy.generation < bases[j]) {
        outcome.warnings.push_back("changes after generation " +
                                   std::to_string(outcome.policy.generation) + " cannot be read");
        break;
      }
      const bool whole = TRY(ApplyDeltaFile(files, bases[j], outcome));
      if (!whole) break;
    }
    return outcome;
  }
  std::string message = "no policy base can be read";
  for (const std::string& warning : outcome.warnings) message += "; " + warning;
  return Error(ErrorCode::kCorrupt, message);
}

Result<TokenKey> ReadKey(FileSystem& files) {
  TokenKey key;
  const std::unique_ptr<File> file = TRY(files.OpenRead(kKeyName));
  const uint64_t size = TRY(file->Size());
  const size_t got = TRY(file->ReadAt(0, key.bytes()));
  if (size != key.bytes().size() || got != key.bytes().size()) {
    return Error(ErrorCode::kCorrupt,
                 Name(kKeyName) + " must have 32 bytes, not " + std::to_string(size));
  }
  return key;
}

}  // namespace skerry::policy
