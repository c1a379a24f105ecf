// Every operation on odd shapes, device against CPU.
#include <algorithm>

#include "checks.h"

namespace hussar::checks {
namespace {

constexpr uint32_t kSeed = 770031;

ModelShape shape_of(int32_t heads, int32_t kv_heads, int32_t head_dim, RopeStyle style) {
  ModelShape s;
  s.layers = 2;
  s.hidden = 160;
  s.heads = heads;
  s.kv_heads = kv_heads;
  s.head_dim = head_dim;
  s.mlp_width = 224;
  s.vocab_size = 517;
  s.rope.style = style;
  s.rope.dims = head_dim;
  s.rope.base = 10000.0;
  return s;
}

std::vector<TwinShape> shapes(const Scope& scope) {
  std::vector<TwinShape> all;
  all.push_back({"14/2 x 64", shape_of(14, 2, 64, RopeStyle::kHalves), DType::kBF16, true, false});
  if (scope.quick) return all;
  all.push_back({"9/3 x 64", shape_of(9, 3, 64, RopeStyle::kInterleaved), DType::kBF16, false, false});
  all.push_back({"32/8 x 128", shape_of(32, 8, 128, RopeStyle::kHalves), DType::kBF16, false, true});
  all.push_back({"9/3 x 64 F16", shape_of(9, 3, 64, RopeStyle::kHalves), DType::kF16, true, false});
  // More heads than a tile has rows, and a head that is rotated in part.
  TwinShape wide{"20/1 x 128", shape_of(20, 1, 128, RopeStyle::kHalves), DType::kBF16, false, false};
  wide.shape.rope.dims = 96;
  all.push_back(wide);
  TwinShape real{"qwen2.5-0.5b", shape_of(14, 2, 64, RopeStyle::kHalves), DType::kBF16, true, false};
  real.shape.layers = 1;
  real.shape.hidden = 896;
  real.shape.mlp_width = 4864;
  real.shape.vocab_size = 5003;
  all.push_back(real);
  return all;
}

using Piece = Twins::Piece;

// Prompts that end around borders of blocks, tiles and splits, then tokens behind them, then both at once.
void check_borders(const TwinShape& model, const Scope& scope, Report& report) {
  const std::vector<int32_t> lengths =
      scope.quick ? std::vector<int32_t>{1, 33, 257}
                  : std::vector<int32_t>{1,   2,   15,  31,  32,  33,  63,  64,  65,  127,
                                         128, 129, 191, 255, 256, 257, 300, 511, 512, 513};
  StepLimits limits{.rows_max = 4096, .parts_max = 32, .logit_rows_max = 4096, .context_max = 1024};
  Twins twins(model, limits, 32 * 32, kSeed, report);
  std::vector<Piece> prompts, tokens;
  for (size_t i = 0; i < lengths.size(); i++) {
    const auto slot = static_cast<int32_t>(i);
    prompts.push_back({slot, lengths[i], std::min(lengths[i], 3), RowRole::kPrompt});
    tokens.push_back({slot, 1, 1, RowRole::kGenerated});
  }
  twins.step(prompts, Twins::Compare::kEveryOperation, "prompts around borders");
  twins.step(tokens, Twins::Compare::kLogits, "tokens behind them, recorded");
  tokens.front().logit_rows = 0;  // so that it isn't a recorded step
  twins.step(tokens, Twins::Compare::kEveryOperation, "tokens behind them");
  std::vector<Piece> mixed(tokens.begin() + 1,
                           tokens.begin() + static_cast<ptrdiff_t>(tokens.size()) / 2 + 1);
  for (size_t i = mixed.size() + 1; i < lengths.size(); i++)
    mixed.push_back({static_cast<int32_t>(i), 37, 1, RowRole::kPrompt});
  twins.step(mixed, Twins::Compare::kEveryOperation, "tokens and pieces of prompts together");
}

void check_batches(const TwinShape& model, const Scope& scope, Report& report) {
  const int32_t slots = scope.quick ? 17 : 257;
  StepLimits limits{.rows_max = 2048, .parts_max = slots, .logit_rows_max = slots, .context_max = 320};
  Twins twins(model, limits, slots * 2 + 16, kSeed + 1, report);
  std::vector<Piece> prompts, tokens;
  for (int32_t slot = 0; slot < slots; slot++) {
    prompts.push_back({slot, slot % 7 + 1, 0, RowRole::kPrompt});
    tokens.push_back({slot, 1, 1, RowRole::kGenerated});
  }
  prompts.back() = {slots - 1, 260, 0, RowRole::kPrompt};  // one that is longer than a split
  twins.step(prompts, Twins::Compare::kLogits, "short prompts");
  for (int32_t batch : {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 129, 255, 256, 257}) {
    if (batch > slots) continue;
    // The last ones, so that the long one is among them.
    const std::vector<Piece> some(tokens.end() - batch, tokens.end());
    twins.step(some, Twins::Compare::kLogits, "batch of " + std::to_string(batch) + ", recorded");
    if (batch % 2 == 0) continue;
    std::vector<Piece> silent = some;
    silent.back().logit_rows = 0;
    twins.step(silent, Twins::Compare::kEveryOperation, "batch of " + std::to_string(batch));
  }
}

void check_long_context(const TwinShape& model, Report& report) {
  constexpr int32_t kContext = 8193;
  StepLimits limits{.rows_max = 2730, .parts_max = 2, .logit_rows_max = 4, .context_max = kContext + 8};
  Twins twins(model, limits, 2 * 260, kSeed + 2, report);
  for (int32_t begin = 0; begin < 8190; begin += 2730)
    twins.step({{0, 2730, 1, RowRole::kPrompt}}, Twins::Compare::kEveryOperation,
               "prompt up to " + std::to_string(begin + 2730));
  for (int32_t position = 8190; position < kContext; position++)
    twins.step({{0, 1, 1, RowRole::kGenerated}}, Twins::Compare::kLogits,
               "position " + std::to_string(position));
  twins.step({{0, 1, 0, RowRole::kGenerated}}, Twins::Compare::kEveryOperation, "position 8193");
}

}  // namespace

void check_operations(const Scope& scope, Report& report) {
  for (const TwinShape& model : shapes(scope)) {
    report.begin(model.name);
    check_borders(model, scope, report);
    check_batches(model, scope, report);
    if (!scope.quick && model.shape.hidden < 512 && model.dtype == DType::kBF16)
      check_long_context(model, report);
  }
}

}  // namespace hussar::checks
