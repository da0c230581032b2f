// Writes a Llama checkpoint of random weights, to measure with: make_checkpoint PATH [HIDDEN MLP
// LAYERS HEADS KV_HEADS VOCAB]. A PATH that ends in .gguf becomes such a file, with types as Q4_K_M
// mixes them and the token table as output; any other a folder of safetensors: BF16, or where PATH
// ends in fp8 the layers' matrices in FP8 with a factor for each tile of 128 x 128. The default has
// 252 million weights, 505 MB of BF16; "2048 8192 16 32 8 128256" is Llama 3.2 1B.
#include <sys/stat.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

namespace {

struct Sizes {
  long hidden = 1024;
  long mlp = 2816;
  long layers = 16;
  long heads = 16;
  long kv_heads = 8;
  long vocab = 32000;
  long head_dim() const { return hidden / heads; }
};

struct Entry {
  std::string name;
  std::vector<long> shape;
  std::string type;
  long element_bytes;
  long Elements() const {
    long n = 1;
    for (const long dim : shape) n *= dim;
    return n;
  }
};

constexpr long kTile = 128;

std::vector<Entry> Entries(const Sizes& s, bool fp8) {
  std::vector<Entry> all;
  auto add = [&](const std::string& name, const std::vector<long>& shape) {
    all.push_back({name + ".weight", shape, "BF16", 2});
  };
  auto add_matrix = [&](const std::string& name, long rows, long cols) {
    if (!fp8) return add(name, {rows, cols});
    all.push_back({name + ".weight", {rows, cols}, "F8_E4M3", 1});
    const std::vector<long> tiles = {(rows + kTile - 1) / kTile, (cols + kTile - 1) / kTile};
    all.push_back({name + ".weight_scale_inv", tiles, "F32", 4});
  };
  add("model.embed_tokens", {s.vocab, s.hidden});
  add("lm_head", {s.vocab, s.hidden});
  add("model.norm", {s.hidden});
  const long q = s.heads * s.head_dim();
  const long kv = s.kv_heads * s.head_dim();
  for (long layer = 0; layer < s.layers; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    add(prefix + "input_layernorm", {s.hidden});
    add_matrix(prefix + "self_attn.q_proj", q, s.hidden);
    add_matrix(prefix + "self_attn.k_proj", kv, s.hidden);
    add_matrix(prefix + "self_attn.v_proj", kv, s.hidden);
    add_matrix(prefix + "self_attn.o_proj", s.hidden, q);
    add(prefix + "post_attention_layernorm", {s.hidden});
    add_matrix(prefix + "mlp.gate_proj", s.mlp, s.hidden);
    add_matrix(prefix + "mlp.up_proj", s.mlp, s.hidden);
    add_matrix(prefix + "mlp.down_proj", s.hidden, s.mlp);
  }
  return all;
}

void WriteConfig(const std::string& folder, const Sizes& s, bool fp8) {
  std::ofstream(folder + "/config.json")
      << R"({"model_type":"llama","rms_norm_eps":1e-5,"max_position_embeddings":8192,"hidden_size":)"
      << s.hidden << ",\"intermediate_size\":" << s.mlp << ",\"num_hidden_layers\":" << s.layers
      << ",\"num_attention_heads\":" << s.heads << ",\"num_key_value_heads\":" << s.kv_heads
      << ",\"vocab_size\":" << s.vocab
      << (fp8 ? R"(,"quantization_config":{"quant_method":"fp8","weight_block_size":[128,128]})"
              : "")
      << "}\n";
}

struct GgufType {
  uint32_t id;
  long elements;
  long bytes;
};
constexpr GgufType kF32 = {0, 1, 4};
constexpr GgufType kQ4_K = {12, 256, 144};
constexpr GgufType kQ6_K = {14, 256, 210};

struct GgufEntry {
  std::string name;
  std::vector<long> dims;  // fastest first
  GgufType type;
  long Bytes() const {
    long n = 1;
    for (const long dim : dims) n *= dim;
    return n / type.elements * type.bytes;
  }
};

std::vector<GgufEntry> GgufEntries(const Sizes& s) {
  std::vector<GgufEntry> all = {{"token_embd.weight", {s.hidden, s.vocab}, kQ6_K},
                                {"output_norm.weight", {s.hidden}, kF32}};
  const long q = s.heads * s.head_dim();
  const long kv = s.kv_heads * s.head_dim();
  for (long layer = 0; layer < s.layers; ++layer) {
    const std::string prefix = "blk." + std::to_string(layer) + ".";
    const GgufType finer = layer % 2 == 0 ? kQ6_K : kQ4_K;
    all.push_back({prefix + "attn_norm.weight", {s.hidden}, kF32});
    all.push_back({prefix + "attn_q.weight", {s.hidden, q}, kQ4_K});
    all.push_back({prefix + "attn_k.weight", {s.hidden, kv}, kQ4_K});
    all.push_back({prefix + "attn_v.weight", {s.hidden, kv}, finer});
    all.push_back({prefix + "attn_output.weight", {q, s.hidden}, kQ4_K});
    all.push_back({prefix + "ffn_norm.weight", {s.hidden}, kF32});
    all.push_back({prefix + "ffn_gate.weight", {s.hidden, s.mlp}, kQ4_K});
    all.push_back({prefix + "ffn_up.weight", {s.hidden, s.mlp}, kQ4_K});
    all.push_back({prefix + "ffn_down.weight", {s.mlp, s.hidden}, finer});
  }
  return all;
}

template <typename T>
void Put(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void PutText(std::string& out, const std::string& text) {
  Put(out, static_cast<uint64_t>(text.size()));
  out += text;
}

constexpr size_t kGgufAlignment = 32;
void Align(std::string& out) {
  out.resize((out.size() + kGgufAlignment - 1) / kGgufAlignment * kGgufAlignment);
}

std::string GgufHead(const Sizes& s, const std::vector<GgufEntry>& entries) {
  std::string values;
  uint64_t n_values = 0;
  auto key = [&](const std::string& name, uint32_t type) {
    PutText(values, name);
    Put(values, type);
    ++n_values;
  };
  key("general.architecture", 8);
  PutText(values, "llama");
  const std::pair<const char*, long> numbers[] = {{"context_length", 8192},
                                                  {"embedding_length", s.hidden},
                                                  {"block_count", s.layers},
                                                  {"feed_forward_length", s.mlp},
                                                  {"attention.head_count", s.heads},
                                                  {"attention.head_count_kv", s.kv_heads},
                                                  {"vocab_size", s.vocab}};
  for (const auto& [name, value] : numbers) {
    key(std::string("llama.") + name, 4);
    Put(values, static_cast<uint32_t>(value));
  }
  key("llama.attention.layer_norm_rms_epsilon", 6);
  Put(values, 1e-5F);

  std::string head = "GGUF";
  Put(head, uint32_t{3});
  Put(head, static_cast<uint64_t>(entries.size()));
  Put(head, n_values);
  head += values;
  uint64_t offset = 0;
  for (const GgufEntry& entry : entries) {
    PutText(head, entry.name);
    Put(head, static_cast<uint32_t>(entry.dims.size()));
    for (const long dim : entry.dims) Put(head, static_cast<uint64_t>(dim));
    Put(head, entry.type.id);
    Put(head, offset);
    offset += (entry.Bytes() + kGgufAlignment - 1) / kGgufAlignment * kGgufAlignment;
  }
  Align(head);
  return head;
}

// Random integers with factors that make values of a few hundredths.
std::string RandomTensor(const GgufEntry& entry, uint64_t& state) {
  std::string bytes(entry.Bytes(), '\0');
  for (size_t i = 0; i + 4 <= bytes.size(); i += 4) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    const auto bits = static_cast<uint32_t>(state >> 32);
    std::memcpy(&bytes[i], &bits, sizeof(bits));
  }
  constexpr uint16_t kFactor = 0x0800;   // 2^-13
  constexpr uint16_t kMinimum = 0x1380;  // 7.5 times as much
  for (long at = 0; at < static_cast<long>(bytes.size()); at += entry.type.bytes) {
    if (entry.type.id == kF32.id) {
      const float one = 1.0F;
      std::memcpy(&bytes[at], &one, sizeof(one));
    } else if (entry.type.id == kQ4_K.id) {
      std::memcpy(&bytes[at], &kFactor, sizeof(kFactor));
      std::memcpy(&bytes[at + 2], &kMinimum, sizeof(kMinimum));
    } else {
      std::memcpy(&bytes[at + 208], &kFactor, sizeof(kFactor));
      for (long i = 192; i < 208; ++i) bytes[at + i] = static_cast<char>(bytes[at + i] % 32);
    }
  }
  Align(bytes);
  return bytes;
}

bool WriteGguf(const std::string& path, const Sizes& sizes) {
  const std::vector<GgufEntry> entries = GgufEntries(sizes);
  std::ofstream out(path, std::ios::binary);
  out << GgufHead(sizes, entries);
  uint64_t state = 1;
  for (const GgufEntry& entry : entries) out << RandomTensor(entry, state);
  out.flush();
  std::printf("%s: %ld MB\n", path.c_str(), static_cast<long>(out.tellp()) / 1000000);
  return static_cast<bool>(out);
}

// Values around 0 with a spread near what training leaves; factors of FP8 near 2^-6.
void WriteRandom(std::ofstream& out, const Entry& entry, long n, uint64_t& state) {
  std::string row(n * entry.element_bytes, '\0');
  for (long i = 0; i < n; ++i) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    const auto bits = static_cast<uint32_t>(state >> 33);
    if (entry.type == "BF16") {
      // Sign, 7 bits of fraction, and an exponent of 2^-7 to 2^-4.
      const auto element =
          static_cast<uint16_t>((bits & 0x8000) | ((120 + (bits >> 16 & 3)) << 7) | (bits & 0x7f));
      std::memcpy(&row[2 * i], &element, sizeof(element));
    } else if (entry.type == "F32") {
      const uint32_t element = 121U << 23 | (bits & 0x7fffff);
      std::memcpy(&row[4 * i], &element, sizeof(element));
    } else {
      row[i] = static_cast<char>(bits & 0xbf);  // below 2
    }
  }
  out.write(row.data(), static_cast<std::streamsize>(row.size()));
}

