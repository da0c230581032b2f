// `skerry audit verify|ls`: from the journal's files alone, whether an appliance runs or not.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "appliance/audit/verify.h"
#include "appliance/base/files.h"
#include "appliance/base/json.h"
#include "appliance/base/sha256.h"
#include "appliance/cli/command.h"
#include "appliance/cli/listing.h"

namespace skerry::cli {

namespace {

constexpr size_t kMaxListed = 100'000;

struct VerifyOptions {
  std::string journal;
  std::string head;
  bool json = false;
};

struct ListOptions {
  std::string writer;
  size_t count = 20;
  bool json = false;
};

struct Journal {
  std::string name;
  std::unique_ptr<FileSystem> files;
};

// One writer's journal, or all of the data directory's.
Result<std::vector<Journal>> OpenJournals(const Context& context, const std::string& directory) {
  std::vector<Journal> journals;
  if (!directory.empty()) {
    std::unique_ptr<FileSystem> files = TRY(OpenFiles(directory));
    const std::vector<DirectoryEntry> segments = TRY(files->List("."));
    const bool any = std::any_of(segments.begin(), segments.end(), [](const DirectoryEntry& entry) {
      return entry.kind == FileKind::kFile && entry.name.ends_with(".ndjson");
    });
    if (!any) {
      return Error(ErrorCode::kNotFound,
                   "'" + directory + "' holds no segment of an audit journal");
    }
    journals.push_back({directory, std::move(files)});
    return journals;
  }
  const std::string root = context.data_directory + "/journal";
  const std::unique_ptr<FileSystem> all = TRY(OpenFiles(root));
  const std::vector<DirectoryEntry> entries = TRY(all->List("."));
  // Both writers' folders are made before anything is recorded: one that is gone was taken away.
  for (const char* writer : {"admin", "api"}) {
    if (all->Exists(writer)) continue;
    return Error(ErrorCode::kNotFound, "the journal '" + root + "/" + writer +
                                           "' is missing: its records are gone, look for a copy");
  }
  for (const DirectoryEntry& entry : entries) {
    if (entry.kind != FileKind::kDirectory) continue;
    std::unique_ptr<FileSystem> files = TRY(OpenFiles(root + "/" + entry.name));
    journals.push_back({entry.name, std::move(files)});
  }
  if (journals.empty()) {
    return Error(ErrorCode::kNotFound, "there is no audit journal in '" + root + "'");
  }
  return journals;
}

Json ToJson(const std::string& name, const audit::Verification& verified) {
  Json json = {{"journal", name},
               {"ok", !verified.broken.has_value()},
               {"segments", verified.segments},
               {"records", verified.records},
               {"head", verified.head.Hex()},
               {"torn_bytes", verified.torn_bytes},
               {"abandoned", verified.abandoned}};
  if (verified.broken) {
    json["broken"] = {{"kind", std::string(audit::BreakKindName(verified.broken->kind))},
                      {"file", verified.broken->file},
                      {"line", verified.broken->line},
                      {"sequence", verified.broken->sequence},
                      {"message", verified.broken->message}};
  }
  return json;
}

std::string Describe(const std::string& name, const audit::Verification& verified) {
  std::string text = name + ": " + (verified.broken ? "BROKEN after " : "") +
                     std::to_string(verified.records) + " records in " +
                     std::to_string(verified.segments) + " segments, head " + verified.head.Hex() +
                     "\n";
  if (verified.torn_bytes > 0) {
    text += "  a torn last line of " + std::to_string(verified.torn_bytes) +
            " bytes, never acknowledged\n";
  }
  if (verified.abandoned > 0) {
    text +=
        "  " + std::to_string(verified.abandoned) + " lines of failed writes, never acknowledged\n";
  }
  return text;
}

Result<void> Verify(const Context& context, const VerifyOptions& options) {
  std::optional<Sha256Digest> known;
  if (!options.head.empty()) {
    known = TRY(Sha256Digest::FromHex(options.head).WithContext("--head"));
  }
  const std::vector<Journal> journals = TRY(OpenJournals(context, options.journal));
  Json list = Json::array();
  bool found_known = false;
  std::optional<Error> broken;
  for (const Journal& journal : journals) {
    const audit::Verification verified =
        TRY(audit::VerifyJournal(*journal.files, known).WithContext("'" + journal.name + "'"));
    list.push_back(ToJson(journal.name, verified));
    found_known = found_known || verified.contains_known;
    if (!options.json) std::cout << Describe(journal.name, verified) << std::flush;
    if (verified.broken && !broken) {
      const audit::ChainBreak& at = *verified.broken;
      broken = Error(ErrorCode::kCorrupt, "journal '" + journal.name + "' is broken at record " +
                                              std::to_string(at.sequence) + " (" + at.file +
                                              ", line " + std::to_string(at.line) +
                                              "): " + std::string(audit::BreakKindName(at.kind)) +
                                              ": " + at.message);
    }
  }
  if (options.json) std::cout << DumpJson(list) << std::endl;
  if (broken) return *broken;
  if (known && !found_known) {
    return Error(ErrorCode::kCorrupt,
                 "no record has the hash given by --head: the journal was cut, or is another one");
  }
  if (!known && !options.json) {
    std::cout
        << "Not compared with an earlier head: only --head HEX, with a head noted before, shows "
           "that a journal was cut at its end or emptied."
        << std::endl;
  }
  return {};
}

struct Listed {
  std::string time;
  Json record;
};

std::string TextAt(const Json& record, const char* pointer) {
  const auto at = Json::json_pointer(pointer);
  if (!record.contains(at)) return "";
  const Json& value = record.at(at);
  return value.is_string() ? value.get<std::string>() : DumpJson(value);
}

Result<void> List(const Context& context, const ListOptions& options) {
  const std::vector<Journal> journals = TRY(OpenJournals(context, ""));
  std::vector<Listed> records;
  for (const Journal& journal : journals) {
    if (!options.writer.empty() && journal.name != options.writer) continue;
    const std::vector<std::string> lines = TRY(audit::LastRecords(*journal.files, options.count));
    for (const std::string& line : lines) {
      Result<Json> record = ParseJson(line);
      if (!record) {
        return Error(ErrorCode::kCorrupt, "journal '" + journal.name +
                                              "' has a line that is no record: run skerry audit "
                                              "verify");
      }
      std::string time = TextAt(*record, "/@timestamp");
      records.push_back({std::move(time), std::move(*record)});
    }
  }
  std::stable_sort(records.begin(), records.end(),
                   [](const Listed& a, const Listed& b) { return a.time < b.time; });
  if (records.size() > options.count) {
    records.erase(records.begin(), records.end() - static_cast<ptrdiff_t>(options.count));
  }
  if (options.json) {
    Json list = Json::array();
    for (Listed& listed : records) list.push_back(std::move(listed.record));
    std::cout << DumpJson(list) << std::endl;
    return {};
  }
  Table table({"TIME", "JOURNAL", "RECORD", "ACTION", "OUTCOME", "WHO", "WHAT"});
  for (const Listed& listed : records) {
    const Json& record = listed.record;
    std::string what = TextAt(record, "/skerry/target");
    if (what.empty()) what = TextAt(record, "/gen_ai/request/model");
    if (what.empty()) what = TextAt(record, "/http/request/id");
    const std::string reason = TextAt(record, "/event/reason");
    table.Add({listed.time, TextAt(record, "/skerry/chain/writer"),
               TextAt(record, "/event/sequence"), TextAt(record, "/event/action"),
               TextAt(record, "/event/outcome"), TextAt(record, "/user/name"),
               reason.empty() ? what : what + " (" + reason + ")"});
  }
  std::cout << table.Text() << std::flush;
  return {};
}

}  // namespace

void AddAuditCommands(CLI::App& app, Context& context) {
  CLI::App* audit = app.add_subcommand("audit", "The audit journal");
  audit->require_subcommand(1);

  CLI::App* verify =
      audit->add_subcommand("verify", "Check every record and every link; needs the files only");
  AddDataOption(*verify, context);
  auto verify_options = std::make_shared<VerifyOptions>();
  verify
      ->add_option("--journal", verify_options->journal, "One journal's folder (instead of --data)")
      ->type_name("DIR");
  verify
      ->add_option("--head", verify_options->head,
                   "A head noted earlier: the journal must contain that record")
      ->type_name("HEX");
  verify->add_flag("--json", verify_options->json, "Print JSON");
  verify->callback([&context, verify_options] {
    context.run = [&context, verify_options] { return Verify(context, *verify_options); };
  });

  CLI::App* list = audit->add_subcommand("ls", "List the last records");
  AddDataOption(*list, context);
  auto list_options = std::make_shared<ListOptions>();
  list->add_option("-n", list_options->count, "So many")
      ->capture_default_str()
      ->check(CLI::Range(size_t{1}, kMaxListed));
  list->add_option("--writer", list_options->writer, "One journal only: api or admin");
  list->add_flag("--json", list_options->json, "Print JSON");
  list->callback([&context, list_options] {
    context.run = [&context, list_options] { return List(context, *list_options); };
  });
}

}  // namespace skerry::cli
