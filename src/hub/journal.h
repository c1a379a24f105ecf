// What of a file is on the disk already, kept beside it as text so that a cut download goes on where it was.
//
//   hussar download 1
//   SIZE CHECKSUM             the file that it belongs to: another size or checksum is another file
//   BEGIN END                 bytes that are there, one range a line, added when they are on the disk
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "hub/digest.h"
#include "hub/range_set.h"

namespace hussar {

std::string journal_head(int64_t size_bytes, const Checksum& checksum);

// The ranges that `text` names for this file: nothing where it belongs to another or is malformed; a last
// line without its end (the process was killed in the middle) and all behind a malformed line count for
// nothing.
RangeSet read_journal(std::string_view text, int64_t size_bytes, const Checksum& checksum);

}  // namespace hussar
