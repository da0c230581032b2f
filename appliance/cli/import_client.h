// The client's side of the import protocol (docs/architecture.md): hands open files to an importer
// and answers when it asks for more.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "appliance/base/json.h"
#include "appliance/base/result.h"

namespace skerry::cli {

// Volumes that the importer still wants.
struct MissingVolumes {
  uint64_t of = 0;                // how many the bundle has
  std::vector<uint64_t> numbers;  // ascending
  std::string refused;            // why the last file given was none of them; empty: it was one
};

// "volumes 2, 4-7 of 9".
std::string DescribeMissing(const MissingVolumes& missing);

struct ImportRequest {
  std::vector<std::string> files;  // a bundle, or volumes of one in any order
  std::string permit;              // empty: none
  // Descriptor that becomes readable when the user wants to stop (signalfd); -1: none. Read by Run.
  int stop = -1;
  std::function<void(uint64_t done_bytes, uint64_t total_bytes, uint64_t resumed_bytes)> progress;
  // Asks the user for the file of a missing volume; nullopt: there is none. Empty function: nobody
  // can be asked.
  std::function<Result<std::optional<std::string>>(const MissingVolumes&)> ask;
};

// Carries `request` out over `connection`. The importer's result, or its error. kNotFound, naming
// the volumes, when some are missing; kCancelled when `stop` became readable. What was copied is
// kept in both cases.
Result<Json> RunImportClient(int connection, const ImportRequest& request);

}  // namespace skerry::cli
