// Taking over what imports left in the store: roots, revocation list and permit that came with a
// model, and its release as the floor of its id. An importer writes nothing below trust/; it counts
// what is not taken over yet, and whoever owns the database takes it over.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "bundler/trust/floor.h"
#include "bundler/trust/trust_store.h"

namespace skerry::trust {

// Begins the name of a folder in the store that is no model any more and about to be removed.
inline constexpr std::string_view kTakenOutPrefix = "removed-";

// What to do about a folder that cannot be read, for example because too many files are open: it
// may hold the floor. Who decides about a release refuses; who only keeps the books comes back
// later.
enum class Unreadable { kIsAnError, kIsLeftOut };

// Goes through the models in `files`/store that are not in state.taken and takes over what holds
// under the state's roots and those that a model came with; checks every signature again. Doing it
// twice changes nothing more. A model that makes no sense is left out and told of in the result; an
// error is only that the store cannot be read, or with kIsAnError a folder of it.
Result<std::vector<std::string>> AbsorbStore(FileSystem& files, TrustState& state,
                                             Unreadable unreadable = Unreadable::kIsAnError);

// What store/`folder` ("sha256-HEX") records about its import. kCorrupt when its manifest does not
// hash to the folder's name or import.json has no signers.
Result<ImportedFacts> ReadImportedFacts(FileSystem& files, const std::string& folder);

}  // namespace skerry::trust
