#include "bundler/build/key_commands.h"

#include <CLI/CLI.hpp>
#include <iostream>
#include <optional>

namespace skerry::build {

namespace {

using Run = std::function<Result<void>()>;

struct Options {
  std::string role;
  std::string file;
  std::string passphrase_file;
  std::string new_passphrase_file;
  bool encrypt = false;
  bool remove = false;
};

std::unique_ptr<PassphraseSource> Source(FileSystem& files, const std::string& file) {
  if (file.empty()) return TerminalPassphrases();
  return FilePassphrases(files, file);
}

Result<void> RunGenerate(const Options& options) {
  const trust::RoleName role = TRY(trust::RoleFromText(options.role));
  const std::unique_ptr<FileSystem> files = TRY(OpenFiles("."));
  // Before anybody types a passphrase for nothing.
  TRY(CheckKeyFilesFree(*files, options.file));
  std::optional<SecretBytes> passphrase;
  if (options.encrypt || !options.passphrase_file.empty()) {
    passphrase = TRY(Source(*files, options.passphrase_file)->AskNew(options.file));
  }
  const SecretKey key =
      TRY(GenerateKeyFiles(*files, options.file, role, passphrase ? &*passphrase : nullptr));
  std::cout << "secret key  " << options.file
            << (passphrase ? " (encrypted; keep it offline, and the passphrase elsewhere: nobody "
                             "can restore either)\n"
                           : " (keep it offline; nobody can restore it)\n")
            << "public key  " << PublicKeyPath(options.file) << "\n"
            << "key id      " << trust::Grouped(key.public_key().Id()) << "\n";
  return {};
}

Result<void> RunPassphrase(const Options& options) {
  if (options.remove && !options.new_passphrase_file.empty()) {
    return Error(ErrorCode::kInvalidArgument,
                 "--remove and --new-passphrase-file exclude each other");
  }
  const std::unique_ptr<FileSystem> files = TRY(OpenFiles("."));
  const std::unique_ptr<PassphraseSource> old = Source(*files, options.passphrase_file);
  const SecretKey key = TRY(ReadSecretKey(*files, options.file, old.get()));
  std::optional<SecretBytes> passphrase;
  if (!options.remove) {
    passphrase = TRY(Source(*files, options.new_passphrase_file)->AskNew(options.file));
  }
  TRY(RewriteKeyFile(*files, options.file, key, passphrase ? &*passphrase : nullptr));
  std::cout << "secret key  " << options.file
            << (passphrase ? " has a new passphrase" : " is not encrypted any more") << "\n"
            << "key id      " << trust::Grouped(key.public_key().Id()) << "\n"
            << "Copies and backups of the file keep their old passphrase.\n";
  return {};
}

Result<void> RunShow(const Options& options) {
  const std::unique_ptr<FileSystem> files = TRY(OpenFiles("."));
  const KeyFacts facts = TRY(ReadKeyFacts(*files, options.file));
  const char* kind = !facts.secret     ? "public key"
                     : facts.encrypted ? "secret key, encrypted"
                                       : "secret key, not encrypted";
  std::cout << "file    " << options.file << " (" << kind << ")\n"
            << "role    " << trust::RoleText(facts.role) << "\n"
            << "key id  " << trust::Grouped(facts.id) << "\n";
  return {};
}

CLI::App* Add(CLI::App& keys, Run& run, const char* name, const char* text,
              Result<void> (*action)(const Options&), std::shared_ptr<Options>& options) {
  options = std::make_shared<Options>();  // lives as long as the callback
  CLI::App* command = keys.add_subcommand(name, text);
  command->callback(
      [&run, action, options] { run = [action, options] { return action(*options); }; });
  return command;
}

}  // namespace

void AddPassphraseOption(CLI::App& command, std::string& file) {
  command
      .add_option("--passphrase-file", file,
                  "Its first line is the passphrase of encrypted keys (default: ask)")
      ->type_name("FILE");
}

Result<std::vector<SecretKey>> ReadKeys(FileSystem& files, const std::vector<std::string>& paths,
                                        const std::string& passphrase_file) {
  const std::unique_ptr<PassphraseSource> source = Source(files, passphrase_file);
  std::vector<SecretKey> keys;
  for (const std::string& path : paths) {
    SecretKey key = TRY(ReadSecretKey(files, path, source.get()));
    keys.push_back(std::move(key));
  }
  return keys;
}

void AddKeyCommands(CLI::App& app, Run& run) {
  CLI::App* keys = app.add_subcommand("keys", "Signing keys");
  keys->require_subcommand(1);
  std::shared_ptr<Options> options;

  CLI::App* generate = Add(*keys, run, "generate", "Make a key pair", RunGenerate, options);
  generate->add_option("--role", options->role, "What the key may sign: root, release or revoke")
      ->required();
  generate->add_option("--out", options->file, "Secret key to write, mode 0600; NAME.pub beside it")
      ->required()
      ->type_name("NAME.key");
  generate->add_flag("--encrypt", options->encrypt, "Ask for a passphrase that encrypts it");
  AddPassphraseOption(*generate, options->passphrase_file);

  CLI::App* passphrase =
      Add(*keys, run, "passphrase", "Set, change or remove the passphrase of a key", RunPassphrase,
          options);
  passphrase->add_option("file", options->file, "Secret key")->required()->type_name("NAME.key");
  passphrase->add_flag("--remove", options->remove, "Leave the key unencrypted");
  AddPassphraseOption(*passphrase, options->passphrase_file);
  passphrase
      ->add_option("--new-passphrase-file", options->new_passphrase_file,
                   "Its first line is the new passphrase (default: ask)")
      ->type_name("FILE");

  CLI::App* show = Add(*keys, run, "show", "Print role and id of a key", RunShow, options);
  show->add_option("file", options->file, "Secret or public key")->required()->type_name("FILE");
}

}  // namespace skerry::build
