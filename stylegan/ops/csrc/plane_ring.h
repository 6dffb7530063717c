// upfirdn2d on planes as a warp walks down them (row_ring.h): rows come into shared memory as they lie, and a thread
// makes a few neighbouring columns of outputs. Twelve taps are the same along both axes: a row is filtered along x in
// registers before outputs add it, so that both take one pass over memory.
#pragma once

#include "fir.h"
#include "row_ring.h"

namespace bend {

constexpr int kPlaneTaps = 12;

constexpr int least(int a, int b) { return a < b ? a : b; }

// The largest power of two that divides `n`.
constexpr int power_in(int n) { return n & -n; }

template <int kUp, int kDown, typename T>
struct PlaneRing : Resampling<kUp, kDown, kPlaneTaps> {
  static_assert(sizeof(T) <= sizeof(float));
  using Element = T;
  static constexpr int kSides = 1, kThreads = 32, kLeastBlocks = 16;
  static constexpr int kAcross = 4, kWide = kAcross;   // outputs of a thread in a row
  static constexpr int kColumns = kThreads * kAcross;  // and of a block
  static constexpr int kMet = Resampling<kUp, kDown, kPlaneTaps>::inputs(kAcross);  // inputs that these meet in a row
  static constexpr int kApart = kAcross * kDown / kUp;              // from a thread's first input to its neighbour's
  static constexpr int kUnit = least(kWhole<T>, power_in(kApart));  // elements that surely lie together
  static constexpr int kUnits = (kMet + 2 * (kUnit - 1)) / kUnit;   // that hold a thread's, wherever the first lies
  static constexpr int kMost = kWhole<T> - kUnit + (kThreads - 1) * kApart + kUnits * kUnit;  // elements that are read
  static constexpr int kRow = (kMost + kWhole<T> - 1) / kWhole<T> * kWhole<T>, kStage = kStageRows * kRow;
  static constexpr int kStages = 3;
};

template <typename R>
struct PlanePlace : RingPlace<R> {
  using typename RingPlace<R>::T;
  int first, shift;  // a row's first element that is brought, on a pack, and how far after it the first input lies
  bool has_packs;    // rows begin on packs

  BEND_HD PlanePlace(const RingCut& cut, const T* pictures, uint32_t number)
      : RingPlace<R>(cut, pictures, number), shift(this->in_x & (kWhole<T> - 1)) {
    first = this->in_x - shift;
    has_packs = cut.in_width % kWhole<T> == 0 && lies_on_pack(pictures);
  }

  // A thread's share of bringing rows into a stage.
  BEND_HD void fetch(const RingCut& cut, int step, int thread, T* stage) const {
    if (step >= this->steps) return;
    if (has_packs) {
      copy_rows<kWhole<T>>(cut, step, thread, stage);
    } else {
      copy_rows<1>(cut, step, thread, stage);
    }
  }

  template <int kCount>
  BEND_HD void copy_rows(const RingCut& cut, int step, int thread, T* stage) const {
    const int top = this->in_y + step * kStageRows;
#pragma unroll 1
    for (int i = thread * kCount; i < R::kRow; i += R::kThreads * kCount) {
      const int column = first + i;
      const bool is_column = column >= 0 && column < cut.in_width;
#pragma unroll
      for (int r = 0; r < kStageRows; ++r) {
        const bool is_there = is_column && top + r >= 0 && top + r < cut.in_height;
        copy_few<kCount>(stage + r * R::kRow + i,
                         this->from + static_cast<int64_t>(top + r) * cut.in_width + column, is_there);
      }
    }
  }
};

template <int kUp, int kDown, typename T>
struct PlaneFir {
  using R = PlaneRing<kUp, kDown, T>;
  using Place = PlanePlace<R>;
  using Call = FirCall<T>;  // with taps for one axis

  struct Column : RingOutputs<R> {
    float along_y[kPlaneTaps], along_x[kPlaneTaps];
    int at, shift;  // the unit of a stage's row in which its inputs begin, and how far after that
    bool is_whole;  // all outputs of a row are written at once

    BEND_HD Column(const Call& call, const RingCut& cut, const Place& place, int thread)
        : RingOutputs<R>(cut, place, call.out, thread * R::kAcross, 0), shift(place.shift % R::kUnit) {
      at = place.shift - shift + thread * R::kApart;
      is_whole = cut.width % R::kAcross == 0 && this->x % R::kAcross == 0;
#pragma unroll
      for (int k = 0; k < kPlaneTaps; ++k) {
        along_x[k] = call.taps[call.p.is_flipped ? k : kPlaneTaps - 1 - k];
        along_y[k] = call.gain * along_x[k];
      }
    }

    // Writes neighbours, as far as they lie inside.
    BEND_HD void write(const RingCut& cut, int step, int o, const float* values) const {
      if (!this->has_row(step, o)) return;
      T* const row = this->to + static_cast<int64_t>(cut.width) * o;
      if (is_whole) return write_few(row, pack<T, R::kAcross>(values));
#pragma unroll
      for (int a = 0; a < R::kAcross; ++a) {
        if (this->has_column(a)) row[a] = static_cast<T>(values[a]);
      }
    }
  };
  using Sums = typename Column::Sums;

  static RingCut cut(const Call& call) {
    const Fir& p = call.p;
    const auto narrow = [](int64_t n) { return static_cast<int>(n); };
    return RingCut::of<R>(p.batch * p.channels, 1, narrow(p.in_h), narrow(p.in_w), narrow(p.out_h), narrow(p.out_w),
                          narrow(p.pad_y), narrow(p.pad_x));
  }

  // A thread's share of a stage's work.
  BEND_HD static void work(const Call&, const RingCut& cut, Column& column, int step, const T* stage) {
    Sums live;
    column.begin(live);
    rows_from<0>(cut, column, step, stage, live);
    column.end(cut, live);
  }

  // With what a column's shift is, from `kShift` on, known beforehand.
  template <int kShift>
  BEND_HD static void rows_from(const RingCut& cut, const Column& column, int step, const T* stage, Sums& live) {
    if constexpr (kShift + 1 < R::kUnit) {
      if (column.shift != kShift) return rows_from<kShift + 1>(cut, column, step, stage, live);
    }
#pragma unroll
    for (int r = 0; r < kStageRows; ++r) {
      float values[R::kUnits * R::kUnit];
#pragma unroll
      for (int u = 0; u < R::kUnits; ++u) {
        unpack(read_shared<R::kUnit>(stage + r * R::kRow + column.at + u * R::kUnit), values + u * R::kUnit);
      }
      add(column, r, values + kShift, live);
#pragma unroll
      for (int o = 0; o < R::kLive; ++o) {
        if (R::is_last(r, o)) column.write(cut, step, o, live[o]);
      }
    }
  }

  // Adds what outputs meet in row `r` of a stage.
  BEND_HD static void add(const Column& column, int r, const float* values, Sums& live) {
    float filtered[R::kAcross] = {};
#pragma unroll
    for (int place = 0; place < R::kMet * R::kAcross; ++place) {
      const int i = place / R::kAcross, a = place % R::kAcross, kx = i * kUp - a * kDown;
      if (kx >= 0 && kx < kPlaneTaps) filtered[a] += column.along_x[kx] * values[i];
    }
#pragma unroll
    for (int o = 0; o < R::kLive; ++o) {
      if (!R::meets(r, o)) continue;
#pragma unroll
      for (int a = 0; a < R::kAcross; ++a) live[o][a] += column.along_y[R::tap(r, o)] * filtered[a];
    }
  }
};

}  // namespace bend
