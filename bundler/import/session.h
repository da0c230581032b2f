// The importer's side of the import protocol (docs/architecture.md): one request with open files
// over a connection, progress lines, one result.
#pragma once

#include <string>

#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "bundler/trust/trust_store.h"

namespace skerry::import {

// Reads the request on `connection`, imports into the data directory `files` by way of `staging`,
// and answers there. Returns the error that it also sent; kCancelled when the client went away in
// between.
Result<void> ServeImport(int connection, FileSystem& files, const std::string& staging,
                         const trust::TrustState& trust);

// Sends {"error":...} as ServeImport does: for what fails before a request is read.
void SendError(int connection, const Error& error);

}  // namespace skerry::import
