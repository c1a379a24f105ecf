#include "cli/weights_flag.h"

#include "base/check.h"

namespace hussar {

void add_weights_flag(FlagTable* flags, std::string* value) {
  flags->add_choice("--weights", value, {"auto", "bf16", "w8", "w4"},
                    "keep F32, F16 and BF16 matrices as BF16 or in 8 or 4 bits; auto: as they are");
}

WeightChoice weight_choice(const std::string& value) {
  if (value == "auto") return WeightChoice::kAsStored;
  if (value == "bf16") return WeightChoice::kBF16;
  if (value == "w8") return WeightChoice::kW8;
  CHECK(value == "w4");
  return WeightChoice::kW4;
}

}  // namespace hussar
