// `skerry receipts ls|show|verify|key`: from the files alone, whether an appliance runs or not.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "appliance/base/files.h"
#include "appliance/base/json.h"
#include "appliance/base/progress.h"
#include "appliance/cli/command.h"
#include "appliance/cli/listing.h"
#include "appliance/receipts/ledger.h"
#include "appliance/receipts/page.h"

namespace skerry::cli {

namespace {

constexpr size_t kMinDigestDigits = 8;

struct Options {
  std::string which;  // number or digest
  std::string html;
  std::string file;
  std::string key;
  std::string directory;
  bool json = false;
};

Result<trust::PublicKey> ReadKey(FileSystem& files, const std::string& path) {
  const std::string text = TRY(ReadAll(files, path, trust::kMaxKeyFileBytes));
  return receipts::ParseAppliancePublicKey(text).WithContext("'" + path + "'");
}

Result<trust::PublicKey> OwnKey(FileSystem& data) {
  Result<trust::PublicKey> key = ReadKey(data, receipts::kPublicKeyPath);
  if (key || key.error().code() != ErrorCode::kNotFound) return key;
  return Error(ErrorCode::kNotFound,
               "this appliance has no key yet: it is made with the first import");
}

// The payload as it was signed, and its digest.
Result<Json> ToJson(const receipts::SignedReceipt& receipt) {
  Json json = TRY(ParseJson(receipts::SerializeReceipt(receipt.receipt),
                            {.max_bytes = receipts::kMaxReceiptBytes}));
  json["digest"] = receipt.digest.Hex();
  return json;
}

Result<std::vector<receipts::SignedReceipt>> ReadOwn(FileSystem& data) {
  std::vector<receipts::SignedReceipt> own;
  const std::vector<receipts::ReceiptFile> list =
      TRY(receipts::ListReceipts(data, receipts::kReceiptsDirectory));
  if (list.empty()) return own;
  const trust::PublicKey key = TRY(OwnKey(data));
  for (const receipts::ReceiptFile& file : list) {
    receipts::SignedReceipt receipt =
        TRY(receipts::ReadReceipt(data, receipts::kReceiptsDirectory, file, key));
    own.push_back(std::move(receipt));
  }
  return own;
}

Result<void> List(const Context& context, const Options& options) {
  const std::unique_ptr<FileSystem> data = TRY(OpenFiles(context.data_directory));
  const std::vector<receipts::SignedReceipt> own = TRY(ReadOwn(*data));
  if (options.json) {
    Json array = Json::array();
    for (const receipts::SignedReceipt& receipt : own) {
      Json json = TRY(ToJson(receipt));
      array.push_back(std::move(json));
    }
    std::cout << DumpJson(array) << "\n";
    return {};
  }
  if (own.empty()) {
    std::cout << "No receipts: one is written with every import\n";
    return {};
  }
  Table table({"NUMBER", "ID", "VERSION", "RELEASE", "IMPORTED", "BUNDLE"});
  for (const receipts::SignedReceipt& item : own) {
    const receipts::Receipt& receipt = item.receipt;
    table.Add({std::to_string(receipt.counter), receipt.id, receipt.version,
               std::to_string(receipt.release_seq), receipt.imported_at,
               "sha256-" + receipt.bundle.Hex().substr(0, 12)});
  }
  std::cout << table.Text();
  return {};
}

// The last receipt whose number or bundle digest (its first digits suffice) is `which`.
Result<receipts::SignedReceipt> FindOwn(FileSystem& data, const std::string& which) {
  const std::vector<receipts::ReceiptFile> list =
      TRY(receipts::ListReceipts(data, receipts::kReceiptsDirectory));
  const std::string digits = which.starts_with("sha256-") ? which.substr(7) : which;
  const auto found = std::find_if(list.rbegin(), list.rend(), [&](const auto& file) {
    if (std::to_string(file.counter) == which) return true;
    return digits.size() >= kMinDigestDigits && file.bundle.Hex().starts_with(digits);
  });
  if (found == list.rend()) {
    return Error(ErrorCode::kNotFound,
                 "there is no receipt '" + which + "': 'skerry receipts ls' lists them");
  }
  const trust::PublicKey key = TRY(OwnKey(data));
  return receipts::ReadReceipt(data, receipts::kReceiptsDirectory, *found, key);
}

std::string FloorText(const std::optional<receipts::FloorFact>& floor) {
  return floor ? "release " + std::to_string(floor->release_seq) : "none";
}

// One line for each chat template.
std::string TemplateLines(const std::vector<receipts::Template>& templates) {
  std::string lines;
  for (const receipts::Template& item : templates) {
    lines += "template     " + item.name + ", sha256 " + item.sha256.Hex() + "\n";
  }
  return lines;
}

void Print(const receipts::SignedReceipt& item) {
  const receipts::Receipt& receipt = item.receipt;
  uint64_t total = 0;
  for (const format::FileEntry& file : receipt.files) total += file.size;
  std::cout << "receipt      " << receipt.counter << "\n"
            << "model        " << receipt.id << " " << receipt.version << ", release "
            << receipt.release_seq << ", " << receipt.model_format << "\n"
            << "content      " << receipt.files.size() << " files, " << FormatBytes(total) << "\n"
            << "imported at  " << receipt.imported_at << " (the appliance's own clock)\n"
            << "bundle       " << trust::Grouped(receipt.bundle) << "\n"
            << "model digest " << trust::Grouped(receipt.model) << "\n"
            << "signatures   " << receipt.signers.size() << ", " << receipt.release_threshold
            << " needed\n";
  for (const trust::KeyId& id : receipt.signers) std::cout << "  " << trust::Grouped(id) << "\n";
  std::cout << "trust root   version " << receipt.root_version << "\n"
            << "revocations  "
            << (receipt.revocations == 0 ? "no list"
                                         : "list " + std::to_string(receipt.revocations))
            << "\n"
            << "floor        " << FloorText(receipt.floor_before) << " before, "
            << FloorText(receipt.floor_after) << " after\n"
            << TemplateLines(receipt.templates) << "permit       "
            << (receipt.permit ? trust::Grouped(*receipt.permit) : "none") << "\n"
            << "digest       " << trust::Grouped(item.digest) << "\n";
}

Result<void> Show(const Context& context, const Options& options) {
  const std::unique_ptr<FileSystem> data = TRY(OpenFiles(context.data_directory));
  const receipts::SignedReceipt receipt = TRY(FindOwn(*data, options.which));
  if (!options.html.empty()) {
    const std::unique_ptr<FileSystem> files = TRY(OpenFiles("."));
    TRY(WriteAtomically(*files, options.html, receipts::ReceiptPage(receipt), 0644));
  }
  if (options.json) {
    const Json json = TRY(ToJson(receipt));
    std::cout << DumpJson(json) << "\n";
  } else {
    Print(receipt);
  }
  return {};
}

Result<void> Verify(const Options& options) {
  if (options.file.empty() && options.directory.empty()) {
    return Error(ErrorCode::kInvalidArgument, "give a receipt's file, or a folder with --all");
  }
  const std::unique_ptr<FileSystem> files = TRY(OpenFiles("."));
  const trust::PublicKey key = TRY(ReadKey(*files, options.key));
  Json answer = {{"key", key.Id().Hex()}};
  if (!options.file.empty()) {
    const std::string text = TRY(ReadAll(*files, options.file, receipts::kMaxReceiptBytes));
    const receipts::SignedReceipt receipt =
        TRY(receipts::VerifyReceipt(text, key).WithContext("'" + options.file + "'"));
    Json payload = TRY(ToJson(receipt));
    answer["receipt"] = std::move(payload);
    if (!options.json) Print(receipt);
  }
  if (!options.directory.empty()) {
    const std::unique_ptr<FileSystem> folder = TRY(OpenFiles(options.directory));
    const receipts::ChainReport report = TRY(receipts::VerifyChain(*folder, ".", key));
    answer["receipts"] = report.receipts;
    answer["head"] = report.head ? Json(report.head->Hex()) : Json();
    if (!options.json) {
      std::cout << "chain        " << report.receipts << " receipts, none missing";
      if (report.head) std::cout << "; the last is\n             " << trust::Grouped(*report.head);
      std::cout << "\n";
    }
  }
  if (options.json) {
    std::cout << DumpJson(answer) << "\n";
  } else {
    std::cout << "valid        signed by key " << trust::Grouped(key.Id()) << "\n";
  }
  return {};
}

Result<void> Key(const Context& context, const Options& options) {
  const std::unique_ptr<FileSystem> data = TRY(OpenFiles(context.data_directory));
  const trust::PublicKey key = TRY(OwnKey(*data));
  if (options.json) {
    std::cout << receipts::SerializeAppliancePublicKey(key);
    return {};
  }
  std::cout << "key id       " << trust::Grouped(key.Id()) << "\n"
            << "public key   " << context.data_directory << "/" << receipts::kPublicKeyPath << "\n";
  return {};
}

CLI::App* AddCommand(CLI::App& parent, const std::string& name, const std::string& help,
                     Options& options) {
  CLI::App* command = parent.add_subcommand(name, help);
  command->add_flag("--json", options.json, "Print JSON");
  return command;
}

}  // namespace

void AddReceiptsCommands(CLI::App& app, Context& context) {
  CLI::App* receipts = app.add_subcommand("receipts", "Signed receipts of imports");
  receipts->require_subcommand(1);
  const auto options = std::make_shared<Options>();  // lives as long as the callbacks

  CLI::App* list = AddCommand(*receipts, "ls", "List the receipts", *options);
  AddDataOption(*list, context);
  list->callback([&context, options] { context.run = [&] { return List(context, *options); }; });

  CLI::App* show = AddCommand(*receipts, "show", "Show one receipt", *options);
  show->add_option("receipt", options->which, "Its number, or its bundle's digest")
      ->required()
      ->type_name("N|DIGEST");
  show->add_option("--html", options->html, "Write the page to print into this file");
  AddDataOption(*show, context);
  show->callback([&context, options] { context.run = [&] { return Show(context, *options); }; });

  CLI::App* verify =
      AddCommand(*receipts, "verify", "Check a receipt, or a folder of them, anywhere", *options);
  verify->add_option("file", options->file, "A receipt's JSON file");
  verify->add_option("--key", options->key, "The appliance's public key (appliance.pub)")
      ->required();
  verify->add_option("--all", options->directory, "A whole folder, as a chain without gaps")
      ->type_name("DIR");
  verify->callback([&context, options] { context.run = [&] { return Verify(*options); }; });

  CLI::App* key = AddCommand(*receipts, "key", "Show the appliance's own key", *options);
  AddDataOption(*key, context);
  key->callback([&context, options] { context.run = [&] { return Key(context, *options); }; });
}

}  // namespace skerry::cli
