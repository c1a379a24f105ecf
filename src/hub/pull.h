// From a model's name to an installed model.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/result.h"
#include "hub/download.h"
#include "hub/hub_client.h"
#include "hub/names.h"
#include "hub/store.h"

namespace hussar {

struct PullOptions {
  ModelName name;
  std::string from = "auto";  // "hf", "modelscope"; "auto": the first that can be reached
  std::string mirror;         // a URL in place of the hub's own; empty: none
  std::string revision;       // empty: the catalog's, else the hub's default
  std::string token;
  std::string models_dir;
  int32_t connections = 4;
  FetchOptions fetch;
  RetryPolicy retry;
};

// Written by the thread that pulls, read by the one that shows it.
struct PullProgress {
  DownloadProgress download;
  std::atomic<int64_t> all_bytes = 0;  // 0: not known yet
};

// Brings the model, or finds it installed and leaves it. `note` is called from several threads. After an
// error what was brought stays for the next time, but for a file with a wrong checksum. Errors: as its steps;
// one line each.
Result<InstalledModel> pull_model(const PullOptions& options, const std::atomic<bool>& stop,
                                  PullProgress* progress, const Note& note);

// A token as --token-file holds it. Errors: kInvalid (empty, or with characters that no token has),
// kTooLarge, kNotFound.
Result<std::string> read_token(const std::string& path);

// Errors: kInvalid for anything but an http or https URL without user, query and fragment. Takes slashes off
// the end.
Result<std::string> check_mirror(std::string url);

}  // namespace hussar
