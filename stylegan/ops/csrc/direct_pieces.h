// A synthesis layer by direct sums on a matrix unit (`amx.h`): of one size, where a picture is too small for Winograd's
// tiles, or upsampling, where the transposed convolution with stride 2 is four kernels, one for each place in a pair of
// rows and columns, and the FIR follows.
//
// Rows are laid one after the other with a zero pixel between them and rows of zeros around them, split into pieces,
// 32 channels next to each other: a kernel's tap is then a constant offset for every pixel, at edges too, and 32
// pixels in a row are a step's rows, whatever the picture's width.
#pragma once

#include "products.h"

#if defined(BEND_AMX)

#include <algorithm>

#include "styled_layer.h"

namespace bend {

template <int pieces>
class DirectPieces {
  using Products = PieceProducts<pieces>;

 public:
  // `taps`: of the FIR; null for a layer of one size.
  DirectPieces(const Layer& layer, const float* taps)
      : layer_(layer),
        taps_(taps),
        outputs_(layer.e.channels),
        height_(layer.x.height * (taps ? 2 : 1)),
        width_(layer.x.width * (taps ? 2 : 1)),
        row_((width_ + 1) * outputs_),
        pitch_(layer.x.width + 1),
        blocks_(num_blocks(layer.x.channels)),
        panel_floats_(panel_floats<DirectAxis, Products>(layer.x.channels)),
        band_(std::clamp<int64_t>((kBandPixels + pitch_ - 1) / pitch_, 1, layer.x.height + 1)) {
    // Upsampling, the outer two of three weights along an axis meet even rows, the last one the sample before; the
    // middle one meets odd rows.
    for (int64_t y = 0; y < 3; ++y) {
      for (int64_t x = 0; x < 3; ++x) {
        Kernel& kernel = kernels_[taps ? y % 2 * 2 + x % 2 : 0];
        kernel.weights[kernel.count] = 3 * y + x;
        kernel.taps[kernel.count++] = (taps ? (y < 2) * pitch_ + (x < 2) : y * pitch_ + x) * kDepth;
      }
    }
    int64_t first = 0;
    for (Kernel& kernel : kernels_) {
      kernel.first = first;
      for (int t = 0; t < kernel.count; ++t) {
        places_[kernel.weights[t]] = {first + t * Products::kBlockFloats, kernel.count * Products::kBlockFloats};
      }
      first += kernel.count * Products::weight_floats(layer.x.channels);
    }
  }

  void run() const {
    const int64_t rows = layer_.x.height + 1, bands = (rows + band_ - 1) / band_;
    if (!taps_ || 9 * outputs_ > layer_.x.samples * layer_.x.height * layer_.x.width) return run_panels(rows);
    float* const weights = weight_scratch().take(layer_.panels * panel_floats_);
    parallel(layer_.panels, [&](int64_t first, int64_t last) {
      for (int64_t panel = first; panel < last; ++panel) prepare(panel, weights + panel * panel_floats_);
    });
    const int64_t kept = 2 * band_ + 3;
    parallel(layer_.x.samples * bands, [&](int64_t from, int64_t to) {
      float* const ring = working_scratch().take(kept * row_);
      const TileSetting setting;
      // The rows that the first FIR needs of the band before are made anew.
      if (const int64_t begin = from % bands * band_; begin > 0) {
        make_band(from / bands, std::max<int64_t>(0, begin - 2), begin, weights, ring, kept);
      }
      for (int64_t i = from; i < to; ++i) {
        const int64_t n = i / bands, first = i % bands * band_, last = std::min(first + band_, rows);
        make_band(n, first, last, weights, ring, kept);
        const int64_t begin = std::max<int64_t>(0, 2 * first - 2), end = last == rows ? height_ : 2 * last - 2;
        for (int64_t y = begin; y < end; ++y) upsampled_row(layer_, taps_, n, y, ring, kept);
      }
    });
  }

 private:
  static constexpr int64_t kBandPixels = 192;  // at once: so often are the weights read
  static constexpr int64_t kAhead = 8;         // pixels, that are asked for before they are read

  struct Kernel {
    int64_t taps[kTaps], first;  // how far on they read, in pieces; where its weights begin in a panel
    int weights[kTaps], count = 0;
  };
  // Rows of the padded layout, split: [blocks][pieces][pixels][32].
  struct Split {
    int64_t pixels;
    uint16_t* data;
  };

  void prepare(int64_t panel, float* to) const {
    prepare_panel<DirectAxis, Products>(layer_.weights, panel, places_, to, layer_.demodulation, layer_.padded());
  }

