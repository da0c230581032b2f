#include "bundler/inspect/templates.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "bundler/format/names.h"
#include "bundler/inspect/internal/gguf_walk.h"
#include "bundler/inspect/internal/json_file.h"
#include "bundler/inspect/text_diff.h"

namespace skerry::inspect {

namespace {

using format::Quote;

constexpr std::string_view kDefault = "default";
constexpr std::string_view kJinja = ".jinja";
constexpr std::string_view kFolder = "additional_chat_templates/";
constexpr std::string_view kGgufKey = "tokenizer.chat_template";

// Templates by name, the first of a name first.
class Collection {
 public:
  Result<void> Add(const std::string& name, const std::string& file, std::string text) {
    const std::string context = "chat template " + Quote(name);
    if (!IsName(name)) {
      return Error(ErrorCode::kCorrupt, context +
                                            ": a name is 1 to 255 letters, digits and the "
                                            "characters . _ -");
    }
    if (text.size() > kMaxTemplateBytes) {
      return Error(ErrorCode::kExhausted,
                   context + " is longer than 1 MiB; such a model is not accepted");
    }
    const auto known = templates_.find(name);
    if (known != templates_.end() && known->second == text) return {};
    const std::string key = known == templates_.end() ? name : name + "@" + file;
    if (!templates_.emplace(key, std::move(text)).second) {
      return Error(ErrorCode::kCorrupt, context + " occurs twice");
    }
    if (templates_.size() > kMaxTemplates) {
      return Error(ErrorCode::kExhausted, "there are more than " + std::to_string(kMaxTemplates) +
                                              " chat templates; such a model is not accepted");
    }
    return {};
  }

  std::vector<ChatTemplate> Take() {
    std::vector<ChatTemplate> list;
    for (auto& [name, text] : templates_) {
      const Sha256Digest digest = Sha256::Of(text);
      list.push_back({name, std::move(text), digest});
    }
    return list;
  }

 private:
  static bool IsName(std::string_view name) {
    return !name.empty() && name.size() <= kMaxTemplateNameBytes &&
           std::all_of(name.begin(), name.end(), [](char c) {
             return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '.' || c == '_' || c == '-';
           });
  }

