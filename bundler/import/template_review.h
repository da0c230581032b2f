// The chat templates of a model that is being imported, beside those of the release that it will
// probably replace. A template decides what a model is told, so a person sees what changed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "bundler/format/manifest.h"
#include "bundler/inspect/templates.h"

namespace skerry::import {

struct TemplateReview {
  // By name. Without a release to compare with all are new.
  std::vector<inspect::ComparedTemplate> templates;
  std::optional<uint64_t> compared_with;  // its number; none: the store has no other one of the id
  std::string diff;     // inspect::DescribeTemplateChanges; empty: nothing to compare with, or same
  std::string warning;  // why there is no comparison although there is a release; or empty
};

// Of the bundle `digest` ("sha256-HEX") with `manifest`, whose files `open` opens by index, against
// the release of the same id with the highest number that `files`/store has, itself excepted.
// kExhausted and kCorrupt, naming the file, for templates that cannot be listed.
Result<TemplateReview> ReviewTemplates(
    FileSystem& files, const std::string& digest, const format::Manifest& manifest,
    const std::function<Result<std::unique_ptr<File>>(size_t file_idx)>& open);

}  // namespace skerry::import
