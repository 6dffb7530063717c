// The CUDA kernels' bodies, run by a CPU one thread after another, for the tests to call through ctypes.
#include <algorithm>
#include <cstdlib>
#include <limits>
#include <type_traits>
#include <vector>

#include "elementwise.h"
#include "finish_ring.h"
#include "fir_tile.h"
#include "modulation.h"
#include "plane_ring.h"
#include "rgb_block.h"

namespace {

using namespace bend;

// What upfirdn2d's kernels take, from numbers in the order of the struct's fields.
template <typename T>
FirCall<T> make_call(const void* x, const float* taps, void* out, const int64_t* sizes, float gain) {
  const Fir p{sizes[0],  sizes[1],  sizes[2],  sizes[3],  sizes[4],  sizes[5],  sizes[6],      sizes[7],
              sizes[8],  sizes[9],  sizes[10], sizes[11], sizes[12], sizes[13], sizes[14] != 0};
  return {p, static_cast<const T*>(x), taps, static_cast<T*>(out), gain, sizes[15] != 0};
}

// As launch_ring.h has it.
template <typename Work>
void walk_down(const typename Work::Call& call) {
  using R = typename Work::R;
  using T = typename R::Element;
  const RingCut cut = Work::cut(call);
  for (int64_t i = 0; i < cut.count; ++i) {
    std::vector<std::vector<T>> stages(R::kStages, std::vector<T>(R::kStage, std::numeric_limits<float>::quiet_NaN()));
    const typename Work::Place place(cut, call.x, static_cast<uint32_t>(i));
    std::vector<typename Work::Column> columns;
    for (int t = 0; t < R::kThreads; ++t) columns.emplace_back(call, cut, place, t);
    const auto fetch = [&](int s) {
      for (int t = 0; t < R::kThreads; ++t) place.fetch(cut, s, t, stages[s % R::kStages].data());
    };
    for (int s = 0; s < R::kStages - 1; ++s) fetch(s);
    for (int s = 0; s < place.steps; ++s) {
      fetch(s + R::kStages - 1);
      for (auto& column : columns) {
        if (!column.is_idle()) Work::work(call, cut, column, s, stages[s % R::kStages].data());
      }
    }
  }
}

template <int kUp, int kDown, typename T>
void deep(const FirCall<T>& call) {
  constexpr int kFew = kMostSides / 2;
  if (call.p.channels <= kFew * kWhole<T>) return walk_down<FirRing<kUp, kDown, kFew, T>>(call);
  walk_down<FirRing<kUp, kDown, kMostSides, T>>(call);
}

template <typename Shape, typename T>
void tiles(const FirCall<T>& call) {
  const Fir& p = call.p;
  std::vector<float> tile(Shape::kSize);
  for (int64_t plane = 0; plane < p.batch * (call.is_last ? 1 : p.channels); ++plane) {
    for (int down = 0; down * Shape::kOutH < p.out_h + Shape::before_y(p); ++down) {
      for (int across = 0; across * Shape::kOutW < p.out_w + Shape::before_x(p); ++across) {
        std::fill(tile.begin(), tile.end(), std::numeric_limits<float>::quiet_NaN());
        for (int t = 0; t < Shape::kThreads; ++t) Shape::read(call, plane, across, down, t, tile.data());
        for (int t = 0; t < Shape::kThreads; ++t) Shape::filter(call, plane, across, down, t, tile.data());
      }
    }
  }
}

// `shape` numbers the instantiations that csrc/upfirdn2d.cu launches.
template <typename T>
void fir_shape(int shape, const FirCall<T>& call) {
  switch (shape) {
    case 0: return deep<1, 1>(call);
    case 1: return deep<2, 1>(call);
    case 2: return deep<1, 2>(call);
    case 3: return tiles<Tile<1, 1, 1, 1, 4, 4>>(call);
    case 4: return tiles<Tile<2, 2, 1, 1, 4, 4>>(call);  // float64's
    case 5: return tiles<Tile<1, 1, 2, 2, 4, 4>>(call);
    case 6: return tiles<Tile<1, 2, 1, 1, 1, 12>>(call);
    case 7: return tiles<Tile<2, 1, 1, 1, 12, 1>>(call);
    case 8: return tiles<Tile<1, 1, 1, 2, 1, 12>>(call);
    case 9: return tiles<Tile<1, 1, 2, 1, 12, 1>>(call);
    case 10: return tiles<Tile<1, 1, 1, 1, 4, 4, 3>>(call);
    case 11: return walk_down<PlaneFir<2, 1, 4, 3, T>>(call);
    case 12: return tiles<Tile<1, 1, 2, 2, 4, 4, 3>>(call);
    case 13: return walk_down<PlaneFir<2, 1, 4, 1, T>>(call);
    case 14: return walk_down<PlaneFir<2, 1, 12, 1, T>>(call);
    case 15: return walk_down<PlaneFir<1, 2, 12, 1, T>>(call);
  }
}

// What the launching code does: it takes whole packs where it can, and is asked for single elements where it need not.
template <bool kFir, int kWidth, bool kPlanar, typename T>
int run_strips(const FinishCall<T>& call) {
  const Strips strips = strips_of<kWidth>(call);
  for (int64_t i = 0; i < strips.count + 300; ++i) finish_strip<kFir, kWidth, kPlanar>(call, strips, i);
  return kWidth;
}

template <bool kFir, typename T>
int strips(const FinishCall<T>& call, bool is_packed) {
  if (is_packed && has_whole_packs(call)) {
    if constexpr (kFir) {
      constexpr int kFew = kMostSides / 2;
      const bool is_few = call.depth <= kFew * kWhole<T>;
      is_few ? walk_down<FinishRing<kFew, T>>(call) : walk_down<FinishRing<kMostSides, T>>(call);
      return kWhole<T>;
    } else {
      return run_strips<false, kWhole<T>, false>(call);
    }
  }
  return call.depth == 1 ? run_strips<kFir, 1, true>(call) : run_strips<kFir, 1, false>(call);
}

template <typename T>
int finish_any(const void* x, const float* demodulation, const float* noise, const float* bias, const float* taps,
               void* out, const int64_t* sizes, const float* numbers) {
  const int channels = static_cast<int>(sizes[1]);
  const int height = static_cast<int>(sizes[2]), width = static_cast<int>(sizes[3]);
  const bool is_last = sizes[4] != 0, is_noise_shared = sizes[5] != 0, is_packed = sizes[6] != 0;
  const int64_t noise_step = is_noise_shared ? 0 : sizes[2] * sizes[3];
  const Epilogue e{bias, noise, noise_step, sizes[1], numbers[0], numbers[1], numbers[2]};
  const FinishCall<T> call{e,
                           static_cast<const T*>(x),
                           demodulation,
                           taps,
                           static_cast<T*>(out),
                           sizes[0],
                           is_last ? 1 : channels,
                           is_last ? channels : 1,
                           height,
                           width};
  return taps ? strips<true>(call, is_packed) : strips<false>(call, is_packed);
}

template <typename Block, typename T>
void rgb_blocks(const RgbCall<T>& call) {
  const RgbCut cut = Block::cut(call);
  std::vector<float> sums(Block::kSize);
  for (int64_t i = 0; i < cut.count; ++i) {
    const Block block(call, cut, static_cast<uint32_t>(i));
    for (int turn = 0; turn < cut.turns; ++turn) {
      std::fill(sums.begin(), sums.end(), std::numeric_limits<float>::quiet_NaN());
      for (int t = 0; t < kRgbThreads; ++t) block.read(call, cut, turn, t, sums.data());
      for (int t = 0; t < kRgbThreads; ++t) block.write(call, cut, turn, t, sums.data());
    }
  }
}

template <int kColours, int kWidth, typename T>
int rgb_layout(const RgbCall<T>& call) {
  if (call.is_last) {
    rgb_blocks<DeepRgb<kColours, kWidth, T>>(call);
  } else {
    rgb_blocks<FlatRgb<kColours, kWidth, T>>(call);
  }
  return kWidth;
}

template <typename T>
int rgb_any(const void* x, const float* weights, const float* bias, float* out, const int64_t* sizes, float clamp) {
  const int channels = static_cast<int>(sizes[1]), colours = static_cast<int>(sizes[2]);
  const RgbCall<T> call{static_cast<const T*>(x), weights, bias,    out,
                        sizes[0],                 channels, colours, static_cast<int>(sizes[3]),
                        sizes[4] != 0,            clamp};
  const bool is_whole = sizes[5] != 0 && has_whole_packs(call);
  if (colours == 1) return is_whole ? rgb_layout<1, kWhole<T>>(call) : rgb_layout<1, 1>(call);
  return is_whole ? rgb_layout<3, kWhole<T>>(call) : rgb_layout<3, 1>(call);
}

template <typename T>
void lay_out_any(const LayOut<T>& call, bool is_transposed) {
  using Rows = RowBlock<T>;
  using Square = SquareBlock<T>;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  std::vector<float> shared(std::max(Rows::kSize, Square::kSize));
  for (int first_output = 0; first_output < call.outputs; first_output += is_transposed ? Square::kSide : 1) {
    const int end = is_transposed ? call.inputs * kKernelTaps : call.inputs;
    for (int first = 0; first < end; first += is_transposed ? Square::kSide : Rows::kInputs) {
      std::fill(shared.begin(), shared.end(), nan);
      if (is_transposed) {
        for (int t = 0; t < Square::kThreads; ++t) Square::read(call, first_output, first, t, shared.data());
        for (int t = 0; t < Square::kThreads; ++t) Square::write(call, first_output, first, t, shared.data());
      } else {
        for (int t = 0; t < Rows::kThreads; ++t) Rows::read(call, first_output, first, t, shared.data());
        for (int t = 0; t < Rows::kThreads; ++t) Rows::write(call, first_output, first, t, shared.data());
      }
    }
  }
}

template <typename T>
void lay_out_as(const float* weight, const float* gains, const float* scales, void* out, const int64_t* sizes) {
  lay_out_any<T>({weight, gains, scales, static_cast<T*>(out), static_cast<int>(sizes[0]), static_cast<int>(sizes[1])},
                 sizes[2] != 0);
}

template <int kWidth, typename T>
int scaling(const Scaling<T>& call) {
  constexpr int kThreads = 7;  // of a block, of which there is one more than it takes
  for (int64_t block = 0; block < call.count / kWidth / (kThreads * kScaledPacks) + 2; ++block) {
    for (int t = 0; t < kThreads; ++t) {
      const int64_t first = block * kThreads * kScaledPacks + t;
      if (block % 2) {
        scale_packs<kWidth, uint32_t>(call, static_cast<uint32_t>(first), kThreads);
      } else {
        scale_packs<kWidth, uint64_t>(call, static_cast<uint64_t>(first), kThreads);
      }
    }
  }
  return kWidth;
}

template <typename T>
int scaling_as(const void* x, const float* scales, void* out, const int64_t* sizes) {
  const Scaling<T> call{static_cast<const T*>(x),        scales,
                        static_cast<T*>(out),            sizes[0],
                        static_cast<uint32_t>(sizes[1]), static_cast<uint32_t>(sizes[2])};
  return call.has_packs_of(kWhole<T>) ? scaling<kWhole<T>>(call) : scaling<1>(call);
}

template <bool kStraight, bool kDerived, typename T>
int all_elements(const Elements<T>& e) {
  const int64_t each = kElementThreads * (e.is_packed() ? kPacksEach * kWhole<T> : kSinglesEach);
  for (int64_t i = 0; i <= e.count / each; ++i) {
    for (int t = 0; t < kElementThreads; ++t) {
      if (!e.is_packed()) {
        apply_elements<kStraight, kDerived>(e, i, t);
      } else if (e.has_own_biases()) {
        apply_packs<kStraight, kDerived, true>(e, i, t);
      } else {
        apply_packs<kStraight, kDerived, false>(e, i, t);
      }
    }
  }
  return e.is_packed() ? kWhole<T> : 1;
}

template <typename T>
int elements_any(const void* x, const void* reference, const void* b, void* out, const int64_t* sizes,
                 const float* numbers) {
  const Elements<T> e{static_cast<const T*>(x),
                      static_cast<const T*>(reference),
                      static_cast<const T*>(b),
                      static_cast<T*>(out),
                      sizes[0],
                      sizes[1],
                      sizes[2],
                      {sizes[3], sizes[4], numbers[0], numbers[1], numbers[2]}};
  const auto act = [&](auto is_straight) {
    return e.p.order == 0 ? all_elements<is_straight, false>(e) : all_elements<is_straight, true>(e);
  };
  return is_piecewise_linear(e.p.act) ? act(std::true_type()) : act(std::false_type());
}

// Calls `f` with a value of a dtype: 0 is float32, 1 float16, 2 bfloat16; the latter two where they are compiled.
template <typename F>
auto with_dtype(int dtype, const F& f) {
#ifdef BEND_HALVES
  if (dtype != 0) return dtype == 1 ? f(Half()) : f(BFloat16());
#else
  if (dtype != 0) std::abort();
#endif
  return f(float());
}

}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT void fir_elements(const float* x, const float* taps, float* out, const int64_t* sizes, float gain) {
  const auto call = make_call<float>(x, taps, out, sizes, gain);
  const Fir& p = call.p;
  for (int64_t i = 0; i < p.batch * p.channels * p.out_h * p.out_w + 5; ++i) fir_element(call, i);
}