  std::map<std::string, std::string> templates_;
};

Result<void> AddFile(const ModelFiles& files, const std::string& file, const std::string& name,
                     Collection& collection) {
  const std::unique_ptr<File> open = TRY(files.open(file));
  std::string text = TRY(ReadAll(*open, kMaxTemplateBytes).WithContext("file " + Quote(file)));
  return collection.Add(name, file, std::move(text)).WithContext("file " + Quote(file));
}

Error Malformed(std::string_view what) {
  return Error(ErrorCode::kCorrupt,
               "'chat_template' must be a text, a list of 'name' and "
               "'template' or names and texts: " +
                   std::string(what));
}

// `chat_template` of a JSON file: a text; or [{"name":N,"template":TEXT}...]; or {N:TEXT...}.
Result<void> AddField(const std::string& file, const Json& value, Collection& collection) {
  if (value.is_null()) return {};
  if (value.is_string()) {
    return collection.Add(std::string(kDefault), file, value.get<std::string>());
  }
  if (value.is_object()) {
    for (const auto& item : value.items()) {
      if (!item.value().is_string()) return Malformed("a template is not a text");
      TRY(collection.Add(item.key(), file, item.value().get<std::string>()));
    }
    return {};
  }
  if (!value.is_array()) return Malformed("it is neither");
  for (const Json& item : value) {
    const Result<std::string> name = GetString(item, "name");
    if (!name) return Malformed(name.error().message());
    const Result<std::string> text = GetString(item, "template");
    if (!text) return Malformed(text.error().message());
    TRY(collection.Add(*name, file, *text));
  }
  return {};
}

Result<void> AddJson(const ModelFiles& files, const std::string& file, Collection& collection) {
  const Json json = TRY(internal::ReadJsonFile(files, file, internal::kMaxConfigBytes));
  if (!json.is_object()) return {};
  const auto field = json.find("chat_template");
  if (field == json.end()) return {};
  return AddField(file, *field, collection).WithContext("file " + Quote(file));
}

// "tokenizer.chat_template" -> "default", "tokenizer.chat_template.NAME" -> NAME; no other keys.
std::optional<std::string> NameOfGgufKey(std::string_view key) {
  if (!key.starts_with(kGgufKey)) return std::nullopt;
  key.remove_prefix(kGgufKey.size());
  if (key.empty()) return std::string(kDefault);
  return key.starts_with('.') ? std::optional<std::string>(key.substr(1)) : std::nullopt;
}

Result<void> AddGguf(const ModelFiles& files, const std::string& file, Collection& collection) {
  const std::string context = "file " + Quote(file);
  const std::unique_ptr<File> open = TRY(files.open(file));
  const uint64_t size = TRY(open->Size());
  internal::Cursor cursor(*open, size);
  const internal::GgufHeader header = TRY(internal::ReadGgufHeader(cursor).WithContext(context));
  const auto take = [&](const std::string& key, uint64_t type,
                        internal::Cursor& at) -> Result<bool> {
    const std::optional<std::string> name = NameOfGgufKey(key);
    if (!name) return false;
    if (type != internal::kGgufString) {
      return Error(ErrorCode::kCorrupt, "a chat template must be a string");
    }
    std::string text = TRY(at.Text(kMaxTemplateBytes));
    TRY(collection.Add(*name, file, std::move(text)));
    return true;
  };
  return internal::WalkGgufKeys(cursor, header, take).WithContext(context);
}

// A template by its file name: its own name; nullopt for other files.
std::optional<std::string> NameOfJinja(std::string_view file) {
  if (!file.ends_with(kJinja)) return std::nullopt;
  file.remove_suffix(kJinja.size());
  if (file.starts_with(kFolder)) file.remove_prefix(kFolder.size());
  if (file == "chat_template") return std::string(kDefault);
  if (file.find('/') != std::string_view::npos) return std::nullopt;
  return std::string(file);
}

bool Same(const ChatTemplate& a, const ChatTemplate& b) { return a.sha256 == b.sha256; }

const ChatTemplate* FindTemplate(std::span<const ChatTemplate> list, std::string_view name) {
  const auto at = std::find_if(list.begin(), list.end(),
                               [&](const ChatTemplate& item) { return item.name == name; });
  return at == list.end() ? nullptr : &*at;
}

}  // namespace

Result<std::vector<ChatTemplate>> ReadTemplates(const ModelFiles& files) {
  Collection collection;
  std::vector<std::string> names = files.names;
  std::sort(names.begin(), names.end());
  const auto has = [&](std::string_view name) {
    return std::binary_search(names.begin(), names.end(), name);
  };
  constexpr std::string_view kMain = "chat_template.jinja";
  if (has(kMain)) {
    TRY(AddFile(files, std::string(kMain), std::string(kDefault), collection));
  }
  // The folder's name sorts before chat_template.jinja and most others.
  for (const bool in_folder : {true, false}) {
    for (const std::string& file : names) {
      const std::optional<std::string> name = NameOfJinja(file);
      if (name && file != kMain && file.starts_with(kFolder) == in_folder) {
        TRY(AddFile(files, file, *name, collection));
      }
    }
  }
  for (const char* file :
       {"chat_template.json", "tokenizer_config.json", "processor_config.json"}) {
    if (has(file)) TRY(AddJson(files, file, collection));
  }
  for (const std::string& file : names) {
    if (file.ends_with(".gguf")) TRY(AddGguf(files, file, collection));
  }
  return collection.Take();
}

std::string_view TemplateChangeName(TemplateChange change) {
  switch (change) {
    case TemplateChange::kSame:
      return "same";
    case TemplateChange::kChanged:
      return "changed";
    case TemplateChange::kNew:
      return "new";
    case TemplateChange::kGone:
      return "gone";
  }
  return "unknown";
}

std::vector<ComparedTemplate> CompareTemplates(std::span<const ChatTemplate> before,
                                               std::span<const ChatTemplate> after) {
  std::vector<ComparedTemplate> compared;
  for (const ChatTemplate& now : after) {
    const ChatTemplate* old = FindTemplate(before, now.name);
    const TemplateChange change = old == nullptr    ? TemplateChange::kNew
                                  : Same(*old, now) ? TemplateChange::kSame
                                                    : TemplateChange::kChanged;
    compared.push_back({now.name, now.sha256, change});
  }
  for (const ChatTemplate& old : before) {
    if (FindTemplate(after, old.name) != nullptr) continue;
    compared.push_back({old.name, old.sha256, TemplateChange::kGone});
  }
  std::sort(compared.begin(), compared.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  return compared;
}

std::string DescribeTemplateChanges(std::span<const ChatTemplate> before,
                                    std::span<const ChatTemplate> after) {
  std::string text;
  for (const ComparedTemplate& item : CompareTemplates(before, after)) {
    if (item.change == TemplateChange::kSame) continue;
    const ChatTemplate* old = FindTemplate(before, item.name);
    const ChatTemplate* now = FindTemplate(after, item.name);
    text += "chat template '" + item.name + "'";
    if (now == nullptr) {
      text += " is gone\n";
    } else if (old == nullptr) {
      text += " is new\n" + UnifiedDiff("/dev/null", "now/" + item.name, "", now->text);
    } else {
      text += " changed\n" +
              UnifiedDiff("before/" + item.name, "now/" + item.name, old->text, now->text);
    }
  }
  if (text.size() <= kMaxChangesBytes) return text;
  text.resize(text.rfind('\n', kMaxChangesBytes) + 1);
  return text + "\\ the rest is not shown: too much has changed\n";
}

}  // namespace skerry::inspect
