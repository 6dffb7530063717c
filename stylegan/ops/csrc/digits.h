// Products of float32 on the matrix unit of newer Intel processors (AMX), which multiplies bytes exactly. Each factor
// is a fixed-point number of 24 bits, relative to the largest of its kind: three digits of 8 bits. Products of digits
// with the same weight are summed in integers of their own, without any error. Products below the third weight, and
// digits below the third, are left out. (The scheme of Ozaki et al., Numerical Algorithms 59, 2012, in bytes.)
//
// With six of the nine products, the error is 3e-8 of the product of both factors' largest values. Where these are a
// few times the usual size, that is 3e-7 to 6e-7 of a direct sum's size, and 1e-6 of Winograd's; float32's own error is
// 1e-7 to 2e-7, and 9e-7. For less even factors two more products are added, which leaves the error of rounding to 24
// bits of the largest value.
#pragma once

#include <cstdint>

#include "gemm.h"

#if defined(__linux__) && defined(__AMX_TILE__) && defined(__AMX_INT8__) && defined(__AVX512BW__)
#define BEND_AMX 1

#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace bend {

// For a function that rounds: copies of it that a compiler makes for different callers might fuse multiplications and
// additions differently, and so differ in their last bits.
#if defined(__clang__)
#define BEND_ONE_COPY __attribute__((noinline))
#else
#define BEND_ONE_COPY __attribute__((noinline, noclone))
#endif

constexpr int kDigits = 3;
constexpr int64_t kDepth = 64;           // bytes of a tile's row: factors that one step multiplies
constexpr int64_t kTileBytes = 1 << 10;  // 16 rows
constexpr int64_t kSumRows = 32;         // rows that `tile_sums` computes at once, of 16 columns
constexpr int64_t kLevelSums = kSumRows * kLane;
constexpr int kMostLevels = 4;
constexpr float kDigitLimit = 0x7f7f00;  // a little less than the largest number of three digits
constexpr float kLeastLargest = 1e-30f;  // lower bound of a largest factor, whose inverse stays in float32's range

// Whether the kernel lets this process use the unit; requested once, for all threads.
inline bool has_amx() {
  constexpr long kRequest = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILE_DATA
  static const bool granted = syscall(SYS_arch_prctl, kRequest, kTileData) == 0;
  return granted;
}

struct alignas(64) TileShapes {
  uint8_t palette = 1, start = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// Configures eight whole tiles for this thread, for as long as the object lives; oneDNN configures its own at each
// call.
class TileSetting {
 public:
  // The shapes are a constant because GCC's intrinsic declares to read only the first eight bytes, so that writes to
  // the others might be moved after it.
  TileSetting() { _tile_loadconfig(&kShapes); }
  ~TileSetting() { _tile_release(); }
  TileSetting(const TileSetting&) = delete;
  TileSetting& operator=(const TileSetting&) = delete;

