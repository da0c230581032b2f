// What a process that parses bytes from a medium gives up before it reads the first of them.
#pragma once

#include <string>

#include "appliance/base/result.h"

namespace skerry::import {

// Closes every descriptor but 0, 1, 2 and limits core dumps and the number of descriptors.
Result<void> DropInherited();

// For ever: no new privileges, files only below `data_directory`/staging and /store (Landlock,
// where the kernel has version 2 of it), no sockets, programs, tracing or kernel administration
// (seccomp). Before any thread is started.
Result<void> EnterSandbox(const std::string& data_directory);

}  // namespace skerry::import
