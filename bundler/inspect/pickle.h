// Python pickles, recognised by what an unpickler would do with the bytes.
#pragma once

#include "appliance/base/files.h"
#include "appliance/base/result.h"

namespace skerry::inspect {

// Whether `file` is a pickle that can run code: it begins as one of protocol 2 to 5, or an
// unpickler walks from the first byte to a call after an import, to its end after an import, or
// through more than 2^20 opcodes. Opcodes of all protocols count, also without the leading PROTO,
// and so does a call that garbage follows: an unpickler calls as it reads. The exact rule is that
// of docs/formats/bundle.md, "What must not travel". Reads as far as the walk goes, for most files
// one byte; keeps 64 KiB and the walk's stack (at most 1 MiB). Fails only as `file` does.
Result<bool> IsPickle(const File& file);

}  // namespace skerry::inspect
