// The software bill of materials of a bundle: CycloneDX 1.6 in JSON (ECMA-424), made from what is
// inside. It names the model as a component of type machine-learning-model and each of its files.
#pragma once

#include <span>
#include <string>

#include "bundler/format/manifest.h"
#include "bundler/inspect/facts.h"

namespace skerry::build {

inline constexpr char kSbomName[] = "sbom.cdx.json";

// `manifest` needs id, version and files; of `model_card` (README.md, may be empty) the front
// matter counts. The text depends on the arguments alone: no times, no machine.
std::string MakeSbom(const format::Manifest& manifest, const inspect::ModelFacts& facts,
                     std::string_view model_card);

// What a field of a model card's front matter (huggingface.co/docs/hub/model-cards: YAML between
// two lines "---") says in one plain word or quoted string; empty: nothing that is understood.
std::string CardField(std::string_view model_card, std::string_view field);

// RFC 4122, version 5, in the namespace of URLs.
std::string UuidOfUrl(std::string_view url);

}  // namespace skerry::build
