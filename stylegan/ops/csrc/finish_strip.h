// What follows a synthesis layer's convolution, as CUDA runs it: the work of a thread. Here rather than in the .cu
// file, so that a CPU can run it too, one thread after another.
//
// It treats both layouts alike. A pixel is `depth` neighbouring elements of a picture, of which a sample has `planes`:
// one picture with all channels in a pixel where channels come last, and a picture for each channel where they come
// first. A thread makes a strip of outputs, one below another, for a pack of channels (or a single one), so that an
// input row that several outputs need is read and filtered along x once for all of them. With taps, packs are left to
// finish_ring.h.
#pragma once

#include "epilogue.h"
#include "packs.h"

namespace bend {

constexpr int kStripRows = 8;        // outputs of a thread that filters, which rereads three rows
constexpr int kPlainRows = 4;        // of one that does not
constexpr int kFirTaps = 4;          // along either axis
constexpr int64_t kSideBytes = 128;  // most bytes of a pixel's channels that lie side by side in a block of threads

// One call's memory.
template <typename T>
struct FinishCall {
  Epilogue e;
  const T* x;                 // [N, planes, height, width, depth], one row and column more where there are taps
  const float* demodulation;  // [N, planes * depth]
  const float* taps;          // [2, 4], along y and along x; null for none
  T* out;                     // [N, planes, height, width, depth]
  int64_t samples;
  int planes, depth, height, width;  // of the output; a row has at most 2^31 - 1 elements
};

// How threads are numbered: neighbours take packs side by side, then the pixels of a row, then the rest.
struct Strips {
  int64_t side, sides;  // packs side by side, and how many times that many make a pixel
  int64_t width, strips;
  int64_t count;  // of threads
  int rows;       // of a strip
};

template <int kWidth, typename T>
Strips strips_of(const FinishCall<T>& call) {
  const int64_t packs = call.depth / kWidth, most = kSideBytes / static_cast<int64_t>(kWidth * sizeof(T));
  // With a FIR, neighbours along x should be in one block, so that they share its cache; without one, threads take
  // packs in the order of memory.
  const int64_t sides = call.taps ? (packs + most - 1) / most : 1;
  const int64_t side = sides > 0 ? (packs + sides - 1) / sides : 0;
  const int rows = call.taps ? kStripRows : kPlainRows;
  const int64_t strips = (static_cast<int64_t>(call.height) + rows - 1) / rows;
  return {side, sides, call.width, strips, side * sides * call.width * strips * call.samples * call.planes, rows};
}

// Whether whole packs can be read and written.
template <typename T>
bool has_whole_packs(const FinishCall<T>& call) {
  return call.depth % kWhole<T> == 0 && lies_on_pack(call.x) && lies_on_pack(call.out) &&
         lies_on_pack(call.demodulation) && lies_on_pack(call.e.bias);
}

// Where a thread works: its picture, first row, column and pack.
struct StripPlace {
  int64_t picture;
  int y, x, pack;
};

// Index is as narrow as the count allows, because division is what costs time here.
template <typename Index>
BEND_HD StripPlace place_of(const Strips& s, Index number) {
  const Index side = static_cast<Index>(s.side), width = static_cast<Index>(s.width);
  const Index sides = static_cast<Index>(s.sides), strips = static_cast<Index>(s.strips);
  const Index across = number / side, row = across / width, strip = row / sides, picture = strip / strips;
  return {static_cast<int64_t>(picture), static_cast<int>(strip - picture * strips) * s.rows,
          static_cast<int>(across - row * width),
          static_cast<int>((row - strip * sides) * side + number - across * side)};
}

// A strip's memory, and what its outputs share. `kPlanar` tells the compiler that a pixel is one element.
template <int kWidth, bool kPlanar, typename T>
struct Strip {
  const T* from;       // in the picture's first row, at the strip's column
  T* to;               // its first output
  const float* noise;  // of its first output; null for none
  float demodulation[kWidth], bias[kWidth];

  BEND_HD static int depth(const FinishCall<T>& call) { return kPlanar ? 1 : call.depth; }

  BEND_HD Strip(const FinishCall<T>& call, const StripPlace& at, int in_height, int in_width) {
    const int64_t n = kPlanar ? at.picture / call.planes : at.picture;
    const int c = at.pack * kWidth, plane = static_cast<int>(at.picture - n * call.planes);
    const int64_t pixel = static_cast<int64_t>(at.y) * call.width + at.x;
    from = call.x + (at.picture * in_height * in_width + at.x) * depth(call) + c;
    to = call.out + (at.picture * call.height * call.width + pixel) * depth(call) + c;
    noise = call.e.noise ? call.e.noise + n * call.e.noise_step + pixel : nullptr;
    unpack(read_few<kWidth>(call.demodulation + at.picture * depth(call) + c), demodulation);
    unpack(read_few<kWidth>(call.e.bias + static_cast<int64_t>(plane) * depth(call) + c), bias);
  }

