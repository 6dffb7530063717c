// A synthesis layer's operands, checked, as the ways to compute it share them.
#pragma once

#include <torch/csrc/stable/ops.h>

#include "epilogue.h"
#include "styled_weights.h"

namespace bend {

// The picture a convolution reads: float32, N, H, W, C in memory.
struct Picture {
  const float* data;
  const float* styles;  // [N, C], factors of the channels
  int64_t samples, height, width, channels;
};

struct Layer {
  Picture x;
  Weights weights;
  Epilogue e;
  int64_t panels;
  float* demodulation;  // [N, padded outputs]
  float* prepared;      // all panels; none where there are few tiles
  float* out;

  int64_t padded() const { return panels * kPanel; }
  const float* demodulation_of(int64_t n) const { return demodulation + n * padded(); }
  const float* noise_of(int64_t n) const { return e.noise ? e.noise + n * e.noise_step : nullptr; }
};

template <typename F>
void parallel(int64_t count, const F& work) {
  torch::stable::parallel_for(0, count, 1, work);
}

}  // namespace bend
