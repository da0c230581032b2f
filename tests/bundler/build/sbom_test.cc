#include "bundler/build/sbom.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "appliance/base/json.h"

namespace skerry::build {
namespace {

// The rules of CycloneDX 1.6 (bom-1.6.schema.json) for what an SBOM of ours can contain: required
// fields, values of enumerations, patterns, no field that the schema does not know where it allows
// none, unique references.
class Checker {
 public:
  std::vector<std::string> errors;

  void Bom(const Json& bom) {
    Fields("bom", bom, {"bomFormat", "specVersion"},
           {"$schema", "serialNumber", "version", "metadata", "components", "dependencies"});
    Expect(bom["bomFormat"] == "CycloneDX", "bomFormat");
    Expect(bom["specVersion"] == "1.6", "specVersion");
    Expect(bom["version"].is_number_integer() && bom["version"] >= 1, "version");
    const std::regex urn("urn:uuid:[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}");
    Expect(std::regex_match(bom["serialNumber"].get<std::string>(), urn), "serialNumber");
    Fields("metadata", bom["metadata"], {}, {"component", "tools"});
    Component(bom["metadata"]["component"]);
    for (const Json& tool : bom["metadata"]["tools"]["components"]) Component(tool);
    for (const Json& component : bom["components"]) Component(component);
    for (const Json& dependency : bom["dependencies"]) {
      Fields("dependency", dependency, {"ref"}, {"dependsOn"});
      Expect(references_.contains(dependency["ref"]), "ref");
      for (const Json& on : dependency.value("dependsOn", Json::array()))
        Expect(references_.contains(on), "dependsOn");
    }
  }

