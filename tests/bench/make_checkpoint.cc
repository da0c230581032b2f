// Writes a Llama checkpoint of random weights, to measure with: make_checkpoint PATH [HIDDEN MLP
// LAYERS HEADS KV_HEADS VOCAB]. A PATH that ends in .gguf becomes such a file, with types as Q4_K_M
// mixes them and the token table as output; any other a folder of BF16 safetensors. The default has
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
};

std::vector<Entry> Entries(const Sizes& s) {
  std::vector<Entry> all = {{"model.embed_tokens.weight", {s.vocab, s.hidden}},
                            {"lm_head.weight", {s.vocab, s.hidden}},
                            {"model.norm.weight", {s.hidden}}};
  const long q = s.heads * s.head_dim();
  const long kv = s.kv_heads * s.head_dim();
  for (long layer = 0; layer < s.layers; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    all.push_back({prefix + "input_layernorm.weight", {s.hidden}});
    all.push_back({prefix + "self_attn.q_proj.weight", {q, s.hidden}});
    all.push_back({prefix + "self_attn.k_proj.weight", {kv, s.hidden}});
    all.push_back({prefix + "self_attn.v_proj.weight", {kv, s.hidden}});
    all.push_back({prefix + "self_attn.o_proj.weight", {s.hidden, q}});
    all.push_back({prefix + "post_attention_layernorm.weight", {s.hidden}});
    all.push_back({prefix + "mlp.gate_proj.weight", {s.mlp, s.hidden}});
    all.push_back({prefix + "mlp.up_proj.weight", {s.mlp, s.hidden}});
    all.push_back({prefix + "mlp.down_proj.weight", {s.hidden, s.mlp}});
  }
  return all;
}

void WriteConfig(const std::string& folder, const Sizes& s) {
  std::ofstream(folder + "/config.json")
      << R"({"model_type":"llama","rms_norm_eps":1e-5,"max_position_embeddings":8192,"hidden_size":)"
      << s.hidden << ",\"intermediate_size\":" << s.mlp << ",\"num_hidden_layers\":" << s.layers
      << ",\"num_attention_heads\":" << s.heads << ",\"num_key_value_heads\":" << s.kv_heads
      << ",\"vocab_size\":" << s.vocab << "}\n";
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

// Values around 0 with a spread near what training leaves, in BF16.
void WriteRandom(std::ofstream& out, long n, uint64_t& state) {
  std::vector<uint16_t> row(n);
  for (uint16_t& element : row) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    const auto bits = static_cast<uint32_t>(state >> 33);
    // Sign, 7 bits of fraction, and an exponent of 2^-7 to 2^-4.
    element =
        static_cast<uint16_t>((bits & 0x8000) | ((120 + (bits >> 16 & 3)) << 7) | (bits & 0x7f));
  }
  out.write(reinterpret_cast<const char*>(row.data()), static_cast<std::streamsize>(2 * n));
}

bool WriteFolder(const std::string& folder, const Sizes& sizes) {
  ::mkdir(folder.c_str(), 0755);
  WriteConfig(folder, sizes);
  std::string header = "{";
  long offset = 0;
  for (const Entry& entry : Entries(sizes)) {
    long n = 1;
    std::string shape;
    for (const long dim : entry.shape) {
      n *= dim;
      shape += (shape.empty() ? "" : ",") + std::to_string(dim);
    }
    header += (offset > 0 ? ",\"" : "\"") + entry.name + "\":{\"dtype\":\"BF16\",\"shape\":[" +
              shape + "],\"data_offsets\":[" + std::to_string(offset) + "," +
              std::to_string(offset + 2 * n) + "]}";
    offset += 2 * n;
  }
  header += "}";
  while (header.size() % 8 != 0) header += ' ';
  std::ofstream out(folder + "/model.safetensors", std::ios::binary);
  const uint64_t length = header.size();
  out.write(reinterpret_cast<const char*>(&length), sizeof(length));
  out << header;
  uint64_t state = 1;
  for (const Entry& entry : Entries(sizes)) {
    const long rows = entry.shape.size() == 2 ? entry.shape[0] : 1;
    for (long row = 0; row < rows; ++row) WriteRandom(out, entry.shape.back(), state);
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
