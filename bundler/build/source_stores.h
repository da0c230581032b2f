// Models as other programs store them: Ollama and LM Studio.
#pragma once

#include <string>
#include <vector>

#include "appliance/base/files.h"
#include "appliance/base/result.h"
#include "bundler/build/source.h"

namespace skerry::build {

// What the two programs look at to find their stores; empty: not set.
struct StorePlaces {
  std::string store;          // --store: nothing else is looked at
  std::string ollama_models;  // $OLLAMA_MODELS
  std::string home;           // $HOME
};

// "HOST/NAMESPACE/MODEL:TAG" with Ollama's defaults for what is not given.
struct OllamaName {
  std::string host = "registry.ollama.ai";
  std::string name_space = "library";
  std::string model;
  std::string tag = "latest";

  static Result<OllamaName> Parse(const std::string& text);  // kInvalidArgument
  std::string Path() const { return host + "/" + name_space + "/" + model + "/" + tag; }
};

// The model's weights as MODEL-TAG.gguf; licences, template, system prompt and parameters as
// documents. `files` is the machine's, all paths are as ResolveSource gives them. Every file
// carries the SHA-256 that the store names it by. kNotFound naming the places that were looked at;
// kUntrusted for adapters, projectors and models that are not GGUF; kCorrupt.
Result<Source> ListOllama(FileSystem& files, const std::string& name, const StorePlaces& places);

// "ORG/NAME" or "ORG/NAME/FILE.gguf" in LM Studio's folder of models. kNotFound naming the places
// that were looked at; else as ListSource.
Result<Source> ListLmStudio(FileSystem& files, const std::string& name, const StorePlaces& places,
                            const SourceOptions& options = {});

}  // namespace skerry::build
