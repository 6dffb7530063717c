// The to-RGB layer on CUDA: a 1x1 convolution with a kernel for each sample, bias and clamp, from either layout to
// planar float32. Nearly all the time goes into reading the activations, so each is read once for three colours.
#include <limits>

#include "launch.h"
#include "rgb_block.h"
#include "rgb_check.h"

namespace bend {
namespace {

// Makes threads that share sums wait for one another.
template <typename Block>
__device__ void meet() {
  if constexpr (Block::kWaitsForAll) {
    __syncthreads();
  } else {
    __syncwarp();
  }
}

template <typename Block, typename T>
__global__ void __launch_bounds__(kRgbThreads, Block::kLeastBlocks)
    run_blocks(const RgbCall<T> call, const RgbCut cut) {
  __shared__ alignas(kPackBytes) float sums[Block::kSize];
  const Block block(call, cut, blockIdx.x);
#pragma unroll 1
  for (int turn = 0; turn < cut.turns; ++turn) {
    block.read(call, cut, turn, threadIdx.x, sums);
    meet<Block>();
    block.write(call, cut, turn, threadIdx.x, sums);
    meet<Block>();
  }
}

template <typename Block, typename T>
void launch(const RgbCall<T>& call, cudaStream_t stream) {
  const RgbCut cut = Block::cut(call);
  STD_TORCH_CHECK(cut.count <= kMostBlocksInRow, "to_rgb takes no picture as large as this");
  run_blocks<Block><<<cut.count, kRgbThreads, 0, stream>>>(call, cut);
  STD_CUDA_KERNEL_LAUNCH_CHECK();
}

template <int kColours, int kWidth, typename T>
void launch_layout(const RgbCall<T>& call, cudaStream_t stream) {
  if (call.is_last) return launch<DeepRgb<kColours, kWidth, T>>(call, stream);
  launch<FlatRgb<kColours, kWidth, T>>(call, stream);
}

template <typename T>
void launch_any(const RgbCall<T>& call, cudaStream_t stream) {
  constexpr int kPacked = kWhole<T>;
  const bool is_packed = has_whole_packs(call);
  if (call.colours == 1) return is_packed ? launch_layout<1, kPacked>(call, stream) : launch_layout<1, 1>(call, stream);
  return is_packed ? launch_layout<3, kPacked>(call, stream) : launch_layout<3, 1>(call, stream);
}

Tensor to_rgb(const Tensor& x, const Tensor& weights, const Tensor& bias, double clamp) {
  STD_TORCH_CHECK(x.dim() == 4, "x must be [N, C, H, W]");
  check_dense(x, "x");
  const bool is_last = is_channels_last(x);
  const int64_t samples = x.size(0), channels = x.size(1), pixels = x.size(2) * x.size(3), colours = bias.size(0);
  check_rgb(weights, bias, samples, colours, channels);
  check_beside(x, weights, "weights");
  check_beside(x, bias, "bias");
  STD_TORCH_CHECK(pixels <= kMostRgb && channels <= kMostRgb && channels * colours <= INT32_MAX,
                  "to_rgb takes no picture as large as this");
  const OnDevice device(x);
  const auto size = {samples, colours, x.size(2), x.size(3)};
  Tensor out = fresh(x, size, ScalarType::Float);
  if (out.numel() == 0) return out;
  const float bound = clamp < 0 ? std::numeric_limits<float>::infinity() : static_cast<float>(clamp);
  dispatch_to_float(x.scalar_type(), "to_rgb", [&](auto zero) {
    using T = decltype(zero);
    const RgbCall<T> call{x.const_data_ptr<T>(),
                          weights.const_data_ptr<float>(),
                          bias.const_data_ptr<float>(),
                          out.mutable_data_ptr<float>(),
                          samples,
                          static_cast<int>(channels),
                          static_cast<int>(colours),
                          static_cast<int>(pixels),
                          is_last,
                          bound};
    launch_any(call, device.stream());
  });
  return out;
}

}  // namespace
}  // namespace bend

STABLE_TORCH_LIBRARY_IMPL(bend, CUDA, m) { m.impl("to_rgb", TORCH_BOX(&bend::to_rgb)); }
