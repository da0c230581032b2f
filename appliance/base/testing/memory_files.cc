#include "appliance/base/testing/memory_files.h"

#include <algorithm>
#include <cerrno>
#include <set>

namespace skerry::testing {

namespace {

struct Node {
  bool directory = false;
  std::string content;
  std::string synced_content;
};

using Tree = std::map<std::string, std::shared_ptr<Node>>;  // path -> node; "." is the root

std::string Normal(std::string path) {
  while (path.starts_with("./")) path.erase(0, 2);
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path.empty() ? "." : path;
}

bool IsBelow(const std::string& path, const std::string& directory) {
  if (directory == ".") return path != ".";
  return path.size() > directory.size() && path.starts_with(directory) &&
         path[directory.size()] == '/';
}

Error At(const std::string& verb, const std::string& path, int errno_value) {
  return ErrnoError(verb + " '" + path + "'", errno_value);
}

}  // namespace

struct MemoryFiles::State {
  mutable std::mutex mu;
  Tree tree;     // as programs see it
  Tree durable;  // entries that survive a power cut (their nodes' synced_content)
  int calls = 0;
  int fail_at = 0;
  uint64_t capacity_bytes = uint64_t{1} << 40;

  // Counts a changing call; an error when this one has to fail.
  Result<void> Change(const std::string& path) {
    ++calls;
    if (fail_at != 0 && calls >= fail_at) return At("injected failure at", path, EIO);
    return {};
  }
  uint64_t UsedBytes() const {
    uint64_t used = 0;
    for (const auto& [path, node] : tree) used += node->content.size();
    return used;
  }
  // Counts a changing call that makes `node` at least `size` bytes long; an error when it has to
  // fail or there is no room.
  Result<void> Grow(Node& node, const std::string& path, uint64_t size) {
    TRY(Change(path));
    if (size <= node.content.size()) return {};
    if (size - node.content.size() > capacity_bytes - std::min(capacity_bytes, UsedBytes())) {
      return At("cannot write", path, ENOSPC);
    }
    node.content.resize(size);
    return {};
  }
  bool HasParent(const std::string& path) const {
    const auto parent = tree.find(ParentDirectory(path));
    return parent != tree.end() && parent->second->directory;
  }
};

// `state_` is shared because a file may outlive the file system object that opened it.
class MemoryFile : public File {
 public:
  MemoryFile(std::shared_ptr<MemoryFiles::State> state, std::shared_ptr<Node> node,
             std::string path, bool append_only = false)
      : state_(std::move(state)),
        node_(std::move(node)),
        path_(std::move(path)),
        append_only_(append_only) {}

  Result<size_t> ReadAt(uint64_t offset, std::span<uint8_t> out) const override {
    const std::lock_guard lock(state_->mu);
    if (offset >= node_->content.size()) return size_t{0};
    const size_t count = std::min<size_t>(out.size(), node_->content.size() - offset);
    std::copy_n(node_->content.begin() + static_cast<ptrdiff_t>(offset), count, out.begin());
    return count;
  }
  Result<void> Append(std::span<const uint8_t> bytes) override {
    const std::lock_guard lock(state_->mu);
    return Put(node_->content.size(), bytes);
  }
  Result<void> WriteAt(uint64_t offset, std::span<const uint8_t> bytes) override {
    if (append_only_) return File::WriteAt(offset, bytes);
    const std::lock_guard lock(state_->mu);
    return Put(offset, bytes);
  }
  Result<void> Allocate(uint64_t size) override {
    if (append_only_) return File::Allocate(size);
    const std::lock_guard lock(state_->mu);
    return state_->Grow(*node_, path_, size);
  }
  Result<void> Sync() override {
    const std::lock_guard lock(state_->mu);
    TRY(state_->Change(path_));
    node_->synced_content = node_->content;
    return {};
  }
  Result<uint64_t> Size() const override {
    const std::lock_guard lock(state_->mu);
    return uint64_t{node_->content.size()};
  }
  Result<void> Truncate(uint64_t size) override {
    const std::lock_guard lock(state_->mu);
    TRY(state_->Change(path_));
    node_->content.resize(size);
    return {};
  }

 private:
  Result<void> Put(uint64_t offset, std::span<const uint8_t> bytes) {
    TRY(state_->Grow(*node_, path_, bytes.empty() ? 0 : offset + bytes.size()));
    std::copy(bytes.begin(), bytes.end(), node_->content.begin() + static_cast<ptrdiff_t>(offset));
    return {};
  }

