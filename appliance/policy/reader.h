// Reads the published policy: what the proxy does at its start and whenever it is told of a new
// generation. Reads only; needs no cooperation of the writer.
#pragma once

#include <string>
#include <vector>

#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "appliance/policy/policy.h"
#include "appliance/policy/token.h"

namespace skerry::policy {

struct ReadOutcome {
  Policy policy;
  // Damage that was stepped over, each a sentence for the log. A torn last line is not damage.
  std::vector<std::string> warnings;
  // Highest generation that any file claims; above policy.generation when something was damaged.
  uint64_t highest_claimed = 0;
  // Where a writer goes on: the base in use, its delta's bytes up to the last whole line, and the
  // number of lines. Only meaningful without warnings.
  uint64_t base_generation = 0;
  uint64_t delta_bytes = 0;
  uint64_t delta_lines = 0;
};

// The newest readable generation in `files` (rooted at policy/). A bad base falls back to the one
// before; its delta and those of later bases are applied as long as the generations count on.
// kNotFound when there is no base at all, kCorrupt when none can be read, kIo from the disk.
Result<ReadOutcome> ReadPolicy(FileSystem& files);

// The key of the token hashes. kNotFound or kCorrupt.
Result<TokenKey> ReadKey(FileSystem& files);

}  // namespace skerry::policy
