// Both readers on bundles whose signatures hold: what one accepts and the other refuses is a
// mistake in one of them, or in docs/formats/bundle.md. The content is made so that it comes near
// to the rules' borders from both sides.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <random>

#include "appliance/base/testing/fixtures.h"
#include "tests/bundler/second_reader.h"
#include "tests/bundler/signed_bundle.h"

namespace skerry {
namespace {

using skerry::testing::FirstReader;
using skerry::testing::GgufParts;
using skerry::testing::GgufText;
using skerry::testing::LittleEndian;
using skerry::testing::ReleaseOffice;
using skerry::testing::SignedBundle;
using skerry::testing::SignedManifest;
using skerry::testing::SignedParts;
using namespace std::string_literals;
using Files = std::map<std::string, std::string>;

class Chance {
 public:
  explicit Chance(unsigned seed) : random_(seed) {}
  size_t Below(size_t count) { return random_() % count; }
  bool OneIn(size_t count) { return Below(count) == 0; }
  template <typename List>
  const auto& Of(const List& list) {
    return list[Below(std::size(list))];
  }

 private:
  std::mt19937 random_;
};

// `text` with one to three changes: a token put in, something left out, doubled or overwritten.
std::string Changed(std::string text, const std::vector<std::string>& tokens, Chance& chance) {
  for (size_t changes = 1 + chance.Below(3); changes > 0; --changes) {
    const size_t at = chance.Below(text.size() + 1);
    const size_t length = chance.Below(12);
    switch (chance.Below(5)) {
      case 0:
      case 1:
        text.insert(at, chance.Of(tokens));
        break;
      case 2:
        text.erase(at, length);
        break;
      case 3:
        text.insert(at, text.substr(at, length));
        break;
      default:
        text.replace(at, std::min(length, text.size() - at), chance.Of(tokens));
    }
  }
  return text;
}

const std::vector<std::string>& JsonTokens() {
  static const std::vector<std::string> tokens = {"{",
                                                  "}",
                                                  "[",
                                                  "]",
                                                  ",",
                                                  ":",
                                                  "\"a\"",
                                                  "\"a\":1,",
                                                  "\"\\u0061\"",
                                                  "\\u0000",
                                                  "\"\\ud800\"",
                                                  "\"\\ud83d\\ude00\"",
                                                  "-",
                                                  "-0",
                                                  "0",
                                                  "1.5",
                                                  "1e999",
                                                  "-1e999",
                                                  "1e-999",
                                                  "1E2",
                                                  "01",
                                                  "+1",
                                                  "1.",
                                                  ".5",
                                                  "true",
                                                  "null",
                                                  "NaN",
                                                  "-Infinity",
                                                  "9007199254740991",
                                                  "9007199254740992",
                                                  "18446744073709551616",
                                                  std::string(400, '9'),
                                                  " ",
                                                  "\t\r\n",
                                                  "\f",
                                                  "\x01",
                                                  "\x7f",
                                                  "\0"s,
                                                  "\xc3\xa9",
                                                  "\xff",
                                                  "\xc0\x80",
                                                  "\xed\xa0\x80",
                                                  "\xf4\x90\x80\x80",
                                                  "\xef\xbf\xbf",
                                                  "\xef\xbb\xbf",
                                                  "\\",
                                                  "\"auto_map\":",
                                                  "\"trust_remote_code\":true,",
                                                  "\"custom_pipelines\":[],",
                                                  std::string(31, '['),
                                                  std::string(31, ']'),
                                                  std::string(32, '[') + std::string(32, ']')};
  return tokens;
}

std::string PickleSoup(Chance& chance) {
  static const std::vector<std::string> pieces = {"(",
                                                  ")",
                                                  "N",
                                                  "0",
                                                  "1",
                                                  "2",
                                                  "]",
                                                  "}",
                                                  "R",
                                                  "R",
                                                  "o",
                                                  "b",
                                                  "t",
                                                  "l",
                                                  "d",
                                                  "e",
                                                  "a",
                                                  "s",
                                                  "u",
                                                  ".",
                                                  "Q",
                                                  "\x81",
                                                  "\x85",
                                                  "\x86",
                                                  "\x87",
                                                  "\x88",
                                                  "\x8f",
                                                  "\x90",
                                                  "\x91",
                                                  "\x92",
                                                  "\x93",
                                                  "\x93",
                                                  "\x94",
                                                  "\x97",
                                                  "\x98",
                                                  "cos\nsystem\n",
                                                  "cos\nsystem\n",
                                                  "ios\nx\n",
                                                  "c\nx\n",
                                                  "ca b\nc\n",
                                                  "c\xc3\xa9\n.\n",
                                                  "S'a'\n",
                                                  "Sa\n",
                                                  "Vid\n",
                                                  "I1\n",
                                                  "Fx\n",
                                                  "L1L\n",
                                                  "P1\n",
                                                  "p0\n",
                                                  "g0\n",
                                                  "q\1",
                                                  "h\1",
                                                  "K\1",
                                                  "M\1\1",
                                                  "J....",
                                                  "j....",
                                                  "r....",
                                                  "G........",
                                                  "X\2\0\0\0ab"s,
                                                  "B\1\0\0\0a"s,
                                                  "T\0\0\0\0"s,
                                                  "U\1a",
                                                  "C\0"s,
                                                  "\x8c\2os",
                                                  "\x8d\1\0\0\0\0\0\0\0a"s,
                                                  "\x8e\0\0\0\0\0\0\0\0"s,
                                                  "\x96\1\0\0\0\0\0\0\0a"s,
                                                  "\x8a\1\1",
                                                  "\x8b\1\0\0\0a"s,
                                                  "\x82\1",
                                                  "\x83\1\0"s,
                                                  "\x84\1\0\0\0"s,
                                                  "\x80\2",
                                                  "\x80\6",
                                                  "\x95\0\0\0\0\0\0\0\0"s,
                                                  " ",
                                                  "\n",
                                                  "X\xff\xff\xff\xff",
                                                  "V" + std::string(65530, 'x') + "\n0",
                                                  "B\0\0\1\0"s + std::string(65536, 'x') + "0"};
  std::string soup;
  // Some items first, so that the walk does not end at once.
  if (!chance.OneIn(4)) soup = std::string("N(NN").substr(chance.Below(4));
  if (chance.OneIn(2)) soup += "cos\nsystem\n";
  for (size_t count = 1 + chance.Below(10); count > 0; --count) soup += chance.Of(pieces);
  return soup;
}

// Magic numbers near the places where they count.
std::string Beginning(Chance& chance) {
  static const std::vector<std::string> magics = {"#!",
                                                  "\x7f"
                                                  "ELF",
                                                  "\xfe\xed\xfa\xcf",
                                                  "\xca\xfe\xba\xbe",
                                                  "\0asm"s,
                                                  "PK\3\4",
                                                  "PK\5\6",
                                                  "PK\7\x8",
                                                  "\x1f\x8b",
                                                  "BZh",
                                                  "\xfd"
                                                  "7zXZ",
                                                  "(\xb5/\xfd",
                                                  "\4\"M\x18",
                                                  "7z\xbc\xaf",
                                                  "Rar!\x1a",
                                                  "x\x01",
                                                  "x\x9c",
                                                  "x\xda",
                                                  "ZF0x",
                                                  "ustar",
                                                  "\x89HDF\r\n\x1a\n",
                                                  "PE\0\0"s};
  static const size_t places[] = {0, 0, 0, 1, 64, 257, 512, 1024, 65533, 65536, 131072};
  std::string text;
  switch (chance.Below(4)) {
    case 0: {
      const size_t at = chance.Of(places);
      text = "MZ" + std::string(58, ' ') + LittleEndian(at, 4);
      if (at >= 64) text += std::string(at - 64, ' ') + "PE\0\0"s;
      break;
    }
    case 1: {
      const std::string header =
          "{'descr': '" + chance.Of(std::vector<std::string>{"<f4", "|O"}) + "', 'shape': (1,), }";
      const size_t claimed = chance.OneIn(3) ? 65535 - chance.Below(20) : header.size();
      const bool first = chance.OneIn(2);
      text = "\x93NUMPY" + std::string(1, first ? '\1' : '\2') + "\0"s +
             LittleEndian(claimed, first ? 2 : 4) + header;
      if (chance.OneIn(3)) text.resize(65520 + chance.Below(30), ' ');
      break;
    }
    default:
      text = std::string(chance.Of(places), ' ') + chance.Of(magics);
  }
  if (chance.OneIn(3)) text.resize(text.size() - chance.Below(std::min<size_t>(text.size(), 14)));
  if (chance.OneIn(3)) text += std::string(chance.Below(70000), ' ');
  return text;
}

std::string Value(Chance& chance) {
  const size_t type = chance.Below(14);
  static const size_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8, 8};
  std::string value = LittleEndian(type, 4);
  if (type == 8) return value + GgufText(std::string(chance.Below(70), 'a'));
  if (type == 9) {
    const size_t inner = chance.Below(10), count = chance.Below(4);
    value += LittleEndian(inner, 4) + LittleEndian(count, 8);
    for (size_t i = 0; i < count; ++i) {
      value += inner == 8 ? GgufText("t") : LittleEndian(i, static_cast<int>(sizes[inner]));
    }
    return value;
  }
  return value + LittleEndian(chance.Below(4), static_cast<int>(sizes[type]));
}

std::string Gguf(Chance& chance) {
  static const std::vector<std::string> names = {"general.architecture",
                                                 "general.alignment",
                                                 "general.name",
                                                 "split.no",
                                                 "split.count",
                                                 "split.tensors.count",
                                                 "x.split.no",
                                                 "llama.block_count",
                                                 "tokenizer.ggml.tokens",
                                                 "tokenizer.ggml.scores",
                                                 "tokenizer.ggml.token_type",
                                                 "k\x7f",
                                                 "k k",
                                                 ""};
  GgufParts parts;
  if (chance.OneIn(2)) parts.keys.pop_back();
  for (size_t count = chance.Below(3); count > 0; --count) {
    parts.keys.emplace_back(chance.Of(names), Value(chance));
  }
  if (chance.OneIn(4)) {
    const uint64_t dims[] = {0, 1, 31, 32, 64, 256, uint64_t{1} << 32, uint64_t{1} << 62};
    parts.tensors[1].dims = {chance.Of(dims), chance.Of(dims)};
    parts.tensors[1].type = static_cast<uint32_t>(chance.Below(43));
  }
  std::string text = parts.Build();
  if (chance.OneIn(3)) text[chance.Below(text.size())] = static_cast<char>(chance.Below(256));
  if (chance.OneIn(6)) text.resize(text.size() - chance.Below(40));
  return text;
}

std::string Part(const std::string& number, const std::string& count, Chance& chance) {
  GgufParts parts;
  const auto add = [&](const std::string& key, uint64_t value) {
    if (chance.OneIn(8)) return;
    const size_t type = chance.OneIn(8) ? chance.Below(12) : 4;
    static const int sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 8, 4, 8, 8};
    parts.keys.emplace_back(key, LittleEndian(type, 4) + LittleEndian(value, sizes[type]));
  };
  add("split.no", static_cast<uint64_t>(std::atoi(number.c_str())) - 1);
  add("split.count", static_cast<uint64_t>(std::atoi(count.c_str())));
  add("split.tensors.count", 2 * static_cast<uint64_t>(std::atoi(count.c_str())));
  return parts.Build();
}

