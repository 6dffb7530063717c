// The to-RGB layer: a 1x1 convolution with a kernel for each sample, bias, clamp, and the image beneath added. 16
// pixels are transposed at a time, so that a colour's sums for them are one vector. Each sum is one chain of
// multiply-adds in the order of the channels, whether these arrive all at once or 16 at a time.
#pragma once

#include "epilogue.h"
#include "gemm.h"

namespace bend {

struct Colours {
  const float* kernels;  // [N, count, channels]
  const float* bias;     // [count]
  const float* beneath;  // [N, count, pixels]; null for none
  float* image;          // [N, count, pixels]
  int64_t count, channels, pixels;
  float bound;  // infinite for none

  int64_t place(int64_t n, int64_t colour, int64_t pixel) const { return (n * count + colour) * pixels + pixel; }

  // Adds 16 channels, from `channel` on, of 16 pixels, as [channels][pixels], to a colour's sums.
  Floats add(Floats sums, const Floats* values, int64_t n, int64_t colour, int64_t channel) const {
    const float* const kernel = kernels + (n * count + colour) * channels + channel;
#pragma GCC unroll 16
    for (int c = 0; c < kLane; ++c) sums += values[c] * kernel[c];
    return sums;
  }

  // Adds 16 channels, from `channel` on, of 16 pixels, as [pixels][channels], to the image itself, which holds the sums
  // of the channels before them. With the last channels, the pixels are finished.
  void add_some(Floats* values, int64_t n, int64_t channel, int64_t pixel) const {
    transpose(values);
    for (int64_t k = 0; k < count; ++k) {
      float* const at = image + place(n, k, pixel);
      const Floats sums = add(channel == 0 ? Floats{} : load(at), values, n, k, channel);
      if (channel + kLane == channels) {
        finish(sums, n, k, pixel, kLane);
      } else {
        store(at, sums);
      }
    }
  }

  // Finishes a colour's sums for `some` pixels, at most 16, from `pixel` on.
  void finish(Floats sums, int64_t n, int64_t colour, int64_t pixel, int64_t some) const {
    const int64_t at = place(n, colour, pixel);
    if (some < kLane) return write(finished(sums, colour), 0, at, some);
    const Floats value = finished(sums, colour);
    store(image + at, beneath ? load(beneath + at) + value : value);
  }

  // Finishes the sums of a tile of `side` by `side` pixels that begins at `pixel`. Only its first `rows` rows and
  // `columns` columns lie in the picture.
  void finish_tile(Floats sums, int64_t n, int64_t colour, int64_t pixel, int64_t side, int64_t rows, int64_t columns,
                   int64_t width) const {
    const Floats value = finished(sums, colour);
    for (int64_t i = 0; i < rows; ++i) write(value, i * side, place(n, colour, pixel + i * width), columns);
  }

 private:
  Floats finished(Floats sums, int64_t colour) const { return bounded(sums + bias[colour], Floats{} + bound); }

  // Writes `some` values, from lane `lane` on.
  void write(const Floats& values, int64_t lane, int64_t at, int64_t some) const {
    for (int64_t i = 0; i < some; ++i) {
      image[at + i] = beneath ? beneath[at + i] + values[lane + i] : values[lane + i];
    }
  }
};

}  // namespace bend
