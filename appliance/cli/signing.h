// Commands that skerry-bundler carries out.
#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace skerry::cli {

struct Context;

// Adds a subcommand `name` whose arguments go unread to `skerry-bundler PATH...`.
CLI::App* AddBundlerCommand(CLI::App& parent, Context& context, const std::string& name,
                            const std::string& description, std::vector<std::string> path);

}  // namespace skerry::cli
