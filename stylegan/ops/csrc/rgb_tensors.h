// To RGB's operands as tensors: what is asked of them, and what the kernels take.
#pragma once

#include <limits>
#include <optional>

#include "colours.h"
#include "tensors.h"

namespace bend {

struct ToRgb {
  Tensor weights;  // [N, colours, channels]
  Tensor bias;     // [colours]
  double clamp;    // negative for none
  std::optional<Tensor> beneath;  // [N, colours, height, width]

  // Of the image, [N, colours, height, width], that is made of [N, channels, height, width].
  Colours colours(Tensor& image, int64_t channels) const {
    const int64_t samples = image.size(0), count = image.size(1), pixels = image.size(2) * image.size(3);
    STD_TORCH_CHECK(weights.dim() == 3 && weights.size(0) == samples && weights.size(1) == count &&
                        weights.size(2) == channels && weights.is_contiguous() && bias.is_contiguous(),
                    "weights must be [N, colours, C] and bias [colours]");
    STD_TORCH_CHECK(weights.scalar_type() == ScalarType::Float && bias.scalar_type() == ScalarType::Float,
                    "weights and bias must be float32");
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
