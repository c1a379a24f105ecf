#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/memory.h"
#include "base/utf8.h"
#include "cli/commands.h"
#include "cli/interrupts.h"
#include "cli/models_dir.h"
#include "cli/pull_progress.h"
#include "cli/terminal_text.h"
#include "hub/catalog.h"
#include "hub/pull.h"

namespace hussar {
namespace {

constexpr int kExitInterrupted = 130;  // 128 + SIGINT, as shells count
constexpr std::chrono::milliseconds kShowEvery(200);

struct PullFlags {
  PullOptions pull;
  std::vector<std::string> names;
  std::string token_file;
  int64_t connections = 4;
};

std::string names_help() {
  std::string text;
  for (const CatalogRow& row : catalog()) text += std::string(row.name) + ", ";
  return text +
         "or owner/repository; of a GGUF repository one file, behind a colon: NAME:q8_0, NAME:file.gguf";
}

void add_flags(FlagTable* flags, PullFlags* o) {
  o->pull.models_dir = default_models_dir();
  flags->add_positionals("NAME", &o->names, 1, names_help());
  flags->add_choice("--from", &o->pull.from, {"auto", "hf", "modelscope"},
                    "which hub; auto: Hugging Face, and ModelScope where that can't be reached");
  flags->add_string("--mirror", &o->pull.mirror, "URL", "a mirror in place of the hub's own address");
  flags->add_string("--revision", &o->pull.revision, "NAME", "branch, tag or commit");
  flags->add_string("--token-file", &o->token_file, "FILE", "holds an access token for the hub");
  flags->add_string("--models-dir", &o->pull.models_dir, "DIR", "where models are kept");
  flags->add_string("--ca-file", &o->pull.fetch.ca_file, "FILE", "certificates to trust (PEM)");
  flags->add_int("--connections", &o->connections, 1, 32, "ranges of a file at once");
  flags->add_int("--attempts-max", &o->pull.retry.attempts_max, 1, 1000, "in a row without progress");
  flags->add_int("--retry-ms", &o->pull.retry.first_wait_ms, 1, 60'000, "first wait; doubles each time");
  flags->add_int("--connect-ms-max", &o->pull.fetch.connect_ms_max, 100, 600'000, "to reach the hub");
  flags->add_int("--stall-s-max", &o->pull.fetch.stall_s_max, 1, 3600, "under 1 KB/s, before asking again");
  flags->add_int("--redirects-max", &o->pull.fetch.redirects_max, 0, 50, "in a row");
}

// What the flags mean. Errors: kInvalid, naming the flag.
Result<void> finish_options(PullFlags* o) {
  if (o->names.empty()) {
    return Error{ErrorCode::kInvalid, "a NAME is missing; 'hussar pull --help' has an example", ""};
  }
  const std::string& word = o->names[0];
  const bool like_path = word.starts_with('/') || word.starts_with("./") || word.starts_with("../");
  if (like_path || (word.ends_with(".gguf") && word.find(':') == std::string::npos)) {
    return Error{
        ErrorCode::kInvalid,
        "'" + word +
            "' looks like a file's name, not a model's; of a repository a file is named behind a colon, "
            "owner/repository:file.gguf",
        ""};
  }
  auto name = parse_model_name(word);
  if (!name.ok()) return Error{ErrorCode::kInvalid, "'" + word + "' is " + name.error().message, ""};
  o->pull.name = std::move(*name);
  o->pull.connections = static_cast<int32_t>(o->connections);
  if (!o->pull.revision.empty() && !is_safe_revision(o->pull.revision)) {
    return Error{ErrorCode::kInvalid, "'" + o->pull.revision + "' is no branch, tag or commit", "--revision"};
  }
  if (!o->pull.mirror.empty()) {
    ASSIGN_OR_RETURN(o->pull.mirror, check_mirror(o->pull.mirror));
  }
  if (!o->pull.fetch.ca_file.empty() && !file_exists(o->pull.fetch.ca_file)) {
    return Error{ErrorCode::kNotFound, "there is no file " + o->pull.fetch.ca_file, "--ca-file"};
  }
  if (!o->token_file.empty()) {
    ASSIGN_OR_RETURN(o->pull.token, read_token(o->token_file));
  }
  return {};
}

// Pulls on a thread of its own while this one shows how far it is and hears Ctrl-C.
Result<InstalledModel> pull_shown(const PullOptions& options, Interrupts* interrupts, bool* interrupted,
                                  bool* was_there) {
  std::atomic<bool> stop = false;
  PullProgress progress;
  PullDisplay display;
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Result<InstalledModel>> result;
  std::thread puller([&] {
    auto pulled =
        pull_model(options, stop, &progress, [&display](const std::string& line) { display.note(line); });
    const std::lock_guard<std::mutex> lock(mutex);
    result = std::move(pulled);
    changed.notify_one();
  });
  for (std::unique_lock<std::mutex> lock(mutex); !result;) {
    changed.wait_for(lock, kShowEvery, [&result] { return result.has_value(); });
    if (interrupts->take() != Interrupts::Kind::kNone) *interrupted = stop = true;
    display.show(progress);
  }
  puller.join();
  *was_there = progress.all_bytes == 0;
  return std::move(*result);
}

}  // namespace

int run_pull(const std::vector<std::string>& args) {
  PullFlags o;
  FlagTable flags(
      "pull",
      "Brings a model from Hugging Face or ModelScope; after a cut it goes on where it was. Proxies are "
      "taken from https_proxy and no_proxy.",
      "hussar pull qwen2.5-0.5b-instruct-gguf:q8_0");
  add_flags(&flags, &o);
  if (const auto code = parse_or_exit_code(&flags, "pull", args)) return *code;
  if (const auto finished = finish_options(&o); !finished.ok()) return report_error("pull", finished.error());
  Interrupts interrupts;
  bool interrupted = false, was_there = false;
  const auto model = pull_shown(o.pull, &interrupts, &interrupted, &was_there);
  const std::string name = o.pull.name.text();
  if (!model.ok() && interrupted) {
    std::fprintf(stderr, "hussar pull: interrupted; 'hussar pull %s' goes on where it was\n", name.c_str());
    return kExitInterrupted;
  }
  if (!model.ok()) {
    Error error = model.error();
    error.message = safe_for_terminal(replace_invalid_utf8(error.message));
    return report_error("pull", error);
  }
  std::printf("%s is %sin %s (%s)\nserve it: hussar serve --model %s\n", name.c_str(),
              was_there ? "already " : "", model->folder.c_str(),
              bytes_text(model->manifest.size_bytes()).c_str(),
              o.pull.models_dir == default_models_dir() ? name.c_str() : model->model_path().c_str());
  return 0;
}

}  // namespace hussar
