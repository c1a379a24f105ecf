// --weights: what a model's plain numbers are kept as.
#pragma once

#include <string>

#include "base/flags.h"
#include "model/model.h"

namespace hussar {

void add_weights_flag(FlagTable* flags, std::string* value);

// REQUIRES: one of the flag's values.
WeightChoice weight_choice(const std::string& value);

}  // namespace hussar
