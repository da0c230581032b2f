// Bundles taken apart and put together again by hand, for tests that damage or split them.
#pragma once

#include <gtest/gtest.h>
#include <cstdlib>

#include <string>
#include <utility>
#include <vector>

#include "bundler/format/layout.h"
#include "bundler/format/tar.h"

namespace skerry::testing {

// How far apart the bits are that a test flips: every one with SKERRY_FULL_COUNTS=1 (minutes),
// otherwise a sample that has all eight bits of a byte.
inline size_t BitStep() {
  const char* full = std::getenv("SKERRY_FULL_COUNTS");
  if (full != nullptr && std::string(full) == "1") return 1;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return 331;
#else
  return 61;
#endif
}

inline std::string ArchiveMember(std::string_view name, std::string content) {
  std::string bytes = format::TarHeader(name, content.size()) + content;
  return bytes + std::string(format::TarPaddingBytes(content.size()), '\0');
}

// The members of a small bundle (all have one-block headers), to be changed and put together again.
struct ArchiveParts {
  ArchiveParts() = default;
  explicit ArchiveParts(const std::string& bundle) {
    size_t at = 0;
    while (bundle[at] != '\0') {
      const std::string name = bundle.substr(at, 100).c_str();
      const size_t size = std::stoul(bundle.substr(at + 124, 11), nullptr, 8);
      members.emplace_back(name, bundle.substr(at + 512, size));
      at += format::TarMemberBytes(size);
    }
  }
  std::string& At(const std::string& name) {
    for (auto& [member, content] : members) {
      if (member == name) return content;
    }
    ADD_FAILURE() << name;
    return members[0].second;
  }
  std::string Join() const {
    std::string bundle;
    for (const auto& [name, content] : members) bundle += ArchiveMember(name, content);
    return bundle + std::string(format::kTarEndBytes, '\0');
  }
  std::vector<std::pair<std::string, std::string>> members;
};

// A small bundle of which every file has at most one chunk, as volumes of `chunks` each, one file
// per chunk: the text of docs/formats/bundle.md, "Volumes", and nothing of the code under test.
inline std::vector<std::string> SplitByHand(const std::string& bundle, size_t chunks) {
  const ArchiveParts whole(bundle);
  std::vector<std::pair<std::string, std::string>> head, rest, data;
  for (const auto& member : whole.members) {
    const std::string& name = member.first;
    if (name.starts_with("data/")) {
      data.push_back(member);
    } else {
      (name.starts_with("meta/tree/") || name.starts_with("meta/doc/") ? rest : head)
          .push_back(member);
    }
  }
  std::vector<std::string> volumes;
  for (size_t first = 0; first < data.size(); first += chunks) {
    ArchiveParts volume(bundle);
    volume.members = head;
    volume.members.emplace_back("meta/volume",
                                "{\"chunks\":" + std::to_string(chunks) +
                                    ",\"number\":" + std::to_string(volumes.size() + 1) + "}");
    volume.members.insert(volume.members.end(), rest.begin(), rest.end());
    for (size_t i = first; i < std::min(first + chunks, data.size()); ++i) {
      volume.members.emplace_back(data[i].first + "/0000000", data[i].second);
    }
    volumes.push_back(volume.Join());
  }
  return volumes;
}

}  // namespace skerry::testing
