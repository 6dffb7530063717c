// upfirdn2d on planes, or on pictures whose few channels come last, as a warp walks down them (row_ring.h): rows are
// copied into shared memory as they are, and a thread makes a few neighbouring columns of outputs. There are any four
// by four taps, or twelve that are the same along both axes. With the latter, a row is filtered along x in registers
// before it is added to outputs, so that both axes take one pass over memory.
#pragma once

#include "fir.h"
#include "row_ring.h"

namespace bend {

constexpr int least(int a, int b) { return a < b ? a : b; }

// The largest power of two that divides `n`.
constexpr int power_in(int n) { return n & -n; }

template <int kUp, int kDown, int kTaps, int kDepth, typename T>
struct PlaneRing : Resampling<kUp, kDown, kTaps> {
  static_assert(sizeof(T) <= sizeof(float) && kDepth < kWhole<T>);
  using Element = T;
  static constexpr int kSides = 1, kThreads = 32, kStages = 3;
  static constexpr int kLeastBlocks = kTaps > kRingTaps && sizeof(T) == 2 ? 20 : 16;  // more would spill registers
  static constexpr int kAcross = kTaps == kRingTaps && kDepth == 1 ? kWhole<T> : 4;  // outputs of a thread in a row
  static constexpr int kWide = kAcross * kDepth;       // and their values
  static constexpr int kColumns = kThreads * kAcross;  // of outputs, of a block
  static constexpr int kMet = Resampling<kUp, kDown, kTaps>::inputs(kAcross);  // columns that a thread's outputs meet
  static constexpr int kApart = kAcross * kDown / kUp * kDepth;     // from a thread's first input to its neighbour's
  static constexpr int kUnit = least(kWhole<T>, power_in(kApart));  // elements sure to lie together
  static constexpr int kUnits = (kMet * kDepth + 2 * (kUnit - 1)) / kUnit;  // that hold any thread's inputs
  static constexpr int kMost = kWhole<T> - kUnit + (kThreads - 1) * kApart + kUnits * kUnit;  // elements read
  static constexpr int kRow = (kMost + kWhole<T> - 1) / kWhole<T> * kWhole<T>, kStage = kStageRows * kRow;
  static constexpr int kShared = kDepth > 1 ? 2 * kColumns * kDepth : 0;  // two rows of outputs, for `write_together`
};

template <typename R>
struct PlanePlace : RingPlace<R> {
  using typename RingPlace<R>::T;
  int first, shift;  // the first element of a row to be fetched, on a pack, and how far after it the first input lies
  bool has_packs;    // rows begin on packs

  BEND_HD PlanePlace(const RingCut& cut, const T* pictures, uint32_t number)
      : RingPlace<R>(cut, pictures, number), shift(this->in_x * cut.depth & (kWhole<T> - 1)) {
    first = this->in_x * cut.depth - shift;
    has_packs = cut.in_width * cut.depth % kWhole<T> == 0 && lies_on_pack(pictures);
  }

  // A thread's share of fetching a stage's rows.
  BEND_HD void fetch(const RingCut& cut, int step, int thread, T* stage) const {
    if (step >= this->steps) return;
    const int top = this->in_y + step * kStageRows;
    if (!has_packs) {
      copy_rows<1, false>(cut, top, thread, stage);
    } else if (top >= 0 && top + kStageRows <= cut.in_height) {
      copy_rows<kWhole<T>, true>(cut, top, thread, stage);
    } else {
      copy_rows<kWhole<T>, false>(cut, top, thread, stage);
    }
  }

