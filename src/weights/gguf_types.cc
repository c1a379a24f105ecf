#include "weights/gguf_types.h"

#include <string_view>

namespace hussar {
namespace {

struct TypeNumber {
  uint32_t number;
  DType dtype;
};
constexpr TypeNumber kTensorTypes[] = {
    {0, DType::kF32},   {1, DType::kF16},   {2, DType::kQ4_0},  {3, DType::kQ4_1},
    {6, DType::kQ5_0},  {7, DType::kQ5_1},  {8, DType::kQ8_0},  {12, DType::kQ4_K},
    {13, DType::kQ5_K}, {14, DType::kQ6_K}, {30, DType::kBF16},
};

// Types that others write and this build does not read, so that an error can name them.
struct TypeName {
  uint32_t number;
  std::string_view name;
};
constexpr TypeName kUnsupportedTensorTypes[] = {
    {9, "Q8_1"},     {10, "Q2_K"},  {11, "Q3_K"},   {15, "Q8_K"},  {16, "IQ2_XXS"}, {17, "IQ2_XS"},
    {18, "IQ3_XXS"}, {19, "IQ1_S"}, {20, "IQ4_NL"}, {21, "IQ3_S"}, {22, "IQ2_S"},   {23, "IQ4_XS"},
    {24, "I8"},      {25, "I16"},   {26, "I32"},    {27, "I64"},   {28, "F64"},     {29, "IQ1_M"},
    {34, "TQ1_0"},   {35, "TQ2_0"}, {39, "MXFP4"},
};

}  // namespace

std::optional<DType> dtype_of_type_number(uint32_t number) {
  for (const TypeNumber& type : kTensorTypes) {
    if (type.number == number) return type.dtype;
  }
  return std::nullopt;
}

std::string tensor_type_text(uint32_t number) {
  for (const TypeName& type : kUnsupportedTensorTypes) {
    if (type.number == number) return std::string(type.name);
  }
  return "number " + std::to_string(number);
}

}  // namespace hussar