// The rows that a block makes of pictures with channels last.
EXPORT int ring_rows(int64_t pictures, int depth, int height, int width) {
  return RingCut::of<Ring<1, 1, kMostSides, Half>>(pictures, depth, height, width, height, width, 2, 2).rows;
}

EXPORT void fir_fast(int dtype, int shape, const void* x, const float* taps, void* out, const int64_t* sizes,
                     float gain) {
  with_dtype(dtype, [&](auto zero) { fir_shape(shape, make_call<decltype(zero)>(x, taps, out, sizes, gain)); });
}

// What a function returns is how many elements a thread took at once.
EXPORT int finish_layer(int dtype, const void* x, const float* demodulation, const float* noise, const float* bias,
                        const float* taps, void* out, const int64_t* sizes, const float* numbers) {
  return with_dtype(dtype, [&](auto zero) {
    return finish_any<decltype(zero)>(x, demodulation, noise, bias, taps, out, sizes, numbers);
  });
}

EXPORT int elements(int dtype, const void* x, const void* reference, const void* b, void* out, const int64_t* sizes,
                    const float* numbers) {
  return with_dtype(dtype, [&](auto zero) {
    return elements_any<decltype(zero)>(x, reference, b, out, sizes, numbers);
  });
}

EXPORT int to_rgb(int dtype, const void* x, const float* weights, const float* bias, float* out, const int64_t* sizes,
                  float clamp) {
  return with_dtype(dtype, [&](auto zero) { return rgb_any<decltype(zero)>(x, weights, bias, out, sizes, clamp); });
}

