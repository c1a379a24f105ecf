#include "hub/pull.h"

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <vector>

#include "base/files.h"
#include "base/memory.h"
#include "hub/catalog.h"

namespace hussar {
namespace {

constexpr size_t kTokenFileBytesMax = 4096;
constexpr int64_t kDiskReserveBytes = 16 << 20;  // for journals, folders and whoever else writes
constexpr size_t kFilesMax = 500;

// Where a model is brought from, and what of it.
struct Source {
  Hub hub;
  std::string repository;
  std::string revision;
  std::vector<RemoteFile> files;
};

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  struct tm parts {};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

std::vector<HubKind> hubs_to_ask(const PullOptions& options) {
  if (options.from == "modelscope") return {HubKind::kModelScope};
  // A mirror speaks one dialect: the more common one, unless --from says another.
  if (options.from == "hf" || !options.mirror.empty()) return {HubKind::kHuggingFace};
  return {HubKind::kHuggingFace, HubKind::kModelScope};
}

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "127.0.0.1" || host == "[::1]" || host == "::1";
}

Result<Hub> make_hub(const PullOptions& options, HubKind kind, const Note& note) {
  Hub hub{.kind = kind,
          .url = default_hub_url(kind),
          .token = options.token,
          .fetch = options.fetch,
          .retry = options.retry,
          .note = note};
  if (!options.mirror.empty()) {
    ASSIGN_OR_RETURN(hub.url, check_mirror(options.mirror));
  }
  ASSIGN_OR_RETURN(const UrlParts parts, parse_url(hub.url));
  if (!hub.token.empty() && parts.scheme != "https" && !is_loopback(parts.host)) {
    return Error{ErrorCode::kInvalid, "a token is sent over https only; this mirror is http", "--mirror"};
  }
  return hub;
}

// What the catalog knows of a file must hold wherever it comes from.
Result<void> apply_pins(const PullOptions& options, Source* source) {
  const CatalogRow* row = find_in_catalog(options.name);
  if (row == nullptr || !options.revision.empty()) return {};
  for (RemoteFile& file : source->files) {
    for (const PinnedFile& pin : row->pins) {
      if (file.path != pin.file) continue;
      const Checksum known{Checksum::Kind::kSha256, std::string(pin.sha256)};
      if (file.checksum.kind == Checksum::Kind::kNone) file.checksum = known;
      if (file.checksum == known) continue;
      return Error{
          ErrorCode::kInvalid,
          file.path + " at " + source->hub.url +
              " is not the file that hussar knows (its checksum differs); --revision takes another one "
              "on purpose",
          ""};
    }
  }
  return {};
}

Result<Source> ask_hub(const PullOptions& options, HubKind kind, const std::atomic<bool>& stop,
                       const Note& note, bool* unreachable) {
  Source source;
  ASSIGN_OR_RETURN(source.hub, make_hub(options, kind, note));
  // Another hub may be near: no long waiting for this one.
  if (kind != hubs_to_ask(options).back()) source.hub.retry.unreachable_max = 2;
  ASSIGN_OR_RETURN(source.repository, repository_of(options.name, kind));
  const CatalogRow* row = find_in_catalog(options.name);
  std::string revision = options.revision;
  if (revision.empty() && row != nullptr && kind == HubKind::kHuggingFace) revision = row->commit;
  if (revision.empty()) revision = default_revision(kind);
  ASSIGN_OR_RETURN(RepositoryListing listing,
                   list_repository(source.hub, source.repository, revision, stop, unreachable));
  source.revision = std::move(listing.revision);
  auto files = select_files(listing.files, options.name.selector);
  if (!files.ok()) {
    const Error& error = files.error();
    return Error{error.code, source.repository + " at " + source.hub.url + ": " + error.message, ""};
  }
  source.files = std::move(*files);
  if (source.files.size() > kFilesMax) {
    return Error{ErrorCode::kTooLarge,
                 source.repository + ": more than " + std::to_string(kFilesMax) + " files", ""};
  }
  RETURN_IF_ERROR(apply_pins(options, &source));
  return source;
}

// The first hub that can be reached decides.
Result<Source> find_source(const PullOptions& options, const std::atomic<bool>& stop, const Note& note) {
  std::string tried;
  for (const HubKind kind : hubs_to_ask(options)) {
    bool unreachable = false;
    auto source = ask_hub(options, kind, stop, note, &unreachable);
    if (source.ok() || !unreachable || source.error().code == ErrorCode::kCancelled) return source;
    if (!tried.empty()) tried += "; ";
    tried += source.error().message;
    if (kind != hubs_to_ask(options).back()) note(source.error().message + "; asking ModelScope");
  }
  return Error{ErrorCode::kIo,
               tried +
                   "; without a hub, give a file that is here: --model /path/to/file.gguf, or a nearer hub: "
                   "--mirror URL",
               ""};
}

Result<void> check_disk(const Source& source, const std::string& folder) {
  int64_t needed = 0;
  for (const RemoteFile& file : source.files) {
    const std::string path = folder + "/" + file.path;
    const int64_t there = std::max(allocated_bytes(path + ".partial"), allocated_bytes(path));
    needed += std::max<int64_t>(0, file.size_bytes - there);
  }
  ASSIGN_OR_RETURN(const int64_t free, free_disk_bytes(folder));
  if (needed == 0 || needed + kDiskReserveBytes <= free) return {};
  return Error{ErrorCode::kIo,
               "too little room on the disk: " + bytes_text(needed) + " and " +
                   bytes_text(kDiskReserveBytes) + " to spare are needed, and " + bytes_text(free) +
                   " are free in " + folder + "; make room, or choose another place with --models-dir",
               ""};
}

// Downloads, checks and checks again: a wrong checksum gets one more try from the start.
Result<ManifestFile> bring_file(const PullOptions& options, const Source& source, const RemoteFile& file,
                                const std::string& folder, const std::atomic<bool>& stop,
                                PullProgress* progress, const Note& note) {
  DownloadPlan plan;
  plan.url = file_url(source.hub, source.repository, source.revision, file.path);
  plan.shown = file.path + " of " + source.repository + " at " + source.hub.url;
  plan.path = folder + "/" + file.path;
  plan.size_bytes = file.size_bytes;
  plan.checksum = file.checksum;
  plan.connections = options.connections;
  if (file.checksum.kind == Checksum::Kind::kNone) {
    note(plan.shown + ": the hub gives no checksum; only its length is checked");
  }
  if (file_exists(plan.path)) {
    // Its own name already, but no manifest: an earlier pull ended between the two.
    ASSIGN_OR_RETURN(const FileDigest digest, digest_file(plan.path, file.checksum, stop));
    if (digest.matches && digest.size_bytes == file.size_bytes) {
      RETURN_IF_ERROR(discard_download(plan.path));
      progress->download.done_bytes += file.size_bytes;
      progress->download.resumed_bytes += file.size_bytes;
      return ManifestFile{file.path, digest.size_bytes, digest.sha256};
    }
  }
  for (int32_t attempt = 0;; ++attempt) {
    RETURN_IF_ERROR(download(plan, source.hub, stop, &progress->download));
    ASSIGN_OR_RETURN(const FileDigest digest, digest_file(plan.path + ".partial", file.checksum, stop));
    if (digest.matches && digest.size_bytes == file.size_bytes) {
      return ManifestFile{file.path, digest.size_bytes, digest.sha256};
    }
    RETURN_IF_ERROR(discard_download(plan.path));
    const std::string problem = plan.shown + ": what came has another checksum than the hub says (" +
                                file.checksum.text() + "); it was deleted";
    if (attempt == 1) {
      return Error{ErrorCode::kInvalid, problem + " twice; try another hub (--from, --mirror) or later", ""};
    }
    note(problem + "; once more from the start");
    progress->download.done_bytes -= file.size_bytes;
  }
}

Result<InstalledModel> install(const PullOptions& options, const Source& source, const std::string& folder,
                               const std::atomic<bool>& stop, PullProgress* progress, const Note& note) {
  for (const RemoteFile& file : source.files) progress->all_bytes += file.size_bytes;
  RETURN_IF_ERROR(check_disk(source, folder));
  Manifest manifest{options.name.text(), source.hub.url, source.repository, source.revision, "", {}};
  for (const RemoteFile& file : source.files) {
    ASSIGN_OR_RETURN(ManifestFile done, bring_file(options, source, file, folder, stop, progress, note));
    manifest.files.push_back(std::move(done));
  }
  for (const ManifestFile& file : manifest.files) {
    const std::string path = folder + "/" + file.name;
    if (file_exists(path + ".partial")) RETURN_IF_ERROR(rename_download(path));
  }
  manifest.pulled_at = utc_now();
  RETURN_IF_ERROR(write_file_whole(folder + "/manifest.json", write_manifest(manifest)));
  return InstalledModel{std::move(manifest), folder};
}

}  // namespace