  // Each turn, a thread copies one piece of each row. If the last turn has few pieces, they are dealt to all threads.
  template <int kCount, bool kHasRows>
  BEND_HD void copy_rows(const RingCut& cut, int top, int thread, T* stage) const {
    constexpr int kPieces = R::kRow / kCount, kLeft = kPieces % R::kThreads;  // of a row, and for its last turn
    constexpr bool kDeals = kLeft > 0 && kLeft * kStageRows <= R::kThreads;
#pragma unroll 1
    for (int i = thread; i < (kDeals ? kPieces - kLeft : kPieces); i += R::kThreads) {
#pragma unroll
      for (int r = 0; r < kStageRows; ++r) copy_piece<kCount, kHasRows>(cut, top, r, i, stage);
    }
    if constexpr (kDeals) {
      const int row = thread / kLeft;
      if (row < kStageRows) copy_piece<kCount, kHasRows>(cut, top, row, kPieces - kLeft + thread % kLeft, stage);
    }
  }

  template <int kCount, bool kHasRows>
  BEND_HD void copy_piece(const RingCut& cut, int top, int row, int piece, T* stage) const {
    const auto is_below = [](int n, int end) { return static_cast<unsigned>(n) < static_cast<unsigned>(end); };
    const int width = cut.in_width * cut.depth, x = first + piece * kCount, y = top + row;
    copy_few<kCount>(stage + row * R::kRow + piece * kCount, this->from + static_cast<int64_t>(y) * width + x,
                     is_below(x, width) && (kHasRows || is_below(y, cut.in_height)));
  }
};

template <int kUp, int kDown, int kTaps, int kDepth, typename T>
struct PlaneFir {
  using R = PlaneRing<kUp, kDown, kTaps, kDepth, T>;
  using Place = PlanePlace<R>;
  using Call = FirCall<T>;
  static constexpr bool kBothAxes = kTaps > kRingTaps;  // one vector of taps for both
  static constexpr int kPiece = least(kWhole<T>, power_in(R::kWide));  // elements that are written at once

  struct Column : RingOutputs<R> {
    float taps[kBothAxes ? 2 : kTaps][kTaps];  // along x, and the same times the gain; or all taps
    int at, shift;  // where in a stage's row the unit lies in which its inputs begin, and how far into that unit
    int thread;
    bool is_whole;  // a row's outputs are written many at once
    T* shared;      // `R::kShared` elements of the block's memory

    BEND_HD Column(const Call& call, const RingCut& cut, const Place& place, int thread)
        : RingOutputs<R>(cut, place, call.out, thread * R::kAcross, 0),
          shift(place.shift % R::kUnit),
          thread(thread) {
      at = place.shift - shift + thread * R::kApart;
      is_whole = cut.width % R::kAcross == 0 && this->x % R::kAcross == 0;
#pragma unroll
      for (int k = 0; k < kTaps; ++k) {
        if constexpr (kBothAxes) {
          taps[0][k] = call.taps[call.p.is_flipped ? k : kTaps - 1 - k];
          taps[1][k] = call.gain * taps[0][k];
        } else {
#pragma unroll
          for (int kx = 0; kx < kTaps; ++kx) taps[k][kx] = call.gain * call.taps[call.p.tap(k, kx)];
        }
      }
    }

    // Threads that write together must all take part.
    BEND_HD bool is_idle() const { return R::kShared > 0 ? this->rows <= 0 : RingOutputs<R>::is_idle(); }

    // Whether all outputs that a stage completes lie inside, and are written many at once.
    BEND_HD bool is_inner(int step) const {
      return is_whole && this->has_row(step, 0) && this->has_row(step, R::kDone - 1);
    }

    // Writes those neighbouring outputs that lie inside.
    template <bool kIsInner>
    BEND_HD void write(const RingCut& cut, int step, int o, const float* values) const {
      T* const row = this->to + static_cast<int64_t>(cut.width * kDepth) * o;
      if constexpr (kIsInner) {
        write_pieces(row, values);
      } else if (this->has_row(step, o)) {
        is_whole ? write_whole(row, o, values) : write_single(row, values);
      }
    }

#if defined(BEND_HAS_WARPS)
    BEND_HD void write_whole(T* row, int o, const float* values) const {
      if constexpr (R::kShared > 0) {
        write_together(row, o, values);
      } else {
        write_pieces(row, values);
      }
    }

