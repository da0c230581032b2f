#include "bundler/build/bundle_commands.h"

#include <CLI/CLI.hpp>
#include <memory>

#include "bundler/build/archive_commands.h"
#include "bundler/build/create_command.h"
#include "bundler/build/key_commands.h"
#include "bundler/build/template_review.h"

namespace skerry::build {

namespace {

using Run = std::function<Result<void>()>;

void AddCreate(CLI::App& bundle, Run& run) {
  const auto owned = std::make_shared<CreateCommandOptions>();  // lives as long as the callback
  CreateCommandOptions& options = *owned;
  CLI::App* command = bundle.add_subcommand("create", "Pack and sign a model");
  command->add_option("model", options.model, "Model folder or *.gguf file");
  command->add_option("--from-ollama", options.from_ollama, "Take a model of Ollama's instead")
      ->type_name("NAME[:TAG]");
  command
      ->add_option("--from-lmstudio", options.from_lmstudio, "Take a model of LM Studio's instead")
      ->type_name("ORG/NAME[/FILE]");
  command
      ->add_option("--store", options.store,
                   "Where Ollama or LM Studio keeps its models (default: where it usually does)")
      ->type_name("DIR");
  command->add_option("--id", options.id, "Name of the model")->required()->type_name("ORG/NAME");
  command->add_option("--version", options.version, "Its version, for people")->required();
  command->add_option("--seq", options.release_seq, "Release sequence, growing with every release")
      ->required()
      ->type_name("N");
  command
      ->add_option("--expires", options.expires,
                   "Last day of the model's use (UTC); later readers warn and go on")
      ->type_name("YYYY-MM-DD");
  command->add_option("--key", options.keys, "Secret release key (repeatable)")
      ->required()
      ->allow_extra_args(false)
      ->type_name("FILE");
  AddPassphraseOption(*command, options.passphrase_file);
  command->add_option("--trust", options.trust, "Trust root that the appliances have")
      ->required()
      ->type_name("root.json");
  command->add_option("--revocations", options.revocations, "Revocation list that travels along")
      ->type_name("FILE");
  AddReviewOptions(*command, options.previous, options.yes);
  command
      ->add_option("--include", options.source.include,
                   "Take files of this pattern as part of the model, whatever their names "
                   "(repeatable)")
      ->allow_extra_args(false)
      ->type_name("PATTERN");
  command
      ->add_option("--exclude", options.source.exclude,
                   "Leave out files of this pattern (repeatable)")
      ->allow_extra_args(false)
      ->type_name("PATTERN");
  command
      ->add_option("--document", options.documents,
                   "Licence, model card or SBOM that travels along (repeatable)")
      ->allow_extra_args(false)
      ->type_name("FILE");
  command->add_option("-o,--out", options.out, "Bundle to write")
      ->required()
      ->type_name("NAME.skb");
  command
      ->add_option("--for", options.box,
                   "Stop when it will not fit this machine: what 'skerry doctor --profile' printed "
                   "there")
      ->type_name("box.json");
  command
      ->add_option("--volume-size", options.volume_size,
                   "Cut into volumes no longer than this: fat32, dvd, bd25, or bytes (4GB, 700MB)")
      ->type_name("SIZE");
  command->add_flag("--force", options.force, "Overwrite an existing bundle");
  command->add_flag("--json", options.json, "Print the result as JSON");
  command->callback([&run, owned] { run = [owned] { return RunCreate(*owned); }; });
}

}  // namespace

void AddBundleCommands(CLI::App& app, Run& run) {
  CLI::App* bundle = app.add_subcommand("bundle", "Signed bundles");
  bundle->require_subcommand(1);
  AddCreate(*bundle, run);
  AddSign(*bundle, run);
  AddSplit(*bundle, run);
  AddJoin(*bundle, run);
}

}  // namespace skerry::build
