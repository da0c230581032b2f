// Writes a Llama checkpoint of random BF16 weights, to measure with: make_checkpoint FOLDER
// [HIDDEN MLP LAYERS HEADS KV_HEADS VOCAB]. The default is 505 MB.
#include <sys/stat.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
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

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 && argc != 8) {
    std::fprintf(stderr,
                 "usage: make_checkpoint FOLDER [HIDDEN MLP LAYERS HEADS KV_HEADS VOCAB]\n");
    return 2;
  }
  Sizes sizes;
  long* const fields[] = {&sizes.hidden, &sizes.mlp,      &sizes.layers,
                          &sizes.heads,  &sizes.kv_heads, &sizes.vocab};
  for (int i = 2; i < argc; ++i) *fields[i - 2] = std::atol(argv[i]);
  const std::string folder = argv[1];
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
  return out ? 0 : 1;
}
