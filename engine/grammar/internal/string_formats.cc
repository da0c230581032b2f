#include "engine/grammar/internal/string_formats.h"

namespace skerry::engine::internal {
namespace {

// RFC 3339, with the days that a month has.
std::string Date() {
  const std::string leap_year =
      "([0-9][0-9](0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)";
  return "([0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|"
         "02-(0[1-9]|1[0-9]|2[0-8]))|" +
         leap_year + "-02-29)";
}
std::string Time() {
  return "([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?"
         "(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])";
}

// RFC 1123.
std::string HostName() {
  const std::string label = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?";
  return label + "(\\." + label + "){0,7}";
}
std::string Email() {
  const std::string atom = "[A-Za-z0-9!#$%&'*+/=?\\^_`{|}~-]";
  return atom + "{1,30}(\\." + atom + "{1,16}){0,2}@" + HostName();
}

std::string Ipv4() {
  const std::string byte = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";
  return byte + "(\\." + byte + "){3}";
}
// RFC 4291: eight groups, or fewer with one "::".
std::string Ipv6() {
  const std::string group = "[0-9A-Fa-f]{1,4}";
  std::string all = "(" + group + ":){7}" + group;
  for (int before = 0; before <= 7; ++before) {
    all += "|";
    if (before > 0) all += group + "(:" + group + "){" + std::to_string(before - 1) + "}";
    all += "::";
    const int behind = 7 - before;
    if (behind > 0) {
      all += "(" + group + "(:" + group + "){0," + std::to_string(behind - 1) + "})?";
    }
  }
  return all;
}

// ISO 8601, as appendix A of RFC 3339 has it.
std::string Duration() {
  const std::string time = "T([0-9]+H([0-9]+M([0-9]+S)?)?|[0-9]+M([0-9]+S)?|[0-9]+S)";
  const std::string date = "([0-9]+Y([0-9]+M([0-9]+D)?)?|[0-9]+M([0-9]+D)?|[0-9]+D)";
  return "P(" + date + "(" + time + ")?|" + time + "|[0-9]+W)";
}

// RFC 3986, without what only programs that resolve it can check.
std::string Uri(bool relative) {
  const std::string part = "([A-Za-z0-9._~:/?@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})";
  const std::string scheme = "[A-Za-z][A-Za-z0-9+.-]*:";
  return (relative ? "" : scheme) + part + "+(#" + part + "*)?";
}

}  // namespace

std::string PatternOfFormat(std::string_view format) {
  if (format == "date") return Date();
  if (format == "time") return Time();
  if (format == "date-time") return Date() + "T" + Time();
  if (format == "duration") return Duration();
  if (format == "email") return Email();
  if (format == "hostname") return HostName();
  if (format == "ipv4") return Ipv4();
  if (format == "ipv6") return Ipv6();
  if (format == "uri") return Uri(/*relative=*/false);
  if (format == "uri-reference") return Uri(/*relative=*/true);
  if (format == "uuid") return "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}";
  return "";
}

bool IsFormatAnnotation(std::string_view format) {
  return format == "password" || format == "binary";
}

}  // namespace skerry::engine::internal
