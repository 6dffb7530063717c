// Four by four taps on pictures with channels last, as a block of threads walks down them: rows of a stretch of columns
// and of a few channels are fetched into shared memory some time before they are needed, by copies that take no
// registers. A thread makes a column of outputs for a pack of channels. Here rather than in a .cu file, so that a CPU
// can run it too, one thread after another.
#pragma once

#include "packs.h"

namespace bend {

constexpr int kRingTaps = 4;
constexpr int kStageRows = 4;  // input rows that are fetched together, and worked on together
constexpr int kMostSides = 8;  // threads side by side at a pixel's channels

// The geometry of resampling by a factor. An output and a row meet at the tap `row * kUp - output * kDown`, where both
// are counted from a place where tap zero meets a row.
template <int kUp, int kDown, int kTaps>
struct Resampling {
  static constexpr int kUps = kUp, kDowns = kDown;
  static constexpr int kDone = kStageRows * kUp / kDown;  // outputs that a stage completes
  static constexpr int kBack = (kTaps - 1) / kDown;       // how far before the stage's place the first of them lies
  static constexpr int kLive = kBack + (kStageRows - 1) * kUp / kDown + 1;  // outputs that a stage contributes to
  static constexpr int kKept = kLive - kDone;                               // of which the next one does too

  // The tap that output `o` of a stage meets in its row `r`, if there is such a tap.
  BEND_HD static constexpr int tap(int r, int o) { return r * kUp + (kBack - o) * kDown; }
  BEND_HD static constexpr bool meets(int r, int o) { return tap(r, o) >= 0 && tap(r, o) < kTaps; }

  // Whether row `r` is the last that output `o` meets.
  BEND_HD static constexpr bool is_last(int r, int o) { return meets(r, o) && tap(r, o) >= kTaps - kUp; }

  // How many columns of inputs a number of neighbouring outputs meet.
  BEND_HD static constexpr int inputs(int outputs) { return ((outputs - 1) * kDown + kTaps - 1) / kUp + 1; }
};

// Four by four taps, with `kSide` threads side by side at a pixel.
template <int kUp, int kDown, int kSide, typename T>
struct Ring : Resampling<kUp, kDown, kRingTaps> {
  static_assert(sizeof(T) <= sizeof(float));
  using Element = T;
  static constexpr int kSides = kSide;
  static constexpr int kAcross = kUp * kDown == 1 ? 2 : 1;  // outputs of a thread in a row, which share inputs
  static constexpr int kWide = kAcross * kWhole<T>;         // and their values
  static constexpr int kThreads = 256 / kDown / kAcross;
  static constexpr int kLeastBlocks = kUp == 2 && sizeof(T) == 2 ? 3 : 1024 / kThreads / kAcross;  // without spills
  static constexpr int kColumns = kThreads / kSide * kAcross;                           // of outputs, of a block
  static constexpr int kInputs = Resampling<kUp, kDown, kRingTaps>::inputs(kColumns);   // columns that these meet
  static constexpr int kRow = kInputs * kSide * kWhole<T>, kStage = kStageRows * kRow;  // elements
  static constexpr int kStages = kUp == 2 ? 3 : 2;                                      // all but one are being fetched
  static constexpr int kShared = 0;                                                     // elements besides stages
  static constexpr int kMet = kRingTaps / kUp;                                          // columns that an output meets
};

// Whether 32 bits suffice for places in a picture of `height` rows of `row` elements, padding included.
inline bool is_narrow(int64_t height, int64_t row) { return height < 1 << 29 && row < 1 << 29; }

// How a call is cut into blocks. Neighbouring blocks have channels side by side, then columns, then what lies below.
struct RingCut {
  int64_t pictures;
  int depth, in_height, in_width, height, width, pad_y, pad_x;
  int rows;                           // of outputs, of a block
  uint32_t sides, stretches, strips;  // of a picture
  int64_t count;

  // How far before the picture's first output counting begins, so that tap zero meets a row there.
  template <typename R>
  BEND_HD static constexpr int before(int pad) {
    return R::kUps == 2 ? pad & 1 : 0;
  }

  // How many rows of outputs a number of steps completes.
  template <typename R>
  static constexpr int rows_of(int steps) {
    return (R::kDone * steps - R::kBack) / R::kUps * R::kUps;
  }

