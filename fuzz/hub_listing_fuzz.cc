// What hubs and folders tell us: listings of both hubs, link headers, journals, manifests. Whatever the
// bytes, nothing that is accepted names a file outside of its folder.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "hub/journal.h"
#include "hub/listing.h"
#include "hub/manifest.h"
#include "hub/names.h"

namespace {

void check_listing(hussar::HubKind hub, std::string_view text) {
  std::vector<hussar::RemoteFile> files;
  if (!hussar::read_listing(hub, text, &files).ok()) return;
  for (const hussar::RemoteFile& file : files)
    CHECK(file.size_bytes >= 0 && !hussar::is_hostile_path(file.path));
  const auto chosen = hussar::select_files(files, "");
  if (!chosen.ok()) return;
  for (const hussar::RemoteFile& file : *chosen) CHECK(hussar::is_safe_file_name(file.path));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_listing(hussar::HubKind::kHuggingFace, text);
  check_listing(hussar::HubKind::kModelScope, text);
  (void)hussar::read_commit(text);
  (void)hussar::next_page_url(text);
  const hussar::Checksum checksum{hussar::Checksum::Kind::kSha256, std::string(64, '0')};
  const std::string journal = hussar::journal_head(1000, checksum) + std::string(text);
  CHECK(hussar::read_journal(journal, 1000, checksum).total_bytes() <= 1000);
  if (const auto manifest = hussar::parse_manifest(text); manifest.ok()) {
    for (const hussar::ManifestFile& file : manifest->files) CHECK(hussar::is_safe_file_name(file.name));
    CHECK(hussar::parse_manifest(hussar::write_manifest(*manifest)).ok());
  }
  if (const auto name = hussar::parse_model_name(text); name.ok()) {
    CHECK(name->folder().find('/') == std::string::npos && name->folder() != ".." && name->folder() != ".");
    const auto again = hussar::parse_model_name(name->text());
    CHECK(again.ok() && again->text() == name->text());
  }
  return 0;
}
