// What an officer sees of a model's chat templates before signing, on the command line.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "appliance/base/files.h"
#include "appliance/base/json.h"
#include "appliance/base/result.h"
#include "bundler/inspect/templates.h"
#include "bundler/trust/trust_store.h"

namespace CLI {
class App;
}

namespace skerry::build {

struct ReviewOptions {
  std::vector<std::string> previous;  // the release before, or its volumes; empty: none
  std::string previous_trust;         // text of the root file under which it was signed
  bool yes = false;                   // do not ask whether to sign changed templates
};

// --previous and --yes.
void AddReviewOptions(CLI::App& command, std::vector<std::string>& previous, bool& yes);

// What changed in `templates` of the model `id` since the release before, on standard error. A
// person at a terminal may stop there: kCancelled.
Result<void> ReviewTemplates(FileSystem& files, const std::string& id,
                             std::span<const inspect::ChatTemplate> templates,
                             const ReviewOptions& options);

// A bundle as it is before a further signature.
struct Reviewed {
  Sha256Digest digest;
  std::vector<inspect::ChatTemplate> templates;
  std::string no_templates;  // why they were not looked at; empty: they were
};

// The same for a bundle, or volumes of one, that others signed. Its files are looked at only when
// at least one signature counts under `trust`, and only what their signed hashes agree with.
Result<Reviewed> ReviewBundle(FileSystem& files, std::span<const std::string> paths,
                              const trust::TrustState& trust, const ReviewOptions& options);

// [{"name", "sha256"}].
Json TemplatesJson(std::span<const inspect::ChatTemplate> templates);
// "template  NAME, sha256 HEX" lines on standard output.
void PrintTemplates(std::span<const inspect::ChatTemplate> templates);

}  // namespace skerry::build
