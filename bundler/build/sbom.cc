#include "bundler/build/sbom.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "appliance/base/encode.h"
#include "appliance/base/json.h"

namespace skerry::build {

namespace {

// Identifiers of model cards (huggingface.co/docs/hub/repositories-licenses) that are SPDX's in
// lower case and name one licence without doubt.
constexpr std::string_view kSpdx[] = {"Apache-2.0",
                                      "MIT",
                                      "BSD-2-Clause",
                                      "BSD-3-Clause",
                                      "CC0-1.0",
                                      "CC-BY-4.0",
                                      "CC-BY-SA-4.0",
                                      "CC-BY-NC-4.0",
                                      "CC-BY-NC-SA-4.0",
                                      "CC-BY-NC-ND-4.0",
                                      "CC-BY-ND-4.0",
                                      "MPL-2.0",
                                      "BigScience-BLOOM-RAIL-1.0"};

std::string Folded(std::string_view text) {
  std::string folded(text);
  for (char& c : folded) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return folded;
}

std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && (text.back() == ' ' || text.back() == '\r' || text.back() == '\t')) {
    text.remove_suffix(1);
  }
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  return text;
}

Json Sha256Hash(const Sha256Digest& digest) {
  return Json::array({{{"alg", "SHA-256"}, {"content", digest.Hex()}}});
}

Json Property(const std::string& name, const std::string& value) {
  return {{"name", "skerry:" + name}, {"value", value}};
}

// CycloneDX wants an SPDX identifier or a name, never both.
Json Licenses(const inspect::ModelFacts& facts, std::string_view card) {
  std::string license = CardField(card, "license");
  // "other" has its name beside it.
  if (const std::string name = CardField(card, "license_name");
      license == "other" && !name.empty()) {
    license = name;
  }
  if (license.empty()) license = facts.license;
  if (license.empty()) return Json::array();
  for (const std::string_view id : kSpdx) {
    if (Folded(id) == Folded(license)) return Json::array({{{"license", {{"id", id}}}}});
  }
  return Json::array({{{"license", {{"name", license}}}}});
}

Json ModelCard(const inspect::ModelFacts& facts) {
  Json parameters = {{"task", "text-generation"}};
  if (!facts.architecture.empty()) parameters["modelArchitecture"] = facts.architecture;
  Json properties = Json::array();
  properties.push_back(Property("format", std::string(inspect::ModelFormatName(facts.format))));
  properties.push_back(Property("tensor_elements", std::to_string(facts.TotalElements())));
  for (const auto& [type, count] : facts.elements) {
    properties.push_back(Property("tensor_elements:" + type, std::to_string(count)));
  }
  if (!facts.tokenizer.empty()) properties.push_back(Property("tokenizer", facts.tokenizer));
  if (facts.context_tokens > 0) {
    properties.push_back(Property("context_tokens", std::to_string(facts.context_tokens)));
  }
  return {{"modelParameters", std::move(parameters)}, {"properties", std::move(properties)}};
}

Json FileComponent(const format::FileEntry& entry) {
  return {{"bom-ref", "file:" + entry.name},
          {"hashes", Sha256Hash(entry.sha256)},
          {"name", entry.name},
          {"properties", Json::array({Property("size_bytes", std::to_string(entry.size)),
                                      Property("tree_root", entry.root.Hex())})},
          {"type", "file"}};
}

}  // namespace

std::string CardField(std::string_view card, std::string_view field) {
  constexpr std::string_view kFence = "---";
  constexpr size_t kMaxLines = 1000;
  size_t at = 0;
  for (size_t line_idx = 0; line_idx < kMaxLines && at < card.size(); ++line_idx) {
    const size_t end = std::min(card.size(), card.find('\n', at));
    const std::string_view raw = card.substr(at, end - at);
    at = end + 1;
    const std::string_view line = Trimmed(raw);
    if (line_idx == 0 ? line != kFence : line == kFence) return "";
    if (!raw.starts_with(field) || raw.size() <= field.size() || raw[field.size()] != ':') continue;
    std::string_view value = Trimmed(raw.substr(field.size() + 1));
    if (value.size() >= 2 && (value[0] == '"' || value[0] == '\'') && value.back() == value[0]) {
      value = value.substr(1, value.size() - 2);
    }
    // Lists, maps, references and block texts are YAML's; they are not what is looked for.
    if (value.find_first_of("[]{}&*|>#") != std::string_view::npos) return "";
    return inspect::Printable(value);
  }
  return "";
}

std::string UuidOfUrl(std::string_view url) {
  // RFC 4122, appendix C: 6ba7b811-9dad-11d1-80b4-00c04fd430c8.
  constexpr std::array<uint8_t, 16> kUrls = {0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1,
                                             0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8};
  const std::string input = std::string(AsText(kUrls)) + std::string(url);
  std::array<uint8_t, EVP_MAX_MD_SIZE> hash{};
  ::EVP_Digest(input.data(), input.size(), hash.data(), nullptr, ::EVP_sha1(), nullptr);
  hash[6] = static_cast<uint8_t>((hash[6] & 0x0f) | 0x50);
  hash[8] = static_cast<uint8_t>((hash[8] & 0x3f) | 0x80);
  const std::string hex = HexEncode(std::span(hash).first(16));
  return hex.substr(0, 8) + "-" + hex.substr(8, 4) + "-" + hex.substr(12, 4) + "-" +
         hex.substr(16, 4) + "-" + hex.substr(20);
}

std::string MakeSbom(const format::Manifest& manifest, const inspect::ModelFacts& facts,
                     std::string_view model_card) {
  const Sha256Digest model_digest = format::ModelDigest(manifest);
  const size_t slash = manifest.id.find('/');
  Json model = {{"bom-ref", "model"},
                {"group", manifest.id.substr(0, slash)},
                {"hashes", Sha256Hash(model_digest)},
                {"modelCard", ModelCard(facts)},
                {"name", manifest.id.substr(slash + 1)},
                {"type", "machine-learning-model"},
                {"version", manifest.version}};
  if (!facts.name.empty()) model["description"] = facts.name;
  if (Json licenses = Licenses(facts, model_card); !licenses.empty()) {
    model["licenses"] = std::move(licenses);
  }
  Json components = Json::array();
  Json references = Json::array();
  for (const format::FileEntry& entry : manifest.files) {
    components.push_back(FileComponent(entry));
    references.push_back("file:" + entry.name);
  }
  const Json bom = {
      {"$schema", "http://cyclonedx.org/schema/bom-1.6.schema.json"},
      {"bomFormat", "CycloneDX"},
      {"components", std::move(components)},
      {"dependencies", Json::array({{{"dependsOn", std::move(references)}, {"ref", "model"}}})},
      {"metadata",
       {{"component", std::move(model)},
        {"tools",
         {{"components", Json::array({{{"name", "skerry-bundler"}, {"type", "application"}}})}}}}},
      {"serialNumber", "urn:uuid:" + UuidOfUrl("urn:sha256:" + model_digest.Hex())},
      {"specVersion", "1.6"},
      {"version", 1}};
  return DumpJson(bom) + "\n";
}

}  // namespace skerry::build
