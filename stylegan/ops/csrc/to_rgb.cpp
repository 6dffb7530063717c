// The to-RGB layer on a CPU, from channels last to planar. Nearly all the time goes into reading the activations, so
// each is read once for all colours.
#include <algorithm>

#include "operations.h"

namespace bend {
namespace {

constexpr int kColours = 3;  // at once
constexpr int64_t kGrain = 16;

// Up to kColours colours, from `first` on, of 16 pixels of a sample, of which only the first `some` exist.
template <typename T>
void paint(const Colours& c, const T* x, int64_t n, int64_t pixel, int64_t some, int64_t first) {
  const int64_t last = std::min(first + kColours, c.count);
  Floats sums[kColours] = {};
  for (int64_t channel = 0; channel < c.channels; channel += kLane) {
    Floats values[kLane];
#pragma GCC unroll 16
    for (int i = 0; i < kLane; ++i) values[i] = i < some ? load(x + i * c.channels + channel) : Floats{};
    transpose(values);
    for (int64_t k = first; k < last; ++k) sums[k - first] = c.add(sums[k - first], values, n, k, channel);
  }
  for (int64_t k = first; k < last; ++k) c.finish(sums[k - first], n, k, pixel, some);
}

Tensor to_rgb_alone(const Tensor& x, const Tensor& weights, const Tensor& bias, double clamp) {
  return to_rgb(x, {weights, bias, clamp, std::nullopt});
}

}  // namespace

Tensor to_rgb(const Tensor& x, const ToRgb& rgb) {
  const int64_t samples = x.size(0), channels = x.size(1), pixels = x.size(2) * x.size(3);
  STD_TORCH_CHECK(is_channels_last(x) && channels % kLane == 0, "x must have channels last, a multiple of 16");
  Tensor out = fresh(x, {samples, rgb.bias.numel(), x.size(2), x.size(3)}, ScalarType::Float);
  const Colours c = rgb.colours(out, channels);
  dispatch_to_float(x.scalar_type(), "to_rgb", [&](auto zero) {
    using T = decltype(zero);
    const T* const data = x.const_data_ptr<T>();
    const int64_t blocks = (pixels + kLane - 1) / kLane;
    torch::stable::parallel_for(0, samples * blocks, kGrain, [&](int64_t from, int64_t end) {
      for (int64_t i = from; i < end; ++i) {
        const int64_t n = i / blocks, pixel = i % blocks * kLane, some = std::min(kLane, pixels - pixel);
        for (int64_t k = 0; k < c.count; k += kColours) {
          paint(c, data + (n * pixels + pixel) * channels, n, pixel, some, k);
        }
      }
    });
  });
  return out;
}

}  // namespace bend

STABLE_TORCH_LIBRARY_IMPL(bend, CPU, m) { m.impl("to_rgb", TORCH_BOX(&bend::to_rgb_alone)); }
