// Every architecture the engine knows.
#pragma once

#include <span>
#include <string_view>

#include "engine/architectures/architecture.h"

namespace skerry::engine {

// One function in each architecture's file; the object lives as long as the program.
const Architecture& LlamaArchitecture();
const Architecture& MistralArchitecture();
const Architecture& Ministral3Architecture();
const Architecture& MixtralArchitecture();
const Architecture& Qwen2Architecture();
const Architecture& Qwen3Architecture();
const Architecture& Qwen3MoeArchitecture();
const Architecture& Gemma3Architecture();
const Architecture& GptOssArchitecture();
const Architecture& BertArchitecture();

std::span<const Architecture* const> Architectures();

// By 'model_type' of config.json, or by that of a wrapper, which `wrapper` then receives (else
// null). Of several with the same wrapper it is the one whose own model_type is `text_type`, else
// the first. Null when no architecture has it.
const Architecture* FindByModelType(std::string_view model_type, std::string_view text_type,
                                    const Wrapper** wrapper);
// By general.architecture of a GGUF file.
const Architecture* FindByGgufName(std::string_view name);

}  // namespace skerry::engine
