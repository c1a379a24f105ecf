// Checksums of files and bytes. The only user of OpenSSL outside net/ is digest.cc.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hussar {

// How a hub says what a file's bytes are.
struct Checksum {
  enum class Kind {
    kNone,        // the hub does not say
    kSha256,      // of the bytes
    kGitBlobSha1  // git's name of the file: SHA-1 of "blob SIZE\0" and the bytes
  };
  Kind kind = Kind::kNone;
  std::string hex;  // lower case

  bool operator==(const Checksum&) const = default;
  std::string text() const;  // "sha256:...", "git:..." or "none"
};

// Errors: kInvalid where `hex` is no digest of that kind. Makes it lower case.
Result<Checksum> make_checksum(Checksum::Kind kind, std::string_view hex);

struct FileDigest {
  int64_t size_bytes = 0;
  std::string sha256;
  bool matches = false;  // with the checksum asked about; true where that is kNone
};

// Reads the file once. Errors: kIo; kCancelled when `stop` became true.
Result<FileDigest> digest_file(const std::string& path, const Checksum& wanted,
                               const std::atomic<bool>& stop);

}  // namespace hussar
