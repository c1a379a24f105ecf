#include "server/answer_writer.h"

#include <random>

namespace hussar {

std::string random_id(std::string_view prefix) {
  static constexpr char kAlphabet[] = "0123456789abcdef";
  std::random_device device;
  std::string id(prefix);
  for (int word = 0; word < 4; ++word) {
    uint32_t bits = device();
    for (int digit = 0; digit < 6; ++digit, bits >>= 4) id += kAlphabet[bits & 15];
  }
  return id;
}

}  // namespace hussar