Result<InstalledModel> pull_model(const PullOptions& options, const std::atomic<bool>& stop,
                                  PullProgress* progress, const Note& note) {
  // A name that no hub has, before anything is made or asked.
  for (const HubKind kind : hubs_to_ask(options)) {
    if (const auto known = repository_of(options.name, kind); !known.ok()) return known.error();
  }
  ASSIGN_OR_RETURN(const ModelLock lock, ModelLock::take(options.models_dir, options.name));
  ASSIGN_OR_RETURN(auto installed, find_installed(options.models_dir, options.name));
  if (installed && installed->is_whole()) return std::move(*installed);
  const auto source = find_source(options, stop, note);
  auto pulled = source.ok() ? install(options, *source, lock.folder(), stop, progress, note)
                            : Result<InstalledModel>(source.error());
  if (!pulled.ok()) lock.remove_empty_folder();
  return pulled;
}

Result<std::string> read_token(const std::string& path) {
  ASSIGN_OR_RETURN(std::string token, read_small_file(path, kTokenFileBytesMax));
  const size_t first = token.find_first_not_of(" \t\r\n");
  const size_t last = token.find_last_not_of(" \t\r\n");
  token = first == std::string::npos ? "" : token.substr(first, last - first + 1);
  const bool plain = std::all_of(token.begin(), token.end(), [](char c) { return c > ' ' && c < 0x7F; });
  if (token.empty() || !plain) {
    return Error{ErrorCode::kInvalid, path + ": holds no token (one line of printable characters)", ""};
  }
  return token;
}

Result<std::string> check_mirror(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  const auto parts = parse_url(url);
  if (!parts.ok()) return Error{ErrorCode::kInvalid, parts.error().message, "--mirror"};
  if (parts->has_user || parts->has_query_or_fragment) {
    return Error{ErrorCode::kInvalid, "a URL without user name, query or fragment, please", "--mirror"};
  }
  return url;
}

}  // namespace hussar