  template <typename R>
  static RingCut of(int64_t pictures, int depth, int in_height, int in_width, int height, int width, int pad_y,
                    int pad_x) {
    constexpr int kMostSteps = 16, kLeastSteps = 4;
    RingCut c{pictures, depth, in_height, in_width, height, width, pad_y, pad_x, 0, 0, 0, 0, 0};
    const auto times = [](int64_t all, int64_t each) { return static_cast<uint32_t>((all + each - 1) / each); };
    c.sides = times(depth, kWhole<typename R::Element> * R::kSides);
    c.stretches = times(static_cast<int64_t>(width) + before<R>(pad_x), R::kColumns);
    const int64_t outputs = static_cast<int64_t>(height) + before<R>(pad_y);
    // Tall blocks reread the least; many blocks share the device the most evenly.
    for (int steps = kMostSteps; steps >= kLeastSteps && c.count < 64 * steps * steps; --steps) {
      c.strips = times(outputs, rows_of<R>(steps));
      c.count = pictures * c.sides * c.stretches * c.strips;
    }
    // Without more steps than that number of blocks needs, the last block has about as much to do as the others.
    const auto steps = times(times(outputs, c.strips) + R::kUps - 1 + R::kBack, R::kDone);
    c.rows = rows_of<R>(static_cast<int>(steps));
    return c;
  }
};

// Copies neighbouring elements, or zeros, from global to shared memory; in the background where the device can.
template <int count, typename T>
BEND_HD void copy_few(T* to, const T* from, bool is_there) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  constexpr int kBytes = Few<T, count>::kBytes;
  const auto place = static_cast<uint32_t>(__cvta_generic_to_shared(to));
  if constexpr (kBytes == kPackBytes) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(place), "l"(from), "r"(is_there ? 16 : 0)
                 : "memory");
    return;
  } else if constexpr (kBytes == 4) {
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(place), "l"(from), "r"(is_there ? 4 : 0)
                 : "memory");
    return;
  }
#endif
  write_few(to, read_few<count>(from, is_there));
}

// Where a block works, and how its rows are fetched.
template <typename R>
struct RingPlace {
  using T = typename R::Element;
  const T* from;  // the picture's first row and column, the block's channel
  int64_t picture;
  int channel, y, x;  // the first output's place, which may be one before the picture
  int rows, steps;    // rows of outputs; number of stages
  int in_y, in_x;     // the first input's place, which may be outside

  BEND_HD RingPlace(const RingCut& cut, const T* pictures, uint32_t number) {
    const uint32_t stretch = number / cut.sides, strip = stretch / cut.stretches, n = strip / cut.strips;
    picture = n;
    channel = static_cast<int>(number - stretch * cut.sides) * (kWhole<T> * R::kSides);
    x = static_cast<int>(stretch - strip * cut.stretches) * R::kColumns - RingCut::before<R>(cut.pad_x);
    y = static_cast<int>(strip - n * cut.strips) * cut.rows - RingCut::before<R>(cut.pad_y);
    in_y = (y * R::kDowns - cut.pad_y) / R::kUps;
    in_x = (x * R::kDowns - cut.pad_x) / R::kUps;
    rows = cut.height - y < cut.rows ? cut.height - y : cut.rows;
    steps = (rows + R::kBack + R::kDone - 1) / R::kDone;
    from = pictures + picture * cut.in_height * cut.in_width * cut.depth + channel;
  }

  // A thread's share of fetching a stage's rows.
  BEND_HD void fetch(const RingCut& cut, int step, int thread, T* stage) const {
    if (step >= steps) return;
    const int pack = thread % R::kSides, first = in_y + step * kStageRows;
    const int columns = R::inputs(cut.width - x < R::kColumns ? cut.width - x : R::kColumns);
    const bool is_channel = channel + pack * kWhole<T> < cut.depth;
#pragma unroll 1
    for (int column = thread / R::kSides; column < columns; column += R::kThreads / R::kSides) {
      const bool is_column = is_channel && in_x + column >= 0 && in_x + column < cut.in_width;
      const T* pixel = from + static_cast<int64_t>(in_x + column) * cut.depth + pack * kWhole<T>;
#pragma unroll
      for (int r = 0; r < kStageRows; ++r) {
        const bool is_there = is_column && first + r >= 0 && first + r < cut.in_height;
        copy_few<kWhole<T>>(stage + r * R::kRow + (column * R::kSides + pack) * kWhole<T>,
                            pixel + static_cast<int64_t>(first + r) * (cut.in_width * cut.depth), is_there);
      }
    }
  }
};

// A thread's outputs, and the sums it keeps from one stage to the next.
template <typename R>
struct RingOutputs {
  using T = typename R::Element;
  using Sums = float[R::kLive][R::kWide];
  int x, channel;            // of the picture
  int first, rows, columns;  // those that are written
  T* to;                     // the first output that a stage contributes to
  float sums[R::kKept][R::kWide];

  // The thread's first output lies `across` columns and `deep` channels after the block's.
  BEND_HD RingOutputs(const RingCut& cut, const RingPlace<R>& place, T* out, int across, int deep)
      : x(place.x + across), channel(place.channel + deep), sums{} {
    first = place.y < 0 ? -place.y : 0;
    rows = channel < cut.depth ? place.rows - first : 0;
    columns = cut.width - x;
    const int64_t pixel = (place.picture * cut.height + place.y - R::kBack) * cut.width + x;
    to = out + pixel * cut.depth + channel;
  }

