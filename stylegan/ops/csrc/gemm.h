// A small matrix product for convolutions: many rows that share one packed matrix. Every element is a chain of
// multiply-adds in the order of k, so that a row's result does not depend on the rows beside it.
#pragma once

#include <algorithm>

#include "lanes.h"

namespace bend {

// Rows and vectors in a register tile, as many as the registers hold (32 of 64 bytes, else 16 of 32 or 32 of 16).
#if defined(__AVX512F__)
constexpr int kTileRows = 12, kTileVectors = 2;
#else
constexpr int kTileRows = 6, kTileVectors = 1;
#endif
constexpr int64_t kLane = 16;                     // floats in a vector
constexpr int64_t kPanel = kLane * kTileVectors;  // columns of a packed panel, stored k by k

inline int64_t num_panels(int64_t columns) { return (columns + kPanel - 1) / kPanel; }

// c [rows, kPanel] = or += a [rows, depth] @ b [depth, kPanel].
template <int rows>
inline void register_tile(const float* a, int64_t step_a, const float* b, int64_t depth, float* c, int64_t step_c,
                          bool adds) {
  Floats sums[rows][kTileVectors] = {};
  for (int64_t k = 0; k < depth; ++k) {
    Floats right[kTileVectors];
#pragma GCC unroll 4
    for (int j = 0; j < kTileVectors; ++j) right[j] = load(b + k * kPanel + kLane * j);
#pragma GCC unroll 16
    for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 4
      for (int j = 0; j < kTileVectors; ++j) sums[i][j] += right[j] * a[i * step_a + k];
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < rows; ++i) {
#pragma GCC unroll 4
    for (int j = 0; j < kTileVectors; ++j) {
      float* const to = c + i * step_c + kLane * j;
      store(to, adds ? load(to) + sums[i][j] : sums[i][j]);
    }
  }
}

// Every kChain products are summed on their own first: one long chain would lose more precision.
constexpr int64_t kChain = 128;

template <int rows>
inline void row_product(const float* a, int64_t step_a, const float* b, int64_t depth, float* c, int64_t step_c,
                        bool adds) {
  for (int64_t k = 0; k < depth; k += kChain) {
    register_tile<rows>(a + k, step_a, b + k * kPanel, std::min(kChain, depth - k), c, step_c, adds || k > 0);
  }
}

template <int rows>
inline void last_rows(int64_t left, const float* a, int64_t step_a, const float* b, int64_t depth, float* c,
                      int64_t step_c, bool adds) {
  if constexpr (rows > 0) {
    if (left == rows) return row_product<rows>(a, step_a, b, depth, c, step_c, adds);
    last_rows<rows - 1>(left, a, step_a, b, depth, c, step_c, adds);
  }
}

// c [rows, kPanel] = or += a [rows, depth] @ panel [depth, kPanel].
inline void panel_product(const float* a, int64_t step_a, int64_t rows, const float* panel, int64_t depth, float* c,
                          int64_t step_c, bool adds) {
  int64_t i = 0;
  for (; i + kTileRows <= rows; i += kTileRows) {
    row_product<kTileRows>(a + i * step_a, step_a, panel, depth, c + i * step_c, step_c, adds);
  }
  last_rows<kTileRows - 1>(rows - i, a + i * step_a, step_a, panel, depth, c + i * step_c, step_c, adds);
}

}  // namespace bend
