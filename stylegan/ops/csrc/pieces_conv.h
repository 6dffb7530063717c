// A synthesis layer by direct sums on AMX (`amx.h`), in place of Winograd's on vectors.
//
// Rows of all samples are laid one after the other with a zero pixel before and after each and a row of zeros between
// samples, split into pieces, 32 channels next to each other: a kernel's tap is then a constant offset for every pixel,
// at edges too, and 32 pixels in a row are a step's rows, whatever the picture's width. Where weights are more than the
// picture, threads share out the outputs and each panel is prepared just before it is used; else the rows.
#pragma once

#include "amx.h"

#if defined(BEND_AMX)

#include <algorithm>
#include <cstring>

#include "fir_rows.h"
#include "styled_layer.h"

namespace bend {

// Transforms 16 outputs from `first` on into a panel's half `to`, and their demodulation factors.
template <int pieces>
inline void prepare_pieces(const Weights& w, int64_t first, char* to, float* demodulation, int64_t step) {
  using Tiles = WeightTiles<pieces>;
  static thread_local Scratch scratch;
  float* const sums = scratch.take((w.samples + kTaps * kLane) * kLane);
  float* const taps = sums + w.samples * kLane;
  std::fill(sums, taps, 0.0f);
  const __m512i pairs = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21,
                                         5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
  for (int64_t i0 = 0; i0 < w.inputs; i0 += kLane) {
    gather_taps(w, first, i0, taps);
    Floats squares[kLane] = {};
    for (int64_t i = 0; i < kLane; i += 2) {
      for (int64_t k = 0; k < kTaps; ++k) {
        const Floats a = load(taps + (i * kTaps + k) * kLane), b = load(taps + ((i + 1) * kTaps + k) * kLane);
        squares[i] += a * a;
        squares[i + 1] += b * b;
        __m512i split_pair[pieces];
        split<pieces>(a, b, split_pair);
        char* const at = Tiles::at(to, i0 / kDepth, k) + (i0 % kDepth + i) * 32;
#pragma GCC unroll 3
        for (int p = 0; p < pieces; ++p) {
          _mm512_storeu_si512(at + p * Tiles::kPiece, _mm512_permutexvar_epi16(pairs, split_pair[p]));
        }
      }
    }
    add_squares(w, i0, squares, sums);
  }
  if (w.inputs % kDepth) {  // the rest of the last block meets zeros, and must not be a NaN
    for (int64_t k = 0; k < kTaps; ++k) {
      char* const at = Tiles::at(to, w.inputs / kDepth, k) + kTileBytes / 2;
      for (int p = 0; p < pieces; ++p) std::memset(at + p * Tiles::kPiece, 0, kTileBytes / 2);
    }
  }
  store_demodulation(w, sums, demodulation, step);
}

template <int pieces>
class PiecesConv {
 public:
  explicit PiecesConv(const Layer& layer)
      : layer_(layer),
        outputs_(layer.e.channels),
        pitch_(layer.x.width + 2),
        pitch_rows_(layer.x.height + 1),
        rows_(layer.x.samples * pitch_rows_),
        blocks_(num_blocks(layer.x.channels)),
        panel_bytes_(WeightTiles<pieces>::panel_bytes(layer.x.channels)) {}

 protected:
  // Rows of the padded layout, split: [blocks][pieces][pixels][32].
  struct Split {
    int64_t first;  // row
    int64_t pixels;
    uint16_t* data;
  };

  bool weights_outweigh() const { return 9 * outputs_ > layer_.x.samples * layer_.x.height * layer_.x.width; }

  // Room for the rows `first` to `last`, and for what the last 32 pixels' taps read beyond; that decides nothing.
  Split take(int64_t first, int64_t last, Scratch& scratch) const {
    const int64_t pixels = (last - first + 2) * pitch_ + 2 * kPixels;
    const int64_t floats = blocks_ * pieces * pixels * kDepth / 2;  // a float is as long as two pieces
    return {first, pixels, reinterpret_cast<uint16_t*>(scratch.take(floats))};
  }

  // Splits rows `from` to `to` into their place.
  void read(const Split& split, int64_t from, int64_t to) const {
    for (int64_t row = from; row < to; ++row) {
      const int64_t n = row / pitch_rows_, y = row % pitch_rows_ - 1;
      const bool is_inside = y >= 0 && n < layer_.x.samples;
      read_row(split, (row - split.first) * pitch_, is_inside ? n : -1, y);
    }
  }

