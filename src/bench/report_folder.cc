#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/files.h"
#include "bench/report.h"

namespace hussar {
namespace {

constexpr size_t kPieceBytes = 1 << 20;

std::string in_folder(const std::string& folder, std::string_view name) {
  return (std::filesystem::path(folder) / name).string();
}

// Record by record: a long run's are larger than what should stand in memory twice.
Result<void> write_records(const std::vector<RequestRecord>& records, const std::string& path) {
  const std::string temporary = path + ".partial";
  {
    ASSIGN_OR_RETURN(const File file, File::open(temporary, O_WRONLY | O_CREAT | O_TRUNC));
    std::string piece;
    for (const RequestRecord& record : records) {
      piece += write_json(record_to_json(record)) + "\n";
      if (piece.size() < kPieceBytes) continue;
      RETURN_IF_ERROR(file.append(piece));
      piece.clear();
    }
    RETURN_IF_ERROR(file.append(piece));
    RETURN_IF_ERROR(file.sync());
  }
  return rename_file(temporary, path);
}

Error folder_error(const Error& error) {
  return {ErrorCode::kIo, "cannot write the report: " + error.message + "; choose another folder with --out",
          ""};
}

Result<void> try_folder(const std::string& folder) {
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  if (failed && !std::filesystem::is_directory(folder)) {
    return Error{ErrorCode::kIo, folder + ": cannot make the folder: " + failed.message(), ""};
  }
  const std::string probe = in_folder(folder, ".hussar-can-write");
  RETURN_IF_ERROR(write_file_whole(probe, "x"));
  ::unlink(probe.c_str());
  return {};
}

}  // namespace

Result<void> prepare_report_folder(const std::string& folder) {
  const Result<void> tried = try_folder(folder);
  if (!tried.ok()) return folder_error(tried.error());
  return {};
}

Result<void> write_report(const Report& report, const std::vector<RequestRecord>& records,
                          const std::string& folder) {
  RETURN_IF_ERROR(prepare_report_folder(folder));
  const auto write_all = [&]() -> Result<void> {
    RETURN_IF_ERROR(write_records(records, in_folder(folder, "requests.jsonl")));
    RETURN_IF_ERROR(
        write_file_whole(in_folder(folder, "results.json"), write_json(report_to_json(report)) + "\n"));
    RETURN_IF_ERROR(
        write_file_whole(in_folder(folder, "tables.md"), report_to_markdown(report, Language::kEnglish)));
    RETURN_IF_ERROR(
        write_file_whole(in_folder(folder, "tables.zh.md"), report_to_markdown(report, Language::kChinese)));
    RETURN_IF_ERROR(write_file_whole(in_folder(folder, "tables.csv"), report_to_csv(report)));
    return write_file_whole(in_folder(folder, "index.html"), report_to_html(report));
  };
  const Result<void> written = write_all();
  if (!written.ok()) return folder_error(written.error());
  return {};
}

}  // namespace hussar