  // Whether the thread writes nothing.
  BEND_HD bool is_idle() const { return rows <= 0 || columns <= 0; }

  // Whether output `o` of a stage lies inside; likewise the thread's column `a`.
  BEND_HD bool has_row(int step, int o) const {
    return static_cast<unsigned>(step * R::kDone - R::kBack + o - first) < static_cast<unsigned>(rows);
  }
  BEND_HD bool has_column(int a) const { return (R::kUps == 1 || x + a >= 0) && a < columns; }

  // The outputs that a stage contributes to, with their sums so far.
  BEND_HD void begin(Sums& live) const {
#pragma unroll
    for (int o = 0; o < R::kLive; ++o) {
#pragma unroll
      for (int i = 0; i < R::kWide; ++i) live[o][i] = o < R::kKept ? sums[o][i] : 0.0f;
    }
  }

  BEND_HD void end(const RingCut& cut, const Sums& live) {
#pragma unroll
    for (int o = 0; o < R::kKept; ++o) {
#pragma unroll
      for (int i = 0; i < R::kWide; ++i) sums[o][i] = live[R::kDone + o][i];
    }
    to += static_cast<int64_t>(cut.width * cut.depth) * R::kDone;
  }
};

// A thread's column of outputs of a pack of channels.
template <typename R>
struct RingColumn : RingOutputs<R> {
  using typename RingOutputs<R>::T;
  using typename RingOutputs<R>::Sums;
  int met;  // the first of the inputs that its outputs meet, in a stage's row

  BEND_HD RingColumn(const RingCut& cut, const RingPlace<R>& place, T* out, int thread)
      : RingOutputs<R>(cut, place, out, thread / R::kSides * R::kAcross, thread % R::kSides * kWhole<T>) {
    const int at = thread / R::kSides * R::kAcross;
    met = ((at * R::kDowns + R::kUps - 1) / R::kUps * R::kSides + thread % R::kSides) * kWhole<T>;
  }

  // Adds to the outputs what they meet in row `r` of a stage, with taps along y and along x.
  BEND_HD void add_split(const T* stage, int r, const float* along_y, const float* along_x,
                         Sums& live) const {
    float filtered[R::kWide] = {};
#pragma unroll
    for (int k = 0; k < R::kMet + R::kAcross - 1; ++k) {
      float values[kWhole<T>];
      input(stage, r, k, values);
#pragma unroll
      for (int a = 0; a < R::kAcross; ++a) {
        if (k < a || k - a >= R::kMet) continue;
#pragma unroll
        for (int i = 0; i < kWhole<T>; ++i) filtered[a * kWhole<T> + i] += along_x[k - a] * values[i];
      }
    }
#pragma unroll
    for (int o = 0; o < R::kLive; ++o) {
      if (!R::meets(r, o)) continue;
#pragma unroll
      for (int i = 0; i < R::kWide; ++i) live[o][i] += along_y[R::tap(r, o)] * filtered[i];
    }
  }

  // The same with any taps.
  BEND_HD void add(const T* stage, int r, const float (&taps)[kRingTaps][R::kMet], Sums& live) const {
#pragma unroll
    for (int k = 0; k < R::kMet + R::kAcross - 1; ++k) {
      float values[kWhole<T>];
      input(stage, r, k, values);
#pragma unroll
      for (int place = 0; place < R::kLive * R::kAcross; ++place) {
        const int o = place / R::kAcross, a = place % R::kAcross;
        if (!R::meets(r, o) || k < a || k - a >= R::kMet) continue;
#pragma unroll
        for (int i = 0; i < kWhole<T>; ++i) live[o][a * kWhole<T> + i] += taps[R::tap(r, o)][k - a] * values[i];
      }
    }
  }

  // Input number `k` that the outputs meet in row `r` of a stage.
  BEND_HD void input(const T* stage, int r, int k, float* values) const {
    unpack(read_shared<kWhole<T>>(stage + met + r * R::kRow + k * R::kSides * kWhole<T>), values);
  }

  BEND_HD bool has(int step, int o, int a) const { return this->has_row(step, o) && this->has_column(a); }

  BEND_HD void write(const RingCut& cut, int step, int o, const float* values) const {
    T* const row = this->to + static_cast<int64_t>(cut.width * cut.depth) * o;
#pragma unroll
    for (int a = 0; a < R::kAcross; ++a) {
      if (has(step, o, a)) write_few(row + cut.depth * a, pack<T, kWhole<T>>(values + a * kWhole<T>));
    }
  }
};

}  // namespace bend
