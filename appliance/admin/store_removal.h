// Taking a model out of the store so that after a power cut at any instant it is there whole or
// gone: its folder gets another name first and is emptied under that name.
#pragma once

#include <string>

#include "appliance/base/files.h"
#include "appliance/base/result.h"

namespace skerry::admin {

// Takes store/DIGEST out of the store of `files` (rooted at the data directory). When this returns
// it is gone for good; its files still take their space until RemoveTakenOut. On an error it is
// there as before. kNotFound when it is not there.
Result<void> TakeOut(FileSystem& files, const std::string& digest);

// Removes whatever was taken out, also by an earlier run.
Result<void> RemoveTakenOut(FileSystem& files);

}  // namespace skerry::admin
