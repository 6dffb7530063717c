// What follows a convolution on the matrix unit, for 16 channels of a band of rows: a few pixels at a time, so that the
// vector units do it while the next products are computed. There are three ways from the products to a layer's output.
#pragma once

#include "digits.h"

#if defined(BEND_AMX)

#include <algorithm>

#include "styled_layer.h"
#include "winograd_axes.h"

namespace bend {

// Rows of 16 channels, [width][16], in one or more planes; each plane has row y at y % kept.
struct PanelRows {
  float* data;
  int64_t row, kept;  // floats in a row; how many rows a plane holds
  float* at(int64_t y, int64_t plane = 0) const { return data + (plane * kept + y % kept) * row; }
};

// Where a panel's finished pixels go, and what finishing them takes.
class PanelOutput {
 public:
  PanelOutput(const Layer& layer, int64_t height, int64_t width)
      : layer_(layer),
        height_(height),
        width_(width),
        is_far_(layer.has_far_output(height * width)) {}

  void begin(int64_t n, int64_t output, int64_t y) {
    demodulation_ = load(layer_.demodulation_of(n) + output);
    bias_ = load(layer_.e.bias + output);
    noise_ = layer_.noise_of(n) ? layer_.noise_of(n) + y * width_ : nullptr;
    n_ = n;
    output_ = output;
    pixel_ = y * width_;
  }

  int64_t width() const { return width_; }
  int64_t height() const { return height_; }

  // Finishes the next `count` pixels, the i-th from `sum(i)`.
  template <typename Sum>
  void put(int64_t count, const Sum& sum) {
    const int64_t channels = layer_.e.channels;
    if (layer_.colours) {
      finish_all(count, sum, [this](int64_t i, Floats value) { paint(pixel_ + i, value); });
    } else if (float* const to = layer_.out + (n_ * height_ * width_ + pixel_) * channels + output_; is_far_) {
      finish_all(count, sum, [=](int64_t i, Floats value) { store(to + i * channels, value, true); });
    } else {
      finish_all(count, sum, [=](int64_t i, Floats value) { store(to + i * channels, value); });
    }
    pixel_ += count;
    if (noise_) noise_ += count;
  }

 private:
  template <typename Sum, typename Take>
  void finish_all(int64_t count, const Sum& sum, const Take& take) {
    // Copies, which no store may change.
    const Epilogue e = layer_.e;
    const Floats demodulation = demodulation_, bias = bias_;
    const float* const noise = noise_;
    for (int64_t i = 0; i < count; ++i) take(i, finish(e, sum(i), demodulation, bias, noise ? noise[i] : 0.0f));
  }

  // Adds a pixel's channels to its colours, 16 pixels at a time.
  void paint(int64_t pixel, Floats value) {
    waiting_[pixel % kLane] = value;
    if (pixel % kLane == kLane - 1) layer_.colours->add_some(waiting_, n_, output_, pixel - (kLane - 1));
  }

  const Layer& layer_;
  int64_t height_, width_;
  bool is_far_;
  Floats demodulation_ = {}, bias_ = {};
  const float* noise_ = nullptr;
  int64_t n_ = 0, output_ = 0, pixel_ = 0;
  Floats waiting_[kLane] = {};
};

// Goes through the rows of an output, in units of `kWide` pixels. `Self` provides `begin_row(y)` and
// `run_row(x, count)`.
template <typename Self, int kWide>
class PanelWork {
 public:
  explicit PanelWork(const PanelOutput& output) : output_(output) {}

  // Begins on rows `first` to `last` of sample `n`, from rows of products for 16 channels, from `channel` on.
  void begin(const PanelRows& rows, int64_t n, int64_t channel, int64_t first, int64_t last) {
    rows_ = rows;
    y_ = first;
    x_ = 0;
    left_ = std::max<int64_t>(0, last - first) * (output_.width() / kWide);
    if (left_ == 0) return;
    output_.begin(n, channel, first);
    static_cast<Self*>(this)->begin_row(y_);
  }

  int64_t left() const { return left_; }

  // Does up to `count` units.
  void run(int64_t count) {
    for (count = std::min(count, left_), left_ -= count; count > 0;) {
      if (x_ == output_.width() / kWide) {
        x_ = 0;
        static_cast<Self*>(this)->begin_row(++y_);
      }
      const int64_t part = std::min(count, output_.width() / kWide - x_);
      static_cast<Self*>(this)->run_row(x_, part);
      x_ += part;
      count -= part;
    }
  }

