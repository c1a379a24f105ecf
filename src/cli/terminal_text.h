// Foreign text that is about to be shown on a terminal.
#pragma once

#include <string>
#include <string_view>

namespace hussar {

// What a model or a file says must not move the cursor or worse: of the control characters (C0, DEL, C1) only
// line feeds and tabs stay. REQUIRES: valid UTF-8.
std::string safe_for_terminal(std::string_view text);

}  // namespace hussar
