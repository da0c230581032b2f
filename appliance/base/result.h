// Result<T>: a value or an Error. The project does not throw; every call that can fail returns one.
// Member names follow std::expected, so a later switch stays small.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace skerry {

enum class ErrorCode {
  kInvalidArgument,  // the caller gave something unusable
  kNotFound,
  kAlreadyExists,
  kDenied,       // authenticated, but not allowed; or the operating system refused
  kUntrusted,    // a signature, digest or trust rule does not hold
  kCorrupt,      // bytes that contradict themselves or their format
  kIo,           // the operating system failed
  kExhausted,    // a limit or quota is reached
  kUnavailable,  // not now; trying again may help
  kCancelled,
  kInternal,  // our own bug
};

// The code's name as logs and JSON spell it, e.g. "invalid_argument".
std::string_view ErrorCodeName(ErrorCode code);
// The inverse; kInternal for a name that is not one.
ErrorCode ErrorCodeFromName(std::string_view name);

// Exit status of a program that ends with this error: 2 for usage (kInvalidArgument), else 1.
int ExitStatus(ErrorCode code);

// HTTP status that answers a request which failed with this error.
int HttpStatus(ErrorCode code);

class Error {
 public:
  Error(ErrorCode code, std::string message) : code_(code), message_(std::move(message)) {}

  ErrorCode code() const { return code_; }
  const std::string& message() const { return message_; }

  // Puts "context: " before the message, on the way up.
  Error WithContext(std::string_view context) && {
    message_.insert(0, ": ").insert(0, context);
    return std::move(*this);
  }

 private:
  ErrorCode code_;
  std::string message_;
};

// Error from errno: "cannot open 'x': No such file or directory". ENOENT, EEXIST, EACCES and ENOSPC
// get their own codes, everything else is kIo.
Error ErrnoError(std::string_view what, int errno_value);

namespace internal {
// Ends the program with a message: a Result was used as if it held a value. Our own bug.
[[noreturn]] void BadResultAccess(const Error& error);
}  // namespace internal

template <typename T>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }

  T& value() & { return Checked(), std::get<0>(state_); }
  const T& value() const& { return Checked(), std::get<0>(state_); }
  // By value, not T&&: `for (x : F().value())` must not walk into a dead temporary.
  T value() && { return Checked(), std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

  // The same result, its error (if any) with "context: " in front.
  Result WithContext(std::string_view context) && {
    if (has_value()) return std::move(*this);
    return std::get<1>(std::move(state_)).WithContext(context);
  }

 private:
  void Checked() const {
    if (!has_value()) internal::BadResultAccess(std::get<1>(state_));
  }
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool has_value() const { return state_.index() == 0; }
  explicit operator bool() const { return has_value(); }
  void value() const {
    if (!has_value()) internal::BadResultAccess(std::get<1>(state_));
  }
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

  Result WithContext(std::string_view context) && {
    if (has_value()) return {};
    return std::get<1>(std::move(state_)).WithContext(context);
  }

 private:
  std::variant<std::monostate, Error> state_;
};

}  // namespace skerry

// TRY(expr): the value of a Result, or returns its error from the enclosing function. Only as a
// whole statement or a whole initialiser: inside an aggregate initialiser GCC 12.2 and Clang 14
// leak the members already built.
#define TRY(expr)                                                        \
  ({                                                                     \
    auto skerry_try_result = (expr);                                     \
    if (!skerry_try_result) return std::move(skerry_try_result).error(); \
    std::move(skerry_try_result).value();                                \
  })

#define SKERRY_CONCAT_INNER(a, b) a##b
#define SKERRY_CONCAT(a, b) SKERRY_CONCAT_INNER(a, b)

// CO_TRY(decl, expr): as `decl = TRY(expr)`, in a coroutine, where GCC 12.2 refuses `return` inside
// a statement expression and fails on co_await in it.
#define CO_TRY(decl, expr)                                         \
  auto SKERRY_CONCAT(co_try_, __LINE__) = (expr);                  \
  if (!SKERRY_CONCAT(co_try_, __LINE__))                           \
    co_return std::move(SKERRY_CONCAT(co_try_, __LINE__)).error(); \
  decl = std::move(SKERRY_CONCAT(co_try_, __LINE__)).value()

// CO_TRY_VOID(expr): the same for Result<void>.
#define CO_TRY_VOID(expr)                                       \
  do {                                                          \
    auto co_try_void = (expr);                                  \
    if (!co_try_void) co_return std::move(co_try_void).error(); \
  } while (false)
