// libFuzzer target: the chunked decoder. Whole and byte by byte must give the same verdict, payload
// and end; what it accepts must survive encoding and decoding again.
#include <cstdlib>

#include "appliance/http/chunked.h"

namespace {

struct Outcome {
  bool failed = false;
  bool done = false;
  size_t consumed = 0;
  std::string payload;
  bool operator==(const Outcome& other) const {
    return failed == other.failed && done == other.done &&
           (failed || (consumed == other.consumed && payload == other.payload));
  }
};

Outcome Decode(std::string_view bytes, size_t step) {
  skerry::http::ChunkedDecoder decoder;
  Outcome outcome;
  while (outcome.consumed < bytes.size() && !decoder.done()) {
    const auto fed = decoder.Feed(bytes.substr(outcome.consumed, step), outcome.payload);
    if (!fed) {
      outcome.failed = true;
      break;
    }
    outcome.consumed += *fed;
  }
  outcome.done = decoder.done();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Outcome whole = Decode(bytes, bytes.size());
  if (!(whole == Decode(bytes, 1)) || !(whole == Decode(bytes, 3))) abort();
  if (whole.done) {
    std::string again;
    skerry::http::AppendChunk(whole.payload, again);
    skerry::http::AppendLastChunk({}, again);
    const Outcome second = Decode(again, 5);
    if (!second.done || second.payload != whole.payload) abort();
  }
  return 0;
}
