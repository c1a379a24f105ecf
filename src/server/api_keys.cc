#include "server/api_keys.h"

#include <sys/stat.h>

#include <algorithm>
#include <set>

#include "base/files.h"
#include "base/json.h"
#include "server/fields.h"

namespace hussar {
namespace {

constexpr size_t kFileBytesMax = 4 << 20;
constexpr size_t kKeysMax = 10'000;
constexpr size_t kNameBytesMax = 64;
constexpr size_t kKeyBytesMin = 8, kKeyBytesMax = 512;
constexpr int64_t kLimitMax = 1'000'000'000'000;
constexpr double kSecondsPerMinute = 60;

Error bad_entry(const std::string& place, const std::string& what) {
  return {ErrorCode::kInvalid, place + " " + what, "--api-keys"};
}

bool is_visible(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

Result<ApiKey> read_entry(const std::string& place, const Json& value) {
  const JsonObject* members = value.as_object();
  if (members == nullptr) return bad_entry(place, "must be an object");
  ApiKey entry;
  for (const auto& [name, member] : *members) {
    const std::string at = place + "." + name;
    if (name == "name") {
      ASSIGN_OR_RETURN(entry.name, read_string(at, member, kNameBytesMax));
    } else if (name == "key") {
      ASSIGN_OR_RETURN(entry.key, read_string(at, member, kKeyBytesMax));
    } else if (name == "weight") {
      ASSIGN_OR_RETURN(entry.weight, read_number(at, member, 0.001, 1000));
    } else if (name == "requests_per_minute") {
      ASSIGN_OR_RETURN(entry.requests_per_minute, read_int(at, member, 0, kLimitMax));
    } else if (name == "tokens_per_minute") {
      ASSIGN_OR_RETURN(entry.tokens_per_minute, read_int(at, member, 0, kLimitMax));
    } else if (name == "concurrency_max") {
      ASSIGN_OR_RETURN(entry.concurrency_max, read_int(at, member, 0, kLimitMax));
    } else {
      return bad_entry(at,
                       "is unknown: there are name, key, weight, requests_per_minute, "
                       "tokens_per_minute and concurrency_max");
    }
  }
  if (entry.name.empty() || !is_http_token(entry.name))
    return bad_entry(place + ".name", "must be a word of letters, digits, '-', '_' and '.'");
  if (entry.key.size() < kKeyBytesMin || !is_visible(entry.key))
    return bad_entry(place + ".key",
                     "must be at least " + std::to_string(kKeyBytesMin) + " visible ASCII characters");
  return entry;
}

std::string version_of(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return "";
  return std::to_string(info.st_mtim.tv_sec) + "." + std::to_string(info.st_mtim.tv_nsec) + " " +
         std::to_string(info.st_size) + " " + std::to_string(info.st_ino);
}

std::string_view presented_key(const HttpRequest& request) {
  constexpr std::string_view kScheme = "Bearer ";
  if (const std::string* text = request.header("Authorization")) {
    if (text->size() > kScheme.size() && equals_ignoring_case(text->substr(0, kScheme.size()), kScheme))
      return std::string_view(*text).substr(kScheme.size());
  }
  const std::string* text = request.header("X-Api-Key");
  return text != nullptr ? std::string_view(*text) : std::string_view();
}

}  // namespace

Result<std::vector<ApiKey>> read_api_keys(std::string_view text) {
  JsonLimits limits;
  limits.bytes_max = kFileBytesMax;
  limits.depth_max = 4;
  auto json = parse_json(text, limits);
  if (!json.ok()) return bad_entry("the file", "is no acceptable JSON: " + json.error().message);
  const JsonObject* root = json->as_object();
  const Json* list = json->find("keys");
  if (root == nullptr || root->size() != 1 || list == nullptr || list->as_array() == nullptr)
    return bad_entry("the file", R"(must hold {"keys": [...]} and nothing else)");
  if (list->as_array()->empty()) return bad_entry("keys", "must not be empty");
  if (list->as_array()->size() > kKeysMax)
    return bad_entry("keys", "may hold at most " + std::to_string(kKeysMax) + " entries");
  std::vector<ApiKey> keys;
  std::set<std::string> names, secrets;
  for (size_t i = 0; i < list->as_array()->size(); ++i) {
    const std::string place = "keys[" + std::to_string(i) + "]";
    auto entry = read_entry(place, (*list->as_array())[i]);
    if (!entry.ok()) return Error{ErrorCode::kInvalid, entry.error().message, "--api-keys"};
    if (!names.insert(entry->name).second) return bad_entry(place + ".name", "stands there twice");
    if (!secrets.insert(entry->key).second) return bad_entry(place + ".key", "is that of another entry");
    keys.push_back(std::move(*entry));
  }
  return keys;
}

bool equal_in_constant_time(std::string_view secret, std::string_view presented) {
  if (secret.empty()) return false;
  unsigned different = secret.size() == presented.size() ? 0 : 1;
  for (size_t i = 0; i < presented.size(); ++i) {
    different |=
        static_cast<unsigned char>(presented[i]) ^ static_cast<unsigned char>(secret[i % secret.size()]);
  }
  return different == 0;
}

// --- allowances

void MinuteAllowance::set_limit(int64_t per_minute, TimePoint now) {
  if (per_minute == per_minute_) return;
  per_minute_ = per_minute;
  left_ = static_cast<double>(per_minute);
  filled_ = now;
}

void MinuteAllowance::fill(TimePoint now) {
  const double per_minute = static_cast<double>(per_minute_);
  const double seconds = std::chrono::duration<double>(now - filled_).count();
  left_ = std::min(per_minute, left_ + std::max(0.0, seconds) * per_minute / kSecondsPerMinute);
  filled_ = now;
}

double MinuteAllowance::wait_seconds(double amount, TimePoint now) {
  if (per_minute_ == 0) return 0;
  fill(now);
  if (left_ >= amount) return 0;
  return (amount - left_) * kSecondsPerMinute / static_cast<double>(per_minute_);
}

// --- the keys

Result<std::unique_ptr<ApiKeys>> ApiKeys::open(const std::string& path) {
  std::unique_ptr<ApiKeys> keys(new ApiKeys(path));
  if (keys->required()) RETURN_IF_ERROR(keys->reload());
  return keys;
}

Result<void> ApiKeys::reload() {
  const std::string version = version_of(path_);
  {
    // A file that can't be understood is not read again until it changes.
    std::lock_guard lock(mutex_);
    version_ = version;
  }
  auto text = read_small_file(path_, kFileBytesMax);
  if (!text.ok()) return Error{text.error().code, text.error().message, "--api-keys"};
  auto keys = read_api_keys(*text);
  if (!keys.ok()) return Error{ErrorCode::kInvalid, path_ + ": " + keys.error().message, "--api-keys"};
  double weights = 0;
  for (const ApiKey& key : *keys) weights += key.weight;
  const TimePoint now = Clock::now();
  std::vector<std::shared_ptr<Tenant>> tenants;
  std::lock_guard lock(mutex_);
  std::lock_guard tenants_lock(tenants_mutex_);
  for (ApiKey& key : *keys) {
    std::shared_ptr<Tenant>& tenant = by_name_[key.name];
    if (tenant == nullptr) {
      tenant = std::make_shared<Tenant>();
      tenant->id = next_id_++;
    }
    tenant->share = key.weight / weights;
    tenant->requests.set_limit(key.requests_per_minute, now);
    tenant->tokens.set_limit(key.tokens_per_minute, now);
    tenant->key = std::move(key);
    tenants.push_back(tenant);
  }
  // Who has gone and has nothing under way is forgotten.
  std::erase_if(by_name_, [&](const auto& entry) {
    return entry.second->active == 0 && std::ranges::find(tenants, entry.second) == tenants.end();
  });
  tenants_ = std::move(tenants);
  return {};
}

Result<bool> ApiKeys::reload_if_changed() {
  const std::string version = version_of(path_);
  {
    std::lock_guard lock(mutex_);
    if (version.empty() || version == version_) return false;
  }
  RETURN_IF_ERROR(reload());
  return true;
}

std::shared_ptr<Tenant> ApiKeys::find(const HttpRequest& request) const {
  const std::string_view presented = presented_key(request);
  std::shared_ptr<Tenant> found;
  // No key is that long, and comparing takes time for every byte and key: it is not for strangers to choose.
  if (presented.size() > kKeyBytesMax) return found;
  std::lock_guard lock(mutex_);
  std::lock_guard tenants_lock(tenants_mutex_);
  // Every key is looked at, so that the time says nothing about which one it was.
  for (const std::shared_ptr<Tenant>& tenant : tenants_) {
    if (equal_in_constant_time(tenant->key.key, presented)) found = tenant;
  }
  return found;
}

size_t ApiKeys::count() const {
  std::lock_guard lock(mutex_);
  return tenants_.size();
}

}  // namespace hussar
