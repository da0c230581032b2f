#include "bundler/format/layout.h"

namespace skerry::format {

namespace {

// An id of the archive: the place in the manifest's list, six digits. It says nothing about the
// name.
std::string Id(size_t idx) {
  std::string digits = std::to_string(idx);
  return std::string(digits.size() < 6 ? 6 - digits.size() : 0, '0') + digits;
}

}  // namespace

std::string RootName(uint64_t version) {
  return std::string(kRootPrefix) + std::to_string(version);
}
std::string TreeName(size_t file_idx) { return "meta/tree/" + Id(file_idx); }
std::string DocumentName(size_t document_idx) { return "meta/doc/" + Id(document_idx); }
std::string DataName(size_t file_idx) { return "data/" + Id(file_idx); }

}  // namespace skerry::format
