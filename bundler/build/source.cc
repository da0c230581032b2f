// Which files of a folder go into a bundle.
#include "bundler/build/source.h"

#include <fnmatch.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "bundler/build/source_kinds.h"
#include "bundler/format/layout.h"
#include "bundler/format/names.h"
#include "bundler/inspect/content.h"

namespace skerry::build {

namespace {

using format::Quote;

constexpr int kMaxDepth = 8;
constexpr int kMaxLinks = 8;
constexpr size_t kMaxNamesInMessage = 8;

bool MatchesOneOf(const std::vector<std::string>& patterns, const std::string& name) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
  });
}

std::string LastPart(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string Joined(const std::set<std::string>& names, std::string_view before_each) {
  std::string text;
  size_t count = 0;
  for (const std::string& name : names) {
    if (++count > kMaxNamesInMessage) {
      return text + " and " + std::to_string(names.size() - kMaxNamesInMessage) + " more";
    }
    if (!text.empty()) text += before_each.empty() ? ", " : " ";
    text += std::string(before_each) + Quote(name);
  }
  return text;
}

// Follows links as far as they stay where a model's files may lie.
//
// The layout of the cache: huggingface_hub, src/huggingface_hub/file_download.py and
// docs/source/en/guides/manage-cache.md: snapshots/REVISION/NAME -> ../../blobs/ETAG, where the
// etag of a large file is its SHA-256 and that of others a git object id.
class Links {
 public:
  Links(FileSystem& files, std::string top) : files_(files), top_(std::move(top)) {
    const std::string snapshots = ParentDirectory(top_);
    const std::string repository = ParentDirectory(snapshots);
    if (LastPart(snapshots) == "snapshots" && LastPart(repository).starts_with("models--")) {
      blobs_ = repository + "/blobs";
    }
  }

  // The regular file behind the link `path`, which is `name` in the folder.
  Result<SourceFile> Follow(const std::string& name, const std::string& path) {
    std::string at = path;
    for (int i = 0; i < kMaxLinks; ++i) {
      const Result<std::string> target = files_.ReadLink(at);
      if (!target) {
        return Error(ErrorCode::kUntrusted,
                     "file " + Quote(name) + " is refused: it is not a regular file");
      }
      at = (std::filesystem::path(ParentDirectory(at)) / *target).lexically_normal().string();
      const bool is_blob = !blobs_.empty() && ParentDirectory(at) == blobs_;
      if (!is_blob && !at.starts_with(top_ + "/")) return Refused(name, *target, "leads out of it");
      const FileKind kind = TRY(files_.Stat(at).WithContext("link " + Quote(name)));
      if (kind == FileKind::kDirectory) return Refused(name, *target, "leads to a folder");
      if (kind == FileKind::kFile) return Found(name, at, is_blob);
    }
    return Error(ErrorCode::kUntrusted, "file " + Quote(name) + " is refused: a chain of links");
  }

 private:
  static Error Refused(const std::string& name, const std::string& target, std::string_view why) {
    return Error(ErrorCode::kUntrusted,
                 "file " + Quote(name) + " is refused: it is a link to " + Quote(target) +
                     ", which " + std::string(why) +
                     "; copy the model with 'cp -rL' first, or leave it out with --exclude");
  }

  static Result<SourceFile> Found(const std::string& name, const std::string& at, bool is_blob) {
    SourceFile file{name, at};
    const Result<Sha256Digest> digest = Sha256Digest::FromHex(LastPart(at));
    if (is_blob && digest) file.sha256 = *digest;
    return file;
  }

  FileSystem& files_;
  const std::string top_;
  std::string blobs_;  // empty: not a snapshot
};

class Walk {
 public:
  Walk(FileSystem& files, std::string top, const SourceOptions& options)
      : files_(files), top_(std::move(top)), options_(options), links_(files, top_) {}

  // `below`: relative name of the directory, "" for the top.
  Result<void> Directory(const std::string& below, int depth) {
    const std::vector<DirectoryEntry> entries = TRY(files_.List(At(below)));
    for (const DirectoryEntry& entry : entries) {
      const std::string name = below.empty() ? entry.name : below + "/" + entry.name;
      if (MatchesOneOf(options_.exclude, name)) {
        source_.left_out.push_back(name);
      } else if (entry.kind == FileKind::kDirectory) {
        TRY(Folder(name, depth));
      } else {
        TRY(Entry(entry.kind, name));
      }
    }
    return {};
  }

  Result<void> Entry(FileKind kind, const std::string& name) {
    const bool included = MatchesOneOf(options_.include, name);
    const NameKind name_kind = included ? NameKind::kModel : KindOfName(name);
    if (name_kind == NameKind::kLeftBehind) {
      source_.left_out.push_back(name);
      return {};
    }
    if (name_kind == NameKind::kUnfinished) return Unfinished(name);
    SourceFile file{name, At(name)};
    if (kind != FileKind::kFile) file = TRY(links_.Follow(name, file.path));
    if (inspect::IsCodeName(name)) {
      code_.insert(name);
    } else if (name_kind == NameKind::kOtherWeights) {
      other_weights_.insert(name);
    } else if (name_kind == NameKind::kProjector) {
      projectors_.insert(name);
    } else if (name_kind == NameKind::kUnknown) {
      unknown_.insert(name);
    } else {
      TRY(Take(name_kind, std::move(file)));
    }
    return {};
  }

  // What was found, once everything about it is in order.
  Result<Source> Finish() {
    TRY(Complain());
    TRY(CheckWeightsOnce());
    auto by_name = [](const SourceFile& a, const SourceFile& b) { return a.name < b.name; };
    std::sort(source_.files.begin(), source_.files.end(), by_name);
    std::sort(source_.documents.begin(), source_.documents.end(), by_name);
    return std::move(source_);
  }

 private:
  std::string At(const std::string& name) const { return name.empty() ? top_ : top_ + "/" + name; }

  Result<void> Folder(const std::string& name, int depth) {
    if (KindOfName(name) == NameKind::kLeftBehind) {
      source_.left_out.push_back(name);
      // `hf download --local-dir` keeps what is under way in .cache/huggingface/download.
      return FindUnfinished(name, depth);
    }
    if (depth >= kMaxDepth) {
      return Error(ErrorCode::kUntrusted,
                   "folder " + Quote(name) + " is refused: more than 8 folders deep");
    }
    return Directory(name, depth + 1);
  }

  Result<void> FindUnfinished(const std::string& below, int depth) {
    if (depth >= kMaxDepth) return {};
    const std::vector<DirectoryEntry> entries = TRY(files_.List(At(below)));
    for (const DirectoryEntry& entry : entries) {
      const std::string name = below + "/" + entry.name;
      if (entry.kind == FileKind::kDirectory) {
        TRY(FindUnfinished(name, depth + 1));
      } else if (KindOfName(name) == NameKind::kUnfinished) {
        return Unfinished(name);
      }
    }
    return {};
  }

  static Error Unfinished(const std::string& name) {
    return Error(ErrorCode::kCorrupt,
                 "file " + Quote(name) +
                     " belongs to a download that has not ended: finish it, or remove the file (or "
                     "leave it out with --exclude) when it is a leftover");
  }

  Result<void> Take(NameKind kind, SourceFile file) {
    TRY(format::CheckFileName(file.name));
    const bool document = kind == NameKind::kDocument;
    std::vector<SourceFile>& list = document ? source_.documents : source_.files;
    const size_t most = document ? format::kMaxDocuments : format::kMaxFiles;
    if (list.size() >= most) {
      return Error(ErrorCode::kExhausted,
                   "more than " + std::to_string(most) + (document ? " licence files" : " files"));
    }
    list.push_back(std::move(file));
    return {};
  }

  // All refusals of one kind at once, so that one further run is enough.
  Result<void> Complain() const {
    if (!code_.empty()) {
      return Error(ErrorCode::kUntrusted,
                   "file " + Joined(code_, "") +
                       " is refused: program code does not travel; when the model works without, " +
                       "leave it out: " + Joined(code_, "--exclude "));
    }
    if (!other_weights_.empty()) {
      std::set<std::string> patterns;
      for (const std::string& name : other_weights_) patterns.insert(ExcludePattern(name));
      const bool duplicates = HasSuffix(".safetensors") || HasSuffix(".gguf");
      return Error(ErrorCode::kUntrusted,
                   "file " + Joined(other_weights_, "") +
                       " is refused: weights travel as safetensors or GGUF; " +
                       (duplicates ? "these are there too, so leave it out: "
                                   : "convert it first, and then leave it out: ") +
                       Joined(patterns, "--exclude "));
    }
    if (!projectors_.empty()) {
      return Error(ErrorCode::kUntrusted,
                   "file " + Joined(projectors_, "") +
                       " is refused: a projector for images, which the engine has no use for; "
                       "leave it out: " +
                       Joined(projectors_, "--exclude "));
    }
    if (!unknown_.empty()) {
      return Error(ErrorCode::kUntrusted,
                   "file " + Joined(unknown_, "") +
                       " is refused: not a kind of file that belongs to a model; leave it out: " +
                       Joined(unknown_, "--exclude ") + ", or take it along with --include");
    }
    return {};
  }

  bool HasSuffix(std::string_view suffix) const {
    return std::any_of(source_.files.begin(), source_.files.end(),
                       [&](const SourceFile& file) { return file.name.ends_with(suffix); });
  }

  bool HasTop(std::string_view prefix, std::string_view suffix) const {
    return std::any_of(source_.files.begin(), source_.files.end(), [&](const SourceFile& file) {
      return file.name.find('/') == std::string::npos && file.name.starts_with(prefix) &&
             file.name.ends_with(suffix) && !MatchesOneOf(options_.include, file.name);
    });
  }

  // Several publishers put the same weights into a folder twice; the courier carries one.
  Result<void> CheckWeightsOnce() const {
    const bool consolidated = HasTop("consolidated", ".safetensors");
    const bool model = HasTop("model", ".safetensors");
    if (consolidated && model) {
      return Error(ErrorCode::kInvalidArgument,
                   "the weights are there twice: leave out --exclude 'consolidated*.safetensors' "
                   "(keeps the Hugging Face form) or --exclude 'model*.safetensors*'");
    }
    std::set<std::string> models;  // without the numbers of parts
    for (const SourceFile& file : source_.files) {
      if (!file.name.ends_with(".gguf") || MatchesOneOf(options_.include, file.name)) continue;
      const std::optional<GgufPart> part = ParseGgufPart(file.name);
      models.insert(part ? std::string(part->prefix) + "-00001-of-" +
                               file.name.substr(file.name.size() - 10)
                         : file.name);
    }
    if (!models.empty() && (consolidated || model)) {
      return Error(ErrorCode::kInvalidArgument,
                   "the weights are there twice: leave out --exclude '*.gguf' or --exclude "
                   "'*.safetensors*'");
    }
    if (models.size() > 1) {
      return Error(ErrorCode::kInvalidArgument, "there are several models: " + Joined(models, "") +
                                                    "; name the file of the one to pack, or take "
                                                    "all of them with --include '*.gguf'");
    }
    return {};
  }

  FileSystem& files_;
  const std::string top_;
  const SourceOptions& options_;
  Links links_;
  Source source_;
  std::set<std::string> code_;
  std::set<std::string> other_weights_;
  std::set<std::string> projectors_;
  std::set<std::string> unknown_;
};

// One GGUF file, with its other parts when it is one of several.
Result<Source> ListFile(FileSystem& files, const std::string& path) {
  const std::string name = LastPart(path);
  if (!name.ends_with(".gguf")) {
    return Error(ErrorCode::kNotFound,
                 "'" + path + "' is not a model: a folder or a *.gguf file is wanted");
  }
  const std::string folder = ParentDirectory(path);
  const std::optional<GgufPart> part = ParseGgufPart(name);
  SourceOptions options;
  options.include = {"*"};  // the user named it
  Walk walk(files, folder, options);
  if (!part) {
    const FileKind kind = TRY(files.Stat(path));
    TRY(walk.Entry(kind, name));
    return walk.Finish();
  }
  const std::vector<DirectoryEntry> entries = TRY(files.List(folder));
  for (const DirectoryEntry& entry : entries) {
    const std::optional<GgufPart> other = ParseGgufPart(entry.name);
    if (other && other->prefix == part->prefix && other->count == part->count) {
      TRY(walk.Entry(entry.kind, entry.name));
    }
  }
  return walk.Finish();
}

}  // namespace