Files Split(Chance& chance) {
  Files files;
  static const std::vector<std::string> numbers = {"00001", "00002", "00001", "00000",
                                                   "00003", "0000x", "1"};
  static const std::vector<std::string> prefixes = {"m-", "m-", "-", "sub/m-", "m"};
  const std::string count = chance.OneIn(4) ? chance.Of(numbers) : "00002";
  const std::string prefix = chance.Of(prefixes);
  for (size_t i = 0; i < 2 + chance.Below(2); ++i) {
    const std::string number = i == 0 ? "00001" : i == 1 ? "00002" : chance.Of(numbers);
    if (chance.OneIn(6)) continue;
    files[prefix + number + "-of-" + count + ".gguf"] = Part(number, count, chance);
  }
  if (files.empty() || chance.OneIn(3)) files["whole.gguf"] = GgufParts().Build();
  return files;
}

Files Beside(const std::string& name, const std::string& content) {
  Files files = skerry::testing::SmallModel();
  files[name] = content;
  return files;
}

// One case of each kind of content, by chance.
using Maker = std::function<Files(Chance&)>;
const std::map<std::string, Maker>& Makers() {
  static const std::map<std::string, Maker> makers = {
      {"pickle", [](Chance& chance) { return Beside("x", PickleSoup(chance)); }},
      {"beginning", [](Chance& chance) { return Beside("x.bin", Beginning(chance)); }},
      {"GGUF",
       [](Chance& chance) {
         return Files{{"x.gguf", Gguf(chance)}};
       }},
      {"split GGUF", [](Chance& chance) { return Split(chance); }},
      {"safetensors",
       [](Chance& chance) {
         static const std::string header =
             "{\"__metadata__\":{\"format\":\"pt\"},"
             "\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
             "\"b\":{\"dtype\":\"BF16\",\"shape\":[4],\"data_offsets\":[24,32]}}";
         return Beside("model.safetensors",
                       skerry::testing::Safetensors(Changed(header, JsonTokens(), chance),
                                                    std::string(32, 'x')));
       }},
      {"configuration",
       [](Chance& chance) {
         static const std::vector<std::string> names = {"config.json", "sub/params.json",
                                                        "a_config.json", "params.jsonx"};
         return Beside(chance.Of(names),
                       Changed("{\"architectures\":[\"LlamaForCausalLM\"],\"model_type\":\"llama\","
                               "\"rope\":{\"factor\":8.0,\"list\":[1,-2,3e5,null,\"\\u00e9\"]}}",
                               JsonTokens(), chance));
       }},
      {"index", [](Chance& chance) {
         return Beside("model.safetensors.index.json",
                       Changed("{\"metadata\":{},\"weight_map\":{\"a\":\"model.safetensors\","
                               "\"b\":\"model.safetensors\"}}",
                               JsonTokens(), chance));
       }}};
  return makers;
}

