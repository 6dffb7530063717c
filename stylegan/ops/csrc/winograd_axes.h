// Winograd's minimal filtering (Lavin & Gray, arXiv 1509.09308) for the generator's convolutions, as transforms along
// one axis: of the kernel, of the input, and of the products.
//
// F(4, 3) makes 4 outputs of a 3-tap kernel from 6 products; in two dimensions, that is a quarter of the direct sum's.
// The points 0, 1, -1, 2, -1/2 and infinity keep its rounding errors near the direct sum's own (Barabasz et al., arXiv
// 1803.10986). A transposed convolution with stride 2 splits into a kernel of two taps for the even outputs and one of
// a single tap for the odd; F(4, 2) at the points 0, 1, -1, -1/2 and infinity makes 8 outputs from 9 products.
#pragma once

#include <algorithm>

#include "lanes.h"

namespace bend {

// F(4, 3), padding 1: from `size` to `size`.
struct SameAxis {
  static constexpr int kStep = 4, kPatch = 6, kSlots = 6, kProducts = 6, kWeights = 6, kOutputs = 4;
  static constexpr int slot(int product) { return product; }
  static constexpr int weight(int product) { return product; }
  static int64_t num_tiles(int64_t size) { return (size + 3) / 4; }
  static constexpr bool is_edge(int64_t, int64_t) { return false; }

  static void kernel(const Floats* w, int by, Floats* u, int u_by) {
    u[0] = w[0];
    u[u_by] = (w[0] + w[by] + w[2 * by]) * (-1.0f / 3);
    u[2 * u_by] = (w[0] - w[by] + w[2 * by]) * (1.0f / 3);
    u[3 * u_by] = (w[0] + 2.0f * w[by] + 4.0f * w[2 * by]) * (1.0f / 15);
    u[4 * u_by] = (4.0f * w[0] - 2.0f * w[by] + w[2 * by]) * (-4.0f / 15);
    u[5 * u_by] = w[2 * by];
  }

  static void input(const Floats* d, int by, Floats* v, int v_by) {
    const Floats even = d[4 * by] - d[2 * by], odd = d[3 * by] - d[by];
    v[0] = d[0] + d[4 * by] - 1.5f * odd - 2 * d[2 * by];
    v[v_by] = even - d[by] - 1.5f * d[2 * by] - 0.5f * d[3 * by];
    v[2 * v_by] = d[by] + d[4 * by] + 0.5f * d[2 * by] - 2.5f * d[3 * by];
    v[3 * v_by] = even + 0.5f * odd;
    v[4 * v_by] = even - 2 * odd;
    v[5 * v_by] = d[by] + d[5 * by] - 1.5f * even - 2 * d[3 * by];
  }

  static void output(const Floats* m, int by, Floats* y, int y_by) {
    const Floats sum = m[by] + m[2 * by], difference = m[by] - m[2 * by], m3 = m[3 * by], m4 = m[4 * by];
    y[0] = m[0] + sum + m3 + m4;
    y[y_by] = difference + 2 * m3 - 0.5f * m4;
    y[2 * y_by] = sum + 4 * m3 + 0.25f * m4;
    y[3 * y_by] = difference + 8 * m3 - 0.125f * m4 + m[5 * by];
  }
};

// The direct sum of three taps, padding 1, as computed on a matrix unit (`digit_conv.h`).
struct DirectAxis {
  static constexpr int kStep = 1, kPatch = 3, kSlots = 3, kWeights = 3;

  static void kernel(const Floats* w, int by, Floats* u, int u_by) {
    for (int i = 0; i < 3; ++i) u[i * u_by] = w[i * by];
  }
  static void input(const Floats* d, int by, Floats* v, int v_by) {
    for (int i = 0; i < 3; ++i) v[i * v_by] = d[i * by];
  }
};

// The transposed convolution, stride 2: from `size` to `2 * size + 1`, by F(4, 2) for the even outputs. Where tiles
// fill `size`, the last output takes one of its own, an edge, of which only the first product counts.
struct UpAxis {
  static constexpr int kStep = 4, kPatch = 5, kSlots = 9, kProducts = 9, kWeights = 6, kOutputs = 8;
  static constexpr int slot(int product) { return product; }
  static constexpr int weight(int product) { return std::min(product, 5); }
  static int64_t num_tiles(int64_t size) { return size / 4 + 1; }
  static bool is_edge(int64_t tile, int64_t size) { return tile * 4 == size; }

  static void kernel(const Floats* w, int by, Floats* u, int u_by) {
    u[0] = w[2 * by];
    u[u_by] = (w[2 * by] + w[0]) * (1.0f / 3);
    u[2 * u_by] = w[0] - w[2 * by];
    u[3 * u_by] = (2.0f * w[2 * by] - w[0]) * (4.0f / 3);
    u[4 * u_by] = w[0];
    u[5 * u_by] = w[by];
  }

  static void input(const Floats* d, int by, Floats* v, int v_by) {
    const Floats odd = d[3 * by] - d[by], half = 0.5f * (d[by] + d[2 * by]);
    v[0] = d[0] - d[2 * by] - 2 * odd;
    v[v_by] = d[3 * by] + d[2 * by] + half;
    v[2 * v_by] = d[3 * by] - half;
    v[3 * v_by] = odd;
    v[4 * v_by] = d[4 * by] - d[2 * by] + 0.5f * odd;
    for (int i = 1; i < 5; ++i) v[(4 + i) * v_by] = d[i * by];
  }

  static void output(const Floats* m, int by, Floats* y, int y_by) {
    const Floats sum = m[by] + m[2 * by], difference = m[by] - m[2 * by], m3 = m[3 * by];
    y[0] = m[0] + sum + m3;
    y[2 * y_by] = difference - 0.5f * m3;
    y[4 * y_by] = sum + 0.25f * m3;
    y[6 * y_by] = difference - 0.125f * m3 + m[4 * by];
    for (int i = 0; i < 4; ++i) y[(2 * i + 1) * y_by] = m[(5 + i) * by];
  }
};

// Applies a transform along both axes of `patch` by `patch` vectors, those of a row next to each other.
template <int patch, int transformed, typename V, typename Transform>
inline void both_axes(const V* from, V* to, const Transform& transform) {
  V between[transformed * patch];
#pragma GCC unroll 9
  for (int j = 0; j < patch; ++j) transform(from + j, patch, between + j, patch);
#pragma GCC unroll 9
  for (int i = 0; i < transformed; ++i) transform(between + i * patch, 1, to + i * transformed, 1);
}

}  // namespace bend
