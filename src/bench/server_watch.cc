#include "bench/server_watch.h"

#include <algorithm>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <optional>
#include <thread>

#include "base/memory.h"
#include "bench/nvml.h"
#include "bench/process_watch.h"
#include "net/fetch.h"
#include "net/stream_client.h"

namespace hussar {
namespace {

constexpr int64_t kScrapeTimeoutMs = 2000;
constexpr size_t kMetricsBytesMax = 8 << 20;
constexpr size_t kSamplesMax = 1 << 20;  // twelve days

bool is_loopback(const std::string& host) {
  return host == "localhost" || host == "::1" || host == "[::1]" || host.starts_with("127.");
}

// One address whose metrics are read again and again.
class Scraper {
 public:
  static Result<Scraper> open(const ServerWatchOptions& options) {
    ASSIGN_OR_RETURN(const UrlParts url, parse_url(options.metrics_url));
    StreamClientOptions client_options;
    // The path is the call's own.
    client_options.url = options.metrics_url.substr(0, options.metrics_url.find('/', url.scheme.size() + 3));
    client_options.ca_file = options.ca_file;
    Scraper scraper;
    ASSIGN_OR_RETURN(scraper.client_, StreamClient::create(client_options));
    std::vector<HttpHeader> headers{{"Accept", "text/plain"}};
    if (!options.api_key.empty()) headers.push_back({"Authorization", "Bearer " + options.api_key});
    ASSIGN_OR_RETURN(scraper.wire_, scraper.client_->make_request("GET", url.path, headers, ""));
    scraper.url_ = options.metrics_url;
    return scraper;
  }

  // Fills in what the server says. Once it is clear that it never will, it is not asked again.
  void scrape(ServerSample* sample) {
    if (given_up_) return;
    ++tries_;
    const HttpReply reply = exchange_blocking(*client_, wire_, kScrapeTimeoutMs, kMetricsBytesMax);
    answers_ = reply.end == CallEnd::kDone;
    if (reply.end != CallEnd::kDone) {
      ++failures_;
      problem_ = reply.detail;
    } else if (reply.status != 200) {
      ++failures_;
      problem_ = url_ + " said " + std::to_string(reply.status);
      // Busy servers may answer 429 or 503 for a while; what is not there never will be.
      const bool never = reply.status < 500 ? reply.status != 429 : reply.status == 501;
      if (never && failures_ == tries_)
        give_up(problem_ + " (some servers show them behind a flag: --metrics, --enable-metrics)");
    } else if (!read_metrics(reply.body, sample)) {
      ++failures_;
      problem_ = url_ + " has no name that is known here";
      if (failures_ == tries_) give_up(problem_);
    }
  }

  bool answers() const { return answers_; }  // the last time

  // What to say of it; empty when all went well.
  std::string problem() const {
    if (given_up_ || failures_ == 0) return problem_;
    return "metrics: " + std::to_string(failures_) + " of " + std::to_string(tries_) +
           " reads failed, the last: " + problem_;
  }

 private:
  Scraper() = default;
  void give_up(const std::string& why) {
    given_up_ = true;
    problem_ = "no metrics: " + why;
  }

  std::unique_ptr<StreamClient> client_;
  std::string url_, wire_, problem_;
  int64_t tries_ = 0, failures_ = 0;
  bool given_up_ = false, answers_ = true;
};

class ServerWatchImpl final : public ServerWatch {
 public:
  explicit ServerWatchImpl(const ServerWatchOptions& options) : options_(options) {}
  ~ServerWatchImpl() override { stop(); }

  Result<void> open() {
    if (options_.server_pid > 0) {
      ASSIGN_OR_RETURN(process_, ProcessWatch::open(options_.server_pid));
      hardware_ = cpu_name();
    }
    open_scraper();
    open_gpu();
    started_ = Clock::now();
    thread_ = std::thread([this] { run(); });
    return {};
  }

  void stop() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
  }

