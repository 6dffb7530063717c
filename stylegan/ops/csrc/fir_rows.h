// The 4x4 FIR after an upsampling convolution, together with the layer's epilogue: one row of the output at a time.
#pragma once

#include <algorithm>

#include "epilogue.h"
#include "far.h"
#include "gemm.h"
#include "scratch.h"

namespace bend {

// `fir_row` for rows that are all present, or of which some are missing. Settings are taken by value, so that the
// compiler knows that no store changes them.
template <bool are_whole, typename T>
inline void fir_row_of(const Epilogue e, const T* const rows[4], const float* taps, const float* demodulation,
                       const float* noise, int64_t width, T* to, int64_t step, bool is_far) {
  static thread_local Scratch scratch;
  const int64_t channels = e.channels;
  const T *const r0 = rows[0], *const r1 = rows[1], *const r2 = rows[2], *const r3 = rows[3];
  const float y0 = taps[0], y1 = taps[1], y2 = taps[2], y3 = taps[3];
  const float x0 = taps[4], x1 = taps[5], x2 = taps[6], x3 = taps[7];
  const auto vertical = [=](int64_t at) {
    if constexpr (are_whole) return load(r0 + at) * y0 + load(r1 + at) * y1 + load(r2 + at) * y2 + load(r3 + at) * y3;
    Floats sum = {};
    if (r0) sum += load(r0 + at) * y0;
    if (r1) sum += load(r1 + at) * y1;
    if (r2) sum += load(r2 + at) * y2;
    if (r3) sum += load(r3 + at) * y3;
    return sum;
  };
  // Four pixels filtered along y, all channels: those that the next output is made from. At first, v0 is zero.
  float* const pixels = scratch.take(4 * channels);
  float *v0 = pixels, *v1 = v0 + channels, *v2 = v1 + channels, *v3 = v2 + channels;
  std::fill(v0, v1, 0.0f);
  for (int64_t o = 0; o < channels; o += kLane) {
    store(v1 + o, vertical(o));
    store(v2 + o, vertical(channels + o));
  }
  for (int64_t j = 0; j < width; ++j, to += step) {
    const float own = noise ? noise[j] : 0.0f;
    const bool is_last = j + 1 == width;
    for (int64_t o = 0; o < channels; o += kLane) {
      const Floats next = is_last ? Floats{} : vertical((j + 2) * channels + o);
      store(v3 + o, next);
      const Floats y = load(v0 + o) * x0 + load(v1 + o) * x1 + load(v2 + o) * x2 + next * x3;
      store(to + o, finish(e, y, load(demodulation + o), load(e.bias + o), own), is_far);
    }
    float* const freed = v0;
    v0 = v1;
    v1 = v2;
    v2 = v3;
    v3 = freed;
  }
}

// Correlates four rows of `width + 1` pixels (null for rows of zeros) with taps along y and x, finishes them, and
// writes `width` pixels, channels last, `step` apart, past the caches if `is_far` (`far.h`). `noise` may be null.
template <typename T>
inline void fir_row(const Epilogue& e, const T* const rows[4], const float* taps, const float* demodulation,
                    const float* noise, int64_t width, T* to, int64_t step, bool is_far) {
  if (rows[0] && rows[1] && rows[2] && rows[3]) {
    fir_row_of<true>(e, rows, taps, demodulation, noise, width, to, step, is_far);
  } else {
    fir_row_of<false>(e, rows, taps, demodulation, noise, width, to, step, is_far);
  }
}

// The same without a FIR.
template <typename T>
inline void plain_row(const Epilogue& e, const T* from, const float* demodulation, const float* noise, int64_t width,
                      T* to) {
  for (int64_t j = 0; j < width; ++j) {
    for (int64_t o = 0; o < e.channels; o += kLane) {
      const int64_t at = j * e.channels + o;
      const Floats value = load(from + at);
      store(to + at, finish(e, value, load(demodulation + o), load(e.bias + o), noise ? noise[j] : 0.0f));
    }
  }
}

}  // namespace bend