  // Finishes output number `o`, unless it lies outside.
  BEND_HD void write(const FinishCall<T>& call, int o, bool is_inside, const float* values) const {
    const float added = read_one(noise + static_cast<int64_t>(call.width) * o, is_inside && noise != nullptr);
    float finished[kWidth];
#pragma unroll
    for (int i = 0; i < kWidth; ++i) finished[i] = finish(call.e, values[i], demodulation[i], bias[i], added);
    const int64_t place = static_cast<int64_t>(call.width * depth(call)) * o;
    if (is_inside) write_few(to + place, pack<T, kWidth>(finished));
  }
};

// A strip without FIR.
template <int kWidth, bool kPlanar, typename T>
BEND_HD void plain_strip(const FinishCall<T>& call, const StripPlace& at) {
  const Strip<kWidth, kPlanar, T> strip(call, at, call.height, call.width);
  const int row = call.width * strip.depth(call);
  Few<T, kWidth> pixels[kPlainRows];
#pragma unroll
  for (int r = 0; r < kPlainRows; ++r) {
    const int y = at.y + r;
    pixels[r] = read_few<kWidth>(strip.from + static_cast<int64_t>(row) * y, y < call.height);
  }
#pragma unroll
  for (int r = 0; r < kPlainRows; ++r) {
    float values[kWidth];
    unpack(pixels[r], values);
    strip.write(call, r, at.y + r < call.height, values);
  }
}

// The pixels that an output's taps meet in one row of the input.
template <int kWidth, typename T>
struct Meeting {
  Few<T, kWidth> pixels[kFirTaps];

  // `row` is at the output's column; with `kInner` all taps are known to meet the picture.
  template <bool kInner>
  BEND_HD void read(const T* row, int depth, int x, int in_width, bool is_inside) {
#pragma unroll
    for (int k = 0; k < kFirTaps; ++k) {
      const bool is_met = kInner || (is_inside && x + k >= 1 && x + k <= in_width);
      pixels[k] = read_few<kWidth>(row + static_cast<int64_t>(depth) * (k - 1), is_met);
    }
  }

  BEND_HD void filter(const float* taps, float* sums) const {
#pragma unroll
    for (int k = 0; k < kFirTaps; ++k) {
      float values[kWidth];
      unpack(pixels[k], values);
#pragma unroll
      for (int i = 0; i < kWidth; ++i) sums[i] = k == 0 ? values[i] * taps[0] : sums[i] + values[i] * taps[k];
    }
  }
};

// A strip with the FIR before it: an output meets the input rows and columns from one before its own to two after.
template <int kWidth, bool kPlanar, bool kInner, typename T>
BEND_HD void fir_strip(const FinishCall<T>& call, const StripPlace& at) {
  constexpr int kInputs = kStripRows + kFirTaps - 1;
  const int in_height = call.height + 1, in_width = call.width + 1;
  const Strip<kWidth, kPlanar, T> strip(call, at, in_height, in_width);
  const int depth = strip.depth(call), step = in_width * depth;
  float along_y[kFirTaps], along_x[kFirTaps];
#pragma unroll
  for (int k = 0; k < kFirTaps; ++k) {
    along_y[k] = read_one(call.taps + k);
    along_x[k] = read_one(call.taps + kFirTaps + k);
  }
  Meeting<kWidth, T> rows[2];
  const auto read = [&](int r) {
    const int y = at.y + r - 1;
    const T* row = strip.from + static_cast<int64_t>(step) * y;
    rows[r % 2].template read<kInner>(row, depth, at.x, in_width, y >= 0 && y < in_height);
  };
  read(0);
  float sums[kStripRows][kWidth] = {};
#pragma unroll
  for (int r = 0; r < kInputs; ++r) {
    if (r + 1 < kInputs) read(r + 1);  // arrives while this row is worked on
    float filtered[kWidth];
    rows[r % 2].filter(along_x, filtered);
#pragma unroll
    for (int o = 0; o < kStripRows; ++o) {
      if (o > r || r - o >= kFirTaps) continue;
#pragma unroll
      for (int i = 0; i < kWidth; ++i) sums[o][i] += filtered[i] * along_y[r - o];
    }
    const int done = r - (kFirTaps - 1);  // the output that this row was the last for
    if (done >= 0) strip.write(call, done, kInner || at.y + done < call.height, sums[done]);
  }
}

// The work of one thread.
template <bool kFir, int kWidth, bool kPlanar, typename T>
BEND_HD void finish_strip(const FinishCall<T>& call, const Strips& strips, int64_t number) {
  if (number >= strips.count) return;
  const bool is_short = strips.count <= UINT32_MAX;
  const StripPlace at = is_short ? place_of(strips, static_cast<uint32_t>(number))
                                 : place_of(strips, static_cast<uint64_t>(number));
  if (at.pack * kWidth >= call.depth) return;  // beyond the packs of the last side
  if constexpr (kFir) {
    const bool is_inner = at.y >= 1 && at.y + kStripRows < call.height && at.x >= 1 && at.x + 2 <= call.width;
    if (is_inner) {
      fir_strip<kWidth, kPlanar, true>(call, at);
    } else {
      fir_strip<kWidth, kPlanar, false>(call, at);
    }
  } else {
    plain_strip<kWidth, kPlanar>(call, at);
  }
}

}  // namespace bend
