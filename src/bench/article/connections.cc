#include "bench/article/connections.h"

#include <sys/resource.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "bench/article/cell_load.h"
#include "bench/article/cell_status.h"
#include "bench/article/figures.h"

namespace hussar {
namespace {

constexpr int32_t kFirstConnections = 64;
constexpr int32_t kFirstBurst = 8;
constexpr std::chrono::seconds kConnectTime(15);  // for a step's connections to stand
constexpr int64_t kAnswerMsMax = 60'000;
// Of the files that this process may open, those that are not for connections.
constexpr int32_t kOtherFiles = 64;

// The soft limit raised to the hard one; what is left of it for connections.
int32_t connections_possible() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 512;
  if (limit.rlim_cur < limit.rlim_max) {
    rlimit raised = limit;
    raised.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  const auto files = static_cast<int64_t>(std::min<rlim_t>(limit.rlim_cur, 1 << 20));
  return static_cast<int32_t>(std::max<int64_t>(1, files - kOtherFiles));
}

RequestSpec short_spec(const Cell& cell) {
  RequestSpec spec;
  spec.prompt = std::string(article_concurrency_prompt());
  spec.output_tokens_max = cell.output_tokens;
  spec.temperature = 0.7;
  spec.top_p = 0.9;
  return spec;
}

Result<std::unique_ptr<StreamClient>> own_client(const Target& target) {
  StreamClientOptions options;
  options.url = target.options().url;
  options.ca_file = target.options().ca_file;
  return StreamClient::create(options);
}

// How many more connections stand, of `count` that were asked for.
size_t open_more(StreamClient& client, size_t count) {
  size_t opened = 0;
  client.connect_ahead(count, [&](size_t connected) {
    opened = connected;
    client.stop();
  });
  client.call_at(Clock::now() + kConnectTime, [&client] { client.stop(); });
  client.run();
  return opened;
}

// A request of its own, over a connection of its own.
bool is_answered(const Target& target, const std::string& wire) {
  const auto client = own_client(target);
  if (!client.ok()) return false;
  const HttpReply reply = exchange_blocking(**client, wire, kAnswerMsMax);
  return reply.end == CallEnd::kDone && reply.status == 200;
}

bool is_over(const CellTime& time, TimePoint began) {
  return time.share_s > 0 && std::chrono::duration<double>(Clock::now() - began).count() >= time.share_s;
}

JsonObject workload_of(const ArticleBench& bench, const Cell& cell) {
  return {{"cell", cell.id}, {"api", api_name(bench.options.api)}, {"max", cell.users}};
}

}  // namespace

CellResult run_connections(const ArticleBench& bench, const Cell& cell, const CellTime& time) {
  const TimePoint began = Clock::now();
  CellResult result;
  result.workload = workload_of(bench, cell);
  const auto client = own_client(*bench.target);
  if (!client.ok()) {
    result.status = "failed";
    result.note = {client.error().message, ""};
    return result;
  }
  const std::shared_ptr<const std::string> wire = bench.target->wire(bench.options.api, short_spec(cell));
  const int32_t most = std::min(cell.users, connections_possible());
  JsonArray steps;
  size_t standing = 0;
  bool over = false, goes_on = true;
  for (int32_t wanted = std::min(kFirstConnections, most); goes_on && !over;
       wanted = std::min(2 * wanted, most)) {
    standing += open_more(**client, static_cast<size_t>(wanted) - standing);
    const bool answered = is_answered(*bench.target, *wire);
    steps.emplace_back(
        JsonObject{{"wanted", wanted}, {"standing", static_cast<int64_t>(standing)}, {"answered", answered}});
    goes_on = answered && standing == static_cast<size_t>(wanted) && wanted < most && !*bench.stop;
    over = is_over(time, began);
  }
  result.extra = {{"steps", std::move(steps)}};
  if (most < cell.users) {
    const std::string files = std::to_string(most);
    result.status = "cut";
    result.note = {"this machine's limit of open files allows " + files + " (ulimit -n)",
                   "本机打开文件数的限制只允许 " + files + " 个（ulimit -n）"};
  }
  set_status(cell, {-1, 0, over && goes_on ? time.share_s : 0, *bench.stop}, &result);
  return result;
}

CellResult run_bursts(const ArticleBench& bench, const Cell& cell, const CellTime& time) {
  const TimePoint began = Clock::now();
  CellResult result;
  result.workload = workload_of(bench, cell);
  const PlannedRequest request = planned(*bench.target, bench.options.api, short_spec(cell), "");
  const int32_t most = std::min(cell.users, connections_possible());
  bool interrupted = false, over = false, goes_on = true;
  int32_t step = 0;
  for (int32_t size = std::min(kFirstBurst, most); goes_on && !over;
       size = std::min(2 * size, most), ++step) {
    CellTime left = time;
    if (time.share_s > 0) {
      left.share_s =
          std::max(0.1, time.share_s - std::chrono::duration<double>(Clock::now() - began).count());
    }
    LoadShape shape;
    shape.stages = {{size, left.share_s}};
    ListSource source(std::vector<PlannedRequest>(static_cast<size_t>(size), request));
    const size_t before = result.records.size();
    interrupted = run_and_keep(bench, source, shape, left, KeepText::kNo, step, &result);
    const auto begin = result.records.begin() + static_cast<ptrdiff_t>(before);
    const bool all_ok = std::all_of(begin, result.records.end(), [](const RequestRecord& record) {
      return record.outcome == Outcome::kOk;
    });
    goes_on = all_ok && size < most && !interrupted;
    over = is_over(time, began);
  }
  set_status(cell, {-1, 0, over && goes_on ? time.share_s : 0, interrupted}, &result);
  return result;
}

}  // namespace hussar
