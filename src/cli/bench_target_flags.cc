#include "cli/bench_target_flags.h"

#include <algorithm>
#include <cmath>
#include <ctime>

#include "base/check.h"
#include "base/files.h"
#include "bench/environment.h"
#include "cli/prove_line.h"
#include "cli/version.h"

namespace hussar {
namespace {

constexpr size_t kKeyFileBytesMax = 64 << 10;
constexpr int64_t kTimeoutMsMax = 24 * 3'600'000;

std::string trimmed(std::string text) {
  constexpr const char* kSpace = " \t\r\n";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

Result<HttpHeader> read_header(const std::string& text) {
  const size_t colon = text.find(':');
  const std::string name = trimmed(text.substr(0, colon));
  if (colon == std::string::npos || name.empty()) {
    return Error{ErrorCode::kInvalid, "'" + text + "' is no header; write it as 'Name: value'", "--header"};
  }
  return HttpHeader{name, trimmed(text.substr(colon + 1))};
}

// The server's own address: without the path.
std::string origin_of(const std::string& url) {
  const size_t scheme = url.find("://");
  return url.substr(0, url.find('/', scheme == std::string::npos ? 0 : scheme + 3));
}

}  // namespace

void add_bench_target_flags(FlagTable* flags, BenchTargetFlags* o) {
  flags->add_string("--url", &o->target.url, "URL", "the server, as http://127.0.0.1:8080",
                    FlagTable::kRequired);
  flags->add_string("--model", &o->target.model, "NAME", "which of its models; the first that it lists");
  flags->add_choice("--api", &o->api, {"chat", "completions", "article"},
                    "chat messages, plain prompts, or plain prompts in the article's dialect");
  flags->add_string("--api-key-file", &o->api_key_file, "FILE", "holds the API key");
  flags->add_string("--api-key", &o->target.api_key, "KEY",
                    "the API key; other users of the machine can see it, a file is safer");
  flags->add_strings("--header", &o->headers, "NAME:VALUE", "a further header of each request");
  flags->add_string("--ca-file", &o->target.ca_file, "FILE", "certificates to trust (PEM)");
  flags->add_switch("--no-keepalive", &o->no_keepalive, "a new connection for each request");
  flags->add_int("--connect-ms-max", &o->timeouts.connect_ms, 0, kTimeoutMsMax, "to connect; 0: no limit");
  flags->add_int("--first-token-ms-max", &o->timeouts.first_token_ms, 0, kTimeoutMsMax,
                 "from sending to the first token; 0: no limit");
  flags->add_int("--stall-ms-max", &o->timeouts.stall_ms, 0, kTimeoutMsMax,
                 "between two pieces of text; 0: no limit");
  flags->add_int("--total-ms-max", &o->timeouts.total_ms, 0, kTimeoutMsMax, "a whole request; 0: no limit");
  flags->add_int("--server-pid", &o->server_pid, 0, INT32_MAX,
                 "the server's process, where it runs here: memory and CPU are watched; 0: none");
  flags->add_string("--metrics-url", &o->metrics_url, "URL",
                    "the server's metrics; its own /metrics unless given; none: not asked");
  flags->add_string("--out", &o->out, "DIR", "folder for the report; without it only a summary is printed");
}

Result<void> finish_bench_target_flags(BenchTargetFlags* o) {
  if (!o->api_key_file.empty()) {
    if (!o->target.api_key.empty()) {
      return Error{ErrorCode::kInvalid, "give the key or its file, not both", "--api-key"};
    }
    auto key = read_small_file(o->api_key_file, kKeyFileBytesMax);
    if (!key.ok()) return Error{key.error().code, key.error().message, "--api-key-file"};
    o->target.api_key = trimmed(*key);
    if (o->target.api_key.empty()) {
      return Error{ErrorCode::kInvalid, o->api_key_file + ": holds no key", "--api-key-file"};
    }
  }
  for (const std::string& text : o->headers) {
    ASSIGN_OR_RETURN(HttpHeader header, read_header(text));
    o->target.headers.push_back(std::move(header));
  }
  o->target.keep_alive = !o->no_keepalive;
  if (!o->out.empty()) RETURN_IF_ERROR(prepare_report_folder(o->out));
  return {};
}

Api api_of(const std::string& name) {
  for (const Api api : {Api::kChat, Api::kCompletions, Api::kArticle}) {
    if (api_name(api) == name) return api;
  }
  CHECK_NOTE(false, "the flag table checks the names");
}

Result<std::unique_ptr<ServerWatch>> watch_server(const BenchTargetFlags& o, const Target& target) {
  ServerWatchOptions watch;
  if (o.metrics_url != "none") {
    watch.metrics_url = o.metrics_url.empty() ? origin_of(target.options().url) + "/metrics" : o.metrics_url;
  }
  watch.api_key = target.options().api_key;
  watch.ca_file = target.options().ca_file;
  watch.server_pid = o.server_pid;
  auto started = ServerWatch::start(watch);
  if (!started.ok()) return Error{started.error().code, started.error().message, "--server-pid"};
  return started;
}

std::string utc_text(double unix_s) {
  const auto seconds = static_cast<std::time_t>(std::floor(unix_s));
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[40];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

Report begin_report(const std::string& kind, const std::vector<std::string>& args, const BenchTargetFlags& o,
                    const Target& target) {
  Report report;
  report.kind = kind;
  report.command = {"hussar"};
  report.command.insert(report.command.end(), args.begin(), args.end());
  report.url = o.target.url;
  report.model = target.model();
  report.server = target.server();
  report.api = o.api;
  report.environment = client_environment(hussar_version());
  report.prove_line = stored_prove_line();
  return report;
}

void add_server_watch(const ServerWatch& watch, Report* report) {
  report->server_samples = watch.samples();
  report->server_missing = watch.missing();
  report->hardware = watch.hardware();
}

}  // namespace hussar
