// libFuzzer target: SentencePiece models, BPE and unigram.
#include "engine/tokenizer/internal/unigram_parts.h"
#include "engine/tokenizer/spm_tokenizer.h"
#include "tests/fuzz/tokenizer_checks.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace skerry::engine;
  auto model = ParseSpmModel({reinterpret_cast<const char*>(data), size});
  if (!model) return 0;
  if (model->kind == SpmKind::kBpe) {
    const auto tokenizer = SpmTokenizer::Create(std::move(*model), /*add_bos=*/true);
    if (tokenizer) CheckTokenizer(**tokenizer);
    return 0;
  }
  auto parts = internal::MakeUnigram(std::move(*model));
  if (!parts) return 0;
  const auto tokenizer = PipelineTokenizer::Create(std::move(*parts));
  if (tokenizer) CheckTokenizer(**tokenizer);
  return 0;
}
