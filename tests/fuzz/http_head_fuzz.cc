// libFuzzer target: the HTTP/1.1 head checks. An accepted head must be free of what the check
// promises to refuse.
#include <cstdlib>

#include "appliance/http/head.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace skerry::http;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const size_t end = FindHeadEnd(bytes);
  const std::string_view head = bytes.substr(0, end);
  const auto request = CheckRequestHead(head);
  if (request) {
    int hosts = 0;
    for (const auto& [name, value] : request->headers) {
      hosts += name == "host";
      if ((name + value).find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) abort();
    }
    if (hosts != 1 || (request->chunked && request->content_length)) abort();
    for (size_t cut = 0; cut + 2 < head.size(); cut += 1 + head.size() / 16) {
      if (!CheckPartialRequestHead(head.substr(0, cut))) abort();  // refused early, accepted late
    }
  }
  (void)CheckResponseHead(head);
  return 0;
}
