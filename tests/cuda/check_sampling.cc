// Sampling, device against CPU, on logits that both compute exactly: hidden states of +1 and -1, weights that
// are multiples of 1/16.
#include <algorithm>
#include <cstring>
#include <limits>

#include "checks.h"
#include "kernels/cpu/float16.h"

namespace hussar::checks {
namespace {

constexpr uint32_t kSeed = 5150;
constexpr int32_t kSlots = 48;

struct Side {
  std::unique_ptr<Backend> backend;
  Weight table, head, norm;
};

struct Tables {
  Stored table, head, norm;
};

Tables exact_tables(const ModelShape& s, std::mt19937& generator) {
  Tables t{random_matrix(DType::kBF16, s.vocab_size, s.hidden, 1.0f, generator),
           random_matrix(DType::kBF16, s.vocab_size, s.hidden, 1.0f, generator),
           random_vector(s.hidden, 1.0f, 0.0f, generator)};
  const auto put = [](Stored* stored, auto value) {
    for (size_t at = 0; at < stored->bytes.size(); at += 2) {
      const uint16_t half = cpu::f32_to_bf16(value());
      std::memcpy(stored->bytes.data() + at, &half, sizeof(half));
    }
  };
  put(&t.table, [&] { return generator() % 2 == 0 ? 1.0f : -1.0f; });
  put(&t.head, [&] { return static_cast<float>(static_cast<int32_t>(generator() % 17) - 8) / 16.0f; });
  return t;
}

// A row's wishes that live as long as the step.
struct Wishes {
  std::vector<uint32_t> mask;
  std::vector<TokenBias> bias;
};

SampleRow random_row(int32_t slot, int32_t position, int32_t vocab, std::mt19937& generator, Wishes* wishes) {
  const auto one_of = [&](auto... values) {
    const std::vector choices{values...};
    return choices[generator() % choices.size()];
  };
  SampleRow row;
  row.logit_row = slot;
  row.slot = slot;
  row.position = position;
  row.seed = generator();
  row.params.temperature = one_of(0.0f, 0.6f, 1.0f, 1.7f);
  row.params.top_k = one_of(0, 0, 1, 5, 40, 1000);
  row.params.top_p = one_of(1.0f, 1.0f, 0.95f, 0.5f, 0.05f);
  row.params.min_p = one_of(0.0f, 0.0f, 0.02f, 0.3f);
  row.params.repetition_penalty = one_of(1.0f, 1.0f, 1.3f);
  row.params.presence_penalty = one_of(0.0f, 0.0f, 0.7f);
  row.params.frequency_penalty = one_of(0.0f, 0.0f, 0.4f);
  row.logprobs_top = one_of(-1, 0, 5, 20);
  if (generator() % 4 == 0) {
    wishes->mask.resize(static_cast<size_t>((vocab + 31) / 32));
    const bool none = generator() % 16 == 0;
    for (uint32_t& word : wishes->mask) word = none ? 0 : generator() & generator();
    row.allow_mask = wishes->mask.data();
  }
  if (generator() % 4 == 0) {
    for (int32_t i = 0; i < 20; i++) {
      const float bias = i == 0 ? -std::numeric_limits<float>::infinity() : static_cast<float>(i % 5) - 2.0f;
      wishes->bias.push_back(
          {static_cast<TokenId>((generator() % static_cast<uint32_t>(vocab / 20)) * 20 + i) % vocab, bias});
    }
    row.bias = wishes->bias;
  }
  return row;
}

std::string text_of(const SampleRow& row) {
  const SampleParams& p = row.params;
  char text[200];
  std::snprintf(text, sizeof(text), "t %g k %d p %g m %g r %g/%g/%g mask %d bias %zu top %d",
                static_cast<double>(p.temperature), p.top_k, static_cast<double>(p.top_p),
                static_cast<double>(p.min_p), static_cast<double>(p.repetition_penalty),
                static_cast<double>(p.presence_penalty), static_cast<double>(p.frequency_penalty),
                row.allow_mask != nullptr, row.bias.size(), row.logprobs_top);
  return text;
}

void compare(const SampledToken& wanted, const SampledToken& got, const SampleRow& row,
             const std::string& what, Report& report) {
  const std::string name = what + ", " + text_of(row);
  report.expect(name + ", token " + std::to_string(wanted.token) + ", not " + std::to_string(got.token),
                wanted.token == got.token);
  if (row.logprobs_top < 0 || wanted.token < 0 || got.token != wanted.token) return;
  constexpr double kLogprobError = 2e-5;
  report.expect_at_most(name + ", logprob",
                        std::fabs(static_cast<double>(wanted.logprob) - static_cast<double>(got.logprob)),
                        kLogprobError);
  report.expect(name + ", likeliest", wanted.top.size() == got.top.size());
  for (size_t i = 0; i < std::min(wanted.top.size(), got.top.size()); i++) {
    report.expect(name + ", likeliest " + std::to_string(i), wanted.top[i].token == got.top[i].token);
    report.expect_at_most(
        name + ", its logprob",
        std::fabs(static_cast<double>(wanted.top[i].logprob) - static_cast<double>(got.top[i].logprob)),
        kLogprobError);
  }
}

void check_vocabulary(int32_t vocab, int32_t steps, Report& report) {
  std::mt19937 generator(kSeed + static_cast<uint32_t>(vocab));
  ModelShape s;
  s.layers = s.heads = s.kv_heads = 1;
  s.head_dim = s.hidden = s.mlp_width = 64;
  s.vocab_size = vocab;
  s.norm_epsilon = 0.0f;
  s.rope.dims = 64;
  const Tables tables = exact_tables(s, generator);
  const StepLimits limits{
      .rows_max = kSlots, .parts_max = kSlots, .logit_rows_max = kSlots, .context_max = 512};
  Side sides[2];
  sides[0].backend = value_or_fail(make_cpu_backend({}));
  sides[1].backend = value_or_fail(make_cuda_backend({}));
  for (Side& side : sides) {
    side.table = value_or_fail(side.backend->prepare_weight(tables.table.view(), WeightUse::kEmbedding));
    side.head = value_or_fail(side.backend->prepare_weight(tables.head.view(), WeightUse::kLinear));
    side.norm = value_or_fail(side.backend->prepare_weight(tables.norm.view(), WeightUse::kVector));
    ok_or_fail(side.backend->reserve(s, {KvType::kBF16, kSlots}, limits));
  }
  for (int32_t slot = 0; slot < kSlots; slot++) {
    std::vector<TokenId> prompt(generator() % 40);
    for (TokenId& token : prompt) token = static_cast<TokenId>(generator() % static_cast<uint32_t>(vocab));
    for (const Side& side : sides) side.backend->begin_sequence(slot, prompt);
  }
  for (int32_t step = 0; step < steps; step++) {
    std::vector<TokenId> tokens;
    std::vector<BatchPart> parts;
    std::vector<int32_t> blocks(kSlots);
    for (int32_t slot = 0; slot < kSlots; slot++) {
      blocks[static_cast<size_t>(slot)] = slot;
      tokens.push_back(static_cast<TokenId>(generator() % static_cast<uint32_t>(vocab)));
    }
    for (int32_t slot = 0; slot < kSlots; slot++)
      parts.push_back(
          {slot, 0, 1, 1, RowRole::kGenerated, std::span(blocks).subspan(static_cast<size_t>(slot), 1)});
    for (const Side& side : sides) {
      side.backend->forward({tokens, parts}, [&](Backend& backend, const StepShape&) {
        backend.embed(side.table, Activation::kHidden);
        backend.logits(Activation::kHidden, side.norm, side.head);
      });
    }
    std::vector<float> logits[2] = {std::vector<float>(static_cast<size_t>(vocab)),
                                    std::vector<float>(static_cast<size_t>(vocab))};
    for (int i = 0; i < 2; i++) ok_or_fail(sides[i].backend->read_logits(step % kSlots, logits[i]));
    report.expect("logits are the same bits", logits[0] == logits[1]);
    // The second time anew: what the first has counted is taken back.
    for (int32_t time = 0; time < (step % 3 == 0 ? 2 : 1); time++) {
      std::vector<Wishes> wishes(kSlots);
      std::vector<SampleRow> rows;
      for (int32_t slot = 0; slot < kSlots; slot++)
        rows.push_back(random_row(slot, step, vocab, generator, &wishes[static_cast<size_t>(slot)]));
      // Two rows of one slot see each other's tokens.
      rows[5].slot = rows[9].slot = 7;
      for (const Side& side : sides) side.backend->sample(rows);
      const StepOutput wanted = value_or_fail(sides[0].backend->finish_step());
      const StepOutput got = value_or_fail(sides[1].backend->finish_step());
      for (size_t i = 0; i < rows.size(); i++) {
        compare(wanted.rows[i], got.rows[i], rows[i],
                "vocabulary " + std::to_string(vocab) + ", step " + std::to_string(step), report);
      }
    }
  }
}

}  // namespace

void check_sampling(const Scope& scope, Report& report) {
  report.begin("sampling");
  check_vocabulary(517, scope.quick ? 2 : 30, report);
  if (scope.quick) return;
  check_vocabulary(49152, 20, report);
  check_vocabulary(151936, 20, report);
}

}  // namespace hussar::checks
