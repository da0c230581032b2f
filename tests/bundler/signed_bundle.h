// Bundles whose signatures hold and whose content is whatever a test wants: what a release officer
// could sign by mistake, or a thief of his key on purpose. Spelled by hand; nothing is checked.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "appliance/base/encode.h"
#include "appliance/base/json.h"
#include "bundler/format/tree.h"
#include "tests/bundler/archive_parts.h"
#include "tests/bundler/release_office.h"

namespace skerry::testing {

// A file of at most one chunk, as a manifest names it.
inline Json SignedFile(const std::string& name, const std::string& content) {
  const Sha256Digest root =
      content.empty() ? Sha256::Of(content) : format::LeafHash(AsBytes(content));
  return {{"name", name},
          {"root", root.Hex()},
          {"sha256", Sha256::Of(std::string_view(content)).Hex()},
          {"size", content.size()}};
}

// The manifest of `files` (in the order of their names) with the root of `office`.
inline Json SignedManifest(const ReleaseOffice& office,
                           const std::map<std::string, std::string>& files) {
  Json manifest = {{"documents", Json::array()}, {"expires", nullptr},     {"files", Json::array()},
                   {"id", "acme/tiny"},          {"kind", "model"},        {"release_seq", 1},
                   {"revocations", nullptr},     {"roots", Json::array()}, {"version", "1.0.0"}};
  for (const auto& [name, content] : files) {
    manifest["files"].push_back(SignedFile(name, content));
  }
  manifest["roots"].push_back({{"sha256", Sha256::Of(std::string_view(office.root_text)).Hex()},
                               {"size", office.root_text.size()},
                               {"version", office.root.version}});
  return manifest;
}

// The members of a bundle with this manifest, signed by all keys of `office`, and `contents` in the
// order of the manifest's files.
inline ArchiveParts SignedParts(const ReleaseOffice& office, const std::string& manifest,
                                const std::vector<std::string>& contents) {
  std::vector<trust::Signature> signatures;
  for (const build::SecretKey& key : office.keys) {
    signatures.push_back(key.Sign(format::kManifestType, manifest));
  }
  ArchiveParts parts;
  parts.members = {{std::string(format::kFormatName), std::string(format::kFormatText)},
                   {std::string(format::kManifestName), manifest},
                   {std::string(format::kSignaturesName),
                    format::PadSignatures(trust::SerializeSignatures(std::move(signatures)))},
                   {format::RootName(office.root.version), office.root_text}};
  for (size_t i = 0; i < contents.size(); ++i) {
    const Sha256Digest leaf = format::LeafHash(AsBytes(contents[i]));
    parts.members.emplace_back(format::TreeName(i),
                               contents[i].empty() ? "" : std::string(AsText(leaf.bytes)));
  }
  for (size_t i = 0; i < contents.size(); ++i) {
    parts.members.emplace_back(format::DataName(i), contents[i]);
  }
  return parts;
}

inline std::string SignedBundle(const ReleaseOffice& office,
                                const std::map<std::string, std::string>& files) {
  std::vector<std::string> contents;
  for (const auto& [name, content] : files) contents.push_back(content);
  return SignedParts(office, DumpJson(SignedManifest(office, files)), contents).Join();
}

}  // namespace skerry::testing
