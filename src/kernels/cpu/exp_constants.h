// The exponential that every ISA computes with the same operations: n = round(x / ln 2), r = x - n ln 2 in
// two parts, exp(r) by a polynomial, n added to the exponent. Plain constants, so that the ISA files may
// include this.
#pragma once

namespace hussar::cpu {

inline constexpr float kExpLow = -86.0f;  // below: 0, since the scaled result would be a denormal number
inline constexpr float kExpHigh = 88.0f;  // above: exp(88), the largest that stays finite
inline constexpr float kLog2E = 0x1.715476p+0f;
inline constexpr float kRoundMagic = 0x1.8p+23f;  // adding it rounds to an integer, left in the low bits
inline constexpr float kLn2High = 0x1.63p-1f;     // few bits, so that its product with n is exact
inline constexpr float kLn2Low = -0x1.bd0106p-13f;
// exp(r) = 1 + r + r^2 (c0 + c1 r + ... + c4 r^4), minimax in relative error (3e-9) on |r| <= ln 2 / 2.
inline constexpr float kExp0 = 0x1.fffffcp-2f;
inline constexpr float kExp1 = 0x1.555492p-3f;
inline constexpr float kExp2 = 0x1.5558f2p-5f;
inline constexpr float kExp3 = 0x1.123a2p-7f;
inline constexpr float kExp4 = 0x1.6a23d4p-10f;

}  // namespace hussar::cpu
