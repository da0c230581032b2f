// import.json: what an appliance records of a model beside its files (docs/formats/bundle.md, "In
// the store").
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "appliance/base/sha256.h"
#include "bundler/inspect/model.h"
#include "bundler/inspect/templates.h"
#include "bundler/reader/bundle.h"

namespace skerry::import {

struct ImportFacts {
  inspect::ModelFormat model_format = inspect::ModelFormat::kHuggingFace;
  std::optional<Sha256Digest> permit;                // of its payload, when the import needed one
  std::vector<inspect::ComparedTemplate> templates;  // those that are gone are passed over
  int64_t unix_millis = 0;
};

// The file's text.
std::string DescribeImport(const reader::VerifiedBundle& bundle, const ImportFacts& facts);

}  // namespace skerry::import
