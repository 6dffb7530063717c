// Checks a to-RGB layer's operands and turns them from tensors into what the kernels take.
#pragma once

#include <limits>
#include <optional>

#include "colours.h"
#include "rgb_check.h"

namespace bend {

// A to-RGB layer's weights [colours, C, 1, 1], modulated by each sample's styles [N, C]: [N, colours, C].
inline Tensor modulated(const Tensor& weight, const Tensor& styles, float gain) {
  const int64_t samples = styles.size(0), channels = styles.size(1), colours = weight.size(0);
  STD_TORCH_CHECK(weight.is_contiguous() && weight.scalar_type() == ScalarType::Float &&
                      weight.numel() == colours * channels,
                  "to RGB takes weights [colours, C, 1, 1], float32 and contiguous");
  Tensor result = fresh(styles, {samples, colours, channels});
  const float *const from = weight.const_data_ptr<float>(), *const by = styles.const_data_ptr<float>();
  float* to = result.mutable_data_ptr<float>();
  for (int64_t n = 0; n < samples; ++n) {
    for (int64_t k = 0; k < colours; ++k, to += channels) {
      for (int64_t c = 0; c < channels; ++c) to[c] = from[k * channels + c] * (by[n * channels + c] * gain);
    }
  }
  return result;
}

struct ToRgb {
  Tensor weights;  // [N, colours, channels]
  Tensor bias;     // [colours]
  double clamp;    // negative for none
  std::optional<Tensor> beneath;  // [N, colours, height, width]

  // What the kernels need to make the image, [N, colours, height, width], from [N, channels, height, width].
  Colours colours(Tensor& image, int64_t channels) const {
    const int64_t samples = image.size(0), count = image.size(1), pixels = image.size(2) * image.size(3);
    check_rgb(weights, bias, samples, count, channels);
    STD_TORCH_CHECK(!beneath || (beneath->is_contiguous() && beneath->numel() == samples * count * pixels &&
                                 beneath->scalar_type() == ScalarType::Float),
                    "the image beneath must be float32 [N, colours, H, W]");
    return {weights.const_data_ptr<float>(),
            bias.const_data_ptr<float>(),
            beneath ? beneath->const_data_ptr<float>() : nullptr,
            image.mutable_data_ptr<float>(),
            count,
            channels,
            pixels,
            clamp < 0 ? std::numeric_limits<float>::infinity() : static_cast<float>(clamp)};
  }
};

}  // namespace bend
