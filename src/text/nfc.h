// Unicode normal form C. The only user of utf8proc is nfc.cc.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace hussar {

// `text` itself when it is seen at a glance to be in normal form C, else its normal form, kept in `*storage`.
// REQUIRES: valid UTF-8.
std::string_view to_nfc(std::string_view text, std::string* storage);

// A part of a text that normalisation changed, and what it became; the rest is as it was.
struct NfcEdit {
  size_t begin, end;          // in the text
  size_t new_begin, new_end;  // in its normal form
};
// The same; appends to `*edits`, which is empty, what was changed, in order.
std::string_view to_nfc(std::string_view text, std::string* storage, std::vector<NfcEdit>* edits);

}  // namespace hussar
