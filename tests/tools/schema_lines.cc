// Puts schemas through the gate and its grammars through the compiler, for the Python oracle: one JSON object
// a line in, {"schema", "texts", "draws", "seed", "any_properties" (when there)}, one a line out: {"refused"}
// or {"checks", "shortest", "rules", "accepts" (a boolean for each text), "draws" (random texts of the
// grammar, or null where one had no end)}. With --grammar, "grammar" too.
#include <cstdio>
#include <ctime>
#include <iostream>
#include <string>

#include "base/check.h"
#include "base/json.h"
#include "grammar/schema_gate.h"
#include "grammar/testing_vocabulary.h"

namespace {

using namespace hussar;

constexpr int kTokensMax = 3000;  // of a random text

bool accepts(const std::shared_ptr<const CompiledGrammar>& grammar, const std::string& text) {
  Result<Matcher> matcher = Matcher::create(grammar);
  CHECK(matcher.ok());
  for (const char c : text) {
    if (!matcher->accept(static_cast<uint8_t>(c)).ok()) return false;
  }
  return matcher->may_end();
}

JsonObject refused(const SchemaRefusal& refusal) {
  const char* code = refusal.code == ErrorCode::kTooLarge  ? "too large"
                     : refusal.code == ErrorCode::kInvalid ? "invalid"
                                                           : "unsupported";
  return {{"refused", JsonObject{{"code", code},
                                 {"keyword", refusal.keyword},
                                 {"path", refusal.path},
                                 {"reason", refusal.reason}}}};
}

JsonObject answer(const Json& line, bool show_grammar,
                  const std::shared_ptr<const GrammarVocabulary>& vocabulary) {
  SchemaGateOptions options;
  if (line.find("any_properties") != nullptr) options.others = OtherProperties::kAnywhere;
  const auto plan_or = plan_schema(*line.find("schema"), options);
  if (const SchemaRefusal* refusal = std::get_if<SchemaRefusal>(&plan_or)) return refused(*refusal);
  const SchemaPlan& plan = std::get<SchemaPlan>(plan_or);
  JsonObject out;
  if (show_grammar) out.emplace_back("grammar", plan.grammar);
  JsonArray checks;
  for (const SchemaCheck& check : plan.checks) checks.push_back(JsonArray{check.keyword, check.path});
  out.emplace_back("checks", std::move(checks));
  out.emplace_back("shortest", plan.shortest);
  out.emplace_back("rules", plan.rules);
  out.emplace_back("expressions", plan.expressions);
  const std::clock_t begin = std::clock();
  const auto grammar = CompiledGrammar::compile({GrammarKind::kEbnf, plan.grammar, {}}, vocabulary);
  if (!grammar.ok()) {
    out.emplace_back("compile_error", grammar.error().message);
    return out;
  }
  out.emplace_back("compile_ms", static_cast<double>(std::clock() - begin) * 1000 / CLOCKS_PER_SEC);
  JsonArray verdicts;
  if (const Json* texts = line.find("texts"); texts != nullptr) {
    for (const Json& text : *texts->as_array()) verdicts.emplace_back(accepts(*grammar, *text.as_string()));
  }
  out.emplace_back("accepts", std::move(verdicts));
  out.emplace_back("accepts_shortest", accepts(*grammar, plan.shortest));
  JsonArray draws;
  const Json* count = line.find("draws");
  const Json* seed = line.find("seed");
  std::mt19937 random(seed == nullptr ? 0 : static_cast<uint32_t>(*seed->as_int()));
  for (int64_t i = 0; count != nullptr && i < *count->as_int(); ++i) {
    const RandomAnswer drawn = random_answer(*grammar, kTokensMax, &random);
    draws.push_back(drawn.ended ? Json(drawn.text) : Json());
  }
  out.emplace_back("draws", std::move(draws));
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  const bool show_grammar = argc > 1 && std::string_view(argv[1]) == "--grammar";
  const std::shared_ptr<const GrammarVocabulary> vocabulary = testing_vocabulary();
  std::string line;
  while (std::getline(std::cin, line)) {
    const Result<Json> json = parse_json(line, JsonLimits{.bytes_max = 64 << 20, .depth_max = 200});
    CHECK_NOTE(json.ok(), "a line is no JSON");
    std::cout << write_json(answer(*json, show_grammar, vocabulary)) << std::endl;
  }
  return 0;
}
