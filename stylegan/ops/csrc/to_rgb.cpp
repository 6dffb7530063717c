// To image channels on a CPU: a 1x1 convolution whose kernel is the sample's own, bias and clamp, from channels last to
// planar. Reading the activations is all its work, so that each is read once for all colours.
#include <algorithm>
#include <limits>

#include "gemm.h"
#include "operations.h"

namespace bend {
namespace {

constexpr int kColours = 3;  // at once

// The first `count` (at most kColours) dot products of a pixel with kernels `channels` long.
template <int count, typename T>
inline void dot(const T* pixel, const float* kernels, int64_t channels, float* sums) {
  Floats parts[count] = {};
  for (int64_t c = 0; c < channels; c += kLane) {
    const Floats value = load(pixel + c);
#pragma GCC unroll 3
    for (int k = 0; k < count; ++k) parts[k] += value * load(kernels + k * channels + c);
  }
#pragma GCC unroll 3
  for (int k = 0; k < count; ++k) sums[k] = total(parts[k]);
}

Tensor to_rgb_alone(const Tensor& x, const Tensor& weights, const Tensor& bias, double clamp) {
  return to_rgb(x, weights, bias, clamp, std::nullopt);
}

}  // namespace

Tensor to_rgb(const Tensor& x, const Tensor& weights, const Tensor& bias, double clamp,
              const std::optional<Tensor>& beneath) {
  const int64_t samples = x.size(0), channels = x.size(1), pixels = x.size(2) * x.size(3), colours = bias.size(0);
  STD_TORCH_CHECK(is_channels_last(x) && channels % kLane == 0, "x must have channels last, a multiple of 16");
  STD_TORCH_CHECK(weights.dim() == 3 && weights.size(0) == samples && weights.size(1) == colours &&
                      weights.size(2) == channels && weights.is_contiguous() && bias.is_contiguous(),
                  "weights must be [N, colours, C] and bias [colours]");
  STD_TORCH_CHECK(weights.scalar_type() == ScalarType::Float && bias.scalar_type() == ScalarType::Float,
                  "weights and bias must be float32");
  STD_TORCH_CHECK(!beneath || (beneath->is_contiguous() && beneath->numel() == samples * colours * pixels &&
                               beneath->scalar_type() == ScalarType::Float),
                  "the image beneath must be float32 [N, colours, H, W]");
  const auto size = {samples, colours, x.size(2), x.size(3)};
  Tensor out = torch::stable::new_empty(x, size, ScalarType::Float);
  const float bound = clamp < 0 ? std::numeric_limits<float>::infinity() : static_cast<float>(clamp);
  const float *kernels = weights.const_data_ptr<float>(), *biases = bias.const_data_ptr<float>();
  const float* const under = beneath ? beneath->const_data_ptr<float>() : nullptr;
  float* const to = out.mutable_data_ptr<float>();
  dispatch_to_float(x.scalar_type(), "to_rgb", [&](auto zero) {
    using T = decltype(zero);
    const T* const data = x.const_data_ptr<T>();
    torch::stable::parallel_for(0, samples * pixels, 256, [&](int64_t from, int64_t end) {
      for (int64_t i = from; i < end; ++i) {
        const int64_t n = i / pixels;
        for (int64_t k = 0; k < colours; k += kColours) {
          const int64_t count = std::min<int64_t>(kColours, colours - k);
          const float* own = kernels + (n * colours + k) * channels;
          float sums[kColours];
          if (count == kColours) {
            dot<kColours>(data + i * channels, own, channels, sums);
          } else {
            for (int64_t q = 0; q < count; ++q) dot<1>(data + i * channels, own + q * channels, channels, sums + q);
          }
          for (int64_t q = 0; q < count; ++q) {
            const int64_t at = (n * colours + k + q) * pixels + i - n * pixels;
            const float value = std::min(std::max(sums[q] + biases[k + q], -bound), bound);
            to[at] = under ? under[at] + value : value;
          }
        }
      }
    });
  });
  return out;
}

}  // namespace bend

STABLE_TORCH_LIBRARY_IMPL(bend, CPU, m) { m.impl("to_rgb", TORCH_BOX(&bend::to_rgb_alone)); }
