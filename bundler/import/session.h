// The importer's side of the import protocol (docs/architecture.md): a request with open files over
// a connection, progress lines, questions for missing volumes, one result.
#pragma once

#include <string>

#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "bundler/import/staging.h"
#include "bundler/trust/trust_store.h"

namespace skerry::import {

// Reads the request on `connection`, imports into the data directory `files` (its name `place` is
// for messages), and answers there. Returns the error that it also sent; kCancelled when the client
// went away or closed its side in between: what was copied by then is kept.
Result<void> ServeImport(int connection, FileSystem& files, StagingLocks& locks,
                         const trust::TrustState& trust, const std::string& place);

// Sends {"error":...} as ServeImport does: for what fails before a request is read.
void SendError(int connection, const Error& error);

}  // namespace skerry::import