bool WriteFolder(const std::string& folder, const Sizes& sizes) {
  const bool fp8 = folder.ends_with("fp8");
  ::mkdir(folder.c_str(), 0755);
  WriteConfig(folder, sizes, fp8);
  const std::vector<Entry> entries = Entries(sizes, fp8);
  std::string header = "{";
  long offset = 0;
  for (const Entry& entry : entries) {
    std::string shape;
    for (const long dim : entry.shape) shape += (shape.empty() ? "" : ",") + std::to_string(dim);
    const long end = offset + entry.Elements() * entry.element_bytes;
    header += (offset > 0 ? ",\"" : "\"") + entry.name + R"(":{"dtype":")" + entry.type +
              R"(","shape":[)" + shape + R"(],"data_offsets":[)" + std::to_string(offset) + "," +
              std::to_string(end) + "]}";
    offset = end;
  }
  header += "}";
  while (header.size() % 8 != 0) header += ' ';
  std::ofstream out(folder + "/model.safetensors", std::ios::binary);
  const uint64_t length = header.size();
  out.write(reinterpret_cast<const char*>(&length), sizeof(length));
  out << header;
  uint64_t state = 1;
  for (const Entry& entry : entries) {
    const long n = entry.shape.back();
    for (long row = 0; row < entry.Elements() / n; ++row) WriteRandom(out, entry, n, state);
  }
  out.flush();
  std::printf("%s: %ld MB\n", folder.c_str(), offset / 1000000);
  return static_cast<bool>(out);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 && argc != 8) {
    std::fprintf(stderr, "usage: make_checkpoint PATH [HIDDEN MLP LAYERS HEADS KV_HEADS VOCAB]\n");
    return 2;
  }
  Sizes sizes;
  long* const fields[] = {&sizes.hidden, &sizes.mlp,      &sizes.layers,
                          &sizes.heads,  &sizes.kv_heads, &sizes.vocab};
  for (int i = 2; i < argc; ++i) *fields[i - 2] = std::atol(argv[i]);
  const std::string path = argv[1];
  return (path.ends_with(".gguf") ? WriteGguf(path, sizes) : WriteFolder(path, sizes)) ? 0 : 1;
}
