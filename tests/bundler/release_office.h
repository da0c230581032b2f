// A release officer for tests: keys, a trust root and bundles of small models, in memory.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "appliance/base/encode.h"
#include "appliance/base/testing/memory_files.h"
#include "bundler/build/create.h"
#include "bundler/build/secret_key.h"
#include "tests/bundler/small_model.h"

namespace skerry::testing {

struct ReleaseOffice {
  ReleaseOffice() : ReleaseOffice(1, 1) {}
  ReleaseOffice(int release_keys, uint64_t threshold) {
    root_keys.push_back(build::SecretKey::Generate(trust::RoleName::kRoot));
    const trust::PublicKey& root_key = root_keys[0].public_key();
    root.keys.emplace(root_key.Id(), root_key);
    root.root.keys = root.revoke.keys = {root_key.Id()};
    for (int i = 0; i < release_keys; ++i) {
      keys.push_back(build::SecretKey::Generate(trust::RoleName::kRelease));
      const trust::PublicKey& key = keys.back().public_key();
      root.keys.emplace(key.Id(), key);
      root.release.keys.insert(key.Id());
    }
    root.release.threshold = threshold;
    root_text = build::SignRoot(root, root_keys).value();
  }

  build::CreateOptions Options() const {
    build::CreateOptions options;
    options.id = "acme/tiny";
    options.version = "1.0.0";
    options.release_seq = 1;
    options.root_text = root_text;
    options.threads = 2;
    return options;
  }

  // The bundle's bytes.
  Result<std::string> Pack(const std::map<std::string, std::string>& model,
                           const build::CreateOptions& options) const {
    MemoryFiles files;
    for (const auto& [name, text] : model) {
      TRY(MakeDirectories(files, "model/" + ParentDirectory(name)));
      const std::unique_ptr<File> file = TRY(files.Create("model/" + name, 0600));
      TRY(file->Append(AsBytes(text)));
    }
    for (const build::SourceFile& document : options.documents) {
      const std::unique_ptr<File> file = TRY(files.Create(document.path, 0600));
      TRY(file->Append(AsBytes("text of " + document.name)));
    }
    const build::Source source =
        TRY(build::ListSource(files, "model", {.include = {"*"}, .exclude = {}}));
    TRY(build::CreateBundle(files, source, options, keys, files, "out.skb"));
    return ReadAll(files, "out.skb");
  }
  std::string Pack(const std::map<std::string, std::string>& model = SmallModel()) const {
    const Result<std::string> bundle = Pack(model, Options());
    EXPECT_TRUE(bundle) << bundle.error().message();
    return bundle ? *bundle : "";
  }

  std::vector<build::SecretKey> root_keys;
  std::vector<build::SecretKey> keys;  // release keys; all sign
  trust::Root root;
  std::string root_text;
};

}  // namespace skerry::testing
