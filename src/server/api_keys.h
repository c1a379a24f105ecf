// Who may ask, and how much: API keys from a file, read again when the file changes.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "engine/request.h"
#include "net/http.h"

namespace hussar {

// One entry of the file. Limits of 0 are none.
struct ApiKey {
  std::string name;  // for logs and metrics, which never hold the key
  std::string key;
  double weight = 1;  // of its share, beside the others'
  int64_t requests_per_minute = 0;
  int64_t tokens_per_minute = 0;
  int64_t concurrency_max = 0;
};

// {"keys": [{"name": ..., "key": ..., "weight": ..., "requests_per_minute": ..., "tokens_per_minute": ...,
// "concurrency_max": ...}]}; names and keys are unique. Errors name the entry and never show a key.
Result<std::vector<ApiKey>> read_api_keys(std::string_view text);

// Equal, in a time that tells nothing but the length of `presented`.
bool equal_in_constant_time(std::string_view secret, std::string_view presented);

// An allowance that fills up evenly to a minute's worth. It may be overdrawn by what is known afterwards
// only.
class MinuteAllowance {
 public:
  // 0: no limit.
  void set_limit(int64_t per_minute, TimePoint now);
  // Seconds until something is there; 0: now.
  double wait_seconds(double amount, TimePoint now);
  void take(double amount) { left_ -= amount; }

 private:
  void fill(TimePoint now);
  int64_t per_minute_ = 0;
  double left_ = 0;
  TimePoint filled_;
};

// What the server knows of one key's holder; it outlives changes of the file. Admission guards the fields.
struct Tenant {
  TenantId id = 0;
  ApiKey key;
  double share = 1;  // of all tenants' weights
  MinuteAllowance requests, tokens;
  int64_t active = 0;     // requests that have not ended
  int64_t preparing = 0;  // of those, not yet with the engine
};

// Thread-safe.
class ApiKeys {
 public:
  // An empty path: no keys, everybody is let in. Errors: the file can't be read or understood.
  static Result<std::unique_ptr<ApiKeys>> open(const std::string& path);

  bool required() const { return !path_.empty(); }
  // Of "Authorization: Bearer KEY" or "X-Api-Key: KEY"; null: missing or unknown. REQUIRES: required().
  std::shared_ptr<Tenant> find(const HttpRequest& request) const;
  // Reads the file again; on an error what was known stays.
  Result<void> reload();
  // The same where the file has changed since; whether it had.
  Result<bool> reload_if_changed();
  size_t count() const;
  // Taken by who reads or writes the fields of a Tenant, reload() included.
  std::mutex& tenants_mutex() const { return tenants_mutex_; }

 private:
  explicit ApiKeys(std::string path) : path_(std::move(path)) {}

  const std::string path_;
  mutable std::mutex mutex_;  // of the list
  std::vector<std::shared_ptr<Tenant>> tenants_;
  std::map<std::string, std::shared_ptr<Tenant>> by_name_;  // those who have gone included
  std::string version_;                                     // of the file, as its time and size
  TenantId next_id_ = 1;
  mutable std::mutex tenants_mutex_;
};

}  // namespace hussar