Result<Source> ListSource(FileSystem& files, const std::string& path,
                          const SourceOptions& options) {
  const FileKind kind = TRY(files.Stat(path));
  if (kind == FileKind::kFile) return ListFile(files, path);
  if (kind != FileKind::kDirectory) {
    if (LastPart(path).ends_with(".gguf")) return ListFile(files, path);
    return Error(ErrorCode::kUntrusted,
                 "a link, or not a regular file; name the folder or file itself");
  }
  Walk walk(files, path, options);
  TRY(walk.Directory("", 1));
  Source source = TRY(walk.Finish());
  if (source.files.empty()) {
    return Error(ErrorCode::kNotFound, "not a model: the folder has no files of one");
  }
  return source;
}

Result<std::string> ResolveSource(const std::string& path) {
  const std::string absolute = TRY(AbsolutePath(path));
  std::error_code failed;
  const bool folder = std::filesystem::is_directory(absolute, failed);
  const std::filesystem::path followed = folder ? absolute : ParentDirectory(absolute);
  const std::filesystem::path resolved = std::filesystem::canonical(followed, failed);
  if (failed) {
    return Error(
        failed == std::errc::no_such_file_or_directory ? ErrorCode::kNotFound : ErrorCode::kIo,
        "cannot open '" + path + "': " + failed.message());
  }
  const std::string text = (folder ? resolved : resolved / LastPart(absolute)).string();
  return text.size() > 1 ? text.substr(1) : ".";
}

}  // namespace skerry::build
