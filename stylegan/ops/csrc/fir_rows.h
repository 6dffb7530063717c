// The 4x4 FIR after an upsampling convolution, and the layer's epilogue with it: one row of the output at a time.
#pragma once

#include "epilogue.h"
#include "gemm.h"

namespace bend {

// Correlates four rows of `width + 1` pixels (null for rows of zeros) with taps along y and x, finishes, and writes
// `width` pixels, channels last. `noise` may be null.
template <typename T>
inline void fir_row(const Epilogue& e, const T* const rows[4], const float* taps, const float* demodulation,
                    const float* noise, int64_t width, T* to) {
  const float *along_y = taps, *along_x = taps + 4;
  for (int64_t o = 0; o < e.channels; o += kLane) {
    const Floats d = load(demodulation + o), b = load(e.bias + o);
    const auto vertical = [&](int64_t j) {
      Floats sum = {};
      for (int k = 0; k < 4; ++k) {
        if (rows[k]) sum += load(rows[k] + j * e.channels + o) * along_y[k];
      }
      return sum;
    };
    Floats v0 = {}, v1 = vertical(0), v2 = vertical(1);
    for (int64_t j = 0; j < width; ++j) {
      const Floats v3 = j + 2 <= width ? vertical(j + 2) : Floats{};
      const Floats y = v0 * along_x[0] + v1 * along_x[1] + v2 * along_x[2] + v3 * along_x[3];
      store(to + j * e.channels + o, finish(e, y, d, b, noise ? noise[j] : 0.0f));
      v0 = v1;
      v1 = v2;
      v2 = v3;
    }
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
