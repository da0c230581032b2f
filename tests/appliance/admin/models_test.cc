#include "appliance/admin/models.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/appliance/admin/world.h"

namespace skerry::admin {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ModelsTest : public ::testing::Test {
 protected:
  void Open() {
    models_.reset();
    trust_.reset();
    core_.reset();
    core_ = Core::Open(world_.path(), RealClock()).value();
    trust_ = std::make_unique<TrustKeeper>(*core_, "test");
    models_ = std::make_unique<Models>(*core_, *trust_);
    ASSERT_TRUE(models_->Reconcile());
  }
  std::vector<std::string> Digests() {
    std::vector<std::string> digests;
    for (const ModelStatus& model : models_->List().value()) digests.push_back(model.row.digest);
    return digests;
  }
  std::string Refusal(const std::string& name, ErrorCode code) {
    const Result<RemovedModel> removed = models_->Remove(name);
    if (removed) return "removed";
    EXPECT_EQ(removed.error().code(), code) << removed.error().message();
    return removed.error().message();
  }

  World world_;
  std::unique_ptr<Core> core_;
  std::unique_ptr<TrustKeeper> trust_;
  std::unique_ptr<Models> models_;
};

TEST_F(ModelsTest, AreFoundByIdDigestAndItsBeginning) {
  const std::string first = world_.AddModel("acme/tiny", 1);
  const std::string second = world_.AddModel("acme/tiny", 2);
  Open();
  EXPECT_EQ(models_->Find("acme/tiny")->digest, second) << "the highest release";
  EXPECT_EQ(models_->Find(first)->digest, first);
  EXPECT_EQ(models_->Find(first.substr(0, 19))->digest, first) << "as models ls prints it";
  EXPECT_EQ(models_->Find(first.substr(7, 8))->digest, first);
  for (const std::string& name :
       {first.substr(0, 14), first.substr(7, 7), first + "0", std::string("acme"), std::string()}) {
    EXPECT_EQ(models_->Find(name).error().code(), ErrorCode::kNotFound) << name;
  }
}

TEST_F(ModelsTest, TemplatesOfAnImportAreListed) {
  const std::string digest = world_.AddModel();
  Open();
  EXPECT_FALSE(models_->List().value().front().templates) << "an import that recorded none";
  Json json =
      ParseJson(ReadAll(world_.files(), "store/" + digest + "/import.json").value()).value();
  const std::string sha256 = Sha256::Of(std::string_view("text")).Hex();
  json["templates"] = Json::array({{{"name", "default"}, {"sha256", sha256}}});
  world_.Write("store/" + digest + "/import.json", DumpJson(json));
  const auto templates = models_->List().value().front().templates;
  ASSERT_TRUE(templates);
  ASSERT_EQ(templates->size(), 1u);
  EXPECT_EQ(templates->front().name, "default");
  EXPECT_EQ(templates->front().sha256.Hex(), sha256);
}

TEST_F(ModelsTest, ARemovedModelIsGoneFromStoreAndDatabase) {
  const std::string digest = world_.AddModel("acme/tiny", 1);
  const std::string other = world_.AddModel("acme/other", 1);
  Open();
  const RemovedModel removed = models_->Remove("acme/tiny").value();
  EXPECT_EQ(removed.digest, digest);
  EXPECT_EQ(removed.id, "acme/tiny");
  EXPECT_THAT(Digests(), ElementsAre(other));
  EXPECT_EQ(world_.files().List("store").value().size(), 1u);
  EXPECT_EQ(world_.Recorded().back(), "model-removed");
  EXPECT_THAT(Refusal("acme/tiny", ErrorCode::kNotFound), HasSubstr("'acme/tiny'"));
  Open();
  EXPECT_THAT(Digests(), ElementsAre(other)) << "also after a start";
}

TEST_F(ModelsTest, OneOfSeveralReleasesIsNamedByItsDigest) {
  const std::string first = world_.AddModel("acme/tiny", 1);
  const std::string second = world_.AddModel("acme/tiny", 2);
  Open();
  const std::string refusal = Refusal("acme/tiny", ErrorCode::kInvalidArgument);
  EXPECT_THAT(refusal, HasSubstr(first + " (release 1)"));
  EXPECT_THAT(refusal, HasSubstr(second + " (release 2)"));
  EXPECT_EQ(models_->Remove(first.substr(0, 19))->digest, first);
  EXPECT_THAT(Digests(), ElementsAre(second));
}

TEST_F(ModelsTest, AModelThatIsLoadedIsNotRemoved) {
  const std::string digest = world_.AddModel();
  Open();
  const store::InstanceRow row{"0a1b2c3d", digest, "assistant", {}, true, 1};
  ASSERT_TRUE(core_->WithStore([&](store::Store& store) { return store.AddInstance(row); }));
  EXPECT_THAT(Refusal("acme/tiny", ErrorCode::kInvalidArgument), HasSubstr("unload assistant"));
  EXPECT_THAT(Digests(), ElementsAre(digest));
  EXPECT_EQ(world_.Recorded(), (std::vector<std::string>{"model-registered"}));
  ASSERT_TRUE(
      core_->WithStore([&](store::Store& store) { return store.DeleteInstance("0a1b2c3d"); }));
  EXPECT_TRUE(models_->Remove("acme/tiny"));
}

// What cannot be registered can be removed all the same.
TEST_F(ModelsTest, ADamagedFolderIsRemovedByItsDigest) {
  const std::string digest = world_.AddModel();
  world_.Write("store/" + digest + "/bundle/manifest", "{}");
  Open();
  EXPECT_THAT(Digests(), IsEmpty());
  EXPECT_EQ(models_->Remove(digest)->id, "");
  EXPECT_THAT(world_.files().List("store").value(), IsEmpty());
  EXPECT_THAT(Refusal(digest, ErrorCode::kNotFound), HasSubstr(digest));
}

TEST_F(ModelsTest, AModelWhoseFilesAreGoneIsForgotten) {
  const std::string digest = world_.AddModel();
  Open();
  ASSERT_TRUE(RemoveTree(world_.files(), "store/" + digest));
  EXPECT_TRUE(models_->Remove(digest));
  EXPECT_THAT(Digests(), IsEmpty());
}

// The service ended between any two steps of a removal.
TEST_F(ModelsTest, AStartFinishesARemovalOrTakesItBack) {
  const std::string digest = world_.AddModel();
  Open();
  // The database was told, the store was not yet.
  ASSERT_TRUE(core_->WithStore([&](store::Store& store) { return store.DeleteModel(digest); }));
  Open();
  EXPECT_THAT(Digests(), ElementsAre(digest));
  // Taken out, its files not removed yet.
  ASSERT_TRUE(core_->WithStore([&](store::Store& store) { return store.DeleteModel(digest); }));
  ASSERT_TRUE(world_.files().Rename("store/" + digest, "store/removed-" + digest));
  Open();
  EXPECT_THAT(Digests(), IsEmpty());
  EXPECT_THAT(world_.files().List("store").value(), IsEmpty());
}

}  // namespace
}  // namespace skerry::admin
