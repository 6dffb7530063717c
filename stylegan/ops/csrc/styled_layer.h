// A synthesis layer's operands, checked, as the ways to compute it share them.
#pragma once

#include <torch/csrc/stable/ops.h>

#include "colours.h"
#include "fir_rows.h"
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
  const Colours* colours = nullptr;  // that are made instead of the output

  int64_t padded() const { return panels * kPanel; }
  const float* demodulation_of(int64_t n) const { return demodulation + n * padded(); }
  const float* noise_of(int64_t n) const { return e.noise ? e.noise + n * e.noise_step : nullptr; }
};

template <typename F>
void parallel(int64_t count, const F& work) {
  torch::stable::parallel_for(0, count, 1, work);
}

// Row `i` of sample `n`'s output after upsampling, from the convolution's rows i-1 to i+2: row y lies at y % kept of
// `rows`.
inline void upsampled_row(const Layer& layer, const float* taps, int64_t n, int64_t i, const float* rows,
                          int64_t kept) {
  const int64_t height = 2 * layer.x.height, width = 2 * layer.x.width, outputs = layer.e.channels;
  const float* four[4];
  for (int64_t k = 0; k < 4; ++k) {
    const int64_t y = i - 1 + k;
    four[k] = y >= 0 && y <= height ? rows + y % kept * (width + 1) * outputs : nullptr;
  }
  const float* noise = layer.noise_of(n);
  fir_row<float>(layer.e, four, taps, layer.demodulation_of(n), noise ? noise + i * width : nullptr, width,
                 layer.out + (n * height + i) * width * outputs);
}

}  // namespace bend
