#include "appliance/admin/store_models.h"

#include <gtest/gtest.h>

#include "tests/appliance/admin/world.h"

namespace skerry::admin {
namespace {

TEST(StoreModelsTest, ReadsWhatTheImporterLeft) {
  World world;
  const std::string digest = world.AddModel("acme/tiny", 3);
  const Result<store::ModelRow> row = ReadStoredModel(world.files(), digest);
  ASSERT_TRUE(row.has_value()) << row.error().message();
  EXPECT_EQ(row->digest, digest);
  EXPECT_EQ(row->id, "acme/tiny");
  EXPECT_EQ(row->version, "1.0.3");
  EXPECT_EQ(row->release_seq, 3);
  EXPECT_EQ(row->size_bytes, 2);
  EXPECT_EQ(row->imported_at, "2025-01-31T23:59:59.123Z");
  EXPECT_TRUE(MakeDirectories(world.files(), "store/notes").has_value());
  EXPECT_EQ(ListStoredModels(world.files()).value(), std::vector<std::string>{digest});
  EXPECT_TRUE(IsStored(world.files(), digest));
}

TEST(StoreModelsTest, NamesThatAreNoDigestNeverBecomeAPath) {
  World world;
  for (const std::string name :
       {"", "..", "../policy", "sha256-", "sha256-../../../../etc/passwd"}) {
    EXPECT_EQ(ReadStoredModel(world.files(), name).error().code(), ErrorCode::kInvalidArgument);
  }
  EXPECT_EQ(ReadStoredModel(world.files(), "sha256-" + std::string(64, 'a')).error().code(),
            ErrorCode::kNotFound);
}

TEST(StoreModelsTest, WhatDisagreesIsRefused) {
  World world;
  const std::string digest = world.AddModel();
  const std::string folder = "store/" + digest;
  const std::string manifest = ReadAll(world.files(), folder + "/bundle/manifest").value();
  const std::string import = ReadAll(world.files(), folder + "/import.json").value();
  const auto refused = [&] {
    const Result<store::ModelRow> row = ReadStoredModel(world.files(), digest);
    return !row && row.error().code() == ErrorCode::kCorrupt &&
           row.error().message().find(digest) != std::string::npos;
  };
  std::string changed = manifest;
  changed[changed.find("tiny")] = 'T';
  world.Write(folder + "/bundle/manifest", changed);
  EXPECT_TRUE(refused());
  world.Write(folder + "/bundle/manifest", manifest);
  const Json good = ParseJson(import).value();
  for (const char* field : {"digest", "id", "version", "imported_at", "release_seq"}) {
    Json other = good;
    other.erase(field);
    world.Write(folder + "/import.json", DumpJson(other));
    EXPECT_TRUE(refused()) << field;
    if (std::string(field) == "imported_at") continue;
    other[field] = std::string(field) == "release_seq" ? Json(99) : Json("other");
    world.Write(folder + "/import.json", DumpJson(other));
    EXPECT_TRUE(refused()) << field;
  }
  ASSERT_TRUE(world.files().Remove(folder + "/import.json").has_value());
  EXPECT_TRUE(refused());
  world.Write(folder + "/import.json", import);
  EXPECT_FALSE(refused());
}

}  // namespace
}  // namespace skerry::admin