class ReadersAgreeTest : public ::testing::Test {
 protected:
  ReadersAgreeTest() : files_(OpenFiles(folder_.path()).value()) {
    trust_.roots = trust::ParseRootChain(office_.root_text).value();
    EXPECT_TRUE(WriteAtomically(*files_, "root.json", office_.root_text));
  }

  static size_t Cases() {
    const char* full = std::getenv("SKERRY_FULL_COUNTS");
    return full != nullptr && std::string_view(full) == "1" ? 1000 : 40;
  }
  // Each bundle `make` makes, by both readers. How many both accept.
  size_t Compare(const std::string& what, const std::function<std::string(Chance&)>& make) {
    Chance chance(20240611);
    size_t accepted = 0;
    for (size_t done = 0; done < Cases(); done += 40) {
      std::string batch;
      std::vector<Result<Json>> ours;
      for (size_t i = 0; i < 40; ++i) {
        const std::string bundle = make(chance);
        const std::string name = std::to_string(i) + ".skb";
        EXPECT_TRUE(WriteAtomically(*files_, name, bundle));
        batch += DumpJson({{"files", {folder_.path() + "/" + name}},
                           {"trust", folder_.path() + "/root.json"}}) +
                 "\n";
        ours.push_back(FirstReader({bundle}, trust_, /*deep=*/false));
      }
      const std::vector<Json> theirs =
          skerry::testing::SecondReader(SKERRY_BIN_DIR "/skerry-verify", folder_.path(), batch);
      EXPECT_EQ(theirs.size(), ours.size());
      for (size_t i = 0; i < std::min(ours.size(), theirs.size()); ++i) {
        EXPECT_EQ(ours[i].has_value(), theirs[i]["valid"].get<bool>())
            << what << ", case " << done + i << ": "
            << (ours[i] ? "valid" : ours[i].error().message()) << "; " << theirs[i].dump();
        accepted += ours[i].has_value();
      }
    }
    return accepted;
  }

