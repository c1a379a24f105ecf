// Asks a hub what a repository holds and where its files are. Two dialects: Hugging Face's and ModelScope's.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "hub/listing.h"
#include "hub/retry.h"
#include "net/fetch.h"

namespace hussar {

// One hub and how it may be asked. `url` has no slash at its end.
struct Hub {
  HubKind kind = HubKind::kHuggingFace;
  std::string url;
  std::string token;  // may be empty
  FetchOptions fetch;
  RetryPolicy retry;
  Note note;
};

std::string default_hub_url(HubKind kind);
std::string default_revision(HubKind kind);

struct RepositoryListing {
  std::string revision;  // the commit where the hub tells it, else as asked for
  std::vector<RemoteFile> files;
};

// Errors: kNotFound, kIo (no connection; token; busy for too long), kInvalid (malformed answers), kCancelled.
// `unreachable` becomes true where no connection could be made: another hub may do.
Result<RepositoryListing> list_repository(const Hub& hub, const std::string& repository,
                                          const std::string& revision, const std::atomic<bool>& stop,
                                          bool* unreachable);

// Where a file of a repository is downloaded from.
std::string file_url(const Hub& hub, const std::string& repository, const std::string& revision,
                     const std::string& path);

}  // namespace hussar