  void prepare_panel_at(int64_t panel, char* to) const {
    for (int64_t lane = 0; lane < kPanel && panel * kPanel + lane < outputs_; lane += kLane) {
      const int64_t first = panel * kPanel + lane;
      char* const tiles = to + lane / kLane * kTileBytes;
      prepare_pieces<pieces>(layer_.weights, first, tiles, layer_.demodulation + first, layer_.padded());
    }
  }

  char* prepare_all(Scratch& scratch) const {
    char* const prepared = take_bytes(scratch, layer_.panels * panel_bytes_);
    parallel(layer_.panels, [&](int64_t first, int64_t last) {
      for (int64_t panel = first; panel < last; ++panel) prepare_panel_at(panel, prepared + panel * panel_bytes_);
    });
    return prepared;
  }

  // Calls `work(panel, weights)` for each panel, of which threads take some each.
  template <typename Work>
  void run_panels(const Work& work) const {
    parallel(layer_.panels, [&](int64_t first, int64_t last) {
      static thread_local Scratch scratch;
      char* const weights = take_bytes(scratch, panel_bytes_);
      const TileSetting setting;
      for (int64_t panel = first; panel < last; ++panel) {
        prepare_panel_at(panel, weights);
        work(panel, weights);
      }
    });
  }

  Split read_all(Scratch& scratch) const {
    const Split split = take(0, rows_, scratch);
    parallel(rows_ + 1, [&](int64_t from, int64_t to) { read(split, from, to); });
    return split;
  }

  void multiply(const Split& split, int64_t pixel, const KernelTap* taps, int num_taps, char* weights,
                float* sums) const {
    const int64_t at = (pixel - split.first * pitch_) * kDepth;
    tile_products<pieces>(split.data + at, split.pixels * kDepth, blocks_, taps, num_taps, weights, sums);
  }

  static char* take_bytes(Scratch& scratch, int64_t bytes) {
    return reinterpret_cast<char*>(scratch.take(bytes / sizeof(float)));
  }

  const Layer& layer_;
  int64_t outputs_, pitch_, pitch_rows_, rows_, blocks_, panel_bytes_;

 private:
  void read_row(const Split& split, int64_t pixel, int64_t n, int64_t y) const {
    const Picture& x = layer_.x;
    const auto put = [&](int64_t place, int64_t block, const __m512i* values) {
      uint16_t* const at = split.data + (block * pieces * split.pixels + pixel + place) * kDepth;
#pragma GCC unroll 3
      for (int p = 0; p < pieces; ++p) _mm512_storeu_si512(at + p * split.pixels * kDepth, values[p]);
    };
    const __m512i zeros[pieces] = {};
    for (int64_t block = 0; block < blocks_; ++block) {
      for (int64_t place = 0; place < pitch_; place += n < 0 ? 1 : pitch_ - 1) put(place, block, zeros);
    }
    if (n < 0) return;
    const float* from = x.data + (n * x.height + y) * x.width * x.channels;
    const float* styles = x.styles + n * x.channels;
    for (int64_t j = 0; j < x.width; ++j, from += x.channels) {
      for (int64_t block = 0; block < blocks_; ++block) {
        const int64_t c = block * kDepth;
        const Floats first = load(from + c) * load(styles + c);
        const Floats second = c + kLane < x.channels ? load(from + c + kLane) * load(styles + c + kLane) : Floats{};
        __m512i values[pieces];
        bend::split<pieces>(first, second, values);
        put(j + 1, block, values);
      }
    }
  }
};

template <int pieces>
class SamePieces : PiecesConv<pieces> {
  using Base = PiecesConv<pieces>;
  using typename Base::Split;
  using Base::blocks_, Base::layer_, Base::multiply, Base::outputs_, Base::panel_bytes_, Base::pitch_, Base::pitch_rows_;
  using Base::prepare_all, Base::read, Base::read_all, Base::rows_, Base::run_panels, Base::take;
  using Base::weights_outweigh;

 public:
  using Base::Base;

