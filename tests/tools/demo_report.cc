// demo_report KIND FOLDER writes a made-up report, for the tests of what a report looks like. KIND:
//   article  five sections with charts, server samples, hostile texts
//   limited  the same, interrupted and limited by the client
//   bare     a run that knows nearly nothing
#include <cmath>
#include <cstdio>
#include <limits>
#include <random>
#include <string>
#include <string_view>

#include "bench/format.h"
#include "bench/report.h"
#include "bench/report_tables.h"

namespace {

using namespace hussar;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
// What a model may answer or a server may say.
constexpr char kHostile[] =
    "</script><script>document.title='injected'</script><img src=x onerror=\"document.title='injected'\">";

using Random = std::mt19937_64;

std::vector<double> latencies(Random& random, size_t count, double median, double spread) {
  std::lognormal_distribution<double> distribution(std::log(median), spread);
  std::vector<double> samples(count);
  for (double& sample : samples) sample = distribution(random);
  return samples;
}

Text figure(double value) { return {format_figure(value)}; }
Text none() { return {std::string(kNoFigure)}; }

Section latency_section(Random& random) {
  Section section;
  section.id = "latency";
  section.title = {"Latency against input length", "输入长度与延迟"};
  section.paragraphs = {
      {"One user, 512 tokens out, temperature 0.7, top_p 0.9. Prompts differ from their first token, so that "
       "no "
       "prefix cache helps; the warm columns repeat the same prompt.",
       "单用户，输出 512 token，temperature 0.7，top_p 0.9。各提示词从第一个 token "
       "起就不同，前缀缓存不起作用；“热”列重复同一提示词。"}};
  Table table;
  table.id = "latency";
  table.title = {"Time to first token and whole answers", "首 token 延迟与总延迟"};
  const Text ours = {"hussar 0.1.0: SmolLM2-135M-Instruct, 2 cores",
                     "hussar 0.1.0：SmolLM2-135M-Instruct，2 核"};
  const Text article = {"article: Qwen2.5-0.5B, 4 x RTX 4090D", "原文：Qwen2.5-0.5B，4 × RTX 4090D"};
  const auto of = [](const Text& owner, Text name) {
    return Text{name.en + " · " + owner.en, name.zh + " · " + owner.zh};
  };
  table.columns = {{"input tokens", "输入 token"},
                   of(ours, {"TTFT p50, s", "TTFT p50，s"}),
                   of(ours, {"TTFT p99, s", "TTFT p99，s"}),
                   of(ours, {"TTFT warm, s", "TTFT（热），s"}),
                   of(ours, {"total p50, s", "总延迟 p50，s"}),
                   of(ours, {"output tokens", "输出 token"}),
                   of(ours, {"output tok/s", "输出 token/s"}),
                   of(article, {"TTFT, s", "TTFT，s"}),
                   of(article, {"total, s", "总延迟，s"}),
                   {"note", "备注"}};
  const double lengths[] = {128, 512, 1024, 2048, 4096, 8192};
  const double article_ttft[] = {0.38, 0.41, 0.45, 0.52, 0.61, 0.75};
  const double article_total[] = {2.14, 2.31, 2.48, 2.67, 2.93, 3.21};
  Chart ttft, total;
  ttft.id = "latency_ttft";
  ttft.title = {"Time to first token", "首 token 延迟"};
  ttft.x_label = {"input tokens", "输入 token"};
  ttft.y_label = {"seconds", "秒"};
  ttft.log_x = true;
  total = ttft;
  total.id = "latency_total";
  total.title = {"Whole answer of 512 tokens", "512 token 完整应答"};
  ttft.series = {{{"p50, cold", "p50，冷"}, {}, {}},
                 {{"p99, cold", "p99，冷"}, {}, {}},
                 {{"p50, warm", "p50，热"}, {}, {}},
                 {{"article", "原文"}, {}, {}, Series::Role::kReference}};
  total.series = {{{"p50"}, {}, {}}, {{"article", "原文"}, {}, {}, Series::Role::kReference}};
  for (size_t i = 0; i < 6; ++i) {
    const bool fits = lengths[i] < 8192;
    const double p50 =
        0.012 + lengths[i] * 0.00021 * std::uniform_real_distribution<double>(0.95, 1.05)(random);
    const double values[] = {p50, p50 * 1.21, 0.011 + lengths[i] * 2e-6, 3.1 + p50 + lengths[i] * 2e-4};
    std::vector<Text> row = {{format_count(static_cast<int64_t>(lengths[i]))}};
    for (const double value : values) row.push_back(fits ? figure(value) : none());
    row.push_back(fits ? Text{"512"} : none());
    row.push_back(fits ? figure(512 / values[3]) : none());
    row.push_back({format_given(article_ttft[i])});
    row.push_back({format_given(article_total[i])});
    row.push_back(fits ? Text{"measured", "已测量"}
                       : Text{"does not fit: 8192 + 512 tokens, the context is 8192",
                              "放不下：8192 + 512 token，上下文为 8192"});
    table.rows.push_back(row);
    for (size_t s = 0; s < 3; ++s) {
      ttft.series[s].x.push_back(lengths[i]);
      ttft.series[s].y.push_back(fits ? values[s] : kNaN);
    }
    total.series[0].x.push_back(lengths[i]);
    total.series[0].y.push_back(fits ? values[3] : kNaN);
    ttft.series[3].x.push_back(lengths[i]);
    ttft.series[3].y.push_back(article_ttft[i]);
    total.series[1].x.push_back(lengths[i]);
    total.series[1].y.push_back(article_total[i]);
  }
  table.notes = {
      {"The article's prompts of \"128\" and \"8192\" tokens have 96 and 6,544 tokens by its own tokenizer.",
       "原文标称 128 与 8192 token 的提示词，用其分词器实际为 96 与 6544 个 token。"}};
  section.tables = {table};
  section.charts = {ttft, total};
  return section;
}

Section long_output_section() {
  Section section;
  section.id = "long-output";
  section.title = {"Long output", "长文本输出"};
  section.paragraphs = {
      {"One answer of up to 8192 tokens: how long it grew, why it ended, how often it repeats itself.",
       "单次最多 8192 token 的输出：写了多长、为何停止、重复多少。"}};
  Table table;
  table.id = "long_output";
  table.title = {"Length and repetition", "长度与重复"};
  table.columns = {{"run", "轮次"},      {"output tokens", "输出 token"}, {"seconds", "秒"},
                   {"tok/s", "token/s"}, {"length score", "长度得分"},    {"seq-rep-4"},
                   {"distinct-2"},       {"ended by", "停止原因"}};
  table.rows = {{{"1"}, {"7604"}, {"48.2"}, {"158"}, {"92.4"}, {"0.21"}, {"0.64"}, {"stop"}},
                {{"2"}, {"8192"}, {"52.0"}, {"158"}, {"100"}, {"0.34"}, {"0.51"}, {"length"}},
                {{"article", "原文"},
                 {"7600"},
                 {"12.4"},
                 {"613"},
                 none(),
                 none(),
                 none(),
                 {"\"internal safety mechanism\"", "“内部安全机制”"}}};
  Table phrases;
  phrases.id = "repeated_phrases";
  phrases.title = {"Phrases that come back most", "重复最多的短语"};
  phrases.columns = {{"phrase", "短语"}, {"times", "次数"}, {"first at token", "首次出现于 token"}};
  phrases.rows = {{{"总而言之，量子计算的未来充满希望"}, {"14"}, {"5120"}},
                  {{kHostile}, {"3"}, {"6010"}},
                  {{"=SUM(A1:A9)"}, {"2"}, {"6400"}}};
  section.tables = {table, phrases};
  Chart chart;
  chart.id = "long_speed";
  chart.title = {"Speed over one answer", "单次应答中的速度变化"};
  chart.x_label = {"output tokens so far", "已输出 token"};
  chart.y_label = {"tok/s", "token/s"};
  Series series{{"run 1", "第 1 轮"}, {}, {}};
  for (int x = 0; x <= 7600; x += 50) {
    series.x.push_back(x);
    series.y.push_back(172 - x * 0.004 + 3 * std::sin(x / 200.0));
  }
  chart.series = {series};
  section.charts = {chart};
  return section;
}

Section concurrency_section() {
  Section section;
  section.id = "concurrency";
  section.title = {"Concurrency", "并发能力"};
  section.paragraphs = {
      {"The article's short prompt with 1 to 3 s of think time, as it says, and without, as its figures say.",
       "原文的短提示词：按其描述带 1 至 3 秒思考时间，以及按其数字推断的无思考时间。"}};
  Table table;
  table.id = "concurrency";
  table.title = {"Users, short prompt, no think time", "并发用户，短提示词，无思考时间"};
  table.columns = {{"users", "用户数"},
                   {"QPS"},
                   {"E2E mean, s", "平均延迟，s"},
                   {"E2E p99, s", "p99 延迟，s"},
                   {"TTFT p99, ms", "TTFT p99，ms"},
                   {"output tok/s", "输出 token/s"},
                   {"errors", "错误率"},
                   {"errors, 95 % interval", "错误率 95 % 区间"},
                   {"article: QPS", "原文 QPS"},
                   {"article: mean, s", "原文均值，s"},
                   {"article: errors", "原文错误率"}};
  const double users[] = {10, 25, 50, 75, 100}, qps[] = {4.1, 6.3, 7.9, 8.4, 8.5},
               mean_s[] = {2.4, 3.9, 6.3, 8.8, 11.6};
  const double article_qps[] = {8.7, 20.3, 36.1, 48.9, 52.4}, article_s[] = {1.15, 1.22, 1.38, 1.54, 1.91},
               article_errors[] = {0, 0, 0, 0.012, 0.068};
  Chart rate, delay;
  rate.id = "concurrency_qps";
  rate.title = {"Requests per second", "每秒请求数"};
  rate.x_label = {"users", "用户数"};
  rate.y_label = {"QPS"};
  rate.series = {{{"no think time", "无思考时间"}, {}, {}},
                 {{"1 to 3 s of think time", "思考 1 至 3 秒"}, {}, {}},
                 {{"bound with think time: users / 2", "思考时间下的上限：用户数 / 2"},
                  {},
                  {},
                  Series::Role::kReference},
                 {{"article", "原文"}, {}, {}, Series::Role::kReference}};
  delay.id = "concurrency_latency";
  delay.title = {"Latency", "延迟"};
  delay.x_label = rate.x_label;
  delay.y_label = {"seconds", "秒"};
  delay.series = {{{"mean", "均值"}, {}, {}},
                  {{"p99"}, {}, {}},
                  {{"article, mean", "原文均值"}, {}, {}, Series::Role::kReference}};
  for (size_t i = 0; i < 5; ++i) {
    table.rows.push_back({{format_count(static_cast<int64_t>(users[i]))},
                          figure(qps[i]),
                          figure(mean_s[i]),
                          figure(mean_s[i] * 1.6),
                          figure(90 + users[i] * 12),
                          figure(qps[i] * 180),
                          {format_percent(0)},
                          {format_percent_interval({0, 0.5 / users[i]})},
                          figure(article_qps[i]),
                          figure(article_s[i]),
                          {format_percent(article_errors[i])}});
    const double ys[] = {qps[i], std::min(0.9 * qps[i], users[i] / 3), users[i] / 2, article_qps[i]};
    for (size_t s = 0; s < 4; ++s) rate.series[s].x.push_back(users[i]), rate.series[s].y.push_back(ys[s]);
    const double zs[] = {mean_s[i], mean_s[i] * 1.6, article_s[i]};
    for (size_t s = 0; s < 3; ++s) delay.series[s].x.push_back(users[i]), delay.series[s].y.push_back(zs[s]);
  }
  table.notes = {
      {"With 1 to 3 s of think time QPS can't exceed users / 2; the article's QPS equal users / latency, "
       "which is no think time.",
       "思考时间为 1 至 3 秒时 QPS 不可能超过用户数 / 2；原文的 QPS 等于用户数 / 延迟，即没有思考时间。"}};
  section.tables = {table};
  section.charts = {rate, delay};
  return section;
}

Section structured_section() {
  Section section;
  section.id = "structured";
  section.title = {"Structured output", "结构化输出"};
  section.paragraphs = {
      {"100 runs of the article's task and of the same task with its keys named, plain and with "
       "response_format.",
       "原文任务与明确给出键名的任务各 100 次，分别不用和使用 response_format。"}};
  Table table;
  table.id = "structured";
  table.title = {"What was wrong", "错误分类"};
  table.columns = {{"task", "任务"},
                   {"runs", "次数"},
                   {"legal JSON", "合法 JSON"},
                   {"95 % interval", "95 % 区间"},
                   {"wrong value", "值错误"},
                   {"syntax", "语法"},
                   {"missing field", "缺字段"},
                   {"wrong name", "字段名错误"},
                   {"array as string", "数组写成字符串"},
                   {"extra text", "多余文字"}};
  table.rows = {{{"article's, plain", "原文任务，普通"},
                 {"100"},
                 {"62 %"},
                 {"52 % \u2013 71 %"},
                 {"12"},
                 {"9"},
                 {"11"},
                 {"22"},
                 {"6"},
                 {"29"}},
                {{"keys named, plain", "给出键名，普通"},
                 {"100"},
                 {"71 %"},
                 {"61 % \u2013 79 %"},
                 {"10"},
                 {"8"},
                 {"9"},
                 {"3"},
                 {"5"},
                 {"21"}},
                {{"keys named, response_format", "给出键名，response_format"},
                 {"100"},
                 {"100 %"},
                 {"96.4 % \u2013 100 %"},
                 {"9"},
                 {"0"},
                 {"0"},
                 {"0"},
                 {"0"},
                 {"0"}},
                {{"article's own figures", "原文数据"},
                 {"100"},
                 {"97 %"},
                 {"91.5 % \u2013 99 %"},
                 none(),
                 none(),
                 none(),
                 {"2"},
                 {"1"},
                 none()}};
  Chart chart;
  chart.id = "structured_errors";
  chart.kind = Chart::Kind::kBars;
  chart.title = {"Faults in 100 runs", "100 次中的错误"};
  chart.y_label = {"runs", "次数"};
  chart.labels = {{"wrong value", "值错误"},
                  {"syntax", "语法"},
                  {"missing field", "缺字段"},
                  {"wrong name", "字段名错误"},
                  {"extra field", "多余字段"},
                  {"wrong type", "类型错误"},
                  {"array as string", "数组写成字符串"},
                  {"extra text", "多余文字"}};
  chart.series = {{{"plain", "普通"}, {}, {12, 9, 11, 22, 2, 4, 6, 29}},
                  {{"response_format"}, {}, {9, 0, 0, 0, 0, 0, 0, 0}}};
  section.charts = {chart};
  section.tables = {table};
  section.notes = {{"One answer of the model: ", "模型的一次应答："}};
  section.notes[0].en += kHostile;
  section.notes[0].zh += kHostile;
  return section;
}

Section turns_section() {
  Section section;
  section.id = "multi-turn";
  section.title = {"Multi-turn retention", "多轮对话记忆"};
  section.paragraphs = {
      {"Facts are planted in early turns and asked for later; the article asks the question and measures "
       "nothing.",
       "在前几轮植入事实，之后提问；原文提出了这个问题但没有测量。"}};
  Table table;
  table.id = "multi_turn";
  table.title = {"Facts remembered", "记住的事实"};
  table.columns = {{"turns later", "相隔轮数"},
                   {"asked", "提问"},
                   {"remembered", "记住"},
                   {"95 % interval", "95 % 区间"},
                   {"contradictions", "自相矛盾"}};
  table.rows = {{{"2"}, {"40"}, {"85 %"}, {"70.9 % \u2013 92.9 %"}, {"1"}},
                {{"8"}, {"40"}, {"55 %"}, {"39.8 % \u2013 69.3 %"}, {"4"}},
                {{"16"}, {"40"}, {"30 %"}, {"18.1 % \u2013 45.4 %"}, {"7"}},
                {{"32"}, {"40"}, {"12.5 %"}, {"5.5 % \u2013 26.1 %"}, {"9"}}};
  Chart chart;
  chart.id = "multi_turn_retention";
  chart.kind = Chart::Kind::kPoints;
  chart.title = {"Remembered, by distance", "不同间隔下的记忆"};
  chart.x_label = {"turns later", "相隔轮数"};
  chart.y_label = {"% of facts", "事实占比 %"};
  chart.series = {{{"remembered", "记住"}, {2, 8, 16, 32}, {85, 55, 30, 12.5}}};
  section.charts = {chart};
  section.tables = {table};
  return section;
}

Summary load_summary(Random& random) {
  Summary summary;
  summary.requests = 1200;
  summary.outcomes.assign(kOutcomeCount, 0);
  summary.outcomes[static_cast<size_t>(Outcome::kOk)] = summary.ok = 1180;
  summary.outcomes[static_cast<size_t>(Outcome::kHttp429)] = 17;
  summary.outcomes[static_cast<size_t>(Outcome::kTruncated)] = 3;
  summary.errors = 20;
  summary.error_rate_interval = {0.0108, 0.0256};
  summary.ttft_ms = describe(latencies(random, 1180, 92, 0.35));
  summary.e2e_ms = describe(latencies(random, 1180, 2900, 0.2));
  summary.ttft_scheduled_ms = describe(latencies(random, 1180, 96, 0.38));
  summary.e2e_scheduled_ms = describe(latencies(random, 1180, 2904, 0.2));
  summary.tpot_ms = describe(latencies(random, 1180, 15.4, 0.1));
  summary.itl_ms = describe(latencies(random, 20000, 15.1, 0.3));
  summary.coalesced_gaps = 311;
  summary.prompt_tokens = 1180 * 1024;
  summary.output_tokens = 1180 * 183;
  summary.steady_s = 60;
  summary.whole_s = 66;
  summary.qps_steady = 19.6;
  summary.qps_whole = 17.9;
  summary.output_tokens_per_s_steady = 3587;
  summary.output_tokens_per_s_whole = 3276;
  summary.total_tokens_per_s_steady = 23657;
  summary.total_tokens_per_s_whole = 21600;
  summary.goodput_qps = 18.9;
  return summary;
}

// Twenty minutes, so that there is something to thin: with a ramp of load, a full KV cache and then
// preemptions.
std::vector<ServerSample> server_samples(Random& random) {
  std::vector<ServerSample> samples;
  std::uniform_real_distribution<double> noise(-1, 1);
  double prompt = 0, generated = 0, preemptions = 0;
  for (int second = 0; second < 1500; ++second) {
    const double load = std::min(1.0, second / 900.0);
    ServerSample sample;
    sample.at_s = second;
    sample.running =
        std::round(std::min(64.0, 100 * load + 2 * noise(random)) > 0 ? std::min(64.0, 100 * load + 2) : 0);
    sample.waiting = std::max(0.0, std::round(100 * load - 64));
    sample.kv_use = std::min(1.0, 0.02 + 1.3 * load + 0.01 * noise(random));
    preemptions += sample.kv_use >= 0.99 && second % 7 == 0 ? 1 : 0;
    prompt += 900 * load;
    generated += 1600 * load + 50 * noise(random) * load;
    sample.preemptions = preemptions;
    sample.prompt_tokens = prompt;
    sample.generation_tokens = generated;
    sample.resident_bytes = 0.9e9 + 2.4e9 * sample.kv_use;
    sample.cpu_cores = 2 * load + 0.05 * noise(random) * load;
    samples.push_back(sample);
  }
  return samples;
}

SelfProof proof(Random& random) {
  SelfProof proof;
  std::lognormal_distribution<double> lateness(std::log(4e4), 0.8);
  for (int i = 0; i < 4000; ++i) proof.lateness_ns.push_back(static_cast<int64_t>(lateness(random)));
  proof.lateness_ns.push_back(3'400'000);
  proof.cpu_share = 0.137;
  proof.loop.timer_delay_counts.assign(40, 0);
  const uint64_t delays[] = {12, 300, 2100, 5200, 8100, 9000, 7000, 1300, 210, 33, 6, 1};
  std::copy(std::begin(delays), std::end(delays), proof.loop.timer_delay_counts.begin());
  proof.loop.timer_delay_max_ns = 1'700'000;
  proof.loop.thread_cpu_ns = 82'000'000'000;
  proof.loop.run_ns = 600'000'000'000;
  return proof;
}

std::vector<RequestRecord> records() {
  std::vector<RequestRecord> list(2);
  list[0].outcome = Outcome::kOk;
  list[0].label = "latency/128";
  list[0].scheduled_ns = 0;
  list[0].sent_ns = 41'000;
  list[0].first_token_ns = 80'000'000;
  list[0].last_token_ns = list[0].end_ns = 96'000'000;
  list[0].prompt_tokens = 128;
  list[0].output_tokens = 2;
  list[0].token_source = TokenSource::kUsage;
  list[0].finish_reason = "length";
  list[0].http_status = 200;
  list[0].chunks = {{80'000'000, 1}, {96'000'000, 1}};
  list[0].text = kHostile;
  list[1].index = 1;
  list[1].outcome = Outcome::kConnectFailed;
  list[1].detail = "connection refused";
  list[1].scheduled_ns = list[1].sent_ns = 97'000'000;
  list[1].end_ns = 97'100'000;
  return list;
}

Report article_report() {
  Random random(20240607);
  Report report;
  report.kind = "article";
  report.started = "2026-03-14T09:26:53Z";
  report.seconds = 11220;
  report.command = {"hussar",    "bench",     "article", "--url",    "http://127.0.0.1:8080",
                    "--api-key", "sk-secret", "--out",   "my report"};
  report.url = "http://127.0.0.1:8080";
  report.model = "SmolLM2-135M-Instruct";
  report.server = "hussar 0.1.0";
  report.api = "completions";
  report.tokenizer = "SmolLM2 (49,152 tokens), by /tokenize";
  report.hardware = "AMD EPYC 9R14, 2 cores";
  report.environment = {{"cpu", "AMD EPYC 9R14"},
                        {"cores", 2},
                        {"memory_bytes", int64_t{25'000'000'000}},
                        {"kernel", "6.1.0-37-amd64"},
                        {"hussar_version", "0.1.0"}};
  report.workload = {{"output_tokens", 512},
                     {"temperature", 0.7},
                     {"top_p", 0.9},
                     {"prompts", "unique from their first token"}};
  report.key_figures = {
      {{"First token, 1,024 in", "首 token，输入 1024"}, {"227 ms"}, {"p50, one user", "p50，单用户"}},
      {{"Output, one user", "单用户输出速度"}, {"158 tok/s"}, {"8,192 tokens", "8192 token"}},
      {{"Most requests/s", "最高每秒请求"}, {"8.5"}, {"100 users, no errors", "100 用户，无错误"}},
      {{"Connections at once", "最大并发连接"}, {"1,024"}, {"then HTTP 429", "之后返回 429"}},
      {{"Legal JSON", "合法 JSON"},
       {"100 %"},
       {"with response_format, n = 100", "使用 response_format，n = 100"}},
      {{"Facts after 8 turns", "8 轮后的记忆"}, {"55 %"}, {"n = 40"}}};
  const Summary summary = load_summary(random);
  Section detail;
  detail.id = "detail";
  detail.title = {"All measures at 100 users", "100 用户下的全部指标"};
  detail.tables = {distributions_table("detail_latency", {"Latencies and lengths", "延迟与长度"}, summary),
                   rates_table("detail_rates", {"Rates", "速率"}, summary),
                   outcomes_table("detail_outcomes", {"Outcomes", "结果"}, summary)};
  const std::vector<double> ttft = latencies(random, 1180, 92, 0.35),
                            other = latencies(random, 900, 120, 0.5);
  const NamedSamples named[] = {{{"50 users", "50 用户"}, ttft}, {{"100 users", "100 用户"}, other}};
  detail.charts = {cumulative_chart("detail_ttft", {"Distribution of TTFT", "TTFT 分布"},
                                    {"TTFT, ms", "TTFT，ms"}, named)};
  report.sections = {latency_section(random), long_output_section(), concurrency_section(),
                     structured_section(),    turns_section(),       detail};
  MeasuredRow row;
  row.id = "concurrency/100";
  row.status = "measured";
  row.workload = {{"users", 100}};
  row.summary = summary;
  row.samples["ttft_ms"] = ttft;
  row.extra = {{"legal_fraction", kNaN}};
  report.rows = {row};
  report.proof = proof(random);
  report.prove_line =
      "bench prove, 2026-03-13: passed; TTFT error p50 0.04 ms, p99 0.31 ms; 18 of 18 faults counted in "
      "their class";
  report.server_samples = server_samples(random);
  report.server_missing = {"GPU: no NVML on this machine"};
  return report;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view kind = argc == 3 ? argv[1] : "";
  Report report;
  if (kind == "article" || kind == "limited") report = article_report();
  if (kind == "limited") {
    report.interrupted = true;
    report.proof.client_limited = true;
    report.proof.reason = "the client's thread used 98 % of its core";
    report.warnings = {
        {"75 users: 14 of 200 requests failed, most of them HTTP 429 (" + std::string(kHostile) + ")",
         "75 用户：200 个请求中 14 个失败，多为 HTTP 429"}};
  }
  if (kind == "bare") report.kind = "load";
  if (report.kind.empty()) {
    std::fprintf(stderr, "usage: demo_report article|limited|bare FOLDER\n");
    return 2;
  }
  const Result<void> written =
      write_report(report, kind == "bare" ? std::vector<RequestRecord>() : records(), argv[2]);
  if (!written.ok()) std::fprintf(stderr, "demo_report: %s\n", written.error().message.c_str());
  return written.ok() ? 0 : 2;
}
