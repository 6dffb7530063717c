// upfirdn2d as CUDA runs it: the work of a thread and of a block of threads. Here rather than in the .cu file, so that
// a CPU can run it too, one thread after another.
#pragma once

#include "fir.h"
#include "row_ring.h"

namespace bend {

// For any call: a thread makes one output, number `number` in the order of memory.
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

// Four by four taps with channels last: see row_ring.h.
template <int kUp, int kDown, int kSide, typename T>
struct FirRing {
  using R = Ring<kUp, kDown, kSide, T>;
  using Place = RingPlace<R>;
  using Call = FirCall<T>;

  static constexpr bool kMaySplit = sizeof(T) == 2 && kUp * kDown == 1;  // otherwise arithmetic is not the bottleneck

  struct Column : RingColumn<R> {
    float taps[kRingTaps][R::kMet];  // if `is_split`, the first two rows are those along y and along x
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

    // Replaces the taps by those along y and along x, if these multiply to all of them but for rounding.
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

// Planar pictures, or pictures whose few channels come last: a block makes a tile of outputs from a tile of inputs that
// its threads first read into shared memory, channel by channel. A thread makes a few rows of neighbours, in all
// channels. Outputs are counted from a place where tap zero meets an input, so that what meets what is known at compile
// time: an output and an input meet at the tap `input * kUp - output * kDown`.
template <int kUpY, int kUpX, int kDownY, int kDownX, int kTapsH, int kTapsW, int kDepth = 1>
struct Tile {
  static constexpr int kThreads = kDepth > 1 ? 128 : 256;
  static constexpr int kAcross = 4, kRows = kDownX * kDownY > 2 ? 1 : kDownX * kDownY * kDepth > 1 ? 2 : 4;
  static constexpr int kOutW = 128 / kDownX, kAbreast = kOutW / kAcross, kOutH = kThreads / kAbreast * kRows;
  static constexpr int kInW = ((kOutW - 1) * kDownX + kTapsW - 1) / kUpX + 1;
  static constexpr int kInH = ((kOutH - 1) * kDownY + kTapsH - 1) / kUpY + 1;
  static constexpr int kPitch = (kInW + 3) / 4 * 4;  // so that rows lie on packs, as do a thread's inputs
  static constexpr int kPlane = kPitch * kInH, kSize = kPlane * kDepth;
  static constexpr int kMetH = ((kRows - 1) * kDownY + kTapsH - 1) / kUpY + 1;  // inputs that a thread's outputs meet
  static constexpr int kMetW = ((kAcross - 1) * kDownX + kTapsW - 1) / kUpX + 1;
  static constexpr int kAtOnce = kUpX == 2 ? 2 : 4;  // elements of a row that are sure to share a pack

  // How many outputs are counted before the picture's first one.
  BEND_HD static int before_y(const Fir& p) { return kUpY == 2 ? static_cast<int>(p.pad_y & 1) : 0; }
  BEND_HD static int before_x(const Fir& p) { return kUpX == 2 ? static_cast<int>(p.pad_x & 1) : 0; }

  // First half of a thread's work: its share of the inputs. All threads finish it before any begins the second half.
  template <typename T, typename A = compute_t<T>>
  BEND_HD static void read(const FirCall<T>& call, int64_t plane, int across, int down, int thread, A* tile) {
    constexpr int kLine = kInW * kDepth;
    const Fir& p = call.p;
    const int in_h = static_cast<int>(p.in_h), in_w = static_cast<int>(p.in_w);
    const int y0 = ((down * kOutH - before_y(p)) * kDownY - static_cast<int>(p.pad_y)) / kUpY;
    const int x0 = ((across * kOutW - before_x(p)) * kDownX - static_cast<int>(p.pad_x)) / kUpX;
    const T* from = call.x + plane * in_h * in_w * kDepth;
#pragma unroll 4
    for (int i = thread; i < kInH * kLine; i += kThreads) {
      const int row = i / kLine, place = i % kLine, column = place / kDepth, c = place % kDepth;
      const int y = y0 + row, x = x0 + column;
      const bool is_inside = y >= 0 && y < in_h && x >= 0 && x < in_w;
      const T* element = from + (static_cast<int64_t>(y) * in_w + x) * kDepth + c;
      tile[c * kPlane + row * kPitch + column] = is_inside ? static_cast<A>(*element) : A(0);
    }
  }

  // Second half: rows of outputs.
  template <typename T, typename A = compute_t<T>>
  BEND_HD static void filter(const FirCall<T>& call, int64_t plane, int across, int down, int thread, const A* tile) {
    const Fir& p = call.p;
    const int left = thread % kAbreast * kAcross, top = thread / kAbreast * kRows;
    A taps[kTapsH * kTapsW];
#pragma unroll
    for (int k = 0; k < kTapsH * kTapsW; ++k) {
      taps[k] = call.gain * call.taps[p.is_flipped ? k : kTapsH * kTapsW - 1 - k];
    }
    A sums[kRows][kAcross * kDepth] = {};
#pragma unroll
    for (int c = 0; c < kDepth; ++c) {
      const A* from = tile + c * kPlane + top * kDownY / kUpY * kPitch + left * kDownX / kUpX;
#pragma unroll
      for (int j = 0; j < kMetH; ++j) {
        A values[kMetW + kAtOnce];
        read_row(from + j * kPitch, values);
#pragma unroll
        for (int o = 0; o < kRows; ++o) {
          const int ky = j * kUpY - o * kDownY;
          if (ky < 0 || ky >= kTapsH) continue;
#pragma unroll
          for (int place = 0; place < kMetW * kAcross; ++place) {
            const int i = place / kAcross, a = place % kAcross, kx = i * kUpX - a * kDownX;
            if (kx >= 0 && kx < kTapsW) sums[o][a * kDepth + c] += taps[ky * kTapsW + kx] * values[i];
          }
        }
      }
    }
    const int x = across * kOutW - before_x(p) + left, y = down * kOutH - before_y(p) + top;
#pragma unroll
    for (int o = 0; o < kRows; ++o) write(call, plane, y + o, x, sums[o]);
  }

  // Reads the inputs that neighbouring outputs meet in a row, and a few more.
  template <typename A>
  BEND_HD static void read_row(const A* from, A* values) {
#pragma unroll
    for (int i = 0; i < kMetW; i += kAtOnce) {
      if constexpr (sizeof(A) == sizeof(float)) {
        unpack(read_shared<kAtOnce>(from + i), values + i);
      } else {
#pragma unroll
        for (int k = 0; k < kAtOnce && i + k < kMetW; ++k) values[i + k] = from[i + k];
      }
    }
  }

  // Writes those neighbouring outputs that lie inside.
  template <typename T, typename A>
  BEND_HD static void write(const FirCall<T>& call, int64_t plane, int y, int x, const A* values) {
    const int out_h = static_cast<int>(call.p.out_h), out_w = static_cast<int>(call.p.out_w);
    if (y < 0 || y >= out_h) return;
    T* const to = call.out + ((plane * out_h + y) * out_w + x) * kDepth;
    if constexpr (sizeof(A) == sizeof(float)) {
      if (x >= 0 && x + kAcross <= out_w && out_w % kAcross == 0 && x % kAcross == 0) {
#pragma unroll
        for (int i = 0; i < kAcross * kDepth; i += kAcross) write_few(to + i, pack<T, kAcross>(values + i));
        return;
      }
    }
#pragma unroll
    for (int i = 0; i < kAcross * kDepth; ++i) {
      const int column = x + i / kDepth;
      if (column >= 0 && column < out_w) to[i] = static_cast<T>(values[i]);
    }
  }
};

}  // namespace bend