  skerry::testing::TemporaryDirectory folder_;
  std::unique_ptr<FileSystem> files_;
  ReleaseOffice office_;
  trust::TrustState trust_;
};

TEST_F(ReadersAgreeTest, OnWhatMustNotTravel) {
  for (const auto& [what, make] : Makers()) {
    const size_t accepted =
        Compare(what, [&](Chance& chance) { return SignedBundle(office_, make(chance)); });
    EXPECT_GT(accepted, 0U) << what;
    EXPECT_LT(accepted, Cases()) << what;
  }
}

TEST_F(ReadersAgreeTest, OnSignedManifests) {
  const Files model = skerry::testing::SmallModel();
  std::vector<std::string> contents;
  for (const auto& [name, content] : model) contents.push_back(content);
  Json manifest = SignedManifest(office_, model);
  manifest["expires"] = "2027-06-30";
  const std::string text = DumpJson(manifest);
  std::vector<std::string> tokens = JsonTokens();
  for (const char* token :
       {"0000-01-01", "-02-29", "2028", "/", "..", "a", "Z", "config.json", "Config.json", "0", "1",
        "9", "model.safetensors", "image", "_", "+", "release_seq", "1000000", "\\/"}) {
    tokens.push_back(token);
  }
  EXPECT_TRUE(FirstReader({SignedParts(office_, text, contents).Join()}, trust_, true));
  const size_t accepted = Compare("manifest", [&](Chance& chance) {
    std::string changed = text;
    // Half of them in place, where the length stays.
    if (chance.OneIn(2)) {
      static const std::string characters = "09afAZ./-_\"{}[]:, \\";
      changed[chance.Below(changed.size())] = chance.Of(characters);
    } else {
      changed = Changed(changed, tokens, chance);
    }
    return SignedParts(office_, changed, contents).Join();
  });
  EXPECT_GT(accepted, 0U);
  EXPECT_LT(accepted, Cases());
}

}  // namespace
}  // namespace skerry
