// Checks upfirdn2d's arguments, turns them into numbers, and allocates its output, for CPU and CUDA alike.
#pragma once

#include <array>

#include "fir.h"
#include "tensors.h"

namespace bend {

// `factors`: up x, up y, down x, down y. `padding`: x before, x after, y before, y after; negative crops.
inline Fir make_fir(const Tensor& x, const Tensor& f, std::array<int64_t, 4> factors, std::array<int64_t, 4> padding,
                    bool is_flipped) {
  STD_TORCH_CHECK(x.dim() == 4 && (f.dim() == 1 || f.dim() == 2),
                  "upfirdn2d takes pictures [N, C, H, W] and a filter [h, w], or [n] for both axes");
  check_dense(x, "x");
  STD_TORCH_CHECK(f.is_contiguous() && f.numel() > 0, "the filter must be dense and not empty");
  const ScalarType wanted = x.scalar_type() == ScalarType::Double ? ScalarType::Double : ScalarType::Float;
  STD_TORCH_CHECK(f.scalar_type() == wanted, "the filter must be float32, or float64 for float64 pictures");
  for (const int64_t factor : factors) STD_TORCH_CHECK(factor >= 1, "up and down must be at least 1");
  Fir p{x.size(0), x.size(1), x.size(2), x.size(3), 0, 0, factors[0], factors[1], factors[2], factors[3],
        padding[0], padding[2], f.size(0), f.size(f.dim() - 1), is_flipped};
  const int64_t width = p.in_w * p.up_x + padding[0] + padding[1], height = p.in_h * p.up_y + padding[2] + padding[3];
  STD_TORCH_CHECK(width >= p.taps_w && height >= p.taps_h, "the filter is larger than the padded image");
  p.out_w = (width - p.taps_w) / p.down_x + 1;
  p.out_h = (height - p.taps_h) / p.down_y + 1;
  return p;
}

// Memory for the output, in the layout of `x`.
inline Tensor empty_picture(const Tensor& x, const Fir& p, bool is_last) {
  const std::array<int64_t, 4> sizes = {p.batch, p.channels, p.out_h, p.out_w};
  const auto format = is_last ? torch::headeronly::MemoryFormat::ChannelsLast : torch::headeronly::MemoryFormat::Contiguous;
  return allocated([&] {
    return torch::stable::empty({sizes.data(), sizes.size()}, x.scalar_type(), std::nullopt, x.device(), std::nullopt,
                                format);
  });
}

}  // namespace bend
