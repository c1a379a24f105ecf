// What the checks of the CUDA backend share: counting, and a random model that runs on the CPU and on the
// device side by side.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "kernels/backend.h"

namespace hussar::checks {

// Half a unit in the last place of BF16, relative: what rounding one number can change.
constexpr double kRounding = 0x1p-9;

// Prints a line for each check and remembers what failed.
class Report {
 public:
  // `worst` NaN fails.
  void expect_at_most(const std::string& what, double worst, double limit) {
    const bool good = worst <= limit;
    ++(good ? passed_ : failed_);
    if (!good || worst > worst_) {
      std::printf("%s %s: %.5f, at most %.5f\n", good ? "ok  " : "FAIL", what.c_str(), worst, limit);
      std::fflush(stdout);
    }
    if (good) worst_ = std::fmax(worst, worst_);
  }
  void expect(const std::string& what, bool good) { expect_at_most(what, good ? 0.0 : 1.0, 0.0); }
  // A new group, in which the worst is shown anew.
  void begin(const std::string& group) {
    std::printf("-- %s\n", group.c_str());
    worst_ = -1.0;
  }
  int passed() const { return passed_; }
  int failed() const { return failed_; }

 private:
  int passed_ = 0, failed_ = 0;
  double worst_ = -1.0;
};

[[noreturn]] inline void fail(const std::string& message) {
  std::fprintf(stderr, "cuda_checks: %s\n", message.c_str());
  std::exit(2);
}
template <typename T>
T value_or_fail(Result<T> result) {
  if (!result.ok()) fail(result.error().message);
  return std::move(result).value();
}
inline void ok_or_fail(const Result<void>& result) {
  if (!result.ok()) fail(result.error().message);
}

struct Stored {
  DType dtype;
  int64_t rows, cols;
  std::vector<std::byte> bytes;
  TensorView view() const { return {"random", dtype, rows, cols, bytes}; }
};
// BF16 or F16 matrix of normal numbers, or an F32 vector around `mean`.
Stored random_matrix(DType dtype, int64_t rows, int64_t cols, float scale, std::mt19937& generator);
Stored random_vector(int64_t size, float mean, float scale, std::mt19937& generator);

struct TwinShape {
  std::string name;
  ModelShape shape;
  DType dtype = DType::kBF16;
  bool biased = false, head_norms = false;
};

// The largest error of a row, relative to the row's length.
double worst_row(const std::vector<float>& got, const std::vector<float>& wanted, int64_t width);

// One model on two backends. Every step runs on both; every operation's result is compared.
class Twins {
 public:
  enum class Compare { kEveryOperation, kLogits };

  Twins(const TwinShape& model, const StepLimits& limits, int32_t blocks, uint32_t seed, Report& report);

  struct Piece {
    int32_t slot;
    int32_t rows;
    int32_t logit_rows;
    RowRole role;
  };
  // Appends random tokens to the sequences. kLogits lets the device replay what it has recorded.
  void step(const std::vector<Piece>& pieces, Compare compare, const std::string& what);
  // Forgets a sequence.
  void drop(int32_t slot);

 private:
  struct Side {
    std::unique_ptr<Backend> backend;
    Weight embedding, norm;
    struct Layer {
      AttentionWeights attention;
      Weight output;
      MlpWeights mlp;
    };
    std::vector<Layer> layers;
  };
  struct Sequence {
    int32_t length = 0;
    std::vector<int32_t> blocks;
  };
  using Tap = std::function<void(const char* operation, Activation a)>;

  Side make_side(std::unique_ptr<Backend> backend, const std::vector<Stored>& tensors);
  void run(const Side& side, Backend& backend, const StepShape& step, const Tap& tap) const;

  const TwinShape model_;
  Report& report_;
  std::mt19937 generator_;
  Side cpu_, device_;
  std::map<int32_t, Sequence> sequences_;
  std::vector<int32_t> free_;
};

struct Scope {
  bool quick = false;  // few cases, for a run under a tool that slows everything down
  int32_t ordinal = 0;
  std::string model;  // a file, for the text; empty: random weights
};

void check_operations(const Scope& scope, Report& report);
void check_sampling(const Scope& scope, Report& report);
void check_text(const Scope& scope, Report& report);

}  // namespace hussar::checks