  // Where weights are more than the picture: threads share out the outputs, and prepare each panel as they use it.
  void run_panels(int64_t rows) const {
    static thread_local Scratch scratch, between;
    const int64_t samples = layer_.x.samples, kept = 2 * rows;
    const Split split = take(samples * rows, scratch);
    parallel(samples * rows + 2, [&](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) read_row(split, i * pitch_, i / rows, i % rows - 1);
    });
    float* const out = taps_ ? between.take(samples * kept * row_) : nullptr;
    parallel(layer_.panels, [&](int64_t first, int64_t last) {
      float* const weights = working_scratch().take(panel_floats_);
      const TileSetting setting;
      for (int64_t panel = first; panel < last; ++panel) {
        prepare(panel, weights);
        multiply(split, samples * rows, panel, weights, [&](int64_t y) { return out + y * row_; });
      }
    });
    if (!taps_) return;
    parallel(samples * height_, [&](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) {
        upsampled_row(layer_, taps_, i / height_, i % height_, out + i / height_ * kept * row_, kept);
      }
    });
  }

  // Rows 2 * first to 2 * last of the convolution of sample `n`, into the ring.
  void make_band(int64_t n, int64_t first, int64_t last, const float* weights, float* ring, int64_t kept) const {
    static thread_local Scratch scratch;
    const Split split = take(last - first, scratch);
    for (int64_t y = first; y <= last; ++y) read_row(split, (y - first) * pitch_, n, y - 1);
    put_zeros(split, (last - first + 1) * pitch_, 1);
    for (int64_t panel = 0; panel < layer_.panels; ++panel) {
      multiply(split, last - first, panel, weights + panel * panel_floats_,
               [&](int64_t y) { return ring + ((2 * first + y) % kept) * row_; });
    }
  }

  // Room for rows and the one after them, and for what the last 32 pixels' taps read beyond; that decides nothing.
  Split take(int64_t rows, Scratch& scratch) const {
    const int64_t pixels = (rows + 3) * pitch_ + 2 * kTileSums;
    return {pixels, reinterpret_cast<uint16_t*>(scratch.take(blocks_ * pieces * pixels * kDepth / 2))};
  }

  void put_pixel(const Split& split, int64_t pixel, int64_t block, const __m512i* values) const {
    uint16_t* const at = split.data + (block * pieces * split.pixels + pixel) * kDepth;
#pragma GCC unroll 3
    for (int p = 0; p < pieces; ++p) _mm512_storeu_si512(at + p * split.pixels * kDepth, values[p]);
  }

  void put_zeros(const Split& split, int64_t pixel, int64_t count) const {
    const __m512i zeros[pieces] = {};
    for (int64_t block = 0; block < blocks_; ++block) {
      for (int64_t i = 0; i < count; ++i) put_pixel(split, pixel + i, block, zeros);
    }
  }

  // Splits row `y` of sample `n` into the pixels from `pixel` on; a row outside is one of zeros.
  void read_row(const Split& split, int64_t pixel, int64_t n, int64_t y) const {
    const Picture& x = layer_.x;
    const bool is_inside = n < x.samples && y >= 0 && y < x.height;
    put_zeros(split, pixel, is_inside ? 1 : pitch_);
    if (!is_inside) return;
    const float* from = x.data + (n * x.height + y) * x.width * x.channels;
    const float* styles = x.styles + n * x.channels;
    for (int64_t j = 0; j < x.width; ++j, from += x.channels) {
      for (int64_t block = 0; block < blocks_; ++block) {
        const int64_t c = block * kDepth;
        for (int64_t line = 0; line < kDepth; line += kLane) fetch_line(from + kAhead * x.channels + c + line);
        const Floats first = load(from + c) * load(styles + c);
        const Floats second = c + kLane < x.channels ? load(from + c + kLane) * load(styles + c + kLane) : Floats{};
        __m512i values[pieces];
        bend::split<pieces>(first, second, values);
        put_pixel(split, pixel + j + 1, block, values);
      }
    }
  }

  // What `rows` rows of the layout give: finished, or upsampling two each, of which the y-th goes to `row(y)`.
  template <typename Row>
  void multiply(const Split& split, int64_t rows, int64_t panel, const float* weights, const Row& row) const {
    alignas(64) float sums[kTileSums * kPanel];
    const int64_t step = split.pixels * kDepth;
    for (int64_t pixel = 0; pixel < rows * pitch_; pixel += kTileSums) {
      const int64_t until = std::min(pixel + kTileSums, rows * pitch_);
      for (int64_t phase = 0; phase < (taps_ ? 4 : 1); ++phase) {
        const Kernel& kernel = kernels_[phase];
        const auto product = until - pixel > kTileSums / 2 ? tile_products<pieces, false> : tile_products<pieces, true>;
        product(split.data + pixel * kDepth, step, blocks_, kernel.taps, kernel.count, weights + kernel.first, sums,
                kPanel);
        const float* from = sums;
        for (int64_t p = pixel; p < until;) {
          const int64_t y = p / pitch_, x = p % pitch_, stop = std::min(until, (y + 1) * pitch_);
          if (taps_) {
            put(from, panel, 2 * x + phase % 2, stop - p, row(2 * y + phase / 2));
          } else {
            finish_pixels(from, panel, y, x, stop - p);
          }
          from += (stop - p) * kPanel;
          p = stop;
        }
      }
    }
  }

  // Puts every second pixel from `x` on into a row.
  void put(const float* from, int64_t panel, int64_t x, int64_t count, float* row) const {
    const int64_t begin = panel * kPanel, end = std::min(begin + kPanel, outputs_);
    for (; count > 0 && x <= width_; --count, x += 2, from += kPanel) {
      for (int64_t o = begin; o < end; o += kLane) store(row + x * outputs_ + o, load(from + o - begin));
    }
  }

  // Finishes and writes pixels of the layout's row `y`, as far as they are a picture's.
  void finish_pixels(const float* from, int64_t panel, int64_t y, int64_t x, int64_t count) const {
    const int64_t n = y / (height_ + 1), i = y % (height_ + 1), begin = panel * kPanel;
    const int64_t end = std::min(begin + kPanel, outputs_);
    if (i == height_) return;
    const float* noise = layer_.noise_of(n);
    for (; count > 0 && x < width_; --count, ++x, from += kPanel) {
      float* const target = layer_.out + ((n * height_ + i) * width_ + x) * outputs_;
      for (int64_t o = begin; o < end; o += kLane) {
        store(target + o, finish(layer_.e, load(from + o - begin), load(layer_.demodulation_of(n) + o),
                                 load(layer_.e.bias + o), noise ? noise[i * width_ + x] : 0.0f));
      }
    }
  }

  const Layer& layer_;
  const float* taps_;
  int64_t outputs_, height_, width_, row_, pitch_, blocks_, panel_floats_, band_;
  Kernel kernels_[4] = {};
  WeightPlace places_[kTaps];
};

}  // namespace bend

#endif