  void run() const {
    static thread_local Scratch kept;
    if (weights_outweigh()) {
      const Split split = read_all(kept);
      run_panels([&](int64_t panel, char* weights) { run_rows(split, 0, rows_, panel, weights); });
      return;
    }
    char* const prepared = prepare_all(kept);
    const int64_t row_bytes = pitch_ * blocks_ * pieces * kDepth * sizeof(uint16_t);
    const int64_t band = std::clamp<int64_t>(kBandBytes / row_bytes, 4, 32);
    parallel((rows_ + band - 1) / band, [&](int64_t from, int64_t to) {
      static thread_local Scratch scratch;
      const TileSetting setting;
      for (int64_t i = from; i < to; ++i) {
        const int64_t first = i * band, last = std::min(first + band, rows_);
        const Split split = take(first, last, scratch);
        read(split, first, last + 2);
        for (int64_t panel = 0; panel < layer_.panels; ++panel) {
          run_rows(split, first, last, panel, prepared + panel * panel_bytes_);
        }
      }
    });
  }

 private:
  static constexpr int64_t kBandBytes = 768 << 10;  // beside the weights of a panel, in a cache of 2 MB

  void run_rows(const Split& split, int64_t first, int64_t last, int64_t panel, char* weights) const {
    KernelTap taps[kTaps];
    for (int64_t k = 0; k < kTaps; ++k) taps[k] = {k / 3 * pitch_ + k % 3, k};
    alignas(64) float sums[kPixels * kPanel];
    for (int64_t pixel = first * pitch_; pixel < last * pitch_; pixel += kPixels) {
      multiply(split, pixel, taps, kTaps, weights, sums);
      put(pixel, std::min(pixel + kPixels, last * pitch_), panel * kPanel, sums);
    }
  }

  // Finishes and writes pixels `from` to `to` of the padded layout, as far as they are a picture's.
  void put(int64_t from, int64_t to, int64_t begin, const float* sums) const {
    const int64_t height = layer_.x.height, width = layer_.x.width, end = std::min(begin + kPanel, outputs_);
    int64_t row = from / pitch_, j = from % pitch_ - 1, n = row / pitch_rows_, i = row % pitch_rows_;
    for (int64_t pixel = from; pixel < to; ++pixel, sums += kPanel) {
      if (++j == pitch_) {
        j = 0;
        if (++i == pitch_rows_) {
          i = 0;
          ++n;
        }
      }
      if (j >= width || i >= height) continue;
      const float* noise = layer_.noise_of(n);
      const float own = noise ? noise[i * width + j] : 0.0f;
      float* const target = layer_.out + ((n * height + i) * width + j) * outputs_;
      for (int64_t o = begin; o < end; o += kLane) {
        store(target + o, finish(layer_.e, load(sums + o - begin), load(layer_.demodulation_of(n) + o),
                                 load(layer_.e.bias + o), own));
      }
    }
  }
};

// The transposed convolution with stride 2 as four kernels, one for each place in a pair of rows and columns, a band of
// rows at a time, each followed by the FIR over what it completes. The three rows that the next band needs are kept.
template <int pieces>
class UpPieces : PiecesConv<pieces> {
  using Base = PiecesConv<pieces>;
  using typename Base::Split;
  using Base::layer_, Base::multiply, Base::outputs_, Base::panel_bytes_, Base::pitch_, Base::pitch_rows_;
  using Base::prepare_all, Base::read, Base::read_all, Base::rows_, Base::run_panels, Base::take;
  using Base::weights_outweigh;

 public:
  UpPieces(const Layer& layer, const float* taps)
      : Base(layer),
        taps_(taps),
        height_(2 * layer.x.height),
        width_(2 * layer.x.width),
        row_((width_ + 1) * outputs_),
        band_(std::clamp<int64_t>(kBandBytes / (2 * row_ * int64_t(sizeof(float))), 1, pitch_rows_)) {
    int count = 0;
    for (int64_t phase = 0; phase < 4; ++phase) {
      begins_[phase] = count;
      // Of three weights along an axis, the outer two meet even rows, the latter the sample before; the middle one odd.
      for (int64_t y = phase / 2; y < 3; y += 2) {
        for (int64_t x = phase % 2; x < 3; x += 2) kernel_[count++] = {(y < 2) * pitch_ + (x < 2), 3 * y + x};
      }
    }
    begins_[4] = count;
  }

