#include "server/host_check.h"

#include <arpa/inet.h>

#include <algorithm>

#include "net/http.h"

namespace hussar {
namespace {

// The name without a port, and without the brackets of an IPv6 address.
std::string_view name_of(std::string_view host) {
  if (host.starts_with('[')) {
    const size_t end = host.find(']');
    return end == std::string_view::npos ? std::string_view() : host.substr(1, end - 1);
  }
  std::string_view name = host.substr(0, host.find(':'));
  if (name.ends_with('.')) name.remove_suffix(1);
  return name;
}

bool is_address(const std::string& text) {
  in6_addr address{};
  return inet_pton(AF_INET, text.c_str(), &address) == 1 || inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

}  // namespace

bool is_local_address(std::string_view address) {
  return equals_ignoring_case(address, "localhost") || address.starts_with("127.") || address == "::1";
}

bool is_local_host_header(std::string_view host, const std::vector<std::string>& allowed) {
  constexpr std::string_view kLocal = "localhost", kBelowLocal = ".localhost";
  const std::string_view name = name_of(host);
  if (name.empty()) return false;
  if (equals_ignoring_case(name, kLocal) || is_address(std::string(name))) return true;
  if (name.size() > kBelowLocal.size() &&
      equals_ignoring_case(name.substr(name.size() - kBelowLocal.size()), kBelowLocal))
    return true;
  return std::ranges::any_of(allowed,
                             [name](const std::string& one) { return equals_ignoring_case(one, name); });
}

}  // namespace hussar
