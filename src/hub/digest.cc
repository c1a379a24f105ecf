#include "hub/digest.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <vector>

#include "base/files.h"

namespace hussar {
namespace {

constexpr size_t kReadBytes = 1 << 20;

class Digest {
 public:
  explicit Digest(const EVP_MD* algorithm) : context_(EVP_MD_CTX_new()) {
    CHECK(context_ != nullptr && EVP_DigestInit_ex(context_.get(), algorithm, nullptr) == 1);
  }
  void add(const void* data, size_t bytes) { CHECK(EVP_DigestUpdate(context_.get(), data, bytes) == 1); }
  std::string hex() {
    unsigned char value[EVP_MAX_MD_SIZE];
    unsigned bytes = 0;
    CHECK(EVP_DigestFinal_ex(context_.get(), value, &bytes) == 1);
    std::string text;
    for (unsigned i = 0; i < bytes; ++i) {
      text += "0123456789abcdef"[value[i] >> 4];
      text += "0123456789abcdef"[value[i] & 15];
    }
    return text;
  }

 private:
  struct Deleter {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Deleter> context_;
};

}  // namespace

std::string Checksum::text() const {
  switch (kind) {
    case Kind::kSha256:
      return "sha256:" + hex;
    case Kind::kGitBlobSha1:
      return "git:" + hex;
    case Kind::kNone:
      break;
  }
  return "none";
}

Result<Checksum> make_checksum(Checksum::Kind kind, std::string_view hex) {
  const size_t digits = kind == Checksum::Kind::kSha256 ? 64 : 40;
  const bool all_hex = std::all_of(hex.begin(), hex.end(),
                                   [](char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; });
  if (hex.size() != digits || !all_hex) return Error{ErrorCode::kInvalid, "not a checksum", ""};
  Checksum checksum{kind, std::string(hex)};
  for (char& c : checksum.hex) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return checksum;
}

Result<FileDigest> digest_file(const std::string& path, const Checksum& wanted,
                               const std::atomic<bool>& stop) {
  ASSIGN_OR_RETURN(const File file, File::open(path, O_RDONLY));
  ASSIGN_OR_RETURN(const int64_t size_bytes, file.size_bytes());
  Digest sha256(EVP_sha256());
  std::unique_ptr<Digest> git;
  if (wanted.kind == Checksum::Kind::kGitBlobSha1) {
    git = std::make_unique<Digest>(EVP_sha1());
    const std::string header = "blob " + std::to_string(size_bytes);
    git->add(header.c_str(), header.size() + 1);  // its NUL included
  }
  std::vector<char> buffer(kReadBytes);
  int64_t done_bytes = 0;
  for (;;) {
    if (stop.load(std::memory_order_relaxed)) return Error{ErrorCode::kCancelled, "interrupted", ""};
    const ssize_t got = ::read(file.fd(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno_error(path, "cannot read");
    if (got == 0) break;
    sha256.add(buffer.data(), static_cast<size_t>(got));
    if (git) git->add(buffer.data(), static_cast<size_t>(got));
    done_bytes += got;
  }
  FileDigest digest{done_bytes, sha256.hex(), true};
  if (wanted.kind == Checksum::Kind::kSha256) digest.matches = digest.sha256 == wanted.hex;
  if (git) digest.matches = git->hex() == wanted.hex;
  return digest;
}

}  // namespace hussar