  void run() const {
    static thread_local Scratch kept, between;
    if (weights_outweigh()) {
      const Split split = read_all(kept);
      float* const rows = between.take(2 * rows_ * row_);
      run_panels([&](int64_t panel, char* weights) { run_rows(split, 0, rows_, panel, weights, rows, 0); });
      parallel(layer_.x.samples * height_, [&](int64_t from, int64_t to) {
        for (int64_t i = from; i < to; ++i) {
          fir(i / height_, i % height_, rows + i / height_ * 2 * pitch_rows_ * row_, 0);
        }
      });
      return;
    }
    char* const prepared = prepare_all(kept);
    float* const rows = between.take((kKept + 2 * band_) * row_);
    for (int64_t n = 0; n < layer_.x.samples; ++n) run_sample(n, prepared, rows);
  }

 private:
  static constexpr int64_t kKept = 3, kBandBytes = 4 << 20;

  void run_sample(int64_t n, char* prepared, float* rows) const {
    int64_t done = 0;  // rows of the output
    for (int64_t first = 0; first < pitch_rows_; first += band_) {
      const int64_t last = std::min(first + band_, pitch_rows_), base = 2 * first - kKept;
      if (first > 0) std::memmove(rows, rows + 2 * band_ * row_, kKept * row_ * sizeof(float));
      const int64_t start = n * pitch_rows_;
      parallel(last - first, [&](int64_t from, int64_t to) {
        static thread_local Scratch scratch;
        const TileSetting setting;
        const int64_t begin = start + first + from, end = start + first + to;
        const Split split = take(begin, end, scratch);
        read(split, begin, end + 1);
        for (int64_t panel = 0; panel < layer_.panels; ++panel) {
          run_rows(split, begin, end, panel, prepared + panel * panel_bytes_, rows, 2 * start + base);
        }
      });
      const int64_t until = last == pitch_rows_ ? height_ : 2 * last - 2;
      parallel(until - done, [&](int64_t from, int64_t to) {
        for (int64_t i = done + from; i < done + to; ++i) fir(n, i, rows, base);
      });
      done = until;
    }
  }

  // Writes what rows `first` to `last` of the padded layout give, two rows each; `rows` holds them from `base` on.
  void run_rows(const Split& split, int64_t first, int64_t last, int64_t panel, char* weights, float* rows,
                int64_t base) const {
    alignas(64) float sums[kPixels * kPanel];
    const int64_t begin = panel * kPanel, end = std::min(begin + kPanel, outputs_);
    for (int64_t pixel = first * pitch_; pixel < last * pitch_; pixel += kPixels) {
      const int64_t until = std::min(pixel + kPixels, last * pitch_), row = pixel / pitch_, column = pixel % pitch_;
      for (int64_t phase = 0; phase < 4; ++phase) {
        multiply(split, pixel, kernel_ + begins_[phase], begins_[phase + 1] - begins_[phase], weights, sums);
        const float* from = sums;
        int64_t y = 2 * row + phase / 2, x = 2 * (column - 1) + phase % 2;
        for (int64_t p = pixel; p < until; ++p, from += kPanel) {
          x += 2;
          if (x >= 2 * pitch_) {
            x -= 2 * pitch_;
            y += 2;
          }
          if (x > width_) continue;
          float* const target = rows + (y - base) * row_ + x * outputs_;
          for (int64_t o = begin; o < end; o += kLane) store(target + o, load(from + o - begin));
        }
      }
    }
  }

  // Row `i` of the output, from the picture's rows i-1 to i+2; `rows` holds them from row `base` on.
  void fir(int64_t n, int64_t i, const float* rows, int64_t base) const {
    const float* four[4];
    for (int64_t k = 0; k < 4; ++k) {
      const int64_t y = i - 1 + k;
      four[k] = y >= 0 && y <= height_ ? rows + (y - base) * row_ : nullptr;
    }
    const float* noise = layer_.noise_of(n);
    fir_row<float>(layer_.e, four, taps_, layer_.demodulation_of(n), noise ? noise + i * width_ : nullptr, width_,
                   layer_.out + (n * height_ + i) * width_ * outputs_);
  }

  const float* taps_;
  int64_t height_, width_, row_, band_;
  KernelTap kernel_[kTaps];
  int begins_[5];
};

}  // namespace bend

#endif
