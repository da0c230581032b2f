#include "bundler/import/describe.h"

#include <nlohmann/json.hpp>

#include "appliance/base/clock.h"
#include "appliance/base/json.h"

namespace skerry::import {

namespace {

template <typename Keys>
Json KeyList(const Keys& keys) {
  Json list = Json::array();
  for (const trust::KeyId& id : keys) list.push_back(id.Hex());
  return list;
}

Json TemplateList(const std::vector<inspect::ComparedTemplate>& templates) {
  Json list = Json::array();
  for (const inspect::ComparedTemplate& item : templates) {
    if (item.change == inspect::TemplateChange::kGone) continue;
    list.push_back({{"name", item.name}, {"sha256", item.sha256.Hex()}});
  }
  return list;
}

}  // namespace

std::string DescribeImport(const reader::VerifiedBundle& bundle, const ImportFacts& facts) {
  const format::Manifest& manifest = bundle.manifest();
  const trust::Role& role = bundle.release_role();
  const Json json = {{"digest", "sha256-" + bundle.digest().Hex()},
                     {"files", manifest.files.size()},
                     {"id", manifest.id},
                     {"imported_at", FormatUtc(facts.unix_millis)},
                     {"model_digest", bundle.model_digest().Hex()},
                     {"model_format", inspect::ModelFormatName(facts.model_format)},
                     {"permit", facts.permit ? Json(facts.permit->Hex()) : Json()},
                     {"release_keys", KeyList(role.keys)},
                     {"release_seq", manifest.release_seq},
                     {"release_threshold", role.threshold},
                     {"root_version", bundle.root_version()},
                     {"signers", KeyList(bundle.signers())},
                     {"size_bytes", manifest.DataBytes()},
                     {"templates", TemplateList(facts.templates)},
                     {"version", manifest.version}};
  return DumpJson(json) + "\n";
}

}  // namespace skerry::import
