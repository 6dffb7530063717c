// Operations on a CPU, for those that are made of others.
#pragma once

#include <optional>

#include "tensors.h"

namespace bend {

// A whole synthesis layer (`styled_conv.cpp`).
Tensor styled_conv(const Tensor& x, const Tensor& weight, const Tensor& styles, const std::optional<Tensor>& noise,
                   const Tensor& bias, const std::optional<Tensor>& taps, double slope, double gain, double clamp,
                   bool on_matrix_unit);

// To image channels (`to_rgb.cpp`), added to the image beneath if there is one, [N, colours, H, W].
Tensor to_rgb(const Tensor& x, const Tensor& weights, const Tensor& bias, double clamp,
              const std::optional<Tensor>& beneath);

// Resampling with a FIR (`upfirdn2d.cpp`).
Tensor upfirdn2d(const Tensor& x, const Tensor& f, int64_t up_x, int64_t up_y, int64_t down_x, int64_t down_y,
                 int64_t pad_x0, int64_t pad_x1, int64_t pad_y0, int64_t pad_y1, bool flip_filter, double gain);

}  // namespace bend
