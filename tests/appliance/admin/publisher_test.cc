#include "appliance/admin/publisher.h"

#include <gtest/gtest.h>

#include "tests/appliance/admin/world.h"

namespace skerry::admin {
namespace {

std::vector<policy::Op> Put(const std::string& name) {
  return {policy::PutAlias{{name, {"0a1b2c3d"}, false}}};
}

TEST(PublisherTest, PublishesAndConfirms) {
  World world;
  world.StartProxy();
  auto publisher = Publisher::Open(world.path()).value();
  const uint64_t generation = publisher->Publish(Put("demo")).value();
  EXPECT_EQ(generation, 2u);
  EXPECT_TRUE(publisher->Confirm(generation));
  EXPECT_EQ(world.loaded_generation(), generation);
  EXPECT_EQ(world.Published(), publisher->Current());
  EXPECT_EQ(publisher->Publish(Put("bad name")).error().code(), ErrorCode::kInvalidArgument);
}

TEST(PublisherTest, WithoutAProxyItIsPublishedButNotConfirmed) {
  World world;
  auto publisher = Publisher::Open(world.path()).value();
  const uint64_t generation = publisher->Publish(Put("demo")).value();
  EXPECT_FALSE(publisher->Confirm(generation));
  EXPECT_EQ(world.Published().generation, generation);
}

TEST(PublisherTest, AProxyThatStaysBehindHasNotConfirmed) {
  World world;
  auto publisher = Publisher::Open(world.path()).value();
  for (const char* answer : {"{\"generation\":1}\n", "{\"ok\":true}\n", "\n",
                             "{\"error\":{\"code\":\"corrupt\",\"message\":\"m\"}}\n"}) {
    const ControlServer proxy(world.path() + "/run/proxy-api.sock",
                              [&](const std::string&) { return answer; });
    EXPECT_FALSE(publisher->Confirm(2)) << answer;
  }
}

TEST(PublisherTest, TokensAreMadeWithThePublishedKey) {
  World world;
  auto publisher = Publisher::Open(world.path()).value();
  const policy::NewToken token = publisher->MakeToken();
  auto files = OpenFiles(world.path() + "/policy").value();
  const policy::TokenParts parts = policy::ParseToken(policy::View(token.text)).value();
  const policy::TokenKey key = policy::ReadKey(*files).value();
  EXPECT_TRUE(policy::SameHash(policy::HashSecret(key, parts.secret), token.hash));
}

}  // namespace
}  // namespace skerry::admin
