#include "hub/store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "hub/listing.h"

namespace hussar {
namespace {

namespace fs = std::filesystem;

constexpr size_t kManifestBytesMax = 1 << 20;
constexpr size_t kModelsMax = 10'000;
constexpr int32_t kLockAttemptsMax = 100;
constexpr const char* kManifestFile = "manifest.json";
constexpr const char* kLockFile = ".lock";

std::string folder_of(const std::string& models_dir, const ModelName& name) {
  return (fs::path(models_dir) / name.folder()).string();
}

Result<Manifest> read_manifest(const std::string& folder) {
  const std::string path = (fs::path(folder) / kManifestFile).string();
  ASSIGN_OR_RETURN(const std::string text, read_small_file(path, kManifestBytesMax));
  auto manifest = parse_manifest(text);
  if (manifest.ok()) return manifest;
  return Error{ErrorCode::kInvalid, path + ": " + manifest.error().message + "; pull the model again", ""};
}

// What pull makes: the files of a model, under their own or a temporary name, its manifest and lock.
bool is_ours(std::string name) {
  for (const std::string_view ending : {".partial", ".journal"}) {
    if (name.ends_with(ending)) name.resize(name.size() - ending.size());
  }
  return name == kManifestFile || name == kLockFile || is_model_file(name);
}

}  // namespace

std::string InstalledModel::model_path() const {
  const std::string gguf = manifest.gguf_file();
  return gguf.empty() ? folder : (fs::path(folder) / gguf).string();
}

bool InstalledModel::is_whole() const {
  return std::all_of(manifest.files.begin(), manifest.files.end(), [this](const ManifestFile& file) {
    std::error_code failed;
    const auto size = fs::file_size(fs::path(folder) / file.name, failed);
    return !failed && size == static_cast<uintmax_t>(file.size_bytes);
  });
}

Result<std::optional<InstalledModel>> find_installed(const std::string& models_dir, const ModelName& name) {
  const std::string folder = folder_of(models_dir, name);
  auto manifest = read_manifest(folder);
  if (manifest.ok()) return std::optional<InstalledModel>({std::move(*manifest), folder});
  if (manifest.error().code == ErrorCode::kNotFound) return std::optional<InstalledModel>();
  return std::move(manifest).error();
}

Result<std::vector<InstalledModel>> list_installed(const std::string& models_dir) {
  std::vector<InstalledModel> models;
  std::error_code failed;
  fs::directory_iterator entries(models_dir, failed);
  if (failed == std::errc::no_such_file_or_directory) return models;
  if (failed) return Error{ErrorCode::kIo, models_dir + ": " + failed.message(), ""};
  for (; entries != fs::directory_iterator(); entries.increment(failed)) {
    if (failed || models.size() == kModelsMax) break;
    auto manifest = read_manifest(entries->path().string());
    if (manifest.ok()) models.push_back({std::move(*manifest), entries->path().string()});
  }
  std::sort(models.begin(), models.end(), [](const InstalledModel& a, const InstalledModel& b) {
    return a.manifest.name < b.manifest.name;
  });
  return models;
}

Result<ModelLock> ModelLock::take(const std::string& models_dir, const ModelName& name) {
  const std::string folder = folder_of(models_dir, name);
  const std::string path = (fs::path(folder) / kLockFile).string();
  // Whoever removed the model meanwhile took the lock's file away too: then once more, with a new one.
  for (int32_t attempt = 0; attempt < kLockAttemptsMax; ++attempt) {
    std::error_code failed;
    fs::create_directories(folder, failed);
    if (failed) return Error{ErrorCode::kIo, folder + ": cannot make the folder: " + failed.message(), ""};
    auto file = File::open(path, O_RDWR | O_CREAT);
    if (!file.ok() && file.error().code == ErrorCode::kNotFound) continue;
    if (!file.ok()) return std::move(file).error();
    if (::flock(file->fd(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK) return errno_error(path, "cannot lock");
      return Error{ErrorCode::kFull,
                   "another hussar is at work on '" + name.text() + "'; wait until it has ended", ""};
    }
    struct stat held {
    }, there{};
    if (::fstat(file->fd(), &held) == 0 && ::lstat(path.c_str(), &there) == 0 &&
        held.st_ino == there.st_ino && held.st_dev == there.st_dev) {
      return ModelLock(std::move(*file), folder);
    }
  }
  return Error{ErrorCode::kFull, path + ": others take the lock away again and again; try later", ""};
}

void ModelLock::remove_empty_folder() const {
  std::error_code failed;
  size_t files = 0;
  for (fs::directory_iterator at(folder_, failed); !failed && at != fs::directory_iterator();
       at.increment(failed)) {
    ++files;
  }
  if (failed || files != 1) return;
  ::unlink((fs::path(folder_) / kLockFile).c_str());
  ::rmdir(folder_.c_str());
}

Result<Removal> remove_model(const std::string& models_dir, const ModelName& name) {
  const std::string folder = folder_of(models_dir, name);
  // Without its lock's file the folder is none that pull made.
  if (!file_exists((fs::path(folder) / kLockFile).string())) {
    return Error{ErrorCode::kNotFound,
                 "no model '" + name.text() + "' in " + models_dir + "; 'hussar list' shows what is there",
                 ""};
  }
  ASSIGN_OR_RETURN(const ModelLock lock, ModelLock::take(models_dir, name));
  Removal removal;
  std::error_code failed;
  std::vector<std::string> ours;
  for (fs::directory_iterator at(folder, failed); !failed && at != fs::directory_iterator();
       at.increment(failed)) {
    const std::string file = at->path().filename().string();
    const bool regular = at->symlink_status().type() == fs::file_type::regular;
    (regular && is_ours(file) ? ours : removal.left).push_back(file);
  }
  if (failed) return Error{ErrorCode::kIo, folder + ": " + failed.message(), ""};
  // The manifest first, so that a half-removed model is none; the lock last.
  const auto rank = [](const std::string& file) {
    return file == kManifestFile ? 0 : file == kLockFile ? 2 : 1;
  };
  std::sort(ours.begin(), ours.end(), [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  for (const std::string& file : ours) {
    const std::string path = (fs::path(folder) / file).string();
    const int64_t bytes = allocated_bytes(path);
    if (::unlink(path.c_str()) != 0) return errno_error(path, "cannot remove");
    removal.bytes += bytes;
  }
  if (removal.left.empty() && ::rmdir(folder.c_str()) != 0) return errno_error(folder, "cannot remove");
  return removal;
}

}  // namespace hussar
