// A synthesis layer's operands, once checked, as all its implementations take them.
#pragma once

#include <algorithm>

#include "colours.h"
#include "far.h"
#include "fir_rows.h"
#include "styled_weights.h"

namespace bend {

// The picture that a convolution reads: float32, [N, H, W, C] in memory.
struct Picture {
  const float* data;
  const float* styles;  // [N, C], factors for the channels
  int64_t samples, height, width, channels;
};

struct Layer {
  Picture x;
  Weights weights;
  Epilogue e;
  int64_t panels;
  float* demodulation;  // [N, padded outputs]
  float* out;
  int64_t out_step;  // floats from one pixel of the output to the next
  const Colours* colours = nullptr;  // made instead of the output, unless null

  int64_t padded() const { return panels * kPanel; }
  const float* demodulation_of(int64_t n) const { return demodulation + n * padded(); }
  const float* noise_of(int64_t n) const { return e.noise ? e.noise + n * e.noise_step : nullptr; }

  // Whether an output of that many pixels, which the next layer's threads read, would not stay in the near caches
  // anyway.
  bool has_far_output(int64_t pixels) const { return x.samples * pixels * out_step >= 1 << 17 && may_go_far(out); }

  // The same layer for `count` samples from `n` on; each has `pixels` in the output.
  Layer of_samples(int64_t n, int64_t count, int64_t pixels) const {
    Layer some = *this;
    some.x.data += n * x.height * x.width * x.channels;
    some.x.styles += n * x.channels;
    some.weights.styles += n * x.channels;
    some.x.samples = some.weights.samples = count;
    some.e.noise = noise_of(n);
    some.demodulation += n * padded();
    some.out += n * pixels * out_step;
    return some;
  }

  // How many outputs a panel has: the last one may be half empty.
  int64_t outputs_of(int64_t panel) const { return std::min(kPanel, e.channels - panel * kPanel); }

  // The same layer for a panel's outputs, for use when the weights are no longer needed.
  Layer of_panel(int64_t panel) const {
    const int64_t begin = panel * kPanel;
    Layer some = *this;
    some.e.bias += begin;
    some.e.channels = outputs_of(panel);
    some.demodulation += begin;
    some.out += begin;
    return some;
  }
};

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
  if (noise) noise += i * width;
  float* const to = layer.out + (n * height + i) * width * layer.out_step;
  fir_row<float>(layer.e, four, taps, layer.demodulation_of(n), noise, width, to, layer.out_step,
                 layer.has_far_output(height * width));
}

}  // namespace bend
