// Which files of a folder go into a bundle.
#include <fnmatch.h>

#include <algorithm>

#include "bundler/build/create.h"
#include "bundler/format/layout.h"
#include "bundler/format/names.h"

namespace skerry::build {

namespace {

constexpr std::string_view kLeftBehind[] = {".git", ".gitattributes", ".gitignore", ".cache"};
constexpr int kMaxDepth = 8;

class Walk {
 public:
  Walk(FileSystem& files, std::string top, const std::vector<std::string>& exclude, Source& source)
      : files_(files), top_(std::move(top)), exclude_(exclude), source_(source) {}

  // `below`: relative name of the directory, "" for the top.
  Result<void> Directory(const std::string& below, int depth) {
    const std::string path = below.empty() ? top_ : top_ + "/" + below;
    const std::vector<DirectoryEntry> entries = TRY(files_.List(path));
    for (const DirectoryEntry& entry : entries) {
      const std::string name = below.empty() ? entry.name : below + "/" + entry.name;
      if (IsLeftOut(name)) {
        source_.left_out.push_back(name);
        continue;
      }
      TRY(Entry(entry.kind, name, depth));
    }
    return {};
  }

 private:
  Result<void> Entry(FileKind kind, const std::string& name, int depth) {
    if (kind == FileKind::kDirectory) {
      if (depth >= kMaxDepth) {
        return Error(ErrorCode::kUntrusted,
                     "folder " + format::Quote(name) + " is refused: more than 8 folders deep");
      }
      return Directory(name, depth + 1);
    }
    if (kind != FileKind::kFile) {
      return Error(
          ErrorCode::kUntrusted,
          "file " + format::Quote(name) +
              " is refused: it is a link or not a regular file; copy the model with 'cp -rL' "
              "first");
    }
    if (source_.files.size() >= format::kMaxFiles) {
      return Error(ErrorCode::kExhausted,
                   "more than " + std::to_string(format::kMaxFiles) + " files");
    }
    TRY(format::CheckFileName(name));
    source_.files.push_back({name, top_ + "/" + name});
    return {};
  }

  bool IsLeftOut(const std::string& name) const {
    if (std::find(std::begin(kLeftBehind), std::end(kLeftBehind), name) != std::end(kLeftBehind)) {
      return true;
    }
    return std::any_of(exclude_.begin(), exclude_.end(), [&](const std::string& pattern) {
      return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
    });
  }

  FileSystem& files_;
  const std::string top_;
  const std::vector<std::string>& exclude_;
  Source& source_;
};

}  // namespace

Result<Source> ListSource(FileSystem& files, const std::string& path,
                          const std::vector<std::string>& exclude) {
  Source source;
  const FileKind kind = TRY(files.Stat(path));
  if (kind == FileKind::kFile) {
    const size_t slash = path.rfind('/');
    const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
    if (!name.ends_with(".gguf")) {
      return Error(ErrorCode::kNotFound, "'" + path +
                                             "' is not a model: a folder or a *.gguf file "
                                             "is wanted");
    }
    TRY(format::CheckFileName(name));
    source.files.push_back({name, path});
    return source;
  }
  if (kind != FileKind::kDirectory) {
    return Error(ErrorCode::kUntrusted,
                 "a link, or not a regular file; name the folder or file itself");
  }
  TRY(Walk(files, path, exclude, source).Directory("", 1));
  if (source.files.empty()) {
    return Error(ErrorCode::kNotFound, "not a model: the folder has no files");
  }
  std::sort(source.files.begin(), source.files.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.name < b.name; });
  return source;
}

}  // namespace skerry::build
