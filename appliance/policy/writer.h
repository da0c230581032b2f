// Publishes the policy: each call of Publish is one generation that is durable when the call
// returns. One writer per directory; one thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "appliance/policy/policy.h"
#include "appliance/policy/reader.h"
#include "appliance/policy/token.h"

namespace skerry::policy {

// After so many lines in a delta the writer starts a new base.
inline constexpr uint64_t kMaxDeltaLines = 1'000;

class Writer {
 public:
  // Opens the directory `files` is rooted at (it must outlive the writer). In an empty one it makes
  // the key and generation 1 without tokens. A torn last line is cut off. Damage is repaired by a
  // new base of what could be read, with a number above everything a reader may have seen;
  // `warnings` tells.
  static Result<std::unique_ptr<Writer>> Open(FileSystem& files);

  // Makes `ops` the next generation and returns its number when it is durable. kInvalidArgument,
  // kNotFound and kExhausted refuse before anything is written. After kIo the change is not part of
  // policy(), though a reader that starts just then may see it until the next Publish.
  Result<uint64_t> Publish(const std::vector<Op>& ops);

  const Policy& policy() const { return policy_; }
  const TokenKey& key() const { return key_; }
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  Writer(FileSystem& files, TokenKey key) : files_(files), key_(std::move(key)) {}

  Result<void> Start();
  Result<void> WriteBase(const Policy& policy);
  Result<void> AppendDelta(const std::vector<Op>& ops, uint64_t generation);
  void RemoveOldFiles();

  FileSystem& files_;
  TokenKey key_;
  Policy policy_;
  std::vector<std::string> warnings_;
  std::unique_ptr<File> delta_;   // open once the base has a delta
  uint64_t base_generation_ = 0;  // 0: no base of this writer can be appended to
  uint64_t delta_lines_ = 0;
  uint64_t highest_used_ = 0;  // no reader has seen a higher generation
  bool broken_ = false;        // the files' end is unknown: go on with a new base
};

}  // namespace skerry::policy
