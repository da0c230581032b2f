#include "engine/jinja/render_command.h"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "appliance/base/json.h"
#include "engine/jinja/template.h"

namespace skerry::engine {
namespace {

// "2026-11-21T12:00:00" to microseconds since 1970.
Result<int64_t> ParseNow(const std::string& text) {
  std::tm time{};
  const char* end = strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &time);
  if (end == nullptr || *end != '\0') {
    return Error(ErrorCode::kCorrupt, "\"now\" in the context must look like 2026-11-21T12:00:00");
  }
  return static_cast<int64_t>(timegm(&time)) * 1'000'000;
}

// The length is the parser's to judge.
Result<std::string> ReadTemplate(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return ErrnoError("cannot open '" + path + "'", errno);
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (file.bad()) return Error(ErrorCode::kIo, "cannot read '" + path + "'");
  return text;
}

Result<std::string> RenderOne(std::string_view source, jinja::OrderedJson context,
                              int64_t now_micros) {
  if (!context.is_object()) return Error(ErrorCode::kCorrupt, "the context must be a JSON object");
  jinja::RenderOptions options;
  options.now_micros = now_micros;
  if (const auto now = context.find("now"); now != context.end() && now->is_string()) {
    options.now_micros = TRY(ParseNow(now->get<std::string>()));
    context.erase(now);
  }
  const jinja::Template parsed = TRY(jinja::Template::Parse(source));
  const jinja::Rendered rendered = TRY(parsed.Render(context, options));
  if (rendered.refusal) return Error(ErrorCode::kCorrupt, *rendered.refusal);
  return rendered.text();
}

}  // namespace

Result<std::string> RunRender(const RenderCommand& command, std::string_view input,
                              int64_t now_micros) {
  if (!command.batch) {
    const std::string source = TRY(ReadTemplate(command.template_path));
    jinja::OrderedJson context = TRY(jinja::ParseContext(input).WithContext("standard input"));
    return RenderOne(source, std::move(context), now_micros);
  }
  std::string output;
  while (!input.empty()) {
    const size_t end = std::min(input.find('\n'), input.size());
    jinja::OrderedJson line =
        TRY(jinja::ParseContext(input.substr(0, end)).WithContext("standard input"));
    input.remove_prefix(std::min(end + 1, input.size()));
    if (!line.is_object() || !line.contains("template") || !line["template"].is_string() ||
        !line.contains("context")) {
      return Error(ErrorCode::kCorrupt, "each line needs \"template\" and \"context\"");
    }
    const Result<std::string> text =
        RenderOne(line["template"].get<std::string>(), line["context"], now_micros);
    Json reply;
    if (text)
      reply["text"] = *text;
    else
      reply["error"] = text.error().message();
    output += DumpJson(reply) + "\n";
  }
  return output;
}

}  // namespace skerry::engine
