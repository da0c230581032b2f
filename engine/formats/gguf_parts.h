// Names of the files of a GGUF checkpoint that llama.cpp's gguf-split cut into parts:
// NAME-00001-of-00003.gguf and so on.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace skerry::engine {

struct GgufPartName {
  std::string stem;  // what stands before "-00001-of-00003.gguf", folders included
  int number = 0;    // from 1
  int count = 0;

  // The name of another part of the same checkpoint.
  std::string Part(int other) const;
};

// Nothing when the name is not that of a part.
std::optional<GgufPartName> ParseGgufPartName(std::string_view name);

// Which of a folder's files to open: every .gguf file but the parts of one of which an earlier part
// is there, too. In the order given.
std::vector<std::string> GgufCheckpoints(std::span<const std::string> names);

}  // namespace skerry::engine
