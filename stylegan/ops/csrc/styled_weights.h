// A modulated convolution's weights, made ready for the matrix products in the one pass over them: transformed, laid
// out in panels, and their squares summed into the demodulation factors (arXiv 1912.04958, equation 3).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>

#include "gemm.h"
#include "scratch.h"
#include "winograd_axes.h"

namespace bend {

typedef float Floats8 __attribute__((vector_size(32)));

struct Weights {
  const float* data;    // [outputs, inputs, 3, 3]
  const float* styles;  // [samples, inputs]
  int64_t outputs, inputs, samples;
};

// Where panel `panel` of the transformed kernel's point `point` begins. A line lies between points, so that they do
// not meet in one set of the cache.
template <typename Axis>
inline int64_t panel_offset(int64_t inputs, int64_t panel, int64_t point) {
  return (panel * Axis::kWeights * Axis::kWeights + point) * (inputs * kPanel + kLane);
}

constexpr int64_t kTaps = 9;

// Transposes 16 rows of 16 floats: four rounds of shuffling two halves together, as one shuffles cards.
inline void transpose(Floats rows[16]) {
  for (int round = 0; round < 4; ++round) {
    Floats shuffled[16];
#pragma GCC unroll 8
    for (int i = 0; i < 8; ++i) {
      const Floats x = rows[i], y = rows[i + 8];
      shuffled[2 * i] = BEND_SHUFFLE(x, y, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      shuffled[2 * i + 1] = BEND_SHUFFLE(x, y, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    }
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) rows[i] = shuffled[i];
  }
}

// Gathers the taps of 16 outputs and 16 inputs, [inputs][taps][outputs].
inline void gather_taps(const Weights& w, int64_t first, int64_t input, float* taps) {
  for (int64_t k = 0; k < kTaps; ++k) {
    Floats rows[kLane];
#pragma GCC unroll 16
    for (int o = 0; o < kLane; ++o) rows[o] = load(w.data + ((first + o) * w.inputs + input) * kTaps + k * kLane);
    transpose(rows);
#pragma GCC unroll 16
    for (int o = 0; o < kLane; ++o) store(taps + (k * kLane + o) * kLane, rows[o]);
  }
}

// The transformed kernel of 16 outputs and one input, as Axis::kWeights² vectors.
template <typename Axis>
inline void transform_taps(const float* taps, Floats* points) {
  constexpr int kPoints = Axis::kWeights * Axis::kWeights;
  for (int half = 0; half < 2; ++half) {
    Doubles kernel[kTaps], transformed[kPoints];
#pragma GCC unroll 9
    for (int k = 0; k < kTaps; ++k) {
      Floats8 single;
      std::memcpy(&single, taps + k * kLane + 8 * half, sizeof(single));
      kernel[k] = __builtin_convertvector(single, Doubles);
    }
    both_axes<3, Axis::kWeights>(kernel, transformed, [](auto... axis) { Axis::kernel(axis...); });
#pragma GCC unroll 36
    for (int p = 0; p < kPoints; ++p) {
      const Floats8 single = __builtin_convertvector(transformed[p], Floats8);
      std::memcpy(reinterpret_cast<float*>(points + p) + 8 * half, &single, sizeof(single));
    }
  }
}

// Adds the squares of 16 inputs' weights from `input` on, [inputs][outputs], to each sample's sums of 16 outputs.
inline void add_squares(const Weights& w, int64_t input, const Floats* squares, float* sums) {
  for (int64_t n = 0; n < w.samples; ++n) {
    Floats sum = {};
    for (int64_t i = 0; i < kLane; ++i) {
      const float style = w.styles[n * w.inputs + input + i];
      sum += squares[i] * (style * style);
    }
    store(sums + n * kLane, load(sums + n * kLane) + sum);
  }
}

inline void store_demodulation(const Weights& w, const float* sums, float* demodulation, int64_t step) {
  for (int64_t n = 0; n < w.samples; ++n) {
    for (int64_t o = 0; o < kLane; ++o) demodulation[n * step + o] = 1.0f / std::sqrt(sums[n * kLane + o] + 1e-8f);
  }
}

// Transforms 16 output channels, from `first` on, into their lane `to` of a panel, and writes their demodulation
// factors for each sample, `step` apart.
template <typename Axis>
inline void prepare_lane(const Weights& w, int64_t first, float* to, float* demodulation, int64_t step) {
  constexpr int kPoints = Axis::kWeights * Axis::kWeights;
  static thread_local Scratch scratch;
  float* const sums = scratch.take((w.samples + kTaps * kLane) * kLane);
  float* const taps = sums + w.samples * kLane;
  std::fill(sums, taps, 0.0f);
  for (int64_t i0 = 0; i0 < w.inputs; i0 += kLane) {
    gather_taps(w, first, i0, taps);
    Floats squares[kLane];
    for (int64_t i = 0; i < kLane; ++i) {
      const float* own = taps + kTaps * i * kLane;
      Floats points[kPoints];
      transform_taps<Axis>(own, points);
#pragma GCC unroll 36
      for (int p = 0; p < kPoints; ++p) store(to + panel_offset<Axis>(w.inputs, 0, p) + (i0 + i) * kPanel, points[p]);
      squares[i] = Floats{};
#pragma GCC unroll 9
      for (int k = 0; k < kTaps; ++k) squares[i] += load(own + k * kLane) * load(own + k * kLane);
    }
    add_squares(w, i0, squares, sums);
  }
  store_demodulation(w, sums, demodulation, step);
}

// Prepares one panel's points at `to`; of the last panel half may be missing.
template <typename Axis>
inline void prepare_panel(const Weights& w, int64_t panel, float* to, float* demodulation, int64_t step) {
  for (int64_t lane = 0; lane < kPanel && panel * kPanel + lane < w.outputs; lane += kLane) {
    const int64_t first = panel * kPanel + lane;
    prepare_lane<Axis>(w, first, to + lane, demodulation + first, step);
  }
}

}  // namespace bend
