// What a process that parses bytes from a medium gives up before it reads the first of them.
#pragma once

#include <string>

#include "appliance/base/result.h"

namespace skerry::import {

// Closes every descriptor but 0, 1, 2 and limits core dumps and the number of descriptors.
Result<void> DropInherited();

// For ever: no new privileges; files only below `data_directory`/staging and /store (Landlock,
// where the kernel has version 2 of it), nothing truncated; and only the calls of an import
// (seccomp): no sockets, processes, signals to others or changes of modes (EPERM), and death for
// programs, tracing and kernel administration. Before any thread is started.
Result<void> EnterSandbox(const std::string& data_directory);

}  // namespace skerry::import
