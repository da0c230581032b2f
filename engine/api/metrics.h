// The engine's numbers as Prometheus reads them (text format 0.0.4), under vLLM's names, so that
// its dashboards and alerts fit.
#pragma once

#include <string>

#include "engine/runtime/stats.h"

namespace skerry::engine {

inline constexpr const char* kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

// `compile_time`: of grammars, seconds.
std::string MetricsText(const EngineStats& stats, const Histogram& compile_time,
                        const std::string& model_name);

}  // namespace skerry::engine
