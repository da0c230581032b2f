#include "engine/scheduler/tenants.h"

#include <gtest/gtest.h>

#include <cmath>

namespace skerry::engine {
namespace {

TEST(Tenants, ServiceIsDividedByTheWeight) {
  Tenants tenants;
  Tenant& heavy = tenants.Enter("a", 4);
  heavy.Serve(100);
  EXPECT_DOUBLE_EQ(heavy.clock, 25);
  heavy.n_blocks = 20;
  EXPECT_DOUBLE_EQ(heavy.share(), 5);
}

TEST(Tenants, AbsenceSavesNothingUp) {
  Tenants tenants;
  Tenant& a = tenants.Enter("a", 1);
  a.Serve(500);
  Tenant& b = tenants.Enter("b", 1);
  EXPECT_DOUBLE_EQ(b.clock, 500);  // the least of those here
  b.Serve(100);
  tenants.Leave(a);
  Tenant& c = tenants.Enter("c", 1);
  EXPECT_DOUBLE_EQ(c.clock, 600);
  EXPECT_DOUBLE_EQ(tenants.Enter("a", 1).clock, 600);
}

TEST(Tenants, LeavingForAMomentLosesNothingEither) {
  Tenants tenants;
  Tenant& a = tenants.Enter("a", 1);
  Tenant& b = tenants.Enter("b", 1);
  a.Serve(500);
  b.Serve(10);
  tenants.Leave(a);
  EXPECT_DOUBLE_EQ(tenants.Enter("a", 1).clock, 500);
  tenants.Leave(a);
  tenants.Leave(b);
  // Nobody is here: a new one starts where the last left off.
  EXPECT_DOUBLE_EQ(tenants.Enter("c", 1).clock, 500);
}

TEST(Tenants, WeightsStayInBounds) {
  Tenants tenants;
  EXPECT_DOUBLE_EQ(tenants.Enter("a", 0).weight, 0.001);
  EXPECT_DOUBLE_EQ(tenants.Enter("a", 1e9).weight, 1000);
  EXPECT_DOUBLE_EQ(tenants.Enter("a", NAN).weight, 1);
}

TEST(Tenants, DoesNotRememberEverybodyForEver) {
  Tenants tenants;
  Tenant& here = tenants.Enter("here", 1);
  here.Serve(7);
  for (int i = 0; i < 20'000; ++i) {
    tenants.Leave(tenants.Enter("t" + std::to_string(i), 1));
  }
  EXPECT_LE(tenants.size(), 4096u);
  EXPECT_DOUBLE_EQ(here.clock, 7);
}

}  // namespace
}  // namespace skerry::engine
