#include <string_view>

#include "bench/report_json.h"

namespace hussar {
namespace {

constexpr std::string_view kMask = "***";

// "Authorization: Bearer x" keeps its name.
std::string masked_header(const std::string& header) {
  const size_t colon = header.find(':');
  return (colon == std::string::npos ? "" : header.substr(0, colon + 1) + " ") + std::string(kMask);
}

std::string masked_value(std::string_view flag, const std::string& value) {
  return flag == "--header" ? masked_header(value) : std::string(kMask);
}

}  // namespace

std::string masked_url(const std::string& url) {
  const size_t scheme = url.find("://");
  if (scheme == std::string::npos) return url;
  const size_t begin = scheme + 3;
  const size_t at = url.substr(0, url.find_first_of("/?#", begin)).rfind('@');
  if (at == std::string::npos || at < begin) return url;
  return url.substr(0, begin) + std::string(kMask) + url.substr(at);
}

std::vector<std::string> masked_command(const std::vector<std::string>& words) {
  std::vector<std::string> masked;
  std::string_view flag;  // whose value comes next
  for (const std::string& word : words) {
    if (!flag.empty()) {
      masked.push_back(masked_value(flag, word));
      flag = {};
      continue;
    }
    for (const std::string_view secret : {"--api-key", "--header"}) {
      if (word == secret) flag = secret;
      if (word.starts_with(secret) && word[secret.size()] == '=') {
        masked.push_back(std::string(secret) + "=" + masked_value(secret, word.substr(secret.size() + 1)));
        flag = "=";
      }
    }
    if (flag == "=") {
      flag = {};
    } else {
      masked.push_back(masked_url(word));
    }
  }
  return masked;
}

}  // namespace hussar
