#include "kernels/cpu/packed_matrix.h"

#include <emmintrin.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "base/check.h"
#include "kernels/cpu/float16.h"
#include "kernels/cpu/linear.h"
#include "kernels/cpu/quantize.h"

namespace hussar::cpu {
namespace {

constexpr int64_t kHugePageBytes = 2 << 20;

bool is_super(DType dtype) { return dtype == DType::kQ4_K || dtype == DType::kQ5_K || dtype == DType::kQ6_K; }
bool has_fifth_bits(DType dtype) {
  return dtype == DType::kQ5_0 || dtype == DType::kQ5_1 || dtype == DType::kQ5_K;
}
bool has_min(DType dtype) { return dtype == DType::kQ4_1 || dtype == DType::kQ5_1; }

void write_u16(uint8_t* at, uint16_t value) { std::memcpy(at, &value, sizeof(value)); }
uint16_t read_u16(const uint8_t* at) {
  uint16_t value = 0;
  std::memcpy(&value, at, sizeof(value));
  return value;
}

// Where the parts of one 32-column block lie inside a panel.
template <typename Byte>
struct BlockPlaces {
  Byte* quants;  // nibbles, or bytes for Q8_0
  Byte* more;    // fifth bits, or bits 4 and 5
  Byte* scale;   // f16, of the lane 0
  Byte* min;     // f16, of the lane 0
  Byte* scales;  // a byte a lane (Q4_K, Q5_K), or two (Q6_K)
  Byte* mins;
};

template <typename Byte>
BlockPlaces<Byte> find_block(DType dtype, Byte* panel, int64_t index) {
  const PanelLayout layout = panel_layout(dtype);
  BlockPlaces<Byte> places{};
  const int32_t quant_bytes = (dtype == DType::kQ8_0 ? 32 : 16) * kPanelRows;
  if (!is_super(dtype)) {
    places.quants = panel + index * layout.block_bytes;
    places.more = places.quants + quant_bytes;
    places.scale = places.more + (has_fifth_bits(dtype) ? 4 * kPanelRows : 0);
    places.min = places.scale + 2 * kPanelRows;
    return places;
  }
  const int64_t sub_block = index % 8;
  Byte* super = panel + index / 8 * (layout.superblock_bytes + 8 * layout.block_bytes);
  places.quants = super + layout.superblock_bytes + sub_block * layout.block_bytes;
  places.more = places.quants + quant_bytes;
  places.scale = super;
  if (dtype == DType::kQ6_K) {
    places.scales = super + 2 * kPanelRows + sub_block * 2 * kPanelRows;
  } else {
    places.min = super + 2 * kPanelRows;
    places.scales = super + 4 * kPanelRows + sub_block * kPanelRows;
    places.mins = places.scales + 8 * kPanelRows;
  }
  return places;
}

// REQUIRES: zeroes in `more`.
void write_quants(DType dtype, int32_t lane, const int16_t* q, uint8_t* quants, uint8_t* more) {
  constexpr int32_t kVector = 4 * kPanelRows;
  quants += 4 * lane;
  more += 4 * lane;
  if (dtype == DType::kQ8_0) {
    for (int32_t k = 0; k < kBlockColumns; k++) quants[k / 4 * kVector + k % 4] = static_cast<uint8_t>(q[k]);
    return;
  }
  for (int32_t k = 0; k < 16; k++) {
    quants[k / 4 * kVector + k % 4] = static_cast<uint8_t>((q[k] & 15) | (q[k + 16] & 15) << 4);
  }
  if (has_fifth_bits(dtype)) {
    for (int32_t k = 0; k < kBlockColumns; k++) more[k % 4] |= static_cast<uint8_t>(q[k] >> 4 << k / 4);
  }
  if (dtype == DType::kQ6_K) {
    for (int32_t k = 0; k < kBlockColumns; k++) {
      more[k / 16 * kVector + k % 4] |= static_cast<uint8_t>(q[k] >> 4 << k / 4 % 4 * 2);
    }
  }
}

void read_quants(DType dtype, int32_t lane, const uint8_t* quants, const uint8_t* more, int16_t* q) {
  for (int32_t k = 0; k < kBlockColumns; k++) {
    const int32_t group = k / 4, at = 4 * lane + k % 4;
    if (dtype == DType::kQ8_0) {
      q[k] = static_cast<int8_t>(quants[4 * kPanelRows * group + at]);
      continue;
    }
    int32_t high = 0;
    if (has_fifth_bits(dtype)) high = more[at] >> group & 1;
    if (dtype == DType::kQ6_K) high = more[4 * kPanelRows * (group / 4) + at] >> (group % 4 * 2) & 3;
    const int32_t low = quants[4 * kPanelRows * (group % 4) + at] >> (group / 4 * 4) & 15;
    q[k] = static_cast<int16_t>(low | high << 4);
  }
}

void write_packed_block(DType dtype, int32_t lane, int64_t index, const StoredBlock& block, uint8_t* panel) {
  const BlockPlaces<uint8_t> places = find_block(dtype, panel, index);
  write_quants(dtype, lane, block.q, places.quants, places.more);
  write_u16(places.scale + 2 * lane, block.scale);
  if (has_min(dtype) || places.mins != nullptr) write_u16(places.min + 2 * lane, block.min);
  if (places.mins != nullptr) {
    places.scales[lane] = static_cast<uint8_t>(block.scales[0]);
    places.mins[lane] = static_cast<uint8_t>(block.mins);
  } else if (places.scales != nullptr) {
    for (int32_t i = 0; i < 2; i++) places.scales[2 * lane + i] = static_cast<uint8_t>(block.scales[i]);
  }
}

// The rows of a tensor that one panel takes, as they are stored.
struct PanelRows {
  std::array<const std::byte*, kPanelRows> at;
  int32_t count;
};

// Where row `row` of the packed matrix stands in the tensor.
int64_t stored_row(const TensorView& tensor, int64_t row) {
  const int64_t head_dim = tensor.interleaved_head_dim;
  if (head_dim == 0) return row;
  const int64_t in_head = row % head_dim;
  return row - in_head + in_head / 2 + in_head % 2 * (head_dim / 2);
}

PanelRows find_rows(const TensorView& tensor, int64_t first_row) {
  const DTypeInfo& info = dtype_info(tensor.dtype);
  const int64_t row_bytes = tensor.cols / info.block_elements * info.block_bytes;
  PanelRows rows{};
  rows.count = static_cast<int32_t>(std::min<int64_t>(kPanelRows, tensor.rows - first_row));
  for (int32_t lane = 0; lane < rows.count; lane++) {
    rows.at[static_cast<size_t>(lane)] =
        tensor.bytes.data() + stored_row(tensor, first_row + lane) * row_bytes;
  }
  return rows;
}

// Rows of plain numbers. Column by column from `first_col` on, so that the panel is written in order.
template <typename Number>
void pack_numbers(const PanelRows& rows, int64_t first_col, int64_t cols, uint8_t* panel) {
  panel += first_col * kPanelRows * static_cast<int64_t>(sizeof(Number));
  for (int64_t k = first_col; k < cols; k++, panel += kPanelRows * sizeof(Number)) {
    for (int32_t lane = 0; lane < rows.count; lane++) {
      std::memcpy(panel + lane * sizeof(Number),
                  rows.at[static_cast<size_t>(lane)] + k * static_cast<int64_t>(sizeof(Number)),
                  sizeof(Number));
    }
  }
}

// 8 rows of 8 16-bit numbers, transposed: 8 columns, each on the 16 bytes of one lane half.
void transpose_8x8(const std::byte* const* rows, int64_t offset_bytes, uint8_t* panel) {
  __m128i r[8], t[8];
  for (int32_t i = 0; i < 8; i++)
    r[i] = _mm_loadu_si128(reinterpret_cast<const __m128i*>(rows[i] + offset_bytes));
  for (int32_t i = 0; i < 4; i++) {
    t[2 * i] = _mm_unpacklo_epi16(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm_unpackhi_epi16(r[2 * i], r[2 * i + 1]);
  }
  // Pairs of rows, then fours, then eight: each step doubles how many rows of a column stand together.
  const __m128i u[8] = {_mm_unpacklo_epi32(t[0], t[2]), _mm_unpackhi_epi32(t[0], t[2]),
                        _mm_unpacklo_epi32(t[1], t[3]), _mm_unpackhi_epi32(t[1], t[3]),
                        _mm_unpacklo_epi32(t[4], t[6]), _mm_unpackhi_epi32(t[4], t[6]),
                        _mm_unpacklo_epi32(t[5], t[7]), _mm_unpackhi_epi32(t[5], t[7])};
  for (int32_t i = 0; i < 4; i++) {
    uint8_t* column = panel + 2 * i * 2 * kPanelRows;
    _mm_storeu_si128(reinterpret_cast<__m128i*>(column), _mm_unpacklo_epi64(u[i], u[i + 4]));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(column + 2 * kPanelRows), _mm_unpackhi_epi64(u[i], u[i + 4]));
  }
}

// As pack_numbers<uint16_t>, at the speed of the memory where all rows are there.
void pack_halves(const PanelRows& rows, int64_t cols, uint8_t* panel) {
  int64_t k = 0;
  if (rows.count == kPanelRows) {
    for (; k + 8 <= cols; k += 8) {
      uint8_t* columns = panel + k * 2 * kPanelRows;
      transpose_8x8(rows.at.data(), 2 * k, columns);
      transpose_8x8(rows.at.data() + 8, 2 * k, columns + 16);
    }
  }
  pack_numbers<uint16_t>(rows, k, cols, panel);
}

// Plain numbers to another format, row by row; `row` has room for one.
void convert_rows(const TensorView& tensor, const PanelRows& rows, std::vector<float>* row, uint8_t* panel) {
  StoredBlock block;
  for (int32_t lane = 0; lane < rows.count; lane++) {
    dequantize(tensor.dtype, rows.at[static_cast<size_t>(lane)], tensor.cols, row->data());
    if (*tensor.kept_as == DType::kBF16) {
      for (int64_t k = 0; k < tensor.cols; k++) {
        write_u16(panel + (k * kPanelRows + lane) * 2, f32_to_bf16((*row)[static_cast<size_t>(k)]));
      }
      continue;
    }
    for (int64_t i = 0; i < tensor.cols / kBlockColumns; i++) {
      quantize_block(*tensor.kept_as, row->data() + i * kBlockColumns, &block);
      write_packed_block(*tensor.kept_as, lane, i, block, panel);
    }
  }
}

// Fills one panel; rows that the tensor lacks stay zero. `row` has room for one row of floats where numbers
// are converted.
void pack_panel(const TensorView& tensor, int64_t first_row, int64_t panel_bytes, std::vector<float>* row,
                uint8_t* panel) {
  const PanelRows rows = find_rows(tensor, first_row);
  const bool halves = dtype_info(tensor.dtype).block_bytes == 2 && !tensor.kept_as;
  // All that has no gaps is written anyhow.
  const bool full = rows.count == kPanelRows && tensor.cols * 2 * kPanelRows == panel_bytes;
  if (!halves || !full) std::memset(panel, 0, static_cast<size_t>(panel_bytes));
  if (tensor.kept_as) return convert_rows(tensor, rows, row, panel);
  if (halves) return pack_halves(rows, tensor.cols, panel);
  if (tensor.dtype == DType::kF32) return pack_numbers<uint32_t>(rows, 0, tensor.cols, panel);
  StoredBlock block;
  for (int32_t lane = 0; lane < rows.count; lane++) {
    for (int64_t i = 0; i < tensor.cols / kBlockColumns; i++) {
      read_stored_block(tensor.dtype, rows.at[static_cast<size_t>(lane)], i, &block);
      write_packed_block(tensor.dtype, lane, i, block, panel);
    }
  }
}

Result<void> check_tensor(const TensorView& tensor) {
  const DTypeInfo& info = dtype_info(tensor.dtype);
  const std::string name(tensor.name);
  constexpr int64_t kMax = std::numeric_limits<int32_t>::max() - 64;
  if (tensor.rows < 1 || tensor.cols < 1 || tensor.rows > kMax || tensor.cols > kMax) {
    return Error{ErrorCode::kUnsupported,
                 "tensor " + name + " has a shape of " + std::to_string(tensor.rows) + " x " +
                     std::to_string(tensor.cols),
                 name};
  }
  if (tensor.kept_as) {
    CHECK(info.block_elements == 1 && (*tensor.kept_as == DType::kBF16 || can_quantize_to(*tensor.kept_as)));
  }
  const int32_t head_dim = tensor.interleaved_head_dim;
  CHECK(head_dim == 0 || (head_dim > 0 && head_dim % 2 == 0 && tensor.rows % head_dim == 0));
  for (const DTypeInfo& format : {info, dtype_info(tensor.kept_as.value_or(tensor.dtype))}) {
    if (tensor.cols % format.block_elements == 0) continue;
    return Error{ErrorCode::kUnsupported,
                 "tensor " + name + " has rows of " + std::to_string(tensor.cols) +
                     " numbers, not a multiple of " + std::string(format.name) + "'s " +
                     std::to_string(format.block_elements),
                 name};
  }
  const auto row_bytes = static_cast<uint64_t>(tensor.cols / info.block_elements * info.block_bytes);
  const uint64_t bytes = tensor.bytes.size();  // divided, because rows * row_bytes could overflow
  if (bytes % row_bytes != 0 || bytes / row_bytes != static_cast<uint64_t>(tensor.rows)) {
    return Error{ErrorCode::kInvalid,
                 "tensor " + name + " has " + std::to_string(bytes) +
                     " bytes, which doesn't fit its shape of " + std::to_string(tensor.rows) + " x " +
                     std::to_string(tensor.cols),
                 name};
  }
  return {};
}

int64_t panel_size(DType dtype, int64_t cols) {
  const PanelLayout layout = panel_layout(dtype);
  int64_t bytes = 0;
  if (dtype_info(dtype).block_elements == 1) {
    bytes = cols * layout.block_bytes;
  } else {
    bytes = cols / kBlockColumns * layout.block_bytes + cols / kSuperblockColumns * layout.superblock_bytes;
  }
  return (bytes + 63) / 64 * 64;
}

}  // namespace

PanelLayout panel_layout(DType dtype) {
  const int32_t nibbles = 16 * kPanelRows, halves = 2 * kPanelRows;
  switch (dtype) {
    case DType::kF32:
      return {4 * kPanelRows, 0};
    case DType::kF16:
    case DType::kBF16:
      return {2 * kPanelRows, 0};
    case DType::kQ4_0:
      return {nibbles + halves, 0};
    case DType::kQ4_1:
      return {nibbles + 2 * halves, 0};
    case DType::kQ5_0:
      return {nibbles + 4 * kPanelRows + halves, 0};
    case DType::kQ5_1:
      return {nibbles + 4 * kPanelRows + 2 * halves, 0};
    case DType::kQ8_0:
      return {2 * nibbles + halves, 0};
    case DType::kQ4_K:
      return {nibbles, 2 * halves + 16 * kPanelRows};
    case DType::kQ5_K:
      return {nibbles + 4 * kPanelRows, 2 * halves + 16 * kPanelRows};
    case DType::kQ6_K:
      return {nibbles + 8 * kPanelRows, halves + 16 * kPanelRows};
  }
  CHECK_NOTE(false, "no such format");
}

Result<PackedMatrix> PackedMatrix::pack(const TensorView& tensor, ThreadTeam& team) {
  RETURN_IF_ERROR(check_tensor(tensor));
  const int64_t panels = (tensor.rows + kPanelRows - 1) / kPanelRows;
  PackedMatrix matrix;
  const DType kept_as = tensor.kept_as.value_or(tensor.dtype);
  const int64_t panel_bytes = panel_size(kept_as, tensor.cols);
  matrix.bytes_ = panels * panel_bytes;
  const int64_t alignment = matrix.bytes_ >= kHugePageBytes ? kHugePageBytes : 64;
  void* allocated = nullptr;
  if (posix_memalign(&allocated, static_cast<size_t>(alignment), static_cast<size_t>(matrix.bytes_)) != 0) {
    return Error{
        ErrorCode::kOutOfMemory,
        "no memory for tensor " + std::string(tensor.name) + " (" + std::to_string(matrix.bytes_) + " bytes)",
        std::string(tensor.name)};
  }
  matrix.memory_.reset(static_cast<uint8_t*>(allocated));
  // Fewer pages mean fewer TLB misses while a product streams through them; it is only a hint. Whole pages
  // alone: the rest of a last one would be resident for nothing.
  const int64_t huge_bytes = matrix.bytes_ / kHugePageBytes * kHugePageBytes;
  if (huge_bytes > 0) madvise(allocated, static_cast<size_t>(huge_bytes), MADV_HUGEPAGE);
  uint8_t* const memory = matrix.memory_.get();
  // Who reads a panel touches it first, so that it lies in its own node's memory where there are several.
  team.run([&](int32_t member) {
    const Range own = panel_share(tensor.rows, member, team.size());
    std::vector<float> row(tensor.kept_as ? static_cast<size_t>(tensor.cols) : 0);
    for (int64_t i = own.begin; i < own.end; i++)
      pack_panel(tensor, i * kPanelRows, panel_bytes, &row, memory + i * panel_bytes);
  });
  matrix.view_ = {memory, panel_bytes, static_cast<int32_t>(tensor.rows), static_cast<int32_t>(tensor.cols),
                  kept_as};
  return matrix;
}

void PackedMatrix::Free::operator()(uint8_t* memory) const { std::free(memory); }

void PackedMatrix::dequantize_row(int32_t row, float* out) const {
  DCHECK(row >= 0 && row < view_.rows);
  const int32_t element_bytes = dtype_info(view_.dtype).block_bytes;
  if (dtype_info(view_.dtype).block_elements == 1) {
    const uint8_t* first =
        view_.panels + row / kPanelRows * view_.panel_bytes + row % kPanelRows * element_bytes;
    for (int64_t k = 0; k < view_.cols; k++) {
      const auto* at = reinterpret_cast<const std::byte*>(first + k * kPanelRows * element_bytes);
      dequantize(view_.dtype, at, 1, out + k);
    }
    return;
  }
  StoredBlock block;
  for (int64_t i = 0; i < view_.cols / kBlockColumns; i++) {
    read_packed_block(view_, row, i, &block);
    block_values(view_.dtype, block, out + i * kBlockColumns);
  }
}

void read_packed_block(const MatrixView& matrix, int32_t row, int64_t index, StoredBlock* out) {
  const int32_t lane = row % kPanelRows;
  const uint8_t* panel = matrix.panels + row / kPanelRows * matrix.panel_bytes;
  const BlockPlaces<const uint8_t> places = find_block(matrix.dtype, panel, index);
  read_quants(matrix.dtype, lane, places.quants, places.more, out->q);
  out->scale = read_u16(places.scale + 2 * lane);
  out->min = 0;
  out->scales[0] = out->scales[1] = out->mins = 0;
  if (has_min(matrix.dtype) || places.mins != nullptr) out->min = read_u16(places.min + 2 * lane);
  if (places.mins != nullptr) {
    out->scales[0] = out->scales[1] = places.scales[lane];
    out->mins = places.mins[lane];
  } else if (places.scales != nullptr) {
    for (int32_t i = 0; i < 2; i++) out->scales[i] = static_cast<int8_t>(places.scales[2 * lane + i]);
  }
}

}  // namespace hussar::cpu
