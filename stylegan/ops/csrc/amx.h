// Products of float32 on the matrix unit of newer Intel processors (AMX), which multiplies bfloat16 alone: each number
// is the sum of pieces of 8 bits, and the products of pieces add up in float32 (Henry, Tang & Heinecke, arXiv
// 1904.06376). Of three pieces the six largest products err by 1e-7 to 3e-7 of a direct sum's own size and by 5e-7 of
// Winograd's, which in plain float32 errs by 7e-7 to 9e-7; of two pieces the three largest err by 2.6e-6 and 1.8e-5.
#pragma once

#include <cstdint>

#include "gemm.h"

#if defined(__linux__) && defined(__AMX_TILE__) && defined(__AMX_BF16__) && defined(__AVX512BF16__)
#define BEND_AMX 1

#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace bend {

constexpr int64_t kDepth = 32;            // numbers of a tile's row: what one step multiplies
constexpr int64_t kTileBytes = 1 << 10;   // 16 rows of 64 bytes
constexpr int64_t kTileSums = 32;         // rows that `tile_products` computes at once, of kPanel columns

// Whether the kernel lets this process use the unit; asked for once, for all threads.
inline bool has_amx() {
  constexpr long kRequest = 0x1023, kTileData = 18;  // ARCH_REQ_XCOMP_PERM, XFEATURE_XTILE_DATA
  static const bool granted = syscall(SYS_arch_prctl, kRequest, kTileData) == 0;
  return granted;
}

// Eight whole tiles for this thread, as long as it lives; oneDNN configures its own at each call.
class TileSetting {
 public:
  TileSetting() {
    struct alignas(64) {
      uint8_t palette = 1, start = 0, reserved[14] = {};
      uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
      uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    } setting;
    _tile_loadconfig(&setting);
  }
  ~TileSetting() { _tile_release(); }
  TileSetting(const TileSetting&) = delete;
  TileSetting& operator=(const TileSetting&) = delete;
};

// Two vectors as sums of bfloat16 pieces, the largest first, lanes of `first` and `second` in turns. Three pieces of
// the next 8 bits each hold all 24 of a float32; of two, each is rounded.
template <int pieces>
inline void split(Floats first, Floats second, __m512i* to) {
  const __m512i high = _mm512_set1_epi32(static_cast<int>(0xffff0000u)), half = _mm512_set1_epi32(0x8000);
  __m512 a = reinterpret_cast<__m512>(first), b = reinterpret_cast<__m512>(second);
#pragma GCC unroll 3
  for (int i = 0; i < pieces; ++i) {
    __m512i a_bits = _mm512_castps_si512(a), b_bits = _mm512_castps_si512(b);
    if constexpr (pieces == 2) {
      a_bits = _mm512_add_epi32(a_bits, half);
      b_bits = _mm512_add_epi32(b_bits, half);
    }
    to[i] = _mm512_mask_mov_epi16(_mm512_srli_epi32(a_bits, 16), 0xaaaaaaaa, b_bits);
    a = _mm512_sub_ps(a, _mm512_castsi512_ps(_mm512_and_si512(a_bits, high)));
    b = _mm512_sub_ps(b, _mm512_castsi512_ps(_mm512_and_si512(b_bits, high)));
  }
}

inline int64_t num_blocks(int64_t channels) { return (channels + kDepth - 1) / kDepth; }

// Half of them work on the first 16 rows alone.
#define BEND_LOAD_ROWS(from) \
  _tile_loadd(4, from, 64);  \
  if constexpr (!is_half) _tile_loadd(5, from + 16 * kDepth, 64)
#define BEND_LOAD_WEIGHTS(from) \
  _tile_loadd(6, from, 64);     \
  _tile_loadd(7, (from) + kPieceFloats / 2, 64)
#define BEND_MULTIPLY()                              \
  _tile_dpbf16ps(0, 4, 6);                           \
  fetch(&ahead);                                     \
  _tile_dpbf16ps(1, 4, 7);                           \
  fetch(&ahead);                                     \
  if constexpr (!is_half) _tile_dpbf16ps(2, 5, 6);   \
  fetch(&ahead);                                     \
  if constexpr (!is_half) _tile_dpbf16ps(3, 5, 7);   \
  fetch(&ahead)

// Asks for the next 4 lines of the weights, which are read once a block of pixels and lie in the second-level cache.
inline void fetch(const float** ahead) {
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) fetch_line(*ahead + 16 * i);
  *ahead += 64;
}

constexpr int64_t kPieceFloats = 2 * kTileBytes / sizeof(float);  // of the weights of 32 channels
constexpr int64_t kAheadSteps = 2;  // weights may come from far: they are asked for so many steps before

// sums [kTileSums or half as many rows, kPanel], `row_step` apart, = x @ weights, over blocks of 32 channels and a
// kernel's taps: of `x` [blocks][pieces][rows][32], pieces `step` apart and taps at their offsets, and of `weights`
// [blocks][taps][pieces][2][16 pairs of channels][16 outputs][2]. Always the same chain, whatever lies beside a row.
template <int pieces, bool is_half>
inline void tile_products(const uint16_t* x, int64_t step, int64_t blocks, const int64_t* taps, int num_taps,
                          const float* weights, float* sums, int64_t row_step) {
  constexpr int64_t kStep = pieces * kPieceFloats;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t block = 0; block < blocks; ++block, x += pieces * step) {
    for (int t = 0; t < num_taps; ++t, weights += kStep) {
      const uint16_t* const rows = x + taps[t];
      const float* ahead = weights + kAheadSteps * kStep;
      BEND_LOAD_ROWS(rows + (pieces - 1) * step);  // of both factors the smallest pieces first
      BEND_LOAD_WEIGHTS(weights);
      BEND_MULTIPLY();
      if constexpr (pieces == 3) {
        BEND_LOAD_ROWS(rows + step);
        BEND_MULTIPLY();
        BEND_LOAD_WEIGHTS(weights + kPieceFloats);
        BEND_MULTIPLY();
        BEND_LOAD_ROWS(rows);
        BEND_MULTIPLY();
        BEND_LOAD_WEIGHTS(weights);
        BEND_MULTIPLY();
      } else {
        BEND_LOAD_ROWS(rows);
        BEND_MULTIPLY();
      }
      BEND_LOAD_WEIGHTS(weights + (pieces - 1) * kPieceFloats);
      BEND_MULTIPLY();
    }
  }
  const int64_t row_bytes = row_step * sizeof(float);
  char* const to = reinterpret_cast<char*>(sums);
  _tile_stored(0, to, row_bytes);
  _tile_stored(1, to + 64, row_bytes);
  if constexpr (!is_half) {
    _tile_stored(2, to + 16 * row_bytes, row_bytes);
    _tile_stored(3, to + 16 * row_bytes + 64, row_bytes);
  }
}

#undef BEND_LOAD_ROWS
#undef BEND_LOAD_WEIGHTS
#undef BEND_MULTIPLY

}  // namespace bend

#endif
