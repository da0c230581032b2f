// The verdicts of both readers, ours and bundler/verify, in the same words.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "appliance/base/files.h"
#include "appliance/base/json.h"
#include "appliance/base/process.h"
#include "bundler/inspect/model.h"
#include "bundler/reader/verify.h"
#include "bundler/trust/trust_store.h"
#include "tests/bundler/string_file.h"

namespace skerry::testing {

// What our reader says of `archives`, in the words of a test vector.
inline Result<Json> FirstReader(const std::vector<std::string>& archives,
                                const trust::TrustState& trust, bool deep) {
  std::vector<std::unique_ptr<StringFile>> files;
  std::vector<reader::NamedFile> named;
  for (const std::string& archive : archives) {
    files.push_back(std::make_unique<StringFile>(archive));
    named.push_back({"file " + std::to_string(files.size()), files.back().get()});
  }
  reader::VerifyOptions options;
  options.read.threads = 1;
  options.deep = deep;
  const reader::VolumeSet set = TRY(reader::VerifyArchives(named, trust, options));
  const reader::VerifiedBundle& bundle = set.parts().front().bundle;
  if (set.IsComplete()) {
    TRY(inspect::InspectFiles(bundle.manifest(), [&](size_t idx) -> Result<std::unique_ptr<File>> {
      return set.OpenFile(idx);
    }));
  }
  Json roots = Json::object();
  for (const format::FileEntry& entry : bundle.manifest().files) {
    roots[entry.name] = entry.root.Hex();
  }
  return Json{{"digest", "sha256-" + bundle.digest().Hex()},
              {"missing", set.Missing()},
              {"model_digest", bundle.model_digest().Hex()},
              {"roots", roots}};
}

// The verdicts of the second reader, `program`, on `batch` (its --batch), one a line. Works in
// `folder`.
inline std::vector<Json> SecondReader(const std::string& program, const std::string& folder,
                                      const std::string& batch) {
  const auto files = OpenFiles(folder).value();
  EXPECT_TRUE(WriteAtomically(*files, "batch", batch));
  SpawnOptions options;
  options.argv = {"/usr/bin/env", "python3", program, "--batch", folder + "/batch"};
  const UniqueFd out(::open((folder + "/out").c_str(), O_CREAT | O_TRUNC | O_RDWR, 0600));
  options.fds = {{out.get(), 1}};
  EXPECT_EQ(WaitForExit(Spawn(options).value()).value()->code, 0);
  std::vector<Json> verdicts;
  std::string text = ReadAll(*files, "out").value();
  while (!text.empty()) {
    const size_t end = text.find('\n') + 1;
    verdicts.push_back(ParseJson(text.substr(0, end)).value());
    text.erase(0, end);
  }
  return verdicts;
}

}  // namespace skerry::testing