  std::vector<ServerSample> samples() const override {
    const std::lock_guard lock(mutex_);
    return samples_;
  }
  std::vector<std::string> missing() const override {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> lines = missing_;
    if (!scraper_problem_.empty()) lines.push_back(scraper_problem_);
    return lines;
  }
  std::string hardware() const override { return hardware_; }
  TimePoint started() const override { return started_; }

 private:
  void open_scraper() {
    if (options_.metrics_url.empty()) return;
    auto scraper = Scraper::open(options_);
    if (scraper.ok()) {
      scraper_ = std::move(scraper).value();
    } else {
      missing_.push_back("no metrics: " + scraper.error().message);
    }
  }

  void open_gpu() {
    if (!options_.gpu) return;
    if (!is_local()) return missing_.push_back("no GPU figures: the server is on another machine");
    auto nvml = Nvml::open(options_.nvml_library);
    if (!nvml.ok()) return missing_.push_back("no GPU figures: " + nvml.error().message);
    nvml_ = std::move(nvml).value();
    hardware_ = nvml_->names() + (hardware_.empty() ? "" : ", ") + hardware_;
  }

  // This machine's GPUs say nothing of a server elsewhere.
  bool is_local() const {
    if (options_.server_pid > 0 || options_.metrics_url.empty()) return true;
    const auto url = parse_url(options_.metrics_url);
    return url.ok() && is_loopback(url->host);
  }

  void run() {
    TimePoint due = started_;
    bool stopping = false;
    while (!stopping) {
      take_sample();
      // A slow answer does not lead to a burst of questions afterwards.
      due = std::max(due + std::chrono::milliseconds(options_.interval_ms), Clock::now());
      std::unique_lock lock(mutex_);
      stopping = wake_.wait_until(lock, due, [this] { return stopping_; });
    }
    // The state at the end; a server that does not answer any more is not waited for once again.
    if (!scraper_ || scraper_->answers()) take_sample();
  }

  void take_sample() {
    ServerSample sample;
    const TimePoint now = Clock::now();
    sample.at_s = std::chrono::duration<double>(now - started_).count();
    std::string ended;
    if (process_) read_process(now, &sample, &ended);
    if (nvml_) {
      const GpuUse gpu = nvml_->read();
      sample.gpu_memory_bytes = gpu.memory_bytes;
      sample.gpu_memory_total_bytes = gpu.memory_total_bytes;
      sample.gpu_power_w = gpu.power_w;
      sample.gpu_utilisation = gpu.utilisation;
    }
    if (scraper_) scraper_->scrape(&sample);
    const std::lock_guard lock(mutex_);
    if (samples_.size() < kSamplesMax) samples_.push_back(sample);
    if (!ended.empty()) missing_.push_back(ended);
    if (scraper_) scraper_problem_ = scraper_->problem();
  }

  void read_process(TimePoint now, ServerSample* sample, std::string* ended) {
    const auto use = process_->read(now);
    if (!use) {
      process_.reset();
      char seconds[32];
      std::snprintf(seconds, sizeof seconds, "%.1f", sample->at_s);
      *ended = "the server's process " + std::to_string(options_.server_pid) + " ended, " + seconds +
               " s after the watch began";
      return;
    }
    sample->resident_bytes = use->resident_bytes;
    sample->cpu_cores = use->cpu_cores;
    const int64_t available = available_memory_bytes();
    if (available < std::numeric_limits<int64_t>::max())
      sample->memory_available_bytes = static_cast<double>(available);
  }

  const ServerWatchOptions options_;
  std::string hardware_;  // not changed once the thread runs
  TimePoint started_;

  // The thread's own, once it runs.
  std::optional<ProcessWatch> process_;
  std::optional<Scraper> scraper_;
  std::unique_ptr<Nvml> nvml_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::vector<ServerSample> samples_;
  std::vector<std::string> missing_;
  std::string scraper_problem_;

  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<ServerWatch>> ServerWatch::start(const ServerWatchOptions& options) {
  auto watch = std::make_unique<ServerWatchImpl>(options);
  RETURN_IF_ERROR(watch->open());
  return std::unique_ptr<ServerWatch>(std::move(watch));
}

}  // namespace hussar
