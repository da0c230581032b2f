// What the importer left below store/, as rows for the database: the folders are read and checked,
// never changed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "appliance/base/files.h"
#include "appliance/base/json.h"
#include "appliance/base/result.h"
#include "appliance/receipts/receipt.h"
#include "appliance/store/store.h"

namespace skerry::admin {

// Reads store/DIGEST of `files` (rooted at the data directory). kInvalidArgument for a digest of
// another form, kNotFound when it is not there, kCorrupt when the manifest does not hash to the
// folder's name or import.json tells another story.
Result<store::ModelRow> ReadStoredModel(FileSystem& files, const std::string& digest);

// The chat templates that `import_json` (store/DIGEST/import.json) lists; nullopt for imports of
// the first releases, which listed none. kInvalidArgument or kCorrupt naming the field.
Result<std::optional<std::vector<receipts::Template>>> TemplatesOfImport(const Json& import_json);
// The same of a stored model; nullopt also when it cannot be read.
std::optional<std::vector<receipts::Template>> ReadStoredTemplates(FileSystem& files,
                                                                   const std::string& digest);

// [{"name","sha256"}...]
Json TemplatesToJson(const std::vector<receipts::Template>& templates);

// Names in store/ that have the form of a digest.
Result<std::vector<std::string>> ListStoredModels(FileSystem& files);

// Whether store/DIGEST is there.
bool IsStored(FileSystem& files, const std::string& digest);

}  // namespace skerry::admin
