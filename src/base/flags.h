// One flag table for every subcommand: name, default, range and help stand in one line, and a flag that is
// unknown, unparsable or out of range ends the start with one clear line. The only user of CLI11 is flags.cc.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hussar {

// The flags of one subcommand. Each add_* names a variable that holds the default now and the parsed value
// after parse().
//
//   ServeOptions o;
//   FlagTable flags("serve", "Serves a model over an OpenAI-compatible API.", "hussar serve --model m.gguf
//   --port 8080"); flags.add_string("--model", &o.model, "FILE", "GGUF file to serve", FlagTable::kRequired);
//   flags.add_int("--port", &o.port, 1, 65535, "port to listen on");
class FlagTable {
 public:
  enum Presence { kOptional, kRequired };

  FlagTable(std::string_view command, std::string_view purpose, std::string_view example);
  ~FlagTable();
  FlagTable(const FlagTable&) = delete;
  FlagTable& operator=(const FlagTable&) = delete;

  void add_string(std::string_view name, std::string* value, std::string_view metavar, std::string_view help,
                  Presence presence = kOptional);
  // May be given several times; each adds a value.
  void add_strings(std::string_view name, std::vector<std::string>* values, std::string_view metavar,
                   std::string_view help);
  void add_int(std::string_view name, int64_t* value, int64_t min, int64_t max, std::string_view help);
  void add_double(std::string_view name, double* value, double min, double max, std::string_view help);
  // `--name` alone sets it; there is no `--no-name`.
  void add_switch(std::string_view name, bool* value, std::string_view help);
  // One of `choices`.
  void add_choice(std::string_view name, std::string* value, const std::vector<std::string>& choices,
                  std::string_view help);
  // Comma-separated integers, each in [min, max]: --batch 1,8,32.
  void add_int_list(std::string_view name, std::vector<int64_t>* values, int64_t min, int64_t max,
                    std::string_view help);
  // Words that belong to no flag (a file name, a text), at most `count_max` of them.
  void add_positionals(std::string_view metavar, std::vector<std::string>* values, int32_t count_max,
                       std::string_view help);

  enum class Outcome { kRun, kHelpShown };
  // `args` are the words after the subcommand. --help prints help() to standard output and gives kHelpShown.
  // Errors: kInvalid, one line that names the flag and says what is allowed.
  Result<Outcome> parse(const std::vector<std::string>& args);

  // Whether the command line has this flag. REQUIRES: parse() was called, a flag of this name was added.
  bool given(std::string_view name) const;

  // Fits a screen of 80 columns where the help lines do: purpose, a line a flag with default and range, the
  // example.
  std::string help() const;

 private:
  struct Impl;
  Impl* impl_;
};

}  // namespace hussar
