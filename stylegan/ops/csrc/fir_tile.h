// upfirdn2d as CUDA runs it: the work of a thread and of a block of threads. Here rather than in the .cu file, so that a
// CPU can run it too, one thread after another.
#pragma once

#include "fir.h"
#include "row_ring.h"

namespace bend {

// One call's memory.
template <typename T>
struct FirCall {
  Fir p;
  const T* x;
  const compute_t<T>* taps;
  T* out;
  compute_t<T> gain;
  bool is_last;  // channels last, in and out
};

// Any call: a thread makes one output, number `number` in the order of memory.
template <typename T, typename A = compute_t<T>>
BEND_HD void fir_element(const FirCall<T>& call, int64_t number) {
  const Fir& p = call.p;
  if (number >= p.batch * p.channels * p.out_h * p.out_w) return;
  const int64_t depth = call.is_last ? p.channels : 1;
  const int64_t c = number % depth, x = number / depth % p.out_w, y = number / depth / p.out_w % p.out_h;
  const int64_t picture = number / depth / p.out_w / p.out_h;
  const T* from = call.x + picture * p.in_h * p.in_w * depth + c;
  call.out[number] = static_cast<T>(call.gain * fir_at(p, from, p.in_w * depth, depth, call.taps, y, x));
}

// What outputs that lie `kUp` apart have in common: along an axis of `kTaps` taps, the first of which meets a sample at
// `tap`, they meet every `kUp`-th tap, and of neighbours the samples lie `kDown` apart.
template <int kUp, int kTaps>
constexpr int kMet = (kTaps + kUp - 1) / kUp;  // taps that meet samples, at most

// The taps met, in registers; those beyond the filter's end weigh nothing.
template <int kUpY, int kUpX, int kTapsH, int kTapsW, typename T, typename A = compute_t<T>>
struct MetTaps {
  A at[kMet<kUpY, kTapsH>][kMet<kUpX, kTapsW>];

  BEND_HD MetTaps(const FirCall<T>& call, int first_y, int first_x) {
#pragma unroll
    for (int r = 0; r < kMet<kUpY, kTapsH>; ++r) {
#pragma unroll
      for (int k = 0; k < kMet<kUpX, kTapsW>; ++k) {
        const int ky = first_y + r * kUpY, kx = first_x + k * kUpX;
        at[r][k] = ky < kTapsH && kx < kTapsW ? call.gain * call.taps[call.p.tap(ky, kx)] : A(0);
      }
    }
  }
};

// How many outputs a thread makes, one below another, so that an input is read once for all of them.
constexpr int kStrip = 4;

// The output rows of strip number `strip`: the first, from which the others follow `kUp` apart.
template <int kUp>
BEND_HD int strip_row(int strip) {
  return strip % kUp + strip / kUp * (kStrip * kUp);
}

template <int kUp>
inline int64_t strips_for(int64_t rows) {
  const int64_t each = kStrip * kUp;
  return (rows + each - 1) / each * kUp;
}

// Four by four taps with channels last: see row_ring.h.
template <int kUp, int kDown, int kSide, typename T>
struct FirRing {
  using R = Ring<kUp, kDown, kSide, T>;
  using Place = RingPlace<R>;
  using Call = FirCall<T>;

  static constexpr bool kMaySplit = sizeof(T) == 2 && kUp * kDown == 1;  // else arithmetic costs nothing

  struct Column : RingColumn<R> {
    float taps[kRingTaps][R::kMet];  // or, where they are a product, in the first two rows those along y and along x
    bool is_split = false;

    BEND_HD Column(const Call& call, const RingCut& cut, const Place& place, int thread)
        : RingColumn<R>(cut, place, call.out, thread) {
      const int first = (this->x - place.x) % kUp;
#pragma unroll
      for (int ky = 0; ky < kRingTaps; ++ky) {
#pragma unroll
        for (int k = 0; k < R::kMet; ++k) taps[ky][k] = call.gain * call.taps[call.p.tap(ky, first + k * kUp)];
      }
      if constexpr (kMaySplit) split();
    }

    // Taps along y and along x, if together they are what all are but for rounding.
    BEND_HD void split() {
      float along_y[kRingTaps] = {}, along_x[kRingTaps] = {}, total = 0.0f, most = 0.0f, error = 0.0f;
#pragma unroll
      for (int i = 0; i < kRingTaps * kRingTaps; ++i) {
        const float tap = taps[i / kRingTaps][i % kRingTaps];
        along_y[i / kRingTaps] += tap;
        along_x[i % kRingTaps] += tap;
        total += tap;
        most = fmaxf(most, fabsf(tap));
      }
      const float scale = 1.0f / total;
#pragma unroll
      for (int i = 0; i < kRingTaps * kRingTaps; ++i) {
        const float product = along_y[i / kRingTaps] * (along_x[i % kRingTaps] * scale);
        error = fmaxf(error, fabsf(product - taps[i / kRingTaps][i % kRingTaps]));
      }
      is_split = fabsf(total) > 0.1f * most && error <= 1e-6f * most;
      if (!is_split) return;
#pragma unroll
      for (int k = 0; k < kRingTaps; ++k) {
        taps[0][k] = along_y[k];
        taps[1][k] = along_x[k] * scale;
      }
    }
  };

