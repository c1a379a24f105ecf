// hussar list, show and rm: what was pulled.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "cli/commands.h"
#include "cli/models_dir.h"
#include "cli/terminal_text.h"
#include "hub/store.h"

namespace hussar {
namespace {

// A text of a manifest, which anyone may have edited.
std::string shown(const std::string& text) { return safe_for_terminal(replace_invalid_utf8(text)); }

Json to_json(const InstalledModel& model) {
  JsonArray files;
  for (const ManifestFile& file : model.manifest.files) {
    files.push_back(JsonObject{{"name", file.name}, {"bytes", file.size_bytes}, {"sha256", file.sha256}});
  }
  return JsonObject{{"name", model.manifest.name},         {"bytes", model.manifest.size_bytes()},
                    {"source", model.manifest.source},     {"repository", model.manifest.repository},
                    {"revision", model.manifest.revision}, {"pulled_at", model.manifest.pulled_at},
                    {"path", model.model_path()},          {"files", std::move(files)}};
}

void print_list(const std::vector<InstalledModel>& models, const std::string& models_dir) {
  if (models.empty()) {
    std::printf("no models in %s; 'hussar pull NAME' brings one\n", models_dir.c_str());
    return;
  }
  size_t columns = 4;
  for (const InstalledModel& model : models) columns = std::max(columns, shown(model.manifest.name).size());
  std::printf("%-*s  %9s  %-20s  %s\n", static_cast<int>(columns), "name", "size", "pulled", "from");
  for (const InstalledModel& model : models) {
    std::printf("%-*s  %9s  %-20s  %s\n", static_cast<int>(columns), shown(model.manifest.name).c_str(),
                bytes_text(model.manifest.size_bytes()).c_str(), shown(model.manifest.pulled_at).c_str(),
                shown(model.manifest.source + "/" + model.manifest.repository).c_str());
  }
}

void print_model(const InstalledModel& model) {
  const Manifest& manifest = model.manifest;
  std::printf(
      "name        %s\nfrom        %s/%s\nrevision    %s\npulled      %s\npath        %s\nsize        %s\n\n",
      shown(manifest.name).c_str(), shown(manifest.source).c_str(), shown(manifest.repository).c_str(),
      shown(manifest.revision).c_str(), shown(manifest.pulled_at).c_str(), model.model_path().c_str(),
      bytes_text(manifest.size_bytes()).c_str());
  size_t columns = 4;
  for (const ManifestFile& file : manifest.files) columns = std::max(columns, file.name.size());
  std::printf("%-*s  %14s  %s\n", static_cast<int>(columns), "file", "bytes", "sha256");
  for (const ManifestFile& file : manifest.files) {
    std::printf("%-*s  %14lld  %s\n", static_cast<int>(columns), file.name.c_str(),
                static_cast<long long>(file.size_bytes), file.sha256.c_str());
  }
  std::printf("\n'hussar inspect %s' lists its tensors\n", shown(manifest.name).c_str());
}

Result<ModelName> one_name(const std::vector<std::string>& words) {
  if (words.empty()) {
    return Error{ErrorCode::kInvalid, "a NAME is missing; 'hussar list' shows the names", ""};
  }
  auto name = parse_model_name(words[0]);
  if (!name.ok()) return Error{ErrorCode::kInvalid, "'" + words[0] + "' is " + name.error().message, ""};
  return name;
}

Result<void> show(const std::vector<std::string>& words, const std::string& models_dir, bool json) {
  ASSIGN_OR_RETURN(const ModelName name, one_name(words));
  ASSIGN_OR_RETURN(const auto model, find_installed(models_dir, name));
  if (!model) {
    return Error{ErrorCode::kNotFound,
                 "no model '" + name.text() + "' in " + models_dir + "; 'hussar list' shows what is there",
                 ""};
  }
  if (json) {
    std::printf("%s\n", write_json(to_json(*model)).c_str());
  } else {
    print_model(*model);
  }
  return {};
}

// True when the user says yes. Without a terminal nobody can be asked: then --yes is needed.
Result<bool> confirm(const std::string& name, const std::string& models_dir) {
  if (isatty(STDIN_FILENO) != 1) {
    return Error{ErrorCode::kInvalid,
                 "nobody to ask on this input; --yes removes '" + name + "' without asking", ""};
  }
  std::printf("remove '%s' from %s? [y/N] ", name.c_str(), models_dir.c_str());
  std::fflush(stdout);
  std::string answer;
  std::getline(std::cin, answer);
  return answer == "y" || answer == "Y" || answer == "yes";
}

Result<void> remove(const std::vector<std::string>& words, const std::string& models_dir, bool yes) {
  ASSIGN_OR_RETURN(const ModelName name, one_name(words));
  if (!yes) {
    ASSIGN_OR_RETURN(const bool confirmed, confirm(name.text(), models_dir));
    if (!confirmed) {
      std::printf("nothing was removed\n");
      return {};
    }
  }
  ASSIGN_OR_RETURN(const Removal removal, remove_model(models_dir, name));
  std::printf("removed '%s', %s\n", name.text().c_str(), bytes_text(removal.bytes).c_str());
  for (const std::string& left : removal.left) {
    std::printf("left alone, since hussar did not put it there: %s\n", shown(left).c_str());
  }
  return {};
}

}  // namespace

int run_list(const std::vector<std::string>& args) {
  std::string models_dir = default_models_dir();
  bool json = false;
  FlagTable flags("list", "Shows the models that were pulled.", "hussar list");
  flags.add_string("--models-dir", &models_dir, "DIR", "where models are kept");
  flags.add_switch("--json", &json, "one JSON object a line");
  if (const auto code = parse_or_exit_code(&flags, "list", args)) return *code;
  const auto models = list_installed(models_dir);
  if (!models.ok()) return report_error("list", models.error());
  if (!json) print_list(*models, models_dir);
  for (size_t i = 0; json && i < models->size(); ++i) {
    std::printf("%s\n", write_json(to_json((*models)[i])).c_str());
  }
  return 0;
}

int run_show(const std::vector<std::string>& args) {
  std::string models_dir = default_models_dir();
  std::vector<std::string> words;
  bool json = false;
  FlagTable flags("show", "Shows where a pulled model came from, and its files.",
                  "hussar show qwen2.5-0.5b-instruct");
  flags.add_positionals("NAME", &words, 1, "as 'hussar list' shows it");
  flags.add_string("--models-dir", &models_dir, "DIR", "where models are kept");
  flags.add_switch("--json", &json, "as one JSON object");
  if (const auto code = parse_or_exit_code(&flags, "show", args)) return *code;
  const auto done = show(words, models_dir, json);
  return done.ok() ? 0 : report_error("show", done.error());
}

int run_rm(const std::vector<std::string>& args) {
  std::string models_dir = default_models_dir();
  std::vector<std::string> words;
  bool yes = false;
  FlagTable flags("rm", "Removes a pulled model, or what a cut pull left of it.",
                  "hussar rm qwen2.5-0.5b-instruct");
  flags.add_positionals("NAME", &words, 1, "as 'hussar list' shows it");
  flags.add_string("--models-dir", &models_dir, "DIR", "where models are kept");
  flags.add_switch("--yes", &yes, "does not ask");
  if (const auto code = parse_or_exit_code(&flags, "rm", args)) return *code;
  const auto done = remove(words, models_dir, yes);
  return done.ok() ? 0 : report_error("rm", done.error());
}

}  // namespace hussar
