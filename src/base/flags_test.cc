#include "base/flags.h"

#include <gtest/gtest.h>

#include <limits>

namespace hussar {
namespace {

struct Options {
  std::string model, host = "127.0.0.1", isa = "auto";
  int64_t port = 8080, seed = 0;
  double temperature = 0.7;
  bool verbose = false;
  std::vector<int64_t> batch = {1};
  std::vector<std::string> words, headers;
};

struct Parsed {
  Options options;
  bool ok;
  FlagTable::Outcome outcome = FlagTable::Outcome::kRun;
  std::string error, field;
};

void declare(FlagTable* flags, Options* o) {
  flags->add_string("--model", &o->model, "FILE", "file to serve", FlagTable::kRequired);
  flags->add_string("--host", &o->host, "ADDRESS", "address to listen on");
  flags->add_int("--port", &o->port, 1, 65535, "port to listen on");
  flags->add_int("--seed", &o->seed, 0, std::numeric_limits<int64_t>::max(), "seed");
  flags->add_double("--temperature", &o->temperature, 0, 2, "how far from the likeliest");
  flags->add_switch("--verbose", &o->verbose,
                    "says more, in a text that is long enough to be broken into two lines");
  flags->add_choice("--isa", &o->isa, {"auto", "avx2"}, "instruction set");
  flags->add_strings("--header", &o->headers, "NAME: VALUE", "header to send");
  flags->add_int_list("--batch", &o->batch, 1, 512, "sequences at once");
}

Parsed parse(const std::vector<std::string>& args, int words_max = 0) {
  Parsed parsed;
  FlagTable flags("serve", "Serves.", "hussar serve --model m.gguf");
  declare(&flags, &parsed.options);
  if (words_max > 0) flags.add_positionals("TEXT", &parsed.options.words, words_max, "text");
  const auto result = flags.parse(args);
  parsed.ok = result.ok();
  if (result.ok()) parsed.outcome = *result;
  if (!result.ok()) parsed.error = result.error().message, parsed.field = result.error().field;
  return parsed;
}

std::string error_of(std::vector<std::string> args) {
  args.insert(args.begin(), {"--model", "m"});
  const Parsed parsed = parse(args);
  EXPECT_FALSE(parsed.ok);
  EXPECT_EQ(parsed.error.find('\n'), std::string::npos) << "one line: " << parsed.error;
  return parsed.error;
}

TEST(Flags, OneThatMayBeRepeatedKeepsAllItsValues) {
  const Parsed parsed = parse({"--model", "m", "--header", "A: 1", "--port", "1", "--header=B: 2"});
  ASSERT_TRUE(parsed.ok) << parsed.error;
  EXPECT_EQ(parsed.options.headers, (std::vector<std::string>{"A: 1", "B: 2"}));
  EXPECT_TRUE(parse({"--model", "m"}).options.headers.empty());
  EXPECT_NE(error_of({"--header"}).find("--header"), std::string::npos);
}

TEST(Flags, DefaultsStayAndValuesAreTaken) {
  const Parsed few = parse({"--model", "m.gguf"});
  ASSERT_TRUE(few.ok) << few.error;
  EXPECT_EQ(few.options.port, 8080);
  EXPECT_EQ(few.options.host, "127.0.0.1");
  EXPECT_FALSE(few.options.verbose);
  const Parsed all = parse({"--model=a b", "--host", "::", "--port=1", "--seed", "9223372036854775807",
                            "--temperature", "1.5", "--verbose", "--isa", "avx2", "--batch", "1,8,32"});
  ASSERT_TRUE(all.ok) << all.error;
  EXPECT_EQ(all.options.model, "a b");
  EXPECT_EQ(all.options.host, "::");
  EXPECT_EQ(all.options.port, 1);
  EXPECT_EQ(all.options.seed, std::numeric_limits<int64_t>::max());
  EXPECT_EQ(all.options.temperature, 1.5);
  EXPECT_TRUE(all.options.verbose);
  EXPECT_EQ(all.options.isa, "avx2");
  EXPECT_EQ(all.options.batch, (std::vector<int64_t>{1, 8, 32}));
}

TEST(Flags, TellsWhichFlagsAreGiven) {
  Options options;
  FlagTable flags("serve", "Serves.", "hussar serve --model m.gguf");
  declare(&flags, &options);
  ASSERT_TRUE(flags.parse({"--model", "m", "--temperature=0.7", "--verbose"}).ok());
  EXPECT_TRUE(flags.given("--temperature"));  // though it is the default
  EXPECT_TRUE(flags.given("--verbose"));
  EXPECT_FALSE(flags.given("--port"));
}

TEST(Flags, ErrorsNameTheFlagAndWhatIsAllowed) {
  EXPECT_EQ(error_of({"--port", "99999"}), "--port: 99999 is out of range 1 to 65535");
  EXPECT_EQ(error_of({"--port", "-1"}), "--port: -1 is out of range 1 to 65535");
  EXPECT_EQ(error_of({"--port", "99999999999999999999"}),
            "--port: 99999999999999999999 is out of range 1 to 65535");
  EXPECT_EQ(error_of({"--port", "80a"}), "--port: '80a' is not a whole number");
  EXPECT_EQ(error_of({"--port", "1.5"}), "--port: '1.5' is not a whole number");
  EXPECT_EQ(error_of({"--seed", "-3"}), "--seed: -3 is out of range at least 0");
  EXPECT_EQ(error_of({"--temperature", "nan"}), "--temperature: nan is out of range 0 to 2");
  EXPECT_EQ(error_of({"--temperature", "1e999"}), "--temperature: 1e999 is out of range 0 to 2");
  EXPECT_EQ(error_of({"--temperature", "warm"}), "--temperature: 'warm' is not a number");
  EXPECT_EQ(error_of({"--isa", "sse"}), "--isa: 'sse' is not one of auto, avx2");
  EXPECT_EQ(error_of({"--batch", "1,,2"}), "--batch: '' is not a whole number");
  EXPECT_EQ(error_of({"--batch", "1,1000"}), "--batch: 1000 is out of range 1 to 512");
  EXPECT_EQ(error_of({"--verbose=no"}), "--verbose: takes no value");
  EXPECT_EQ(error_of({"--port", "1", "--port", "2"}), "--port: is given more than once");
  EXPECT_EQ(parse({"--model", "m", "--port", "x"}).field, "--port");
}

TEST(Flags, AMissingValueIsNotTakenFromTheNextFlag) {
  EXPECT_EQ(parse({"--model", "--port", "80"}).error, "--model: needs a value (FILE)");
  EXPECT_EQ(parse({"--model"}).error, "--model: needs a value (FILE)");
  EXPECT_EQ(parse({"--model=", "--port", "80"}).error, "--model: needs a value (FILE)");
}

TEST(Flags, UnknownFlagsAndMissingOnesPointToTheHelp) {
  EXPECT_EQ(error_of({"--prot", "80"}), "unknown flag --prot; 'hussar serve --help' lists the flags");
  EXPECT_EQ(error_of({"--prot=80"}), "unknown flag --prot; 'hussar serve --help' lists the flags");
  EXPECT_EQ(error_of({"-p"}), "unknown flag -p; 'hussar serve --help' lists the flags");
  EXPECT_EQ(error_of({"--mod", "x"}), "unknown flag --mod; 'hussar serve --help' lists the flags");
  EXPECT_EQ(error_of({"extra"}), "unexpected word 'extra'; 'hussar serve --help' lists the flags");
  EXPECT_EQ(parse({}).error, "--model: is missing; 'hussar serve --help' lists the flags");
}

TEST(Flags, PositionalsAreTakenAsTheyStand) {
  const Parsed parsed = parse({"[INST]", "--model", "m", "-5", "{}", "", "--", "--port", "--"}, 9);
  ASSERT_TRUE(parsed.ok) << parsed.error;
  EXPECT_EQ(parsed.options.words, (std::vector<std::string>{"[INST]", "-5", "{}", "", "--port", "--"}));
  EXPECT_EQ(parse({"--model", "m", "a", "b"}, 1).error,
            "unexpected word 'b'; 'hussar serve --help' lists the flags");
  EXPECT_EQ(parse({"--model", "[x]"}).options.model, "[x]");
}

TEST(Flags, HelpFitsShowsDefaultsAndEndsWithTheExample) {
  testing::internal::CaptureStdout();
  const Parsed parsed = parse({"--port", "x", "--help"}, 3);
  const std::string text = testing::internal::GetCapturedStdout();
  ASSERT_TRUE(parsed.ok);
  EXPECT_EQ(parsed.outcome, FlagTable::Outcome::kHelpShown);
  for (const char* part :
       {"Usage: hussar serve --model FILE [flags] [TEXT ...]\n", "port to listen on [8080; 1..65535]\n",
        "seed [0; 0..]\n", "address to listen on [127.0.0.1]\n", "file to serve [required]\n",
        "instruction set [auto; auto|avx2]\n", "sequences at once [1; 1..512]\n"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
  EXPECT_TRUE(text.ends_with("Example:\n  hussar serve --model m.gguf\n")) << text;
  size_t begin = 0;
  for (size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    EXPECT_LE(end - begin, 80u) << text.substr(begin, end - begin);
  }
}

}  // namespace
}  // namespace hussar
