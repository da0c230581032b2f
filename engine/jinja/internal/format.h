// Python's two ways of formatting: "%s" % x and "{}".format(x).
#pragma once

#include "engine/jinja/internal/interpreter.h"

namespace skerry::engine::jinja {

// `args`: a tuple of values, a dict for %(name)s, or one value. What a conversion puts in keeps its
// own origin, or becomes the request's if the conversion itself is.
Result<Value> FormatPercent(Interpreter& in, const Text& format, const Value& args);

// str.format.
Result<Value> FormatBraces(Interpreter& in, const Text& format, std::span<const Value> args,
                           std::span<const KeywordValue> kwargs);

// How one number or text is to look.
struct FormatSpec {
  std::string fill = " ";
  char align = 0;  // < > ^ =, 0: by type
  char sign = '-';
  bool alternate = false;
  bool zero = false;
  char grouping = 0;  // ',' or '_'
  int64_t width = 0;
  int64_t precision = -1;
  char type = 0;
};

// "1e+20" and the like of C's printf, for e, f, g and their capitals.
std::string FormatDouble(double value, char type, int precision, bool alternate);

// Widest field and most digits behind the point.
inline constexpr int64_t kMaxFormatWidth = 1 << 20;
inline constexpr int64_t kMaxFormatPrecision = 1000;

}  // namespace skerry::engine::jinja
