// The arithmetic of upfirdn2d: which sample a tap meets, and one output at a time.
#pragma once

#include "portable.h"

namespace bend {

// Sizes and factors of one call. Padding is counted on the upsampled image; the padding after it follows from the size
// of the output.
struct Fir {
  int64_t batch, channels, in_h, in_w, out_h, out_w;
  int64_t up_x, up_y, down_x, down_y, pad_x, pad_y;
  int64_t taps_h, taps_w;
  bool is_flipped;  // taps are already in the order of a correlation

  // The tap that a correlation meets at place (ky, kx), as an index into the filter.
  BEND_HD int64_t tap(int64_t ky, int64_t kx) const {
    return is_flipped ? ky * taps_w + kx : (taps_h - 1 - ky) * taps_w + taps_w - 1 - kx;
  }
};

// One call's memory, as CUDA's kernels take it.
template <typename T>
struct FirCall {
  Fir p;
  const T* x;
  const compute_t<T>* taps;
  T* out;
  compute_t<T> gain;
  bool is_last;  // channels last, in and out
};

BEND_HD int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0); }

// The first tap along one axis that meets a sample (not an inserted zero) for an output at `at`, and that sample's
// place, which may lie outside. The others follow, each `up` taps and one sample further.
BEND_HD void first_tap(int64_t at, int64_t up, int64_t down, int64_t pad, int64_t* tap, int64_t* sample) {
  const int64_t origin = at * down - pad;
  *sample = -floor_div(-origin, up);  // rounded up
  *tap = *sample * up - origin;
}

// One output of one plane, whose samples lie `row` and `column` elements apart.
template <typename T, typename A>
BEND_HD A fir_at(const Fir& p, const T* plane, int64_t row, int64_t column, const A* taps, int64_t y, int64_t x) {
  int64_t ky, kx0, iy, ix0;
  first_tap(y, p.up_y, p.down_y, p.pad_y, &ky, &iy);
  first_tap(x, p.up_x, p.down_x, p.pad_x, &kx0, &ix0);
  A sum = A(0);
  for (; ky < p.taps_h; ky += p.up_y, ++iy) {
    if (iy < 0 || iy >= p.in_h) continue;
    int64_t kx = kx0, ix = ix0;
    for (; kx < p.taps_w; kx += p.up_x, ++ix) {
      if (ix < 0 || ix >= p.in_w) continue;
      sum += taps[p.tap(ky, kx)] * static_cast<A>(plane[iy * row + ix * column]);
    }
  }
  return sum;
}

}  // namespace bend
