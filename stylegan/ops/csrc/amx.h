// Products of float32 on the matrix unit of newer Intel processors (AMX), which multiplies bfloat16 alone: each number
// is the sum of pieces of 8 bits, and the products of pieces add up in float32 (Henry, Tang & Heinecke, arXiv
// 1904.06376). Of three pieces the six largest products err by 1.3e-7 of a sum's own size, less than Winograd's
// transforms do (7e-7); of two pieces the three largest err by 2.6e-6, at twice the speed.
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
constexpr int64_t kPixels = 32;           // that `tile_products` computes at once, for kPanel outputs

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

// Two vectors as sums of bfloat16 pieces, the largest first; `second` after `first` in each.
template <int pieces>
inline void split(Floats first, Floats second, __m512i* to) {
  __m512 a = reinterpret_cast<__m512>(first), b = reinterpret_cast<__m512>(second);
  const auto widened = [](__m256i half) {
    return reinterpret_cast<__m512>(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
  };
#pragma GCC unroll 3
  for (int i = 0; i < pieces; ++i) {
    to[i] = reinterpret_cast<__m512i>(_mm512_cvtne2ps_pbh(b, a));
    a = _mm512_sub_ps(a, widened(_mm512_castsi512_si256(to[i])));
    b = _mm512_sub_ps(b, widened(_mm512_extracti64x4_epi64(to[i], 1)));
  }
}

// A tap of a kernel: how many pixels further it reads, and which of the nine weights it is.
struct KernelTap {
  int64_t offset, weight;
};

inline int64_t num_blocks(int64_t inputs) { return (inputs + kDepth - 1) / kDepth; }

// A panel's weights: for each 32 inputs and each of the nine weights its pieces, each for 2 * 16 outputs as 16 rows of
// pairs of inputs.
template <int pieces>
struct WeightTiles {
  static constexpr int64_t kPiece = 2 * kTileBytes, kWeight = pieces * kPiece;
  static int64_t panel_bytes(int64_t inputs) { return num_blocks(inputs) * 9 * kWeight; }
  static char* at(char* panel, int64_t block, int64_t weight) { return panel + (block * 9 + weight) * kWeight; }
};

#define BEND_LOAD_PIXELS(from)  \
  _tile_loadd(4, from, 64);     \
  _tile_loadd(5, from + 16 * kDepth, 64)
#define BEND_LOAD_WEIGHTS(from) \
  _tile_loadd(6, from, 64);     \
  _tile_loadd(7, from + kTileBytes, 64)
#define BEND_MULTIPLY()    \
  _tile_dpbf16ps(0, 4, 6); \
  fetch(&ahead);           \
  _tile_dpbf16ps(1, 4, 7); \
  fetch(&ahead);           \
  _tile_dpbf16ps(2, 5, 6); \
  fetch(&ahead);           \
  _tile_dpbf16ps(3, 5, 7); \
  fetch(&ahead)

// Asks for the next 4 lines of the weights, which are read once a block of pixels and lie in the second-level cache.
inline void fetch(const char** ahead) {
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) _mm_prefetch(*ahead + 64 * i, _MM_HINT_T0);
  *ahead += 256;
}

// sums [32 pixels, 32 outputs] = over blocks of inputs and taps, of pixels from `x` on, [blocks][pieces][pixels][32] with
// pieces `step` apart, and a panel's weights. Always the same chain, whatever lies beside a pixel.
template <int pieces>
inline void tile_products(const uint16_t* x, int64_t step, int64_t blocks, const KernelTap* taps, int num_taps,
                          char* panel, float* sums) {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int64_t block = 0; block < blocks; ++block, x += pieces * step) {
    for (int t = 0; t < num_taps; ++t) {
      const uint16_t* const pixels = x + taps[t].offset * kDepth;
      const char* const weights = WeightTiles<pieces>::at(panel, block, taps[t].weight);
      constexpr int64_t kPiece = WeightTiles<pieces>::kPiece;
      const char* ahead = weights + WeightTiles<pieces>::kWeight;
      BEND_LOAD_PIXELS(pixels + (pieces - 1) * step);  // of both factors the smallest pieces first
      BEND_LOAD_WEIGHTS(weights);
      BEND_MULTIPLY();
      if constexpr (pieces == 3) {
        BEND_LOAD_PIXELS(pixels + step);
        BEND_MULTIPLY();
        BEND_LOAD_WEIGHTS(weights + kPiece);
        BEND_MULTIPLY();
        BEND_LOAD_PIXELS(pixels);
        BEND_MULTIPLY();
        BEND_LOAD_WEIGHTS(weights);
        BEND_MULTIPLY();
      } else {
        BEND_LOAD_PIXELS(pixels);
        BEND_MULTIPLY();
      }
      BEND_LOAD_WEIGHTS(weights + (pieces - 1) * kPiece);
      BEND_MULTIPLY();
    }
  }
  constexpr int64_t kRow = kPanel * sizeof(float);
  _tile_stored(0, sums, kRow);
  _tile_stored(1, sums + 16, kRow);
  _tile_stored(2, sums + 16 * kPanel, kRow);
  _tile_stored(3, sums + 16 * kPanel + 16, kRow);
}

#undef BEND_LOAD_PIXELS
#undef BEND_LOAD_WEIGHTS
#undef BEND_MULTIPLY

}  // namespace bend

#endif