EXPORT void demodulate(const float* weight, const float* styles, float* demodulation, float* scales, float* gains,
                       const int64_t* sizes) {
  const int samples = static_cast<int>(sizes[0]), outputs = static_cast<int>(sizes[1]);
  const int inputs = static_cast<int>(sizes[2]);
  const Modulation call{weight, styles, demodulation, scales, gains, samples, outputs, inputs, sizes[3] != 0};
  using Block = DemodulationBlock;
  for (int output = 0; output < outputs; ++output) {
    for (int first = 0; first < samples; first += Block::kSamples) {
      Block::Shared shared;
      std::vector<float> squares(inputs, std::numeric_limits<float>::quiet_NaN());
      const auto each = [&](auto part) {
        for (int t = 0; t < Block::kThreads; ++t) part(Block{call, output, first, t});
      };
      each([&](const Block& block) { block.read_weights(shared, squares.data()); });
      each([&](const Block& block) { block.read_styles(shared); });
      each([&](const Block& block) { block.add(shared, squares.data()); });
      each([&](const Block& block) { block.write(shared); });
    }
  }
}

EXPORT void lay_out(int dtype, const float* weight, const float* gains, const float* scales, void* out,
                    const int64_t* sizes) {
  with_dtype(dtype, [&](auto zero) { lay_out_as<decltype(zero)>(weight, gains, scales, out, sizes); });
}

EXPORT int scale_channels(int dtype, const void* x, const float* scales, void* out, const int64_t* sizes) {
  return with_dtype(dtype, [&](auto zero) { return scaling_as<decltype(zero)>(x, scales, out, sizes); });
}

// Where the thread of a number works, by numbers of 32 bits and of 64.
EXPORT int places_agree(const int64_t* sizes, int64_t number) {
  const Strips s{sizes[0], sizes[1], sizes[2], sizes[3], sizes[4], kStripRows};
  const StripPlace a = place_of(s, static_cast<uint32_t>(number)), b = place_of(s, static_cast<uint64_t>(number));
  return a.picture == b.picture && a.y == b.y && a.x == b.x && a.pack == b.pack;
}
