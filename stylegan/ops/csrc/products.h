// The matrix products of a convolution's tiles, in two kinds: on vectors, and on a matrix unit in pieces (`amx.h`). A
// kind says how both factors lie in memory, and puts them there as they are transformed.
//
// The left factor is [rows, channels], a tile a row; the right one, for a panel of kPanel outputs, [channels, kPanel].
#pragma once

#include "amx.h"
#include "gemm.h"

namespace bend {

// Where a point's weights lie in a panel, in floats: its first channels, and how far on the next ones.
struct WeightPlace {
  int64_t first, step;
};

struct VectorProducts {
  struct Setting {};                          // what a thread needs while it multiplies
  static constexpr int kVectors = 1;          // of 16 channels that are put at once
  static constexpr int64_t kRows = kTileRows;  // best multiplied at once
  static constexpr int64_t kNearFloats = 0;    // that a block of tiles and all weights may take, to stay near

  // Floats of a factor, and a line more: else streams would meet in one set of the cache.
  static int64_t left_floats(int64_t rows, int64_t channels) { return rows * channels + kLane; }
  static int64_t weight_floats(int64_t channels) { return channels * kPanel + kLane; }

  // Puts a row's 16 channels from `c` on, and from `c + 16` on, into a left factor of `rows` rows.
  static void put_left(float* left, int64_t, int64_t channels, int64_t row, int64_t c, const Floats* values) {
    store(left + row * channels + c, values[0]);
  }
  // Where points lie one after the other.
  static WeightPlace place(int64_t point, int64_t channels) { return {point * weight_floats(channels), kPanel}; }

  // Puts 16 outputs from `lane` on, of channel `c` and of those that are put with it, 16 apart.
  static void put_weights(float* panel, const WeightPlace& place, int64_t lane, int64_t c, const Floats* values) {
    store(panel + place.first + c * place.step + lane, values[0]);
  }

  // sums [rows, kPanel], `step` apart.
  static void multiply(const float* left, int64_t rows, int64_t channels, const float* weights, float* sums,
                       int64_t step) {
    panel_product(left, channels, rows, weights, channels, sums, step);
  }
};

#if defined(BEND_AMX)

template <int pieces>
struct PieceProducts {
  using Setting = TileSetting;
  static constexpr int kVectors = 2;
  static constexpr int64_t kRows = kTileSums;
  static constexpr int64_t kBlockFloats = pieces * kPieceFloats;  // of a point's weights of 32 channels
  static constexpr int64_t kNearFloats = 448 << 10;  // of a second-level cache of 2 MB

  static int64_t padded(int64_t rows) { return (rows + kTileSums - 1) / kTileSums * kTileSums; }
  static int64_t left_floats(int64_t rows, int64_t channels) {  // a float is as long as two pieces
    return num_blocks(channels) * pieces * padded(rows) * kDepth / 2 + kLane;
  }
  static int64_t weight_floats(int64_t channels) { return num_blocks(channels) * kBlockFloats + kLane; }
  static WeightPlace place(int64_t point, int64_t channels) { return {point * weight_floats(channels), kBlockFloats}; }

  static void put_left(float* left, int64_t rows, int64_t, int64_t row, int64_t c, const Floats* values) {
    const int64_t step = padded(rows) * kDepth / 2;
    float* const to = left + c / kDepth * pieces * step + row * kDepth / 2;
    __m512i split_values[pieces];
    split<pieces>(values[0], values[1], split_values);
#pragma GCC unroll 3
    for (int p = 0; p < pieces; ++p) _mm512_store_si512(to + p * step, split_values[p]);
  }
  // Channels are in the order of `split`: `c` and `c + 16` are a pair.
  static void put_weights(float* panel, const WeightPlace& place, int64_t lane, int64_t c, const Floats* values) {
    float* const to = panel + place.first + c / kDepth * place.step + lane * kLane + c % kDepth * kLane;
    __m512i split_values[pieces];
    split<pieces>(values[0], values[1], split_values);
#pragma GCC unroll 3
    for (int p = 0; p < pieces; ++p) _mm512_store_si512(to + p * kPieceFloats, split_values[p]);
  }

  // Writes blocks of kTileSums rows, or of half as many.
  static void multiply(const float* left, int64_t rows, int64_t channels, const float* weights, float* sums,
                       int64_t step) {
    constexpr int64_t kWhole = 0;
    for (int64_t row = 0; row < rows; row += kTileSums) {
      const auto product = rows - row > kTileSums / 2 ? tile_products<pieces, false> : tile_products<pieces, true>;
      product(reinterpret_cast<const uint16_t*>(left) + row * kDepth, padded(rows) * kDepth, num_blocks(channels),
              &kWhole, 1, weights, sums + row * step, step);
    }
  }
};

#endif

}  // namespace bend
