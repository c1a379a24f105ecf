#include "hub/download.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/files.h"
#include "base/types.h"
#include "hub/journal.h"
#include "hub/range_set.h"

namespace hussar {
namespace {

constexpr int64_t kChunkBytes = 16 << 20;     // of one request
constexpr int64_t kChunksMax = 128;           // of a large file: hubs count requests
constexpr int64_t kChunkBytesMin = 1 << 20;   // where connections share a small file
constexpr int64_t kProgressBytes = 16 << 10;  // an attempt that brought less brought nothing
constexpr int64_t kUnsyncedBytesMax = 16 << 20;
constexpr auto kUnsyncedTimeMax = std::chrono::seconds(1);
constexpr size_t kJournalBytesMax = 64 << 20;

std::string partial_path(const std::string& path) { return path + ".partial"; }
std::string journal_path(const std::string& path) { return path + ".journal"; }

Result<void> unlink_if_there(const std::string& path) {
  if (::unlink(path.c_str()) == 0 || errno == ENOENT) return {};
  return errno_error(path, "cannot remove");
}

// The file on the disk and what of it is there. Thread-safe.
class PartialFile {
 public:
  static Result<std::unique_ptr<PartialFile>> open(const DownloadPlan& plan);

  const RangeSet& done_at_start() const { return done_; }

  Result<void> write(std::span<const std::byte> bytes, int64_t offset) {
    RETURN_IF_ERROR(data_.write_at(bytes, offset));
    bool due = false;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      unsynced_.add({offset, offset + static_cast<int64_t>(bytes.size())});
      due = unsynced_.total_bytes() >= kUnsyncedBytesMax || Clock::now() >= sync_at_;
      if (due) sync_at_ = Clock::now() + kUnsyncedTimeMax;
    }
    return due ? sync() : Result<void>();
  }

  // The journal speaks only of what the disk has.
  Result<void> sync() {
    const std::lock_guard<std::mutex> journal_lock(journal_mutex_);
    std::vector<ByteRange> ranges;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      ranges = std::exchange(unsynced_, {}).ranges();
    }
    if (ranges.empty()) return {};
    RETURN_IF_ERROR(data_.sync());
    std::string lines;
    for (const ByteRange& range : ranges) {
      lines += std::to_string(range.begin) + " " + std::to_string(range.end) + "\n";
    }
    RETURN_IF_ERROR(journal_.append(lines));
    return journal_.sync();
  }

 private:
  PartialFile(File data, File journal, RangeSet done)
      : data_(std::move(data)),
        journal_(std::move(journal)),
        done_(std::move(done)),
        sync_at_(Clock::now() + kUnsyncedTimeMax) {}

  File data_;
  std::mutex journal_mutex_;  // taken before mutex_
  File journal_;
  const RangeSet done_;
  std::mutex mutex_;
  RangeSet unsynced_;
  TimePoint sync_at_;
};

// The ranges that an earlier process brought; empty where there is nothing that can be used.
RangeSet usable_ranges(const DownloadPlan& plan) {
  const auto data = File::open(partial_path(plan.path), O_RDONLY);
  if (!data.ok()) return {};
  const auto size = data->size_bytes();
  const auto text = read_small_file(journal_path(plan.path), kJournalBytesMax);
  if (!size.ok() || *size != plan.size_bytes || !text.ok()) return {};
  return read_journal(*text, plan.size_bytes, plan.checksum);
}

Result<std::unique_ptr<PartialFile>> PartialFile::open(const DownloadPlan& plan) {
  const RangeSet done = usable_ranges(plan);
  const bool fresh = done.total_bytes() == 0;
  if (fresh) RETURN_IF_ERROR(discard_download(plan.path));
  ASSIGN_OR_RETURN(File data, File::open(partial_path(plan.path), O_RDWR | O_CREAT));
  if (fresh) RETURN_IF_ERROR(data.allocate(plan.size_bytes));
  // Written anew: what stood behind a torn line would be lost to the next reader.
  std::string text = journal_head(plan.size_bytes, plan.checksum);
  for (const ByteRange& range : done.ranges()) {
    text += std::to_string(range.begin) + " " + std::to_string(range.end) + "\n";
  }
  RETURN_IF_ERROR(write_file_whole(journal_path(plan.path), text));
  ASSIGN_OR_RETURN(File journal, File::open(journal_path(plan.path), O_WRONLY | O_APPEND));
  return std::unique_ptr<PartialFile>(new PartialFile(std::move(data), std::move(journal), done));
}

