// Guards a server on the local machine against pages that reach it through a name of their own (DNS
// rebinding).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hussar {

// Whether an address to listen on is this machine's own: localhost, 127.0.0.0/8, ::1.
bool is_local_address(std::string_view address);

// Whether a request with this Host header (with or without a port) may be meant for a server that listens
// locally: localhost and names below it, any address in numbers, and `allowed`. A page's script can only send
// the name that the page came from.
bool is_local_host_header(std::string_view host, const std::vector<std::string>& allowed);

}  // namespace hussar
