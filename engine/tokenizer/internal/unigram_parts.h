// SentencePiece's unigram models as a pipeline, whatever file they came from.
#pragma once

#include "appliance/base/result.h"
#include "engine/tokenizer/pipeline_tokenizer.h"
#include "engine/tokenizer/spm_model.h"

namespace skerry::engine::internal {

// Leaves open whether begin and end tokens are added.
Result<PipelineParts> MakeUnigram(SpmModel model);

}  // namespace skerry::engine::internal