bool is_success(const FetchHead& head) { return head.status == 200 || head.status == 206; }

// What the head of an answer says about the range that was asked for.
enum class HeadVerdict { kFits, kRangeIgnored, kWrongLength };

HeadVerdict judge_head(const FetchHead& head, ByteRange asked, int64_t size_bytes) {
  const bool whole = asked.size() == size_bytes;
  if (head.status == 206) {
    const auto got = parse_content_range(head.content_range);
    const bool fits = got && got->range == asked && got->size_bytes == size_bytes;
    const bool length_fits = head.content_length < 0 || head.content_length == asked.size();
    return fits && length_fits ? HeadVerdict::kFits : HeadVerdict::kWrongLength;
  }
  if (head.content_length >= 0 && head.content_length != size_bytes) return HeadVerdict::kWrongLength;
  return whole ? HeadVerdict::kFits : HeadVerdict::kRangeIgnored;
}

class Download {
 public:
  Download(const DownloadPlan& plan, const Hub& hub, const std::atomic<bool>& stop,
           std::atomic<int64_t>* done_bytes, PartialFile* file)
      : plan_(plan),
        hub_(hub),
        stop_(stop),
        done_bytes_(done_bytes),
        file_(file),
        claimed_(file->done_at_start()),
        done_(file->done_at_start()) {}

  Result<void> run() {
    const int64_t missing = plan_.size_bytes - done_.total_bytes();
    const int64_t useful = std::max<int64_t>(1, (missing + kChunkBytes - 1) / kChunkBytes);
    // Small files are worth one connection; larger ones are split, so that none of the connections idles.
    chunk_bytes_ = useful < plan_.connections
                       ? std::max<int64_t>(kChunkBytesMin, missing / plan_.connections + 1)
                       : std::max(kChunkBytes, plan_.size_bytes / kChunksMax);
    const int64_t parts = (missing + chunk_bytes_ - 1) / chunk_bytes_;
    std::vector<std::thread> workers;
    for (int64_t i = 1; i < std::min<int64_t>(plan_.connections, parts); ++i) {
      workers.emplace_back([this] { work(); });
    }
    work();
    for (std::thread& worker : workers) worker.join();
    if (!failed_ && range_ignored_) bring_whole();
    const auto synced = file_->sync();
    if (failed_) return *failed_;
    RETURN_IF_ERROR(synced);
    CHECK(done_.total_bytes() == plan_.size_bytes);
    return {};
  }

 private:
  std::optional<ByteRange> claim() {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (failed_ || range_ignored_) return std::nullopt;
    const auto gap = claimed_.first_gap(plan_.size_bytes, chunk_bytes_);
    if (gap) claimed_.add(*gap);
    return gap;
  }

  void give_back(ByteRange range) {
    const std::lock_guard<std::mutex> lock(mutex_);
    claimed_.subtract(range);
  }