 private:
  void Expect(bool ok, const std::string& what) {
    if (!ok) errors.push_back(what);
  }
  void Fields(const std::string& where, const Json& object, const std::set<std::string>& required,
              std::set<std::string> optional) {
    optional.insert(required.begin(), required.end());
    for (const std::string& key : required) Expect(object.contains(key), where + "." + key);
    for (const auto& item : object.items()) {
      Expect(optional.contains(item.key()), where + "." + item.key() + " is unknown");
    }
  }
  void Component(const Json& component) {
    Fields("component", component, {"type", "name"},
           {"bom-ref", "group", "version", "description", "hashes", "licenses", "modelCard",
            "properties"});
    const std::set<std::string> types = {"application", "file", "machine-learning-model"};
    Expect(types.contains(component["type"]), "type");
    if (component.contains("bom-ref")) {
      Expect(references_.insert(component["bom-ref"]).second, "bom-ref is not unique");
    }
    for (const Json& hash : component.value("hashes", Json::array())) {
      Fields("hash", hash, {"alg", "content"}, {});
      Expect(hash["alg"] == "SHA-256", "alg");
      Expect(std::regex_match(hash["content"].get<std::string>(), std::regex("[0-9a-f]{64}")),
             "content");
    }
    for (const Json& choice : component.value("licenses", Json::array())) {
      Fields("licence choice", choice, {"license"}, {});
      Expect(choice["license"].contains("id") != choice["license"].contains("name"), "license");
    }
    Properties(component.value("properties", Json::array()));
    if (!component.contains("modelCard")) return;
    Expect(component["type"] == "machine-learning-model", "modelCard");
    Fields("modelCard", component["modelCard"], {}, {"modelParameters", "properties"});
    Fields("modelParameters", component["modelCard"]["modelParameters"], {},
           {"task", "architectureFamily", "modelArchitecture"});
    Properties(component["modelCard"]["properties"]);
  }
  void Properties(const Json& properties) {
    for (const Json& property : properties) {
      Fields("property", property, {"name", "value"}, {});
      Expect(property["name"].is_string() && property["value"].is_string(), "property");
    }
  }
  std::set<std::string> references_;
};

format::Manifest SmallManifest() {
  format::Manifest manifest;
  manifest.id = "acme/tiny";
  manifest.version = "1.0.0";
  manifest.release_seq = 1;
  for (const char* name : {"config.json", "model.safetensors"}) {
    manifest.files.push_back(
        {name, 5, Sha256::Of(std::string_view("root")), Sha256::Of(std::string_view(name))});
  }
  return manifest;
}

inspect::ModelFacts SmallFacts() {
  inspect::ModelFacts facts;
  facts.architecture = "llama";
  facts.tokenizer = "tokenizer.model";
  facts.elements = {{"BF16", 1000}, {"F32", 24}};
  facts.context_tokens = 2048;
  return facts;
}

TEST(SbomTest, FollowsTheSpecification) {
  const std::string text = MakeSbom(SmallManifest(), SmallFacts(), "---\nlicense: mit\n---\n");
  const Json bom = ParseJson(text.substr(0, text.size() - 1)).value();
  Checker checker;
  checker.Bom(bom);
  EXPECT_THAT(checker.errors, ::testing::IsEmpty());
  const Json& model = bom["metadata"]["component"];
  EXPECT_EQ(model["type"], "machine-learning-model");
  EXPECT_EQ(model["group"], "acme");
  EXPECT_EQ(model["name"], "tiny");
  EXPECT_EQ(model["licenses"][0]["license"]["id"], "MIT");
  EXPECT_EQ(model["modelCard"]["modelParameters"]["modelArchitecture"], "llama");
  EXPECT_EQ(bom["components"].size(), 2U);
  EXPECT_EQ(bom["components"][1]["hashes"][0]["content"],
            Sha256::Of(std::string_view("model.safetensors")).Hex());
  EXPECT_NE(text.find(R"({"name":"skerry:tensor_elements","value":"1024"})"), std::string::npos);
}

TEST(SbomTest, TheCheckRefusesWhatTheSpecificationDoes) {
  const std::string text = MakeSbom(SmallManifest(), SmallFacts(), "");
  const Json good = ParseJson(text.substr(0, text.size() - 1)).value();
  for (const char* patch :
       {R"({"specVersion":"1.5"})", R"({"serialNumber":"urn:uuid:1"})", R"({"colour":"red"})",
        R"({"metadata":{"component":{"type":"model"}}})",
        R"({"metadata":{"component":{"bom-ref":"file:config.json"}}})",
        R"({"metadata":{"component":{"hashes":[{"alg":"SHA-256","content":"00"}]}}})",
        R"({"dependencies":[{"ref":"nothing"}]})"}) {
    Json bad = good;
    bad.merge_patch(ParseJson(patch).value());
    Checker checker;
    checker.Bom(bad);
    EXPECT_FALSE(checker.errors.empty()) << patch;
  }
}

TEST(SbomTest, SameModelSameTextAndSerialNumber) {
  const std::string first = MakeSbom(SmallManifest(), SmallFacts(), "");
  EXPECT_EQ(first, MakeSbom(SmallManifest(), SmallFacts(), ""));
  format::Manifest other = SmallManifest();
  other.files[0].size = 6;
  auto serial = [](const std::string& text) { return text.substr(text.find("urn:uuid:"), 45); };
  EXPECT_NE(serial(first), serial(MakeSbom(other, SmallFacts(), "")));
}

TEST(SbomTest, LicencesOfOtherNames) {
  auto license = [](const std::string& card, const std::string& in_file) {
    inspect::ModelFacts facts = SmallFacts();
    facts.license = in_file;
    const std::string text = MakeSbom(SmallManifest(), facts, card);
    const Json bom = ParseJson(text.substr(0, text.size() - 1)).value();
    const Json& model = bom["metadata"]["component"];
    return model.contains("licenses") ? model["licenses"][0]["license"].dump() : "none";
  };
  EXPECT_EQ(license("", ""), "none");
  EXPECT_EQ(license("", "apache-2.0"), R"({"id":"Apache-2.0"})");
  EXPECT_EQ(license("---\nlicense: llama3.1\n---\n", "mit"), R"({"name":"llama3.1"})");
  EXPECT_EQ(license("---\nlicense: other\nlicense_name: \"mrl\"\n---\n", ""), R"({"name":"mrl"})");
  EXPECT_EQ(license("license: mit\n", ""), "none") << "not in the front matter";
}

TEST(CardFieldTest, PlainValuesOfTheFrontMatterOnly) {
  const std::string card =
      "---\r\nlanguage:\n- en\nlicense: 'a b'\nbase_model:\n- x/y\ntags: [a]\n---\nlicense_link: "
      "z\n";
  EXPECT_EQ(CardField(card, "license"), "a b");
  EXPECT_EQ(CardField(card, "tags"), "");
  EXPECT_EQ(CardField(card, "base_model"), "");
  EXPECT_EQ(CardField(card, "license_link"), "");
  EXPECT_EQ(CardField("", "license"), "");
  EXPECT_EQ(CardField("---\nlicense: caf\xc3\xa9", "license"), "caf??");
}

TEST(UuidTest, KnownValue) {
  // Python: uuid.uuid5(uuid.NAMESPACE_URL, 'https://example.org/')
  EXPECT_EQ(UuidOfUrl("https://example.org/"), "527dda32-a0de-5105-a042-cb475b5f7d11");
}

}  // namespace
}  // namespace skerry::build
