// The CUDA kernels' bodies, run by a CPU one thread after another, for the tests to call through ctypes.
#include <vector>

#include "elementwise.h"
#include "fir_tile.h"

namespace {

using namespace bend;

// What upfirdn2d's kernels take, from numbers in the order of the struct's fields.
FirCall<float> make_call(const float* x, const float* taps, float* out, const int64_t* sizes, float gain) {
  const Fir p{sizes[0],  sizes[1],  sizes[2],  sizes[3],  sizes[4],  sizes[5],  sizes[6],      sizes[7],
              sizes[8],  sizes[9],  sizes[10], sizes[11], sizes[12], sizes[13], sizes[14] != 0};
  return {p, x, taps, out, gain, sizes[15] != 0};
}

template <int kUp, int kDown>
void deep(const FirCall<float>& call) {
  const Fir& p = call.p;
  for (int64_t n = 0; n < p.batch; ++n) {
    for (int strip = 0; strip < strips_for<kUp>(p.out_h); ++strip) {
      for (int across = 0; across < p.channels / kChannels<float> * p.out_w + 7; ++across) {
        fir_deep<kUp, kDown>(call, across, strip, n);
      }
    }
  }
}

template <typename Shape>
void tiles(const FirCall<float>& call) {
  const Fir& p = call.p;
  std::vector<float> tile(Shape::kSize);
  for (int64_t plane = 0; plane < p.batch * p.channels; ++plane) {
    for (int down = 0; down * Shape::kOutH < p.out_h; ++down) {
      for (int across = 0; across * Shape::kOutW < p.out_w; ++across) {
        for (int t = 0; t < Shape::kThreads; ++t) Shape::read(call, plane, across, down, t, tile.data());
        for (int t = 0; t < Shape::kThreads; ++t) Shape::filter(call, plane, across, down, t, tile.data());
      }
    }
  }
}

}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT void fir_elements(const float* x, const float* taps, float* out, const int64_t* sizes, float gain) {
  const FirCall<float> call = make_call(x, taps, out, sizes, gain);
  const Fir& p = call.p;
  for (int64_t i = 0; i < p.batch * p.channels * p.out_h * p.out_w + 5; ++i) fir_element(call, i);
}

// `shape` numbers the instantiations that csrc/upfirdn2d.cu launches.
EXPORT void fir_fast(int shape, const float* x, const float* taps, float* out, const int64_t* sizes, float gain) {
  const FirCall<float> call = make_call(x, taps, out, sizes, gain);
  switch (shape) {
    case 0: return deep<1, 1>(call);
    case 1: return deep<2, 1>(call);
    case 2: return deep<1, 2>(call);
    case 3: return tiles<Tile<1, 1, 1, 1, 4, 4>>(call);
    case 4: return tiles<Tile<2, 2, 1, 1, 4, 4>>(call);
    case 5: return tiles<Tile<1, 1, 2, 2, 4, 4>>(call);
    case 6: return tiles<Tile<1, 2, 1, 1, 1, 12>>(call);
    case 7: return tiles<Tile<2, 1, 1, 1, 12, 1>>(call);
    case 8: return tiles<Tile<1, 1, 1, 2, 1, 12>>(call);
    case 9: return tiles<Tile<1, 1, 2, 1, 12, 1>>(call);
  }
}

EXPORT void elements(const float* x, const float* reference, const float* b, float* out, const int64_t* sizes,
                     const float* numbers) {
  const Elements<float> e{x, reference, b, out, sizes[0], sizes[1], sizes[2], sizes[3] != 0,
                          {sizes[4], sizes[5], numbers[0], numbers[1], numbers[2]}};
  for (int64_t i = 0; i < e.count / kPack<float> + 3; ++i) {
    if (is_piecewise_linear(e.p.act)) {
      apply_pack<true>(e, i);
    } else {
      apply_pack<false>(e, i);
    }
  }
}
