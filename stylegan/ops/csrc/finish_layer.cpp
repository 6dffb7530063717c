// What follows a synthesis layer's convolution on a CPU, where the convolution is not ours (but oneDNN's, in half
// precision): FIR after upsampling, demodulation, noise, bias, activation, gain and clamp in one pass over memory.
// Takes any dtype but float64 and computes in float32; channels come last and are a multiple of 16.
#include "epilogue_tensors.h"
#include "fir_rows.h"

namespace bend {
namespace {

Tensor finish_layer(const Tensor& x, const Tensor& demodulation, const std::optional<Tensor>& noise, const Tensor& bias,
                    const std::optional<Tensor>& taps, double slope, double gain, double clamp) {
  STD_TORCH_CHECK(is_channels_last(x) && x.size(1) % kLane == 0, "x must have channels last, a multiple of 16");
  check_taps(taps);
  const int64_t crop = taps ? 1 : 0, samples = x.size(0), outputs = x.size(1);
  const int64_t height = x.size(2) - crop, width = x.size(3) - crop, step = x.size(3) * outputs;
  const Epilogue e = epilogue_of(noise, bias, samples, height, width, slope, gain, clamp);
  check_epilogue(demodulation, bias, samples, outputs);
  Tensor out = fresh(x, {samples, height, width, outputs});
  const float* factors = demodulation.const_data_ptr<float>();
  const float* along = taps ? taps->const_data_ptr<float>() : nullptr;
  dispatch_to_float(x.scalar_type(), "finish_layer", [&](auto zero) {
    using T = decltype(zero);
    const T* from = x.const_data_ptr<T>();
    T* to = out.mutable_data_ptr<T>();
    torch::stable::parallel_for(0, samples * height, 1, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const int64_t n = row / height, i = row % height;
        const T* picture = from + n * (height + crop) * step;
        const float* noise_row = e.noise ? e.noise + n * e.noise_step + i * width : nullptr;
        T* const target = to + row * width * outputs;
        if (!along) {
          plain_row(e, picture + i * step, factors + n * outputs, noise_row, width, target);
          continue;
        }
        const T* rows[4];
        for (int64_t k = 0; k < 4; ++k) {
          const int64_t y = i - 1 + k;
          rows[k] = y >= 0 && y <= height ? picture + y * step : nullptr;
        }
        fir_row<T>(e, rows, along, factors + n * outputs, noise_row, width, target, outputs, false);
      }
    });
  });
  return out;
}

}  // namespace
}  // namespace bend

STABLE_TORCH_LIBRARY_IMPL(bend, CPU, m) { m.impl("finish_layer", TORCH_BOX(&bend::finish_layer)); }