 protected:
  PanelOutput output_;
  PanelRows rows_ = {};

 private:
  int64_t x_ = 0, y_ = 0, left_ = 0;
};

// For a plain convolution: the products are the sums, and are finished at once, row by row.
class PanelPixels {
 public:
  static constexpr int kScale = 1, kPlanes = 1, kWide = 1;
  static constexpr bool kIsImmediate = true;

  PanelPixels(const Layer& layer, const float*) : output_(layer, layer.x.height, layer.x.width) {}

  void begin(const PanelRows&, int64_t n, int64_t channel, int64_t first, int64_t) { output_.begin(n, channel, first); }
  int64_t left() const { return 0; }
  void run(int64_t) {}

  template <typename Sum>
  void put(int64_t count, const Sum& sum) {
    output_.put(count, sum);
  }

 private:
  PanelOutput output_;
};

// For Winograd's F(4, 3) along x: six planes of products make four pixels.
class PanelTiles : public PanelWork<PanelTiles, 4> {
 public:
  static constexpr int kScale = 1, kPlanes = SameAxis::kProducts, kWide = 4;
  static constexpr bool kIsImmediate = false;

  PanelTiles(const Layer& layer, const float*) : PanelWork({layer, layer.x.height, layer.x.width}) {}

  void begin_row(int64_t y) { from_ = rows_.at(y); }
  BEND_ONE_COPY void run_row(int64_t x, int64_t count) {
    const float* from = from_ + x * kLane;
    const int64_t plane = rows_.row * rows_.kept;
    for (; count > 0; --count, from += kLane) {
      Floats products[kPlanes], pixels[kWide];
#pragma GCC unroll 6
      for (int k = 0; k < kPlanes; ++k) products[k] = load(from + k * plane);
      SameAxis::output(products, 1, pixels, 1);
      output_.put(kWide, [&](int64_t i) { return pixels[i]; });
    }
  }

 private:
  const float* from_ = nullptr;
};

// For an upsampling convolution: the FIR (as in `fir_rows.h`) over its rows.
class PanelFir : public PanelWork<PanelFir, 1> {
 public:
  static constexpr int kScale = 2, kPlanes = 1, kWide = 1;
  static constexpr bool kIsImmediate = false;

  // `taps`: four along y, four along x.
  PanelFir(const Layer& layer, const float* taps)
      : PanelWork({layer, 2 * layer.x.height, 2 * layer.x.width}), taps_(taps) {
    static thread_local Scratch scratch;
    const int64_t row = (output_.width() + 1) * kLane;
    zeros_ = scratch.take(row);
    std::fill(zeros_, zeros_ + row, 0.0f);
  }

  void begin_row(int64_t y) {
    for (int64_t k = 0; k < 4; ++k) {
      const int64_t from = y - 1 + k;
      from_[k] = from >= 0 && from <= output_.height() ? rows_.at(from) : zeros_;
    }
    before_ = Floats{};
    here_ = along_y(0);
    next_ = along_y(1);
  }

  BEND_ONE_COPY void run_row(int64_t x, int64_t count) {
    const float *const r0 = from_[0], *const r1 = from_[1], *const r2 = from_[2], *const r3 = from_[3];
    const float y0 = taps_[0], y1 = taps_[1], y2 = taps_[2], y3 = taps_[3];
    const float x0 = taps_[4], x1 = taps_[5], x2 = taps_[6], x3 = taps_[7];
    const int64_t width = output_.width();
    Floats before = before_, here = here_, next = next_;
    output_.put(count, [&](int64_t i) {
      Floats after = {};
      if (x + i + 1 < width) {  // a row has one pixel more than the output, followed by zeros
        const int64_t at = (x + i + 2) * kLane;
        after = load(r0 + at) * y0 + load(r1 + at) * y1 + load(r2 + at) * y2 + load(r3 + at) * y3;
      }
      const Floats sum = before * x0 + here * x1 + next * x2 + after * x3;
      before = here;
      here = next;
      next = after;
      return sum;
    });
    before_ = before;
    here_ = here;
    next_ = next;
  }

 private:
  Floats along_y(int64_t x) const {
    Floats sum = {};
    for (int64_t k = 0; k < 4; ++k) sum += load(from_[k] + x * kLane) * taps_[k];
    return sum;
  }

  const float* taps_;
  const float* from_[4] = {};
  float* zeros_;
  Floats before_ = {}, here_ = {}, next_ = {};
};

}  // namespace bend

#endif