 private:
  static constexpr TileShapes kShapes = {};
};

// The digits, highest first, of four vectors of numbers within kDigitLimit; each lane has a byte of each vector.
inline void split(const Floats* values, __m512i* to) {
  // Digits are signed: adding half of their range makes them plain bytes, and flipping the sign bits signed ones again.
  const __m512i half = _mm512_set1_epi32(0x808080), sign = _mm512_set1_epi32(static_cast<int>(0x80808080u));
  constexpr __mmask64 kOdd = 0xaaaaaaaaaaaaaaaa;
  constexpr __mmask32 kUpper = 0xaaaaaaaa;
  __m512i q[4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    q[i] = _mm512_add_epi32(_mm512_cvtps_epi32(reinterpret_cast<__m512>(values[i])), half);
  }
  // Bytes 0 and 2, then 1, of two vectors, interleaved.
  const __m512i a = _mm512_mask_mov_epi8(q[0], kOdd, _mm512_slli_epi32(q[1], 8));
  const __m512i b = _mm512_mask_mov_epi8(q[2], kOdd, _mm512_slli_epi32(q[3], 8));
  const __m512i c = _mm512_mask_mov_epi8(_mm512_srli_epi32(q[0], 8), kOdd, q[1]);
  const __m512i d = _mm512_mask_mov_epi8(_mm512_srli_epi32(q[2], 8), kOdd, q[3]);
  to[0] = _mm512_xor_si512(_mm512_mask_mov_epi16(_mm512_srli_epi32(a, 16), kUpper, b), sign);
  to[1] = _mm512_xor_si512(_mm512_mask_mov_epi16(c, kUpper, _mm512_slli_epi32(d, 16)), sign);
  to[2] = _mm512_xor_si512(_mm512_mask_mov_epi16(a, kUpper, _mm512_slli_epi32(b, 16)), sign);
}

// GCC does not know that loading a tile reads memory; this makes it complete all earlier writes.
inline void settle_memory() { asm volatile("" ::: "memory"); }

// Tiles must be named by literal numbers, hence macros. A level's sums are in tile `first` for rows 0 to 15, and in
// `second` for rows 16 to 31; a digit of these rows is loaded into tile 6 and multiplied by tile 7.
#define BEND_FIRST(first, digit)          \
  _tile_loadd(6, a + (digit) * step, 64); \
  _tile_dpbssd(first, 6, 7)
#define BEND_SECOND(second, digit)                       \
  _tile_loadd(6, a + (digit) * step + kTileBytes, 64); \
  _tile_dpbssd(second, 6, 7)
#define BEND_STORE_SUMS(first, second, level)               \
  _tile_stored(first, sums + (level) * kLevelSums, 64);     \
  if constexpr (!is_half) _tile_stored(second, sums + (level) * kLevelSums + kLevelSums / 2, 64)

// Computes sums [3 levels][32 rows, or only the first 16][16] of six products of digits, over blocks of factors and,
// within each, over steps at their offsets in rows. `x` is [blocks][digits][rows][64], with digits `step` bytes apart;
// `weights` is [blocks][steps][digits][16][64]. The latency of a product is that of issuing three others; with 32 rows,
// none waits much longer for the previous one of its level. Operands that are loaded already are multiplied first.
// `beside` is called once per step, to work on vectors while the unit multiplies.
template <bool is_half, typename Beside>
inline void tile_sums(const int8_t* x, int64_t step, int64_t blocks, const int64_t* offsets, int64_t num_steps,
                      const int8_t* weights, int32_t* sums, const Beside& beside) {
  settle_memory();
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_zero(4);
  _tile_zero(5);
  for (int64_t block = 0; block < blocks; ++block, x += kDigits * step) {
    for (int64_t s = 0; s < num_steps; ++s, weights += kDigits * kTileBytes) {
      const int8_t* const a = x + offsets[s] * kDepth;
      _tile_loadd(7, weights + 2 * kTileBytes, 64);
      BEND_FIRST(4, 0);
      if constexpr (is_half) {
        _tile_loadd(7, weights, 64);
        _tile_dpbssd(0, 6, 7);  // by the digit that is still loaded
        BEND_FIRST(4, 2);
        BEND_FIRST(2, 1);
        _tile_loadd(7, weights + kTileBytes, 64);
        _tile_dpbssd(4, 6, 7);
        BEND_FIRST(2, 0);
      } else {
        BEND_SECOND(5, 0);
        _tile_loadd(7, weights, 64);
        _tile_dpbssd(1, 6, 7);
        BEND_FIRST(0, 0);
        BEND_FIRST(4, 2);
        BEND_SECOND(5, 2);
        BEND_FIRST(2, 1);
        BEND_SECOND(3, 1);
        _tile_loadd(7, weights + kTileBytes, 64);
        _tile_dpbssd(5, 6, 7);
        BEND_FIRST(4, 1);
        BEND_FIRST(2, 0);
        BEND_SECOND(3, 0);
      }
      beside();
    }
  }
  BEND_STORE_SUMS(0, 1, 0);
  BEND_STORE_SUMS(2, 3, 1);
  BEND_STORE_SUMS(4, 5, 2);
}

#undef BEND_FIRST
#undef BEND_SECOND
#undef BEND_STORE_SUMS

// The same with eight products, in 4 levels, for 16 rows.
inline void exact_tile_sums(const int8_t* x, int64_t step, int64_t blocks, const int64_t* offsets, int64_t num_steps,
                            const int8_t* weights, int32_t* sums) {
  settle_memory();
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t block = 0; block < blocks; ++block, x += kDigits * step) {
    for (int64_t s = 0; s < num_steps; ++s, weights += kDigits * kTileBytes) {
      const int8_t* const a = x + offsets[s] * kDepth;
      _tile_loadd(4, a, 64);
      _tile_loadd(5, a + step, 64);
      _tile_loadd(6, a + 2 * step, 64);
      _tile_loadd(7, weights, 64);
      _tile_dpbssd(2, 6, 7);
      _tile_dpbssd(0, 4, 7);
      _tile_dpbssd(1, 5, 7);
      _tile_loadd(7, weights + kTileBytes, 64);
      _tile_dpbssd(3, 6, 7);
      _tile_dpbssd(2, 5, 7);
      _tile_dpbssd(1, 4, 7);
      _tile_loadd(7, weights + 2 * kTileBytes, 64);
      _tile_dpbssd(3, 5, 7);
      _tile_dpbssd(2, 4, 7);
    }
  }
  _tile_stored(0, sums, 64);
  _tile_stored(1, sums + kLevelSums, 64);
  _tile_stored(2, sums + 2 * kLevelSums, 64);
  _tile_stored(3, sums + 3 * kLevelSums, 64);
}

// A row's 16 sums over all levels, in units of the product of both factors' last digits.
template <int levels>
inline Floats joined(const int32_t* sums) {
  const auto level = [=](int i) { return _mm512_cvtepi32_ps(_mm512_load_si512(sums + i * kLevelSums)); };
  __m512 sum = _mm512_mul_ps(level(2), _mm512_set1_ps(0x1p16f));
  if constexpr (levels == 4) sum = _mm512_fmadd_ps(level(3), _mm512_set1_ps(0x1p8f), sum);
  sum = _mm512_fmadd_ps(level(1), _mm512_set1_ps(0x1p24f), sum);
  return reinterpret_cast<Floats>(_mm512_fmadd_ps(level(0), _mm512_set1_ps(0x1p32f), sum));
}

}  // namespace bend

#endif
