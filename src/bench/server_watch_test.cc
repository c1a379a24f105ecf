#include "bench/server_watch.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "bench/nvml.h"
#include "net/raw_server.h"

namespace hussar {
namespace {

TEST(ReadMetrics, KnowsVllmAndHussar) {
  ServerSample sample;
  ASSERT_TRUE(
      read_metrics("# TYPE vllm:num_requests_running gauge\n"
                   "vllm:num_requests_running{engine=\"0\",model_name=\"m\"} 3.0\n"
                   "vllm:num_requests_running{engine=\"1\",model_name=\"m\"} 4.0\n"
                   "vllm:num_requests_waiting{engine=\"0\"} 12.0\n"
                   "vllm:kv_cache_usage_perc{engine=\"0\"} 0.25\n"
                   "vllm:kv_cache_usage_perc{engine=\"1\"} 0.75\n"
                   "vllm:gpu_cache_usage_perc{engine=\"1\"} 0.5\n"
                   "vllm:num_preemptions_total{engine=\"0\"} 5.0\n"
                   "vllm:num_preemptions_created{engine=\"0\"} 1.7e+09\n"
                   "vllm:prompt_tokens_total 1.2e+06\nvllm:generation_tokens_total 34567\n",
                   &sample));
  EXPECT_EQ(sample.running, 7) << "engines behind one address add up";
  EXPECT_EQ(sample.waiting, 12);
  EXPECT_EQ(sample.kv_use, 0.75) << "the fullest counts; the newer name wins";
  EXPECT_EQ(sample.preemptions, 5);
  EXPECT_EQ(sample.prompt_tokens, 1.2e6);
  EXPECT_EQ(sample.generation_tokens, 34567);
  EXPECT_EQ(sample.resident_bytes, -1);
}

TEST(ReadMetrics, KnowsTheOlderNameOfVllm) {
  ServerSample sample;
  ASSERT_TRUE(read_metrics("vllm:gpu_cache_usage_perc{model_name=\"m\"} 0.5\n", &sample));
  EXPECT_EQ(sample.kv_use, 0.5);
  EXPECT_EQ(sample.running, -1);
}

TEST(ReadMetrics, KnowsSglang) {
  ServerSample sample;
  ASSERT_TRUE(
      read_metrics("sglang:num_running_reqs{model_name=\"m\"} 30\nsglang:num_queue_reqs{model_name=\"m\"} 2\n"
                   "sglang:token_usage{model_name=\"m\"} 0.28\nsglang:num_retracted_reqs 1\n"
                   "sglang:num_retracted_requests_total 9\nsglang:prompt_tokens_total 8.128902e+06\n"
                   "sglang:generation_tokens_total 7.557572e+06\n",
                   &sample));
  EXPECT_EQ(sample.running, 30);
  EXPECT_EQ(sample.waiting, 2);
  EXPECT_EQ(sample.kv_use, 0.28);
  EXPECT_EQ(sample.preemptions, 9);
  EXPECT_EQ(sample.prompt_tokens, 8128902);
  EXPECT_EQ(sample.generation_tokens, 7557572);
}

TEST(ReadMetrics, KnowsLlamaServer) {
  ServerSample sample;
  ASSERT_TRUE(
      read_metrics("llamacpp:requests_processing 4\nllamacpp:requests_deferred 46\n"
                   "llamacpp:kv_cache_usage_ratio 0.9\nllamacpp:prompt_tokens_total 20\n"
                   "llamacpp:tokens_predicted_total 17029\n",
                   &sample));
  EXPECT_EQ(sample.running, 4);
  EXPECT_EQ(sample.waiting, 46);
  EXPECT_EQ(sample.kv_use, 0.9);
  EXPECT_EQ(sample.prompt_tokens, 20);
  EXPECT_EQ(sample.generation_tokens, 17029);
}

TEST(ReadMetrics, TakesNothingFromOthers) {
  ServerSample sample;
  EXPECT_FALSE(
      read_metrics("process_resident_memory_bytes 5\nvllm:num_requests_running NaN\n"
                   "vllm:num_requests_waiting -1\nvllm:kv_cache_usage_perc +Inf\n<html>",
                   &sample));
  EXPECT_EQ(sample.running, -1);
  EXPECT_EQ(sample.kv_use, -1);
}

TEST(Nvml, AddsUpTheGpusThatTell) {
  const auto nvml = Nvml::open(HUSSAR_FAKE_NVML);
  ASSERT_TRUE(nvml.ok()) << nvml.error().message;
  EXPECT_EQ((*nvml)->names(), "2 x Imaginary GPU 24GB");
  const GpuUse use = (*nvml)->read();
  EXPECT_EQ(use.memory_bytes, 20.0 * (1 << 30));
  EXPECT_EQ(use.memory_total_bytes, 48.0 * (1 << 30));
  EXPECT_DOUBLE_EQ(use.power_w, 215.5);
  EXPECT_DOUBLE_EQ(use.utilisation, 0.55);
}

TEST(Nvml, AbsenceIsNamed) {
  EXPECT_EQ(Nvml::open("libhussar_no_such_library.so.1").error().code, ErrorCode::kNotFound);
  const auto other = Nvml::open("libc.so.6");
  EXPECT_EQ(other.error().code, ErrorCode::kUnsupported);
}

// Waits for the watch's thread; gives up when it must have hung.
template <typename Condition>
bool eventually(Condition condition) {
  for (int i = 0; i < 2000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

// Answers every request of one connection with the same bytes.
RawServer::Script always(std::string head, std::string body) {
  return
      [answer = head + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body](RawPeer& peer) {
        while (!peer.read_request().empty()) peer.send(answer);
      };
}

ServerWatchOptions options_for(const std::string& url) {
  ServerWatchOptions options;
  options.metrics_url = url;
  options.gpu = false;
  options.interval_ms = 5;
  return options;
}

TEST(ServerWatch, ReadsMetricsAgainAndAgain) {
  std::string request;
  RawServer server({[&](RawPeer& peer) {
    request = peer.read_request();
    peer.send("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    always("HTTP/1.1 200 OK\r\n", "vllm:num_requests_waiting 7\n")(peer);
  }});
  ServerWatchOptions options = options_for(server.url() + "/some/metrics");
  options.api_key = "secret";
  options.gpu = true;
  options.nvml_library = HUSSAR_FAKE_NVML;
  const auto watch = ServerWatch::start(options);
  ASSERT_TRUE(watch.ok()) << watch.error().message;
  ASSERT_TRUE(eventually([&] { return (*watch)->samples().size() >= 3; }));
  (*watch)->stop();
  (*watch)->stop();
  const auto samples = (*watch)->samples();
  EXPECT_EQ(samples[0].waiting, -1) << "a busy server is asked again";
  EXPECT_EQ(samples[1].waiting, 7);
  EXPECT_EQ(samples.back().gpu_memory_bytes, 20.0 * (1 << 30));
  EXPECT_EQ(samples.back().resident_bytes, -1);
  EXPECT_LT(samples[0].at_s, samples[1].at_s);
  EXPECT_EQ((*watch)->hardware(), "2 x Imaginary GPU 24GB");
  EXPECT_TRUE(request.starts_with("GET /some/metrics HTTP/1.1\r\n")) << request;
  EXPECT_NE(request.find("Authorization: Bearer secret\r\n"), std::string::npos);
}

TEST(ServerWatch, FillsSamples) {
  RawServer server({always("HTTP/1.1 200 OK\r\n", "llamacpp:requests_deferred 3\n")});
  const auto watch = ServerWatch::start(options_for(server.url() + "/metrics"));
  ASSERT_TRUE(watch.ok());
  ASSERT_TRUE(eventually([&] { return (*watch)->samples().size() >= 2; }));
  (*watch)->stop();
  for (const ServerSample& sample : (*watch)->samples()) EXPECT_EQ(sample.waiting, 3);
  EXPECT_TRUE((*watch)->missing().empty());
  EXPECT_EQ((*watch)->hardware(), "");
}

TEST(ServerWatch, NamesWhatCannotBeSeen) {
  const auto problem_of = [](RawServer::Script script) {
    RawServer server({std::move(script)});
    const auto watch = ServerWatch::start(options_for(server.url() + "/metrics"));
    EXPECT_TRUE(eventually([&] { return !(*watch)->missing().empty(); }));
    (*watch)->stop();
    EXPECT_EQ((*watch)->missing().size(), 1u);
    return (*watch)->missing()[0];
  };
  EXPECT_NE(problem_of(always("HTTP/1.1 404 Not Found\r\n", "")).find("/metrics said 404"),
            std::string::npos);
  EXPECT_NE(problem_of(always("HTTP/1.1 501 Not Implemented\r\n", "")).find("--metrics"), std::string::npos);
  EXPECT_NE(problem_of(always("HTTP/1.1 200 OK\r\n", "go_threads 5\n")).find("no name that is known"),
            std::string::npos);
  EXPECT_NE(problem_of(always("HTTP/1.1 503 Busy\r\n", "")).find("reads failed"), std::string::npos);
  EXPECT_NE(problem_of([](RawPeer& peer) { peer.close(); }).find("reads failed"), std::string::npos);
}

TEST(ServerWatch, BadAddressIsNoError) {
  const auto watch = ServerWatch::start(options_for("nonsense"));
  ASSERT_TRUE(watch.ok());
  ASSERT_EQ((*watch)->missing().size(), 1u);
  EXPECT_TRUE((*watch)->missing()[0].starts_with("no metrics: "));
}

TEST(ServerWatch, GpusOfThisMachineSayNothingOfAServerElsewhere) {
  ServerWatchOptions options;
  options.metrics_url = "http://0.0.0.0:9/metrics";  // by its name not this machine; refuses at once
  options.nvml_library = HUSSAR_FAKE_NVML;
  const auto watch = ServerWatch::start(options);
  ASSERT_TRUE(watch.ok());
  EXPECT_EQ((*watch)->hardware(), "");
  EXPECT_EQ((*watch)->missing()[0], "no GPU figures: the server is on another machine");
}

TEST(ServerWatch, WatchesAProcessUntilItEnds) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  ServerWatchOptions options = options_for("");
  options.server_pid = child;
  const auto watch = ServerWatch::start(options);
  ASSERT_TRUE(watch.ok()) << watch.error().message;
  ASSERT_TRUE(eventually([&] { return (*watch)->samples().size() >= 2; }));
  EXPECT_GT((*watch)->samples()[1].resident_bytes, 0);
  EXPECT_GE((*watch)->samples()[1].cpu_cores, 0);
  EXPECT_GT((*watch)->samples()[1].memory_available_bytes, 0);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ASSERT_TRUE(eventually([&] { return !(*watch)->missing().empty(); }));
  (*watch)->stop();
  ASSERT_EQ((*watch)->missing().size(), 1u);
  EXPECT_TRUE((*watch)->missing()[0].starts_with("the server's process " + std::to_string(child) + " ended"));
  EXPECT_EQ((*watch)->samples().back().resident_bytes, -1);
}

TEST(ServerWatch, NoSuchProcessIsAnError) {
  ServerWatchOptions options = options_for("");
  options.server_pid = int64_t{1} << 40;
  const auto watch = ServerWatch::start(options);
  ASSERT_FALSE(watch.ok());
  EXPECT_EQ(watch.error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace hussar
