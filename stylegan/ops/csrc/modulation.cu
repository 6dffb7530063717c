// What a synthesis layer's convolution needs on CUDA, each in one launch: demodulation, weights in its dtype and
// layout, and its input times the styles.
#include "modulation.h"

#include "launch.h"

namespace bend {
namespace {

__global__ void __launch_bounds__(DemodulationBlock::kThreads) run_demodulation(const Modulation call) {
  extern __shared__ float squares[];
  __shared__ DemodulationBlock::Shared shared;
  const int first = blockIdx.y * DemodulationBlock::kSamples;
  const DemodulationBlock block{call, static_cast<int>(blockIdx.x), first, static_cast<int>(threadIdx.x)};
  block.read_weights(shared, squares);
  block.read_styles(shared);
  __syncthreads();
  block.add(shared, squares);
  __syncthreads();
  block.write(shared);
}

template <typename T>
__global__ void __launch_bounds__(RowBlock<T>::kThreads) run_rows(const LayOut<T> call) {
  __shared__ float shared[RowBlock<T>::kSize];
  const int first = blockIdx.y * RowBlock<T>::kInputs;
  RowBlock<T>::read(call, blockIdx.x, first, threadIdx.x, shared);
  __syncthreads();
  RowBlock<T>::write(call, blockIdx.x, first, threadIdx.x, shared);
}

template <typename T>
__global__ void __launch_bounds__(SquareBlock<T>::kThreads) run_squares(const LayOut<T> call) {
  __shared__ float shared[SquareBlock<T>::kSize];
  const int first_output = blockIdx.y * SquareBlock<T>::kSide, first = blockIdx.x * SquareBlock<T>::kSide;
  SquareBlock<T>::read(call, first_output, first, threadIdx.x, shared);
  __syncthreads();
  SquareBlock<T>::write(call, first_output, first, threadIdx.x, shared);
}

template <int kWidth, typename Index, typename T>
__global__ void __launch_bounds__(kThreads) run_scaling(const Scaling<T> call) {
  const Index first = static_cast<Index>(blockIdx.x) * (kThreads * kScaledPacks) + threadIdx.x;
  scale_packs<kWidth, Index>(call, first, static_cast<Index>(kThreads));
}

constexpr int64_t kMostAcross = 65535;  // blocks in a grid's second dimension
constexpr int64_t kMostInputs = 8192;   // whose squares shared memory holds

void check_weight(const Tensor& weight) {
  STD_TORCH_CHECK(weight.dim() == 4 && weight.size(2) == 3 && weight.size(3) == 3 && weight.is_contiguous() &&
                      weight.scalar_type() == ScalarType::Float,
                  "weight must be float32 [O, I, 3, 3], contiguous");
  STD_TORCH_CHECK(weight.size(0) <= INT32_MAX && weight.size(1) <= kMostInputs, "weight has too many channels");
}

void check_numbers(const Tensor& x, int64_t count, const char* name) {
  STD_TORCH_CHECK(x.scalar_type() == ScalarType::Float && x.is_contiguous() && x.numel() == count, name,
                  " must be float32, contiguous, and a number a channel");
}

// Returns all three results in one tensor, one after the other: demodulation [N, O], scales [N, I], gains [O].
Tensor demodulate(const Tensor& weight, const Tensor& styles, bool is_bounded) {
  check_weight(weight);
  const int64_t samples = styles.size(0), outputs = weight.size(0), inputs = weight.size(1);
  check_numbers(styles, samples * inputs, "styles");
  check_beside(weight, styles, "styles");
  const int64_t across = blocks_for(samples, DemodulationBlock::kSamples);
  STD_TORCH_CHECK(across <= kMostAcross, "demodulate takes no batch as large as this");
  const OnDevice device(weight);
  Tensor found = fresh(weight, {samples * outputs + samples * inputs + outputs});
  if (samples == 0 || outputs == 0) return found;
  float* const to = found.mutable_data_ptr<float>();
  const Modulation call{weight.const_data_ptr<float>(),
                        styles.const_data_ptr<float>(),
                        to,
                        to + samples * outputs,
                        to + samples * (outputs + inputs),
                        static_cast<int>(samples),
                        static_cast<int>(outputs),
                        static_cast<int>(inputs),
                        is_bounded};
  const dim3 grid(outputs, across);
  run_demodulation<<<grid, DemodulationBlock::kThreads, inputs * sizeof(float), device.stream()>>>(call);
  STD_CUDA_KERNEL_LAUNCH_CHECK();
  return found;
}

// [O, 3, 3, I], or [I, 3, 3, O] for a transposed convolution, in x's dtype.
Tensor lay_out(const Tensor& x, const Tensor& weight, const Tensor& gains, const std::optional<Tensor>& scales,
               bool is_transposed) {
  check_weight(weight);
  const int64_t outputs = weight.size(0), inputs = weight.size(1);
  check_numbers(gains, outputs, "gains");
  if (scales) check_numbers(*scales, inputs, "scales");
  check_beside(x, weight, "weight");
  check_beside(x, gains, "gains");
  check_beside(x, scales, "scales");
  const OnDevice device(x);
  Tensor out = is_transposed ? fresh(x, {inputs, 3, 3, outputs}) : fresh(x, {outputs, 3, 3, inputs});
  if (out.numel() == 0) return out;
  dispatch_to_float(x.scalar_type(), "lay_out", [&](auto zero) {
    using T = decltype(zero);
    const LayOut<T> call{weight.const_data_ptr<float>(),
                         gains.const_data_ptr<float>(),
                         scales ? scales->const_data_ptr<float>() : nullptr,
                         out.mutable_data_ptr<T>(),
                         static_cast<int>(outputs),
                         static_cast<int>(inputs)};
    if (is_transposed) {
      const int64_t across = blocks_for(outputs, SquareBlock<T>::kSide);
      STD_TORCH_CHECK(across <= kMostAcross, "weight has too many channels");
      const dim3 grid(blocks_for(inputs * kKernelTaps, SquareBlock<T>::kSide), across);
      run_squares<<<grid, SquareBlock<T>::kThreads, 0, device.stream()>>>(call);
    } else {
      const dim3 grid(outputs, blocks_for(inputs, RowBlock<T>::kInputs));
      run_rows<<<grid, RowBlock<T>::kThreads, 0, device.stream()>>>(call);
    }
    STD_CUDA_KERNEL_LAUNCH_CHECK();
  });
  return out;
}

template <int kWidth, typename T>
void launch_scaling(const Scaling<T>& call, cudaStream_t stream) {
  const int64_t packs = call.count / kWidth, each = kThreads * kScaledPacks, blocks = blocks_for(packs, each);
  STD_TORCH_CHECK(blocks <= kMostBlocksInRow, "scale_channels takes no picture as large as this");
  if (packs <= INT32_MAX) {
    run_scaling<kWidth, uint32_t><<<blocks, kThreads, 0, stream>>>(call);
  } else {
    run_scaling<kWidth, uint64_t><<<blocks, kThreads, 0, stream>>>(call);
  }
  STD_CUDA_KERNEL_LAUNCH_CHECK();
}

Tensor scale_channels(const Tensor& x, const Tensor& scales) {
  STD_TORCH_CHECK(x.dim() == 4, "x must be [N, C, H, W]");
  check_dense(x, "x");
  const bool is_last = is_channels_last(x);
  const int64_t samples = x.size(0), channels = x.size(1), pixels = x.size(2) * x.size(3);
  check_numbers(scales, samples * channels, "scales");
  check_beside(x, scales, "scales");
  STD_TORCH_CHECK(pixels <= INT32_MAX && channels <= INT32_MAX, "scale_channels takes no picture as large as this");
  const OnDevice device(x);
  Tensor out = is_last ? fresh(x, {samples, x.size(2), x.size(3), channels})
                       : fresh(x, {samples, channels, x.size(2), x.size(3)});
  if (out.numel() == 0) return out;
  dispatch_to_float(x.scalar_type(), "scale_channels", [&](auto zero) {
    using T = decltype(zero);
    const Scaling<T> call{x.const_data_ptr<T>(),
                          scales.const_data_ptr<float>(),
                          out.mutable_data_ptr<T>(),
                          x.numel(),
                          static_cast<uint32_t>(pixels),
                          static_cast<uint32_t>(is_last ? channels : 1)};
    if (call.has_packs_of(kWhole<T>)) {
      launch_scaling<kWhole<T>>(call, device.stream());
    } else {
      launch_scaling<1>(call, device.stream());
    }
  });
  return out;
}

}  // namespace
}  // namespace bend

STABLE_TORCH_LIBRARY_IMPL(bend, CUDA, m) {
  m.impl("demodulate", TORCH_BOX(&bend::demodulate));
  m.impl("lay_out", TORCH_BOX(&bend::lay_out));
  m.impl("scale_channels", TORCH_BOX(&bend::scale_channels));
}
