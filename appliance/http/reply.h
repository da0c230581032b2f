// Writing HTTP/1.1 reply heads: reason phrases (clients show them to their users) and the head's
// bytes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "appliance/http/head.h"

namespace skerry::http {

// "OK", "Not Found", ...; a general phrase of the class for a status without one.
std::string_view ReasonPhrase(int status);

// True when a reply with this status never has a body (1xx, 204, 304).
bool HasNoBody(int status);

// Status line, headers and the blank line. Control characters in values become '?', so that no
// value can start a line of its own.
std::string SerializeHead(int status, const HeaderList& headers);

}  // namespace skerry::http