  std::shared_ptr<MemoryFiles::State> state_;
  std::shared_ptr<Node> node_;
  std::string path_;
  bool append_only_;
};

MemoryFiles::MemoryFiles() : state_(std::make_shared<State>()) {
  auto root = std::make_shared<Node>();
  root->directory = true;
  state_->tree["."] = root;
  state_->durable["."] = root;
}

MemoryFiles::~MemoryFiles() = default;

void MemoryFiles::FailAtCall(int n) {
  const std::lock_guard lock(state_->mu);
  state_->fail_at = n == 0 ? 0 : state_->calls + n;
}

int MemoryFiles::calls() const {
  const std::lock_guard lock(state_->mu);
  return state_->calls;
}

void MemoryFiles::SetFreeBytes(uint64_t bytes) {
  const std::lock_guard lock(state_->mu);
  state_->capacity_bytes = state_->UsedBytes() + bytes;
}

std::unique_ptr<MemoryFiles> MemoryFiles::AfterPowerCut() const {
  const std::lock_guard lock(state_->mu);
  auto copy = std::make_unique<MemoryFiles>();
  copy->state_->capacity_bytes = state_->capacity_bytes;
  for (const auto& [path, node] : state_->durable) {
    if (path == ".") continue;
    // An entry survives only if every directory above it does.
    if (!copy->state_->HasParent(path)) continue;
    auto kept = std::make_shared<Node>(*node);
    kept->content = kept->synced_content;
    copy->state_->tree[path] = kept;
    copy->state_->durable[path] = kept;
  }
  return copy;
}

std::map<std::string, std::string> MemoryFiles::Snapshot() const {
  const std::lock_guard lock(state_->mu);
  std::map<std::string, std::string> snapshot;
  for (const auto& [path, node] : state_->tree) {
    if (path == ".") continue;
    if (node->directory) {
      snapshot[path + "/"] = "";
    } else {
      snapshot[path] = node->content;
    }
  }
  return snapshot;
}

Result<std::unique_ptr<File>> MemoryFiles::OpenRead(const std::string& raw_path) {
  const std::string path = Normal(raw_path);
  const std::lock_guard lock(state_->mu);
  const auto found = state_->tree.find(path);
  if (found == state_->tree.end()) return At("cannot open", path, ENOENT);
  if (found->second->directory) return At("cannot read", path, EISDIR);
  return std::unique_ptr<File>(std::make_unique<MemoryFile>(state_, found->second, path));
}

Result<std::unique_ptr<File>> MemoryFiles::Create(const std::string& raw_path, unsigned) {
  const std::string path = Normal(raw_path);
  const std::lock_guard lock(state_->mu);
  if (!state_->HasParent(path)) return At("cannot create", path, ENOENT);
  if (state_->tree.count(path) != 0) return At("cannot create", path, EEXIST);
  TRY(state_->Change(path));
  auto node = std::make_shared<Node>();
  state_->tree[path] = node;
  return std::unique_ptr<File>(std::make_unique<MemoryFile>(state_, node, path));
}

Result<std::unique_ptr<File>> MemoryFiles::OpenWrite(const std::string& path) {
  return OpenRead(path);
}

Result<std::unique_ptr<File>> MemoryFiles::OpenAppend(const std::string& raw_path, unsigned mode) {
  const std::string path = Normal(raw_path);
  if (!Exists(path)) TRY(Create(path, mode));
  const std::lock_guard lock(state_->mu);
  const auto found = state_->tree.find(path);
  if (found == state_->tree.end()) return At("cannot open", path, ENOENT);
  if (found->second->directory) return At("cannot open", path, EISDIR);
  return std::unique_ptr<File>(
      std::make_unique<MemoryFile>(state_, found->second, path, /*append_only=*/true));
}

Result<void> MemoryFiles::MakeDirectory(const std::string& raw_path, unsigned) {
  const std::string path = Normal(raw_path);
  const std::lock_guard lock(state_->mu);
  if (state_->tree.count(path) != 0) return At("cannot create directory", path, EEXIST);
  if (!state_->HasParent(path)) return At("cannot create directory", path, ENOENT);
  TRY(state_->Change(path));
  auto node = std::make_shared<Node>();
  node->directory = true;
  state_->tree[path] = node;
  return {};
}

Result<void> MemoryFiles::Rename(const std::string& raw_from, const std::string& raw_to) {
  const std::string from = Normal(raw_from);
  const std::string to = Normal(raw_to);
  const std::lock_guard lock(state_->mu);
  const auto found = state_->tree.find(from);
  if (found == state_->tree.end()) return At("cannot rename", from, ENOENT);
  if (!state_->HasParent(to)) return At("cannot rename to", to, ENOENT);
  const auto target = state_->tree.find(to);
  if (target != state_->tree.end() && target->second->directory) {
    for (const auto& [path, node] : state_->tree) {
      if (IsBelow(path, to)) return At("cannot rename to", to, ENOTEMPTY);
    }
  }
  TRY(state_->Change(to));
  Tree moved;
  for (auto it = state_->tree.begin(); it != state_->tree.end();) {
    if (it->first == from || IsBelow(it->first, from)) {
      moved[to + it->first.substr(from.size())] = it->second;
      it = state_->tree.erase(it);
    } else {
      ++it;
    }
  }
  for (auto& [path, node] : moved) state_->tree[path] = node;
  return {};
}

Result<void> MemoryFiles::RenameNoReplace(const std::string& from, const std::string& to) {
  if (Exists(to)) return At("cannot rename to", to, EEXIST);
  return Rename(from, to);
}

Result<void> MemoryFiles::Remove(const std::string& raw_path) {
  const std::string path = Normal(raw_path);
  const std::lock_guard lock(state_->mu);
  if (state_->tree.count(path) == 0) return At("cannot remove", path, ENOENT);
  for (const auto& [other, node] : state_->tree) {
    if (IsBelow(other, path)) return At("cannot remove", path, ENOTEMPTY);
  }
  TRY(state_->Change(path));
  state_->tree.erase(path);
  return {};
}

Result<void> MemoryFiles::SyncDirectory(const std::string& raw_path) {
  const std::string path = Normal(raw_path);
  const std::lock_guard lock(state_->mu);
  const auto found = state_->tree.find(path);
  if (found == state_->tree.end() || !found->second->directory) {
    return At("cannot sync directory", path, ENOENT);
  }
  TRY(state_->Change(path));
  // Entries whose parent is `path` become as durable as they are visible; a subtree that was moved
  // in or out goes along with the entry that names it.
  std::set<std::string> gone;
  for (const auto& [other, node] : state_->durable) {
    if (other == "." || ParentDirectory(other) != path) continue;
    const auto visible = state_->tree.find(other);
    if (visible == state_->tree.end() || visible->second != node) gone.insert(other);
  }
  std::map<const Node*, std::string> old_places;
  for (const auto& [other, node] : state_->durable) old_places[node.get()] = other;
  Tree additions;
  for (const auto& [other, node] : state_->tree) {
    if (other == "." || ParentDirectory(other) != path) continue;
    additions[other] = node;
    const auto old_place = old_places.find(node.get());
    if (!node->directory || old_place == old_places.end() || old_place->second == other) continue;
    for (const auto& [child, child_node] : state_->durable) {
      if (IsBelow(child, old_place->second)) {
        additions[other + child.substr(old_place->second.size())] = child_node;
      }
    }
    gone.insert(old_place->second);
  }
  for (auto it = state_->durable.begin(); it != state_->durable.end();) {
    const bool lost = std::any_of(gone.begin(), gone.end(), [&](const std::string& root) {
      return it->first == root || IsBelow(it->first, root);
    });
    it = lost ? state_->durable.erase(it) : std::next(it);
  }
  for (const auto& [other, node] : additions) state_->durable[other] = node;
  return {};
}

Result<std::vector<DirectoryEntry>> MemoryFiles::List(const std::string& raw_path) {
  const std::string path = Normal(raw_path);
  const std::lock_guard lock(state_->mu);
  const auto found = state_->tree.find(path);
  if (found == state_->tree.end() || !found->second->directory) {
    return At("cannot list", path, ENOENT);
  }
  std::vector<DirectoryEntry> entries;
  for (const auto& [other, node] : state_->tree) {
    if (other == "." || ParentDirectory(other) != path) continue;
    entries.push_back({path == "." ? other : other.substr(path.size() + 1),
                       node->directory ? FileKind::kDirectory : FileKind::kFile});
  }
  return entries;
}

Result<FileKind> MemoryFiles::Stat(const std::string& raw_path) {
  const std::string path = Normal(raw_path);
  const std::lock_guard lock(state_->mu);
  const auto found = state_->tree.find(path);
  if (found == state_->tree.end()) return At("cannot stat", path, ENOENT);
  return found->second->directory ? FileKind::kDirectory : FileKind::kFile;
}

Result<std::string> MemoryFiles::ReadLink(const std::string& path) {
  TRY(Stat(path));
  return Error(ErrorCode::kInvalidArgument, "'" + path + "' is not a link");
}

Result<uint64_t> MemoryFiles::FreeBytes() {
  const std::lock_guard lock(state_->mu);
  return state_->capacity_bytes - std::min(state_->capacity_bytes, state_->UsedBytes());
}

}  // namespace skerry::testing
