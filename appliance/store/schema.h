// The database's schema as numbered migrations, forward only.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "appliance/base/result.h"
#include "appliance/store/database.h"

namespace skerry::store {

// Migration i makes version i+1 out of version i. Never change one that was released: add another.
std::span<const std::string_view> Migrations();

// Brings `database` (the file at `path`) to the newest version, each migration in a transaction of
// its own. Before each one a database that is not empty is copied to PATH.vN, N its version.
// kUnavailable when the database was made by a newer program.
Result<void> Migrate(Database& database, const std::string& path,
                     std::span<const std::string_view> migrations = Migrations());

}  // namespace skerry::store
