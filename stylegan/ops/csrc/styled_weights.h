// A modulated convolution's weights, prepared for the matrix products in a single pass over them: transformed, laid out
// in panels, and their squares summed into the demodulation factors (arXiv 1912.04958, equation 3).
#pragma once

#include <algorithm>

#include "demodulation.h"
#include "far.h"
#include "gemm.h"
#include "scratch.h"
#include "winograd_axes.h"

namespace bend {

struct Weights {
  const float* data;    // [outputs, inputs, 3, 3]
  const float* styles;  // [samples, inputs]
  int64_t outputs, inputs, samples;
  bool are_demodulated = true;
};

// Floats that a panel takes for the weights of one point: [inputs, kPanel] and one cache line more, so that the points'
// streams do not compete for the same cache sets. Below, the same for all points, one after the other.
inline int64_t point_floats(int64_t inputs) { return inputs * kPanel + kLane; }
template <typename Axis>
inline int64_t panel_floats(int64_t inputs) {
  return Axis::kWeights * Axis::kWeights * point_floats(inputs);
}

// Gathers the taps of 16 outputs and 16 inputs, [inputs][taps][outputs].
inline void gather_taps(const Weights& w, int64_t first, int64_t input, float* taps) {
  for (int64_t k = 0; k < kKernelTaps; ++k) {
    Floats rows[kLane];
#pragma GCC unroll 16
    for (int o = 0; o < kLane; ++o) rows[o] = load(w.data + ((first + o) * w.inputs + input) * kKernelTaps + k * kLane);
    transpose(rows);
#pragma GCC unroll 16
    for (int o = 0; o < kLane; ++o) store(taps + (k * kLane + o) * kLane, rows[o]);
  }
}

// Transforms the kernel of 16 outputs and one input into Axis::kWeights² vectors.
template <typename Axis>
inline void transform_taps(const float* taps, Floats* points) {
  Floats kernel[kKernelTaps];
#pragma GCC unroll 9
  for (int k = 0; k < kKernelTaps; ++k) kernel[k] = load(taps + k * kLane);
  both_axes<3, Axis::kWeights>(kernel, points, [](auto... axis) { Axis::kernel(axis...); });
}

// Adds an input's squares, for 16 outputs, times the squared style to each sample's sums.
inline void add_squares_of(const Weights& w, int64_t input, Floats squares, float* sums) {
  for (int64_t n = 0; n < w.samples; ++n) {
    const float style = w.styles[n * w.inputs + input];
    store(sums + n * kLane, load(sums + n * kLane) + squares * (style * style));
  }
}

// Adds the squares of the taps of 16 inputs, from `input` on, as [inputs][taps][outputs], to each sample's sums for 16
// outputs.
inline void add_squares(const Weights& w, int64_t input, const float* taps, float* sums) {
  for (int64_t i = 0; i < kLane; ++i, taps += kKernelTaps * kLane) {
    Floats squares = {};
#pragma GCC unroll 9
    for (int k = 0; k < kKernelTaps; ++k) squares += load(taps + k * kLane) * load(taps + k * kLane);
    add_squares_of(w, input + i, squares, sums);
  }
}

inline void store_demodulation(const Weights& w, const float* sums, float* demodulation, int64_t step) {
  for (int64_t n = 0; n < w.samples; ++n) {
    for (int64_t o = 0; o < kLane; ++o) {
      demodulation[n * step + o] = w.are_demodulated ? demodulation_of(sums[n * kLane + o]) : 1.0f;
    }
  }
}

// Transforms inputs `begin` to `end` of 16 output channels, from `first` on, into a panel's outputs from `lane` on, and
// adds up their squares for each sample. Stores go past the caches if `is_far` (`far.h`).
template <typename Axis>
inline void prepare_lane(const Weights& w, int64_t first, int64_t lane, int64_t begin, int64_t end, float* panel,
                         float* sums, bool is_far) {
  constexpr int kPoints = Axis::kWeights * Axis::kWeights;
  alignas(64) float taps[kKernelTaps * kLane * kLane];
  for (int64_t first_input = begin; first_input < end; first_input += kLane) {
    gather_taps(w, first, first_input, taps);
    if (w.are_demodulated) add_squares(w, first_input, taps, sums);
    for (int64_t i = 0; i < kLane; ++i) {
      Floats points[kPoints];
      transform_taps<Axis>(taps + i * kKernelTaps * kLane, points);
      float* const to = panel + (first_input - begin + i) * kPanel + lane;
#pragma GCC unroll 36
      for (int p = 0; p < kPoints; ++p) store(to + p * point_floats(end - begin), points[p], is_far);
    }
  }
}

// Prepares inputs `begin` to `end` of one panel, whose second half may be missing. One thread prepares all of a panel's
// inputs, in order; with the last of them it writes the demodulation factors for each sample, `step` apart.
template <typename Axis>
inline void prepare_panel(const Weights& w, int64_t panel, int64_t begin, int64_t end, float* to, float* demodulation,
                          int64_t step, bool is_far = false) {
  static thread_local Scratch scratch;
  float* sums = scratch.take(w.samples * kPanel);
  if (begin == 0) std::fill(sums, sums + w.samples * kPanel, 0.0f);
  for (int64_t lane = 0; lane < kPanel && panel * kPanel + lane < w.outputs; lane += kLane) {
    const int64_t first = panel * kPanel + lane;
    prepare_lane<Axis>(w, first, lane, begin, end, to, sums, is_far);
    if (end == w.inputs) store_demodulation(w, sums, demodulation + first, step);
    sums += w.samples * kLane;
  }
}

}  // namespace bend
