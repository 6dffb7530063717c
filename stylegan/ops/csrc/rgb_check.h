// Checks a to-RGB layer's weights [N, colours, C] and bias [colours], for CPU and CUDA alike.
#pragma once

#include "tensors.h"

namespace bend {

inline void check_rgb(const Tensor& weights, const Tensor& bias, int64_t samples, int64_t colours, int64_t channels) {
  STD_TORCH_CHECK(weights.dim() == 3 && weights.size(0) == samples && weights.size(1) == colours &&
                      weights.size(2) == channels && weights.is_contiguous() && bias.is_contiguous(),
                  "weights must be [N, colours, C] and bias [colours]");
  STD_TORCH_CHECK(weights.scalar_type() == ScalarType::Float && bias.scalar_type() == ScalarType::Float,
                  "weights and bias must be float32");
}

}  // namespace bend
