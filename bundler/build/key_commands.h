// keys generate|passphrase|show.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "bundler/build/passphrase.h"
#include "bundler/build/secret_key.h"

namespace CLI {
class App;
}

namespace skerry::build {

void AddKeyCommands(CLI::App& app, std::function<Result<void>()>& run);

// Adds --passphrase-file to a command that reads secret keys.
void AddPassphraseOption(CLI::App& command, std::string& file);

// The secret keys `paths`; the passphrase of encrypted ones comes from `passphrase_file`, or from
// the terminal when that is empty.
Result<std::vector<SecretKey>> ReadKeys(FileSystem& files, const std::vector<std::string>& paths,
                                        const std::string& passphrase_file);

}  // namespace skerry::build
