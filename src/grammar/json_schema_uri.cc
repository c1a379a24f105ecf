#include "grammar/json_schema_uri.h"

#include <algorithm>
#include <vector>

namespace hussar {
namespace {

struct UriParts {
  std::string_view scheme, authority, path,
      query;  // scheme with its ':', authority with "//", query with '?'
};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// REQUIRES: no fragment.
UriParts split(std::string_view uri) {
  UriParts parts;
  const size_t colon = uri.find_first_of(":/?");
  if (colon != std::string_view::npos && uri[colon] == ':' && is_letter(uri[0])) {
    parts.scheme = uri.substr(0, colon + 1);
    uri.remove_prefix(colon + 1);
  }
  if (uri.substr(0, 2) == "//") {
    parts.authority = uri.substr(0, uri.find_first_of("/?", 2));
    uri.remove_prefix(parts.authority.size());
  }
  parts.path = uri.substr(0, uri.find('?'));
  parts.query = uri.substr(parts.path.size());
  return parts;
}

// Without "." and ".." segments.
std::string normal_path(std::string_view path) {
  std::vector<std::string_view> segments;
  const bool absolute = !path.empty() && path[0] == '/';
  if (absolute) path.remove_prefix(1);
  for (bool more = true; more;) {
    const size_t slash = path.find('/');
    more = slash != std::string_view::npos;
    const std::string_view segment = path.substr(0, slash);
    path.remove_prefix(more ? slash + 1 : path.size());
    if (segment == "..") {
      if (!segments.empty()) segments.pop_back();
    } else if (segment != ".") {
      segments.push_back(segment);
      continue;
    }
    if (!more) segments.emplace_back();  // "a/." and "a/b/.." end in a slash
  }
  std::string result;
  for (size_t i = 0; i < segments.size(); ++i) {
    if (i > 0 || absolute) result += '/';
    result += segments[i];
  }
  return result;
}

std::string merged_path(const UriParts& base, std::string_view reference) {
  if (!base.authority.empty() && base.path.empty()) return "/" + std::string(reference);
  const size_t slash = base.path.rfind('/');
  if (slash == std::string_view::npos) return std::string(reference);
  return std::string(base.path.substr(0, slash + 1)) + std::string(reference);
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string_view uri_fragment(std::string_view uri) {
  const size_t mark = uri.find('#');
  return mark == std::string_view::npos ? std::string_view() : uri.substr(mark + 1);
}

std::string_view without_fragment(std::string_view uri) { return uri.substr(0, uri.find('#')); }

std::string resolve_uri(std::string_view base_uri, std::string_view reference_uri) {
  const UriParts base = split(without_fragment(base_uri));
  UriParts reference = split(without_fragment(reference_uri));
  std::string path;
  if (!reference.scheme.empty()) {
    const bool has_segments = !reference.path.empty() && reference.path[0] == '/';
    path = has_segments ? normal_path(reference.path) : std::string(reference.path);
  } else if (!reference.authority.empty()) {
    reference.scheme = base.scheme;
    path = normal_path(reference.path);
  } else {
    reference.scheme = base.scheme;
    reference.authority = base.authority;
    if (reference.path.empty()) {
      path = base.path;
      if (reference.query.empty()) reference.query = base.query;
    } else {
      path = normal_path(reference.path[0] == '/' ? reference.path : merged_path(base, reference.path));
    }
  }
  return std::string(reference.scheme) + std::string(reference.authority) + path +
         std::string(reference.query);
}

std::string decode_percent_escapes(std::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool triplet =
        text[i] == '%' && i + 2 < text.size() && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0;
    if (!triplet) {
      decoded.push_back(text[i]);
      continue;
    }
    decoded.push_back(static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2])));
    i += 2;
  }
  return decoded;
}

}  // namespace hussar
