#include "appliance/base/result.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <coroutine>
#include <memory>
#include <optional>

namespace skerry {
namespace {

Result<int> Half(int value) {
  if (value % 2 != 0) return Error(ErrorCode::kInvalidArgument, std::to_string(value) + " is odd");
  return value / 2;
}

Result<int> Quarter(int value) {
  const int half = TRY(Half(value));
  return TRY(Half(half));
}

Result<void> CheckEven(int value) {
  TRY(Half(value));
  return {};
}

TEST(Result, TryPassesValuesAndErrors) {
  EXPECT_EQ(Quarter(8).value(), 2);
  EXPECT_EQ(Quarter(6).error().message(), "3 is odd");
  EXPECT_TRUE(CheckEven(2).has_value());
  EXPECT_FALSE(CheckEven(3).has_value());
}

TEST(Result, ContextIsAddedInFront) {
  EXPECT_EQ(Half(3).WithContext("halving").error().message(), "halving: 3 is odd");
  EXPECT_EQ(Half(4).WithContext("halving").value(), 2);
}

TEST(Result, HoldsMoveOnlyValues) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(5);
  const std::unique_ptr<int> value = std::move(result).value();
  EXPECT_EQ(*value, 5);
}

TEST(Result, TablesOfStatuses) {
  EXPECT_EQ(ExitStatus(ErrorCode::kInvalidArgument), 2);
  EXPECT_EQ(ExitStatus(ErrorCode::kUntrusted), 1);
  EXPECT_EQ(HttpStatus(ErrorCode::kNotFound), 404);
  EXPECT_EQ(ErrorCodeName(ErrorCode::kAlreadyExists), "already_exists");
  EXPECT_EQ(ErrorCodeFromName("already_exists"), ErrorCode::kAlreadyExists);
  EXPECT_EQ(ErrorCodeFromName("no such name"), ErrorCode::kInternal);
}

TEST(Result, ErrnoChoosesTheCode) {
  EXPECT_EQ(ErrnoError("x", ENOENT).code(), ErrorCode::kNotFound);
  EXPECT_EQ(ErrnoError("x", ENOSPC).code(), ErrorCode::kExhausted);
  EXPECT_EQ(ErrnoError("cannot open 'f'", EACCES).message(), "cannot open 'f': Permission denied");
}

TEST(ResultDeathTest, UsingAnErrorAsAValueEndsTheProgram) {
  EXPECT_DEATH((void)Half(3).value(), "3 is odd");
}

// The smallest coroutine type that co_return can fill.
struct Task {
  struct promise_type {
    std::optional<Result<int>> result;
    Task get_return_object() { return {std::coroutine_handle<promise_type>::from_promise(*this)}; }
    std::suspend_never initial_suspend() { return {}; }
    std::suspend_always final_suspend() noexcept { return {}; }
    void return_value(Result<int> value) { result = std::move(value); }
    void unhandled_exception() { std::abort(); }
  };
  std::coroutine_handle<promise_type> handle;
};

Task QuarterLater(int value) {
  CO_TRY(const int half, Half(value));
  CO_TRY_VOID(CheckEven(half));
  CO_TRY(const int quarter, Half(half));
  co_return quarter;
}

TEST(Result, CoTryWorksInCoroutines) {
  Task good = QuarterLater(8);
  EXPECT_EQ(good.handle.promise().result->value(), 2);
  good.handle.destroy();
  Task bad = QuarterLater(6);
  EXPECT_EQ(bad.handle.promise().result->error().message(), "3 is odd");
  bad.handle.destroy();
}

}  // namespace
}  // namespace skerry