  void fail(Error error) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (!failed_) failed_ = std::move(error);
    halt_ = true;
  }

  void add_done(ByteRange range) {
    const std::lock_guard<std::mutex> lock(mutex_);
    const int64_t before = done_.total_bytes();
    done_.add(range);
    claimed_.add(range);
    *done_bytes_ += done_.total_bytes() - before;
  }

  bool stopped() {
    if (stop_.load(std::memory_order_relaxed)) fail({ErrorCode::kCancelled, "interrupted", ""});
    return halt_.load(std::memory_order_relaxed);
  }

  // One request and how it went.
  struct Attempt {
    FetchReply reply;
    HeadVerdict verdict = HeadVerdict::kFits;
    int64_t end = 0;        // [range.begin, end) was brought
    bool is_whole = false;  // end == range.end, by an answer that says no more
  };

  Attempt ask(Fetcher* fetcher, ByteRange range) {
    Attempt attempt{.reply = {}, .end = range.begin};
    FetchRequest request{.url = plan_.url, .bearer_token = hub_.token, .body_bytes_max = range.size()};
    if (range.size() < plan_.size_bytes) request.range_begin = range.begin, request.range_end = range.end;
    attempt.reply = fetcher->get(
        request,
        [&](const FetchHead& head) {
          if (is_success(head)) attempt.verdict = judge_head(head, range, plan_.size_bytes);
          return attempt.verdict == HeadVerdict::kFits;
        },
        [&](std::span<const std::byte> bytes) {
          const ByteRange part{attempt.end, attempt.end + static_cast<int64_t>(bytes.size())};
          if (const auto written = file_->write(bytes, part.begin); !written.ok()) {
            fail(written.error());
            return false;
          }
          add_done(part);
          attempt.end = part.end;
          return !halt_.load(std::memory_order_relaxed);
        });
    attempt.is_whole = attempt.reply.end == FetchEnd::kDone && attempt.end == range.end;
    return attempt;
  }

  // One connection's life: range after range, until there is none left or no more use in it.
  void work() {
    Fetcher fetcher(hub_.fetch, [this] { return stopped(); });
    Backoff backoff(hub_.retry);
    while (const auto range = claim()) {
      const Attempt attempt = ask(&fetcher, *range);
      if (!attempt.is_whole) give_back({attempt.end, range->end});
      if (attempt.verdict == HeadVerdict::kRangeIgnored) range_ignored_ = true;
      if (stopped() || range_ignored_) return;
      if (attempt.is_whole || attempt.end - range->begin >= kProgressBytes) backoff.progressed();
      if (!attempt.is_whole && !wait_after(attempt, &backoff)) return;
    }
  }

  // From a server that knows no ranges: one stream from the first byte, anew after each cut. Only getting
  // further than ever before counts as progress, so that it ends where every stream is cut at the same place.
  void bring_whole() {
    Fetcher fetcher(hub_.fetch, [this] { return stopped(); });
    Backoff backoff(hub_.retry);
    for (int64_t furthest = 0; !stopped();) {
      const Attempt attempt = ask(&fetcher, {0, plan_.size_bytes});
      if (attempt.is_whole || stopped()) return;
      if (attempt.end >= furthest + kProgressBytes) backoff.progressed();
      furthest = std::max(furthest, attempt.end);
      if (!wait_after(attempt, &backoff)) return;
    }
  }

  Error length_error() const {
    return {ErrorCode::kInvalid,
            plan_.shown + ": the hub sends another length than the " + std::to_string(plan_.size_bytes) +
                " bytes of its own list of files; try again later, or another hub (--from, --mirror)",
            ""};
  }

  // After an attempt that failed: waits and returns true where another may help; else failed_ is set.
  bool wait_after(const Attempt& attempt, Backoff* backoff) {
    const FetchReply& reply = attempt.reply;
    const bool short_answer = reply.end == FetchEnd::kDone && is_success(reply.head);
    const bool wrong_length =
        attempt.verdict == HeadVerdict::kWrongLength || reply.end == FetchEnd::kTooLong || short_answer;
    const TokenUse token = hub_.token.empty() ? TokenUse::kNone : TokenUse::kGiven;
    const Error failure = wrong_length ? length_error() : describe_failure(reply, plan_.shown, token);
    if ((wrong_length || is_worth_retrying(reply)) && backoff->may_retry()) {
      return wait_before_retry(backoff, reply, failure, hub_.note, [this] { return stopped(); });
    }
    fail(failure);
    return false;
  }

  const DownloadPlan& plan_;
  const Hub& hub_;
  const std::atomic<bool>& stop_;
  std::atomic<int64_t>* const done_bytes_;
  PartialFile* const file_;
  int64_t chunk_bytes_ = kChunkBytes;
  std::atomic<bool> halt_ = false;           // a worker failed: the others end too
  std::atomic<bool> range_ignored_ = false;  // the server answers with the whole file
  std::mutex mutex_;
  RangeSet claimed_;  // done, or being brought
  RangeSet done_;
  std::optional<Error> failed_;
};

}  // namespace

Result<void> download(const DownloadPlan& plan, const Hub& hub, const std::atomic<bool>& stop,
                      DownloadProgress* progress) {
  ASSIGN_OR_RETURN(const std::unique_ptr<PartialFile> file, PartialFile::open(plan));
  const int64_t resumed = file->done_at_start().total_bytes();
  progress->done_bytes += resumed;
  progress->resumed_bytes += resumed;
  return Download(plan, hub, stop, &progress->done_bytes, file.get()).run();
}

Result<void> discard_download(const std::string& path) {
  RETURN_IF_ERROR(unlink_if_there(journal_path(path)));
  return unlink_if_there(partial_path(path));
}

Result<void> rename_download(const std::string& path) {
  RETURN_IF_ERROR(rename_file(partial_path(path), path));
  return unlink_if_there(journal_path(path));
}

}  // namespace hussar
