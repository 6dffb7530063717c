// What follows a synthesis layer's convolution on CUDA: FIR after upsampling, demodulation, noise, bias, activation,
// gain and clamp in one pass over memory. Takes any dtype but float64 and computes in float32; takes either layout, and
// the result has the same.

#include "epilogue_tensors.h"
#include "finish_ring.h"
#include "launch_ring.h"

namespace bend {
namespace {

template <bool kFir, int kWidth, bool kPlanar, typename T>
__global__ void __launch_bounds__(kThreads, 4) run_strips(const FinishCall<T> call, const Strips strips) {
  finish_strip<kFir, kWidth, kPlanar>(call, strips, static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x);
}

template <bool kFir, int kWidth, bool kPlanar, typename T>
void launch(const FinishCall<T>& call, cudaStream_t stream) {
  const Strips strips = strips_of<kWidth>(call);
  const int64_t blocks = blocks_for(strips.count, kThreads);
  STD_TORCH_CHECK(blocks <= kMostBlocksInRow, "finish_layer takes no picture as large as this");
  run_strips<kFir, kWidth, kPlanar><<<blocks, kThreads, 0, stream>>>(call, strips);
  STD_CUDA_KERNEL_LAUNCH_CHECK();
}

template <bool kFir, typename T>
void launch_any(const FinishCall<T>& call, cudaStream_t stream) {
  if constexpr (kFir) {
    constexpr int kFew = kMostSides / 2;
    const int64_t row = static_cast<int64_t>(call.width) * call.depth;
    const bool is_served = has_whole_packs(call) && is_narrow(call.height, row);
    if (is_served && call.depth <= kFew * kWhole<T> && try_ring<FinishRing<kFew, T>>(call, stream)) return;
    if (is_served && try_ring<FinishRing<kMostSides, T>>(call, stream)) return;
  } else {
    if (has_whole_packs(call)) return launch<false, kWhole<T>, false>(call, stream);
  }
  if (call.depth == 1) return launch<kFir, 1, true>(call, stream);
  launch<kFir, 1, false>(call, stream);
}

Tensor finish_layer(const Tensor& x, const Tensor& demodulation, const std::optional<Tensor>& noise, const Tensor& bias,
                    const std::optional<Tensor>& taps, double slope, double gain, double clamp) {
  STD_TORCH_CHECK(x.dim() == 4, "x must be [N, O, H, W]");
  check_dense(x, "x");
  check_taps(taps);
  const bool is_last = is_channels_last(x);
  const int64_t crop = taps ? 1 : 0, samples = x.size(0), outputs = x.size(1);
  const int64_t height = x.size(2) - crop, width = x.size(3) - crop;
  STD_TORCH_CHECK(height < INT32_MAX && outputs <= INT32_MAX && x.size(3) * (is_last ? outputs : 1) <= INT32_MAX,
                  "finish_layer takes no rows as long as these");
  const Epilogue e = epilogue_of(noise, bias, samples, height, width, slope, gain, clamp);
  check_epilogue(demodulation, bias, samples, outputs);
  check_beside(x, demodulation, "demodulation");
  check_beside(x, noise, "noise");
  check_beside(x, bias, "bias");
  check_beside(x, taps, "taps");
  const OnDevice device(x);
  Tensor out = is_last ? fresh(x, {samples, height, width, outputs}) : fresh(x, {samples, outputs, height, width});
  if (out.numel() == 0) return out;
  dispatch_to_float(x.scalar_type(), "finish_layer", [&](auto zero) {
    using T = decltype(zero);
    const FinishCall<T> call{e,
                             x.const_data_ptr<T>(),
                             demodulation.const_data_ptr<float>(),
                             taps ? taps->const_data_ptr<float>() : nullptr,
                             out.mutable_data_ptr<T>(),
                             samples,
                             static_cast<int>(is_last ? 1 : outputs),
                             static_cast<int>(is_last ? outputs : 1),
                             static_cast<int>(height),
                             static_cast<int>(width)};
    if (taps) {
      launch_any<true>(call, device.stream());
    } else {
      launch_any<false>(call, device.stream());
    }
  });
  return out;
}

}  // namespace
}  // namespace bend

STABLE_TORCH_LIBRARY_IMPL(bend, CUDA, m) { m.impl("finish_layer", TORCH_BOX(&bend::finish_layer)); }
