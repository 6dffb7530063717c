// upfirdn2d on CUDA: four kernels and the choice between them.
#include "fir_tensors.h"
#include "fir_tile.h"
#include "launch_ring.h"
#include "plane_ring.h"

namespace bend {
namespace {

template <typename T>
__global__ void __launch_bounds__(kThreads) run_elements(const FirCall<T> call) {
  fir_element(call, static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x);
}

// Neighbouring blocks have neighbouring tiles, which share inputs; a plane has `across` times `down` tiles.
template <typename Shape, typename T>
__global__ void __launch_bounds__(Shape::kThreads) run_tiles(const FirCall<T> call, uint32_t across, uint32_t down) {
  __shared__ alignas(kPackBytes) compute_t<T> tile[Shape::kSize];
  const uint32_t row = blockIdx.x / across, x = blockIdx.x - row * across, plane = row / down, y = row - plane * down;
  Shape::read(call, plane, x, y, threadIdx.x, tile);
  __syncthreads();
  Shape::filter(call, plane, x, y, threadIdx.x, tile);
}

template <int kUp, int kDown, typename T>
bool try_deep(const FirCall<T>& call, cudaStream_t stream) {
  const Fir& p = call.p;
  if (!call.is_last || p.channels % kWhole<T> != 0 || !lies_on_pack(call.x) || p.taps_h != 4 || p.taps_w != 4 ||
      !is_narrow(p.in_h, p.in_w * p.channels) || !is_narrow(p.out_h, p.out_w * p.channels)) {
    return false;
  }
  if (p.channels <= kMostSides / 2 * kWhole<T>) return try_ring<FirRing<kUp, kDown, kMostSides / 2, T>>(call, stream);
  return try_ring<FirRing<kUp, kDown, kMostSides, T>>(call, stream);
}

template <int kUp, int kDown, int kTaps, int kDepth, typename T>
bool try_planes(const FirCall<T>& call, cudaStream_t stream) {
  const Fir& p = call.p;
  if (p.taps_w != kTaps || p.taps_h != kTaps || call.is_last != (kDepth > 1) || (kDepth > 1 && p.channels != kDepth) ||
      !is_narrow(p.in_h, p.in_w * kDepth) || !is_narrow(p.out_h, p.out_w * kDepth)) {
    return false;
  }
  return try_ring<PlaneFir<kUp, kDown, kTaps, kDepth, T>>(call, stream);
}

template <typename Shape, typename T>
bool try_tiles(const FirCall<T>& call, int64_t planes, cudaStream_t stream) {
  const Fir& p = call.p;
  const int64_t down = blocks_for(p.out_h + Shape::before_y(p), Shape::kOutH);
  const int64_t across = blocks_for(p.out_w + Shape::before_x(p), Shape::kOutW);
  if (!is_narrow(p.in_h, p.in_w) || !is_narrow(p.out_h, p.out_w) || down * across > kMostBlocksInRow / planes) {
    return false;
  }
  run_tiles<Shape><<<planes * down * across, Shape::kThreads, 0, stream>>>(call, across, down);
  return true;
}

template <int kUpY, int kUpX, int kDownY, int kDownX, int kTapsH, int kTapsW, typename T>
bool try_planar(const FirCall<T>& call, cudaStream_t stream) {
  const Fir& p = call.p;
  if (p.taps_h != kTapsH || p.taps_w != kTapsW || call.is_last) return false;
  return try_tiles<Tile<kUpY, kUpX, kDownY, kDownX, kTapsH, kTapsW>>(call, p.batch * p.channels, stream);
}

template <int kUp, int kDown, typename T>
bool try_square_tiles(const FirCall<T>& call, cudaStream_t stream) {
  const Fir& p = call.p;
  if constexpr (sizeof(T) <= sizeof(float)) {
    if (call.is_last && p.channels == 3 && p.taps_h == 4 && p.taps_w == 4) {
      return try_tiles<Tile<kUp, kUp, kDown, kDown, 4, 4, 3>>(call, p.batch, stream);
    }
  }
  return try_planar<kUp, kUp, kDown, kDown, 4, 4>(call, stream);
}

// Four by four taps.
template <int kUp, int kDown, typename T>
bool try_square(const FirCall<T>& call, cudaStream_t stream) {
  constexpr bool kHasRings = sizeof(T) <= sizeof(float);
  if constexpr (kHasRings) {
    if (try_deep<kUp, kDown>(call, stream)) return true;
  }
  if constexpr (kHasRings && kUp == 2) {
    return try_planes<kUp, kDown, 4, 1>(call, stream) || try_planes<kUp, kDown, 4, 3>(call, stream);
  } else {
    return try_square_tiles<kUp, kDown>(call, stream);
  }
}

bool is_by(const Fir& p, int64_t up_y, int64_t up_x, int64_t down_y, int64_t down_x) {
  return p.up_y == up_y && p.up_x == up_x && p.down_y == down_y && p.down_x == down_x;
}

// The kernels made for four taps in both directions and for twelve in one.
template <typename T>
bool try_fast(const FirCall<T>& call, cudaStream_t stream) {
  const Fir& p = call.p;
  if (is_by(p, 1, 1, 1, 1)) return try_square<1, 1>(call, stream);
  if (is_by(p, 2, 2, 1, 1)) return try_square<2, 1>(call, stream);
  if (is_by(p, 1, 1, 2, 2)) return try_square<1, 2>(call, stream);
  if (is_by(p, 1, 2, 1, 1)) return try_planar<1, 2, 1, 1, 1, 12>(call, stream);
  if (is_by(p, 2, 1, 1, 1)) return try_planar<2, 1, 1, 1, 12, 1>(call, stream);
  if (is_by(p, 1, 1, 1, 2)) return try_planar<1, 1, 1, 2, 1, 12>(call, stream);
  if (is_by(p, 1, 1, 2, 1)) return try_planar<1, 1, 2, 1, 12, 1>(call, stream);
  return false;
}

template <typename T>
void launch(const FirCall<T>& call, cudaStream_t stream) {
  const Fir& p = call.p;
  const int64_t count = p.batch * p.channels * p.out_h * p.out_w;
  if (count == 0) return;
  if (!try_fast(call, stream)) {
    run_elements<<<blocks_for(count, kThreads), kThreads, 0, stream>>>(call);
  }
  STD_CUDA_KERNEL_LAUNCH_CHECK();
}

// Filters with one vector of taps for both axes, in one pass over memory.
template <typename T>
bool try_both_axes(const FirCall<T>& call, cudaStream_t stream) {
  const Fir& p = call.p;
  if constexpr (sizeof(T) <= sizeof(float)) {
    if (is_by(p, 2, 2, 1, 1)) return try_planes<2, 1, 12, 1>(call, stream);
    if (is_by(p, 1, 1, 2, 2)) return try_planes<1, 2, 12, 1>(call, stream);
  }
  return false;
}

// The same for any call, along x and then along y.
template <typename T>
void launch_twice(const FirCall<T>& call, const Tensor& x, cudaStream_t stream) {
  Fir along_x = call.p, along_y = call.p;
  along_x.out_h = along_x.in_h;
  along_x.up_y = along_x.down_y = along_x.taps_h = 1;
  along_x.pad_y = 0;
  along_y.in_w = along_y.out_w;
  along_y.up_x = along_y.down_x = along_y.taps_w = 1;
  along_y.pad_x = 0;
  Tensor between = empty_picture(x, along_x, call.is_last);
  launch<T>({along_x, call.x, call.taps, between.mutable_data_ptr<T>(), 1, call.is_last}, stream);
  launch<T>({along_y, between.const_data_ptr<T>(), call.taps, call.out, call.gain, call.is_last}, stream);
}

Tensor upfirdn2d(const Tensor& x, const Tensor& f, int64_t up_x, int64_t up_y, int64_t down_x, int64_t down_y,
                 int64_t pad_x0, int64_t pad_x1, int64_t pad_y0, int64_t pad_y1, bool flip_filter, double gain) {
  const Fir p = make_fir(x, f, {up_x, up_y, down_x, down_y}, {pad_x0, pad_x1, pad_y0, pad_y1}, flip_filter);
  check_beside(x, f, "the filter");
  const bool is_last = !is_planar(x);
  const OnDevice device(x);
  Tensor y = empty_picture(x, p, is_last);
  if (y.numel() == 0) return y;
  dispatch(x.scalar_type(), "upfirdn2d", [&](auto zero) {
    using T = decltype(zero);
    using A = compute_t<T>;
    const FirCall<T> call{p, x.const_data_ptr<T>(), f.const_data_ptr<A>(), y.mutable_data_ptr<T>(),
                          static_cast<A>(gain), is_last};
    if (f.dim() == 2) return launch(call, device.stream());
    if (!try_both_axes(call, device.stream())) launch_twice(call, x, device.stream());
  });
  return y;
}

}  // namespace
}  // namespace bend

STABLE_TORCH_LIBRARY_IMPL(bend, CUDA, m) { m.impl("upfirdn2d", TORCH_BOX(&bend::upfirdn2d)); }
