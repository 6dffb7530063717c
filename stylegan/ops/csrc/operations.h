// CPU operations that other operations are built from.
#pragma once

#include "rgb_tensors.h"

namespace bend {

// [N, H, W, C] as [N, C, H, W].
inline Tensor pictures(const Tensor& x) { return torch::stable::transpose(torch::stable::transpose(x, 1, 3), 2, 3); }

// A whole synthesis layer (`styled_conv.cpp`), [N, H, W, O].
Tensor styled_conv(const Tensor& x, const Tensor& weight, const Tensor& styles, const std::optional<Tensor>& noise,
                   const Tensor& bias, const std::optional<Tensor>& taps, double slope, double gain, double clamp,
                   bool on_matrix_unit);

// The same without upsampling, where only the image is wanted: what `to_rgb` makes of the layer, bit for bit.
Tensor styled_image(const Tensor& x, const Tensor& weight, const Tensor& styles, const std::optional<Tensor>& noise,
                    const Tensor& bias, double slope, double gain, double clamp, const ToRgb& rgb);

// To image channels, over the image beneath if there is one (`to_rgb.cpp`).
Tensor to_rgb(const Tensor& x, const ToRgb& rgb);

// Resampling with a FIR (`upfirdn2d.cpp`).
Tensor upfirdn2d(const Tensor& x, const Tensor& f, int64_t up_x, int64_t up_y, int64_t down_x, int64_t down_y,
                 int64_t pad_x0, int64_t pad_x1, int64_t pad_y0, int64_t pad_y1, bool flip_filter, double gain);

}  // namespace bend
