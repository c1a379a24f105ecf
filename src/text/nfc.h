// Unicode normal form C. The only user of utf8proc is nfc.cc.
#pragma once

#include <string>
#include <string_view>

namespace hussar {

// `text` itself when it is seen at a glance to be in normal form C, else its normal form, kept in `*storage`.
// REQUIRES: valid UTF-8.
std::string_view to_nfc(std::string_view text, std::string* storage);

}  // namespace hussar
