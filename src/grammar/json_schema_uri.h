// URI references as JSON Schema's $id and $ref use them: cut into parts and resolved (RFC 3986, section 5).
#pragma once

#include <string>
#include <string_view>

namespace hussar {

// The URI that `reference` means beside `base`, without its fragment. A base that is itself relative (or
// empty) is taken as it is: what results is relative too, and the same for the same parts.
std::string resolve_uri(std::string_view base, std::string_view reference);

// What stands behind the first '#'; empty where there is none.
std::string_view uri_fragment(std::string_view uri);
std::string_view without_fragment(std::string_view uri);

// %41 to A. Bytes that are no such triplet stay as they are.
std::string decode_percent_escapes(std::string_view text);

}  // namespace hussar
