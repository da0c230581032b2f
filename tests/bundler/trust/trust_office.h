// Signers for tests of the trust rules: roots with successors, revocation lists, permits, and
// models as an importer leaves them in a store.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <vector>

#include "appliance/base/encode.h"
#include "appliance/base/testing/memory_files.h"
#include "bundler/build/secret_key.h"
#include "bundler/format/layout.h"
#include "bundler/format/manifest.h"
#include "bundler/trust/floor.h"
#include "bundler/trust/permit.h"
#include "bundler/trust/revocations.h"
#include "bundler/trust/root.h"
#include "bundler/trust/trust_store.h"

namespace skerry::testing {

using build::SecretKey;
using trust::RoleName;

class TrustOffice {
 public:
  // `root_keys` of which all sign, `release_keys` of which `release_threshold` must.
  explicit TrustOffice(int root_keys = 1, int release_keys = 1, uint64_t release_threshold = 1) {
    for (int i = 0; i < root_keys; ++i) Add(RoleName::kRoot, roots);
    for (int i = 0; i < release_keys; ++i) Add(RoleName::kRelease, releases);
    Add(RoleName::kRevoke, revokes);
    root.root.threshold = static_cast<uint64_t>(root_keys);
    root.release.threshold = release_threshold;
    file = Sign(root, roots);
  }

  static std::string Sign(const trust::Root& root, const std::vector<SecretKey>& keys) {
    const Result<std::string> text = build::SignRoot(root, keys);
    EXPECT_TRUE(text) << text.error().message();
    return text ? *text : "";
  }
  static std::string Envelope(std::string_view type, const std::string& payload,
                              std::initializer_list<const SecretKey*> keys) {
    trust::Envelope envelope{std::string(type), payload, {}};
    for (const SecretKey* key : keys) envelope.signatures.push_back(key->Sign(type, payload));
    return trust::SerializeEnvelope(envelope);
  }

  // Replaces the keys of `role` by one new key in the next version, signed by the root keys before
  // and after; appends it to `file`.
  void Rotate(RoleName role) {
    std::vector<SecretKey>& keys = role == RoleName::kRoot      ? roots
                                   : role == RoleName::kRelease ? releases
                                                                : revokes;
    for (const SecretKey& key : keys) root.keys.erase(key.public_key().Id());
    std::vector<SecretKey> old = std::move(keys);
    keys.clear();
    root.At(role) = {};
    Add(role, keys);
    root.At(role).threshold = 1;
    ++root.version;
    const std::string payload = trust::SerializeRootPayload(root).value();
    trust::Envelope envelope{std::string(trust::kRootType), payload, {}};
    for (const SecretKey& key : roots) {
      envelope.signatures.push_back(key.Sign(trust::kRootType, payload));
    }
    if (role == RoleName::kRoot) {
      for (const SecretKey& key : old) {
        envelope.signatures.push_back(key.Sign(trust::kRootType, payload));
      }
    }
    file += trust::SerializeEnvelope(envelope);
  }

  trust::RootChain Chain() const { return trust::ParseRootChain(file).value(); }
  trust::TrustState State() const {
    trust::TrustState state;
    state.roots = Chain();
    return state;
  }
  std::string List(const trust::Revocations& list) const {
    return Envelope(trust::kRevocationsType, trust::SerializeRevocationsPayload(list),
                    {&revokes[0]});
  }
  std::string List(uint64_t sequence) const {
    trust::Revocations list;
    list.sequence = sequence;
    return List(list);
  }
  std::string PermitText(const trust::Release& release, uint8_t serial = 1) const {
    trust::Permit permit{release.bundle, release.id, release.release_seq, {}};
    permit.serial[0] = serial;
    return Envelope(trust::kPermitType, trust::SerializePermitPayload(permit), {&releases[0]});
  }

  // Leaves a model in `files`/store, signed by the release keys; the roots from version 2 on,
  // `list` and `permit` (empty: none) came with it.
  trust::Release Store(FileSystem& files, uint64_t release_seq, const std::string& list = "",
                       bool with_permit = false, const std::string& id = "acme/tiny") const {
    format::Manifest manifest;
    manifest.id = id;
    manifest.version = "1.0.0";
    manifest.release_seq = release_seq;
    manifest.files.push_back({"config.json", 2, Sha256::Of("r"), Sha256::Of("{}")});
    const std::string text = format::SerializeManifest(manifest).value();
    const trust::Release release{id, release_seq, Sha256::Of(std::string_view(text)),
                                 format::ModelDigest(manifest)};
    const std::string folder = "store/sha256-" + release.bundle.Hex();
    const auto put = [&](const std::string& name, const std::string& content) {
      const std::string path = folder + "/" + name;
      ASSERT_TRUE(MakeDirectories(files, ParentDirectory(path)));
      ASSERT_TRUE(WriteAtomically(files, path, content));
      ASSERT_TRUE(files.SyncDirectory("."));
      ASSERT_TRUE(files.SyncDirectory("store"));
      ASSERT_TRUE(files.SyncDirectory(folder));
    };
    std::vector<trust::Signature> signatures;
    for (const SecretKey& key : releases) {
      signatures.push_back(key.Sign(format::kManifestType, text));
    }
    put("bundle/manifest", text);
    put("bundle/signatures", trust::SerializeSignatures(signatures) + "\n\n");
    for (const trust::SignedRoot& line : Chain().roots) {
      put("bundle/roots/" + std::to_string(line.root.version), line.text);
    }
    if (!list.empty()) put("bundle/revocations", list);
    if (with_permit) put("bundle/permit", PermitText(release));
    return release;
  }

  std::vector<SecretKey> roots, releases, revokes;
  trust::Root root;
  std::string file;  // root.json

 private:
  void Add(RoleName role, std::vector<SecretKey>& keys) {
    keys.push_back(SecretKey::Generate(role));
    const trust::PublicKey& key = keys.back().public_key();
    root.keys.emplace(key.Id(), key);
    root.At(role).keys.insert(key.Id());
  }
};

}  // namespace skerry::testing