  static RingCut cut(const Call& call) {
    const Fir& p = call.p;
    const auto narrow = [](int64_t n) { return static_cast<int>(n); };
    return RingCut::of<R>(p.batch, narrow(p.channels), narrow(p.in_h), narrow(p.in_w), narrow(p.out_h),
                          narrow(p.out_w), narrow(p.pad_y), narrow(p.pad_x));
  }

  // A thread's share of a stage's work.
  BEND_HD static void work(const Call&, const RingCut& cut, Column& column, int step, const T* stage) {
    typename Column::Sums live;
    column.begin(live);
    if (kMaySplit && column.is_split) {
      rows<true>(cut, column, step, stage, live);
    } else {
      rows<false>(cut, column, step, stage, live);
    }
    column.end(cut, live);
  }

  template <bool kSplit>
  BEND_HD static void rows(const RingCut& cut, const Column& column, int step, const T* stage,
                           typename Column::Sums& live) {
#pragma unroll
    for (int r = 0; r < kStageRows; ++r) {
      if constexpr (kSplit) {
        column.add_split(stage, r, column.taps[0], column.taps[1], live);
      } else {
        column.add(stage, r, column.taps, live);
      }
#pragma unroll
      for (int o = 0; o < R::kLive; ++o) {
        if (R::is_last(r, o)) column.write(cut, step, o, live[o]);
      }
    }
  }
};

// Planar pictures: a block makes a tile of outputs from a tile of inputs that its threads read into shared memory first.
template <int kUpY, int kUpX, int kDownY, int kDownX, int kTapsH, int kTapsW>
struct Tile {
  static constexpr int kThreads = 256;
  static constexpr int kOutW = 64, kOutH = kThreads / kOutW * kStrip;
  static constexpr int kInW = ((kOutW - 1) * kDownX + kTapsW - 1) / kUpX + 1;
  static constexpr int kInH = ((kOutH - 1) * kDownY + kTapsH - 1) / kUpY + 1;
  static constexpr int kSize = kInW * kInH;

  // Place of the tile's first input, which may lie outside the picture.
  BEND_HD static void origin(const Fir& p, int across, int down, int64_t* y, int64_t* x) {
    int64_t tap;
    first_tap(static_cast<int64_t>(down) * kOutH, kUpY, kDownY, p.pad_y, &tap, y);
    first_tap(static_cast<int64_t>(across) * kOutW, kUpX, kDownX, p.pad_x, &tap, x);
  }

  // First half of a thread's work: its share of the inputs. All threads finish it before one begins the second half.
  template <typename T, typename A = compute_t<T>>
  BEND_HD static void read(const FirCall<T>& call, int64_t plane, int across, int down, int thread, A* tile) {
    const Fir& p = call.p;
    int64_t y0, x0;
    origin(p, across, down, &y0, &x0);
    const T* from = call.x + plane * p.in_h * p.in_w;
    const int in_h = static_cast<int>(p.in_h), in_w = static_cast<int>(p.in_w);
    for (int i = thread; i < kSize; i += kThreads) {
      const int y = static_cast<int>(y0) + i / kInW, x = static_cast<int>(x0) + i % kInW;
      const bool is_inside = y >= 0 && y < in_h && x >= 0 && x < in_w;
      tile[i] = is_inside ? static_cast<A>(from[static_cast<int64_t>(y) * in_w + x]) : A(0);
    }
  }

  // Second half: a strip of outputs.
  template <typename T, typename A = compute_t<T>>
  BEND_HD static void filter(const FirCall<T>& call, int64_t plane, int across, int down, int thread, const A* tile) {
    constexpr int kInputs = (kStrip - 1) * kDownY + kMet<kUpY, kTapsH>;
    const Fir& p = call.p;
    const int64_t y = static_cast<int64_t>(down) * kOutH + strip_row<kUpY>(thread / kOutW);
    const int64_t x = static_cast<int64_t>(across) * kOutW + thread % kOutW;
    if (y >= p.out_h || x >= p.out_w) return;
    int64_t y0, x0, ky, kx, iy, ix;
    origin(p, across, down, &y0, &x0);
    first_tap(y, kUpY, kDownY, p.pad_y, &ky, &iy);
    first_tap(x, kUpX, kDownX, p.pad_x, &kx, &ix);
    const MetTaps<kUpY, kUpX, kTapsH, kTapsW, T> taps(call, static_cast<int>(ky), static_cast<int>(kx));
    const A* from = tile + static_cast<int>(iy - y0) * kInW + static_cast<int>(ix - x0);
    A sums[kStrip] = {};
#pragma unroll
    for (int r = 0; r < kInputs; ++r) {
      if (static_cast<int>(iy - y0) + r >= kInH) break;  // only rows that no output needs lie beyond
#pragma unroll
      for (int k = 0; k < kMet<kUpX, kTapsW>; ++k) {
        const bool is_held = static_cast<int>(ix - x0) + k < kInW;  // else its tap weighs nothing
        const A value = is_held ? from[r * kInW + k] : A(0);
#pragma unroll
        for (int o = 0; o < kStrip; ++o) {
          const int met = r - o * kDownY;
          if (met >= 0 && met < kMet<kUpY, kTapsH>) sums[o] += taps.at[met][k] * value;
        }
      }
    }
    T* to = call.out + plane * p.out_h * p.out_w;
#pragma unroll
    for (int o = 0; o < kStrip; ++o) {
      if (y + o * kUpY < p.out_h) to[(y + o * kUpY) * p.out_w + x] = static_cast<T>(sums[o]);
    }
  }
};

}  // namespace bend