    // Writes as a warp, where a thread's outputs are more than one piece: each thread writes pieces next to those of
    // its neighbours. Rows alternate between two places in shared memory, so that none is overwritten while still being
    // read.
    BEND_HD void write_together(T* row, int o, const float* values) const {
      static_assert(R::kThreads == 32, "more than a warp");
      T* const place = shared + o % 2 * (R::kShared / 2);
      write_pieces(place + thread * R::kWide, values);
      __syncwarp();
      T* const first = row - thread * R::kWide;
      const int end = (this->columns + thread * R::kAcross) * kDepth;
#pragma unroll
      for (int turn = 0; turn < R::kWide / kPiece; ++turn) {
        const int i = (turn * R::kThreads + thread) * kPiece;
        if (i < end) write_few(first + i, read_shared<kPiece>(place + i));
      }
    }
#else
    BEND_HD void write_whole(T* row, int, const float* values) const {
      if (this->has_column(0)) write_pieces(row, values);
    }
#endif

    BEND_HD static void write_pieces(T* row, const float* values) {
#pragma unroll
      for (int i = 0; i < R::kWide; i += kPiece) write_few(row + i, pack<T, kPiece>(values + i));
    }

    BEND_HD void write_single(T* row, const float* values) const {
#pragma unroll
      for (int i = 0; i < R::kWide; ++i) {
        if (this->has_column(i / kDepth)) row[i] = static_cast<T>(values[i]);
      }
    }
  };
  using Sums = typename Column::Sums;

  static RingCut cut(const Call& call) {
    const Fir& p = call.p;
    const auto narrow = [](int64_t n) { return static_cast<int>(n); };
    return RingCut::of<R>(kDepth > 1 ? p.batch : p.batch * p.channels, kDepth, narrow(p.in_h), narrow(p.in_w),
                          narrow(p.out_h), narrow(p.out_w), narrow(p.pad_y), narrow(p.pad_x));
  }

  // A thread's share of a stage's work.
  BEND_HD static void work(const Call&, const RingCut& cut, Column& column, int step, const T* stage) {
    Sums live;
    column.begin(live);
    if (kBothAxes && column.is_inner(step)) {  // otherwise the checks are not the bottleneck
      rows_from<0, kBothAxes>(cut, column, step, stage, live);
    } else {
      rows_from<0, false>(cut, column, step, stage, live);
    }
    column.end(cut, live);
  }

  // Makes a column's shift, `kShift` or more, known at compile time.
  template <int kShift, bool kIsInner>
  BEND_HD static void rows_from(const RingCut& cut, const Column& column, int step, const T* stage, Sums& live) {
    if constexpr (kShift + 1 < R::kUnit) {
      if (column.shift != kShift) return rows_from<kShift + 1, kIsInner>(cut, column, step, stage, live);
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
        if (R::is_last(r, o)) column.template write<kIsInner>(cut, step, o, live[o]);
      }
    }
  }

  // Adds to the outputs what they meet in row `r` of a stage.
  BEND_HD static void add(const Column& column, int r, const float* values, Sums& live) {
    float filtered[R::kWide] = {};
    if constexpr (kBothAxes) add_along_x(column.taps[0], values, filtered);
#pragma unroll
    for (int o = 0; o < R::kLive; ++o) {
      if (!R::meets(r, o)) continue;
      if constexpr (kBothAxes) {
#pragma unroll
        for (int i = 0; i < R::kWide; ++i) live[o][i] += column.taps[1][R::tap(r, o)] * filtered[i];
      } else {
        add_along_x(column.taps[R::tap(r, o)], values, live[o]);
      }
    }
  }

  BEND_HD static void add_along_x(const float* taps, const float* values, float* sums) {
#pragma unroll
    for (int place = 0; place < R::kMet * R::kAcross; ++place) {
      const int i = place / R::kAcross, a = place % R::kAcross, kx = i * kUp - a * kDown;
      if (kx < 0 || kx >= kTaps) continue;
#pragma unroll
      for (int c = 0; c < kDepth; ++c) sums[a * kDepth + c] += taps[kx] * values[i * kDepth + c];
    }
  }
};

}  // namespace bend
