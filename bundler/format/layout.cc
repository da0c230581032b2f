#include "bundler/format/layout.h"

namespace skerry::format {

namespace {

std::string Digits(uint64_t number, size_t width) {
  std::string digits = std::to_string(number);
  return std::string(digits.size() < width ? width - digits.size() : 0, '0') + digits;
}

// An id of the archive: the place in the manifest's list, six digits. It says nothing about the
// name.
std::string Id(size_t idx) { return Digits(idx, 6); }

}  // namespace

std::string RootName(uint64_t version) {
  return std::string(kRootPrefix) + std::to_string(version);
}
std::string TreeName(size_t file_idx) { return "meta/tree/" + Id(file_idx); }
std::string DocumentName(size_t document_idx) { return "meta/doc/" + Id(document_idx); }
std::string DataName(size_t file_idx) { return "data/" + Id(file_idx); }
std::string VolumeDataName(size_t file_idx, uint64_t chunk_idx) {
  return DataName(file_idx) + "/" + Digits(chunk_idx, 7);
}

}  // namespace skerry::format
