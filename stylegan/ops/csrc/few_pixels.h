// A synthesis layer whose picture is so small that its pixels fit into one vector, as in the first two layers. Nearly
// all the time goes into reading the weights, so they are read once, in the order in which they lie: each is multiplied
// by its channel's pixels, separately for each tap and output, and the products are added up afterwards.
#pragma once

#include "styled_layer.h"

namespace bend {

class FewPixels {
 public:
  static bool serves(const Picture& x) { return x.height * x.width <= kLane; }

  // `taps`: of the FIR; null without upsampling.
  FewPixels(const Layer& layer, const float* taps) : layer_(layer), w_(layer.weights), x_(layer.x), taps_(taps) {}

  void run() const {
    static thread_local Scratch scratch;
    const int64_t inputs = w_.inputs;
    float* const pixels = scratch.take(x_.samples * inputs * (kLane + kKernelTaps));
    float* const squares = pixels + x_.samples * inputs * kLane;
    for (int64_t n = 0; n < x_.samples; ++n) {
      read(n, pixels + n * inputs * kLane);
      for (int64_t i = 0; i < inputs * kKernelTaps; ++i) {
        const float style = w_.styles[n * inputs + i / kKernelTaps];
        squares[n * inputs * kKernelTaps + i] = style * style;
      }
    }
    parallel(w_.outputs / kLane, [&](int64_t from, int64_t to) {
      for (int64_t o = from * kLane; o < to * kLane; o += kLane) {
        for (int64_t n = 0; n < x_.samples; ++n) {  // while the weights are in a near cache
          make(n, o, pixels + n * inputs * kLane, squares + n * inputs * kKernelTaps);
        }
      }
    });
  }

 private:
  static constexpr int kAtOnce = 2;       // outputs
  using Products = Floats[kKernelTaps][kLane];  // of 16 outputs, for each tap and pixel

  // A sample's channels times their styles, [channels][pixels].
  void read(int64_t n, float* to) const {
    const int64_t count = x_.height * x_.width;
    for (int64_t c = 0; c < x_.channels; c += kLane) {
      Floats values[kLane] = {};
      for (int64_t i = 0; i < count; ++i) {
        values[i] = load(x_.data + (n * count + i) * x_.channels + c) * load(x_.styles + n * x_.channels + c);
      }
      transpose(values);
      for (int64_t i = 0; i < kLane; ++i) store(to + (c + i) * kLane, values[i]);
    }
  }

  // Makes 16 outputs of a sample.
  void make(int64_t n, int64_t first, const float* pixels, const float* squares) const {
    Products products;
    float demodulation[kLane];
    for (int64_t o = 0; o < kLane; o += kAtOnce) {
      const float* const weights = w_.data + (first + o) * w_.inputs * kKernelTaps;
      multiply(weights, pixels, o, products);
      for (int64_t q = 0; q < kAtOnce; ++q) {
        demodulation[o + q] = demodulation_of(sum_of_squares(weights + q * w_.inputs * kKernelTaps, squares));
      }
    }
    for (auto& of_tap : products) transpose(of_tap);
    const Floats bias = load(layer_.e.bias + first);
    const float* noise = layer_.noise_of(n);
    const int64_t scale = taps_ ? 2 : 1, height = scale * x_.height, width = scale * x_.width;
    float* to = layer_.out + n * height * width * w_.outputs + first;
    for (int64_t y = 0; y < height; ++y) {
      Floats row[2 * kLane];
      if (taps_) {
        filter(products, y, row);
      } else {
        for (int64_t x = 0; x < width; ++x) row[x] = convolved(products, y, x);
      }
      for (int64_t x = 0; x < width; ++x, to += w_.outputs) {
        store(to, finish(layer_.e, row[x], load(demodulation), bias, noise ? *noise++ : 0.0f));
      }
    }
  }

  // Products of kAtOnce outputs from `o` on, as [tap][output][pixels]. Long sums are made of short ones, which loses
  // less precision.
  void multiply(const float* weights, const float* pixels, int64_t o, Products& products) const {
    const int64_t output = w_.inputs * kKernelTaps;
    for (int64_t begin = 0; begin < w_.inputs; begin += kChain) {
      Floats sums[kAtOnce][kKernelTaps] = {};
      for (int64_t i = begin; i < std::min(begin + kChain, w_.inputs); ++i) {
        const Floats here = load(pixels + i * kLane);
        const float* const own = weights + i * kKernelTaps;
#pragma GCC unroll 2
        for (int q = 0; q < kAtOnce; ++q) {
          fetch_line(own + (q + kAtOnce) * output);  // of the next outputs
#pragma GCC unroll 9
          for (int k = 0; k < kKernelTaps; ++k) sums[q][k] += here * own[q * output + k];
        }
      }
      for (int q = 0; q < kAtOnce; ++q) {
        for (int k = 0; k < kKernelTaps; ++k) {
          Floats& sum = products[k][o + q];
          sum = begin == 0 ? sums[q][k] : sum + sums[q][k];
        }
      }
    }
  }

  // The sum of the squares of an output's weights times their styles.
  float sum_of_squares(const float* weights, const float* squares) const {
    Floats sums[3] = {};  // nine taps of 16 channels are three times three vectors
    for (int64_t i = 0; i < w_.inputs * kKernelTaps; i += 3 * kLane) {
#pragma GCC unroll 3
      for (int k = 0; k < 3; ++k) {
        const Floats weight = load(weights + i + k * kLane);
        sums[k] += weight * weight * load(squares + i + k * kLane);
      }
    }
    return total(sums[0] + sums[1] + sums[2]);
  }

  Floats product(const Products& products, int64_t tap, int64_t y, int64_t x) const {
    const bool is_there = y >= 0 && y < x_.height && x >= 0 && x < x_.width;
    return is_there ? products[tap][y * x_.width + x] : Floats{};
  }

  Floats convolved(const Products& products, int64_t y, int64_t x) const {
    Floats sum = {};
    for (int64_t k = 0; k < kKernelTaps; ++k) sum += product(products, k, y + k / 3 - 1, x + k % 3 - 1);
    return sum;
  }

  // A pixel of the transposed convolution with stride 2: tap k of input p contributes to output 2 p + k.
  Floats transposed(const Products& products, int64_t y, int64_t x) const {
    Floats sum = {};
    for (int64_t i = y % 2; i < 3; i += 2) {
      for (int64_t j = x % 2; j < 3; j += 2) sum += product(products, 3 * i + j, (y - i) / 2, (x - j) / 2);
    }
    return sum;
  }

  // A row after the FIR.
  void filter(const Products& products, int64_t y, Floats* row) const {
    const int64_t height = 2 * x_.height, width = 2 * x_.width;
    Floats along_y[2 * kLane + 4] = {};  // one pixel before the row, and three after it
    for (int64_t k = 0; k < 4; ++k) {
      const int64_t from = y - 1 + k;
      if (from < 0 || from > height) continue;
      for (int64_t x = 0; x <= width; ++x) along_y[x + 1] += transposed(products, from, x) * taps_[k];
    }
    for (int64_t x = 0; x < width; ++x) {
      row[x] = Floats{};
      for (int64_t k = 0; k < 4; ++k) row[x] += along_y[x + k] * taps_[4 + k];
    }
  }

  const Layer& layer_;
  const Weights& w_;
  const Picture& x_;
  const float* taps_;
};

}  // namespace bend
