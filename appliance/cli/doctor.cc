// doctor: what this machine has. With --profile as a file for the connected side, where `bundle
// create --for` compares a model with it before a courier leaves.
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "appliance/base/capture.h"
#include "appliance/base/files.h"
#include "appliance/base/json.h"
#include "appliance/base/progress.h"
#include "appliance/cli/command.h"
#include "appliance/cli/hardware.h"
#include "bundler/import/install.h"

namespace skerry::cli {

namespace {

// Of the file system that has the data directory, or would have it.
Result<uint64_t> StoreFreeBytes(const std::string& data_directory) {
  std::string path = TRY(AbsolutePath(data_directory));
  for (;;) {
    const Result<std::unique_ptr<FileSystem>> files = OpenFiles(path);
    if (files) return (*files)->FreeBytes();
    if (path == "/" || files.error().code() != ErrorCode::kNotFound) return files.error();
    path = ParentDirectory(path);
  }
}

Result<Json> Profile(const Context& context) {
  const Hardware hardware = TRY(ReadHardware());
  const std::string printed =
      TRY(CaptureOutput({context.program_directory + "/skerry-engine", "capabilities", "--json"}));
  const Json engine = TRY(ParseJson(printed));
  const uint64_t free_bytes = TRY(StoreFreeBytes(context.data_directory));
  Json gpus = Json::array();
  for (const Gpu& gpu : hardware.gpus) {
    gpus.push_back({{"memory_bytes", gpu.memory_bytes}, {"name", gpu.name}});
  }
  return Json{{"cpu",
               {{"cores", hardware.cpu.cores},
                {"flags", hardware.cpu.flags},
                {"model", hardware.cpu.model}}},
              {"engine", engine},
              {"format", 1},
              {"gpus", std::move(gpus)},
              {"kernel", hardware.kernel},
              {"memory_bytes", hardware.memory_bytes},
              {"reserved_bytes", import::kReservedBytes},
              {"skerry", SKERRY_VERSION},
              {"store_free_bytes", free_bytes}};
}

std::string Words(const Json& array) {
  std::string text;
  for (const Json& item : array) text += (text.empty() ? "" : " ") + item.get<std::string>();
  return text;
}

void Print(const Json& profile) {
  const Json& cpu = profile["cpu"];
  const Json& engine = profile["engine"];
  std::cout << "skerry     " << profile["skerry"].get<std::string>() << ", "
            << profile["kernel"].get<std::string>() << "\n"
            << "processor  " << cpu["model"].get<std::string>() << ", " << cpu["cores"]
            << " cores, " << Words(cpu["flags"]) << "\n"
            << "memory     " << FormatBytes(profile["memory_bytes"].get<uint64_t>()) << "\n"
            << "store      " << FormatBytes(profile["store_free_bytes"].get<uint64_t>())
            << " free, of which an import leaves "
            << FormatBytes(profile["reserved_bytes"].get<uint64_t>()) << " alone\n";
  for (const Json& gpu : profile["gpus"]) {
    std::cout << "GPU        " << gpu["name"].get<std::string>() << ", "
              << FormatBytes(gpu["memory_bytes"].get<uint64_t>()) << "\n";
  }
  if (profile["gpus"].empty()) std::cout << "GPU        none found\n";
  std::cout << "engine     tensors " << Words(engine["tensor_types"]) << "\n";
  for (const auto& item : engine["architectures"].items()) {
    if (item.value().empty()) continue;
    std::cout << "           " << item.key() << ": " << Words(item.value()) << "\n";
  }
}

Result<void> RunDoctor(const Context& context, bool as_profile) {
  const Json profile = TRY(Profile(context));
  if (as_profile) {
    std::cout << DumpJson(profile) << std::endl;
  } else {
    Print(profile);
  }
  return {};
}

}  // namespace

void AddDoctorCommand(CLI::App& app, Context& context) {
  CLI::App* command = app.add_subcommand("doctor", "What this machine has for running models");
  AddDataOption(*command, context);
  auto profile = std::make_shared<bool>(false);
  command->add_flag("--profile,--json", *profile,
                    "Print it as a profile (box.json) for 'skerry bundle create --for'");
  command->callback([&context, profile] {
    context.run = [&context, profile] { return RunDoctor(context, *profile); };
  });
}

}  // namespace skerry::cli
