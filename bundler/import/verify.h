// Checking a whole bundle without installing it: `skerry bundle verify`.
#pragma once

#include <functional>
#include <memory>

#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "bundler/import/bundle.h"
#include "bundler/inspect/model.h"

namespace skerry::import {

struct VerifyOptions {
  ReadOptions read;
  bool deep = false;  // also the whole-file SHA-256 that the manifest records
};

struct Verified {
  VerifiedBundle bundle;
  inspect::ModelFormat model_format;
};

// Reads every byte of `file` (which must outlive the result) and makes the checks of an import.
Result<Verified> VerifyBundle(const File& file, const trust::TrustState& trust,
                              const VerifyOptions& options = {});

// The checks of an import on the files of `bundle`, which `open` opens by index.
Result<inspect::ModelFormat> InspectFiles(
    const VerifiedBundle& bundle,
    const std::function<Result<std::unique_ptr<File>>(size_t file_idx)>& open);

}  // namespace skerry::import
