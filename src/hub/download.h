// Brings one file: several ranges at once, each part of it noted on the disk, so that a cut or a killed
// process costs little. What comes is not to be trusted before its checksum was compared (pull.h does).
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/result.h"
#include "hub/digest.h"
#include "hub/hub_client.h"

namespace hussar {

struct DownloadPlan {
  std::string url;
  std::string shown;  // what and where, for error lines
  std::string path;   // the file's final one; its bytes stand in path + ".partial" until rename_download
  int64_t size_bytes = 0;
  Checksum checksum;  // with the size, what a part that is there already must belong to
  int32_t connections = 4;
};

// For whoever shows it; added to from several threads.
struct DownloadProgress {
  std::atomic<int64_t> done_bytes = 0;     // that are there
  std::atomic<int64_t> resumed_bytes = 0;  // of them, by an earlier process
};

// Leaves path + ".partial", complete in length, and path + ".journal". Errors: kCancelled, kIo, kNotFound,
// kInvalid (the hub sends another length); what was brought stays for the next time.
Result<void> download(const DownloadPlan& plan, const Hub& hub, const std::atomic<bool>& stop,
                      DownloadProgress* progress);

// Takes away what download left.
Result<void> discard_download(const std::string& path);

// Gives the file its own name. REQUIRES: download ended well.
Result<void> rename_download(const std::string& path);

}  // namespace hussar
