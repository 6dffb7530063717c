// A convolution as tiles of a picture: patches are read and transformed, multiplied by the prepared weights point by
// point, and handed on as products. A block of tiles at a time, so that what lies between stays in the cache.
#pragma once

#include <algorithm>

#include "gemm.h"
#include "scratch.h"
#include "styled_layer.h"
#include "winograd_axes.h"

namespace bend {

template <typename Axis>
class Tiles {
 public:
  static constexpr int kSlots = Axis::kSlots * Axis::kSlots, kProducts = Axis::kProducts * Axis::kProducts;

  explicit Tiles(const Picture& x) : x_(x), tiles_y_(Axis::num_tiles(x.height)), tiles_x_(Axis::num_tiles(x.width)) {}

  int64_t per_row() const { return tiles_x_; }
  int64_t per_sample() const { return tiles_y_ * tiles_x_; }
  int64_t count() const { return x_.samples * per_sample(); }

  // Multiplies tiles `from` to `to` by `panels` panels of prepared weights, a block at a time. Calls
  // `finish(sample, tile_y, tile_x, products, step)` for each, where `products + i * step` is the i-th of kProducts
  // vectors of those panels' channels.
  template <typename Finish>
  void run(int64_t from, int64_t to, const float* weights, int64_t panels, const Finish& finish) const {
    const int64_t columns = panels * kPanel, block = block_size(to - from, panels);
    const int64_t step_v = left_floats(block), step_m = rounded(block) * columns + kApart;
    float* const v = working_scratch().take(kSlots * step_v + kProducts * step_m);
    float* const m = v + kSlots * step_v;
    for (int64_t begin = from; begin < to; begin += block) {
      const int64_t rows = std::min(block, to - begin);
      read(begin, rows, v);
      multiply(v, rows, weights, panels, m, step_m);
      for (int64_t i = 0; i < rows; ++i) {
        const int64_t tile = begin + i;
        finish(tile / per_sample(), tile / tiles_x_ % tiles_y_, tile % tiles_x_, m + i * columns, step_m);
      }
    }
  }

  // The same for all tiles, where they are few, and panels `first` to `last`, each of which `prepare(panel, to)` writes
  // just before it is used. `finish` is told the panel first.
  template <typename Prepare, typename Finish>
  void run_panels(int64_t first, int64_t last, const Prepare& prepare, const Finish& finish) const {
    const int64_t rows = count(), step_v = left_floats(rows);
    const int64_t step_m = rounded(rows) * kPanel + kApart;
    const int64_t floats = kSlots * step_v + kProducts * step_m + panel_floats<Axis>(x_.channels);
    float* const v = working_scratch().take(floats);
    float* const m = v + kSlots * step_v;
    float* const weights = m + kProducts * step_m;
    read(0, rows, v);
    for (int64_t panel = first; panel < last; ++panel) {
      prepare(panel, weights);
      multiply(v, rows, weights, 1, m, step_m);
      for (int64_t i = 0; i < rows; ++i) {
        finish(panel, i / per_sample(), i / tiles_x_ % tiles_y_, i % tiles_x_, m + i * kPanel, step_m);
      }
    }
  }

 private:
  static constexpr int64_t kApart = kLane;  // a line between streams, so that they do not share one set of the cache
  static constexpr int64_t kBlockFloats = 256 << 10, kFewest = 96, kMost = 192;

  static constexpr int64_t rounded(int64_t rows) { return (rows + kTileRows - 1) / kTileRows * kTileRows; }
  // Of a slot's [rows, channels], and a line more.
  int64_t left_floats(int64_t rows) const { return rows * x_.channels + kApart; }

  // Tiles in a block, all blocks being equal: enough of them that the weights, which lie in a slower cache, are not
  // read too often.
  int64_t block_size(int64_t tiles, int64_t panels) const {
    const int64_t floats = kSlots * x_.channels + kProducts * panels * kPanel;
    const int64_t fitting = std::clamp<int64_t>(kBlockFloats / floats, kFewest, kMost);
    const int64_t blocks = std::max<int64_t>(1, (tiles + fitting - 1) / fitting);
    return std::min(tiles, rounded((tiles + blocks - 1) / blocks));
  }

  void multiply(const float* v, int64_t rows, const float* weights, int64_t panels, float* m, int64_t step_m) const {
    const int64_t step_v = left_floats(rows);
    for (int p = 0; p < kProducts; ++p) {
      const int py = p / Axis::kProducts, px = p % Axis::kProducts;
      const float* left = v + (Axis::slot(py) * Axis::kSlots + Axis::slot(px)) * step_v;
      const int64_t point = Axis::weight(py) * Axis::kWeights + Axis::weight(px);
      for (int64_t panel = 0; panel < panels; ++panel) {
        const float* right = weights + panel * panel_floats<Axis>(x_.channels) + point * point_floats(x_.channels);
        float* const to = m + p * step_m + panel * kPanel;
        panel_product(left, x_.channels, rows, right, x_.channels, to, panels * kPanel);
      }
    }
  }

  void read(int64_t first, int64_t rows, float* v) const {
    static thread_local Scratch scratch;
    float* const zeros = scratch.take(x_.channels);
    std::fill(zeros, zeros + x_.channels, 0.0f);
    for (int64_t i = 0; i < rows; ++i) read_tile(first + i, v, i, rows, zeros);
  }

  // Transforms a tile's patch into row `row` of `rows` of all slots.
  void read_tile(int64_t tile, float* v, int64_t row, int64_t rows, const float* zeros) const {
    constexpr int kPatch = Axis::kPatch;
    const int64_t n = tile / per_sample(), top = tile / tiles_x_ % tiles_y_ * Axis::kStep - 1;
    const int64_t left = tile % tiles_x_ * Axis::kStep - 1;
    const float* from[kPatch * kPatch];
    for (int i = 0; i < kPatch * kPatch; ++i) {
      const int64_t y = top + i / kPatch, x = left + i % kPatch;
      const bool is_inside = y >= 0 && y < x_.height && x >= 0 && x < x_.width;
      from[i] = is_inside ? x_.data + ((n * x_.height + y) * x_.width + x) * x_.channels : zeros;
    }
    const float* styles = x_.styles + n * x_.channels;
    const int64_t step_v = left_floats(rows);
    for (int64_t c = 0; c < x_.channels; c += kLane) {
      const Floats style = load(styles + c);
      Floats patch[kPatch * kPatch], slots[kSlots];
#pragma GCC unroll 36
      for (int i = 0; i < kPatch * kPatch; ++i) {
        patch[i] = load(from[i] + c) * style;
        if (i % kPatch >= kPatch - Axis::kStep) fetch_line(from[i] + Axis::kStep * x_.channels + c);  // of the next
      }
      both_axes<kPatch, Axis::kSlots>(patch, slots, [](auto... axis) { Axis::input(axis...); });
#pragma GCC unroll 36
      for (int i = 0; i < kSlots; ++i) store(v + i * step_v + row * x_.channels + c, slots[i]);
    }
  }

  Picture x_;
  int64_t tiles_y_, tiles_x_;
};

// The outputs of a tile for 16 channels, from products `step` apart.
template <typename Axis>
inline void output_tile(const float* products, int64_t step, Floats* y) {
  constexpr int kProducts = Axis::kProducts * Axis::kProducts;
  Floats m[kProducts];
#pragma GCC unroll 36
  for (int i = 0; i < kProducts; ++i) m[i] = load(products + i * step);
  both_axes<Axis::kProducts, Axis::kOutputs>(m, y, [](auto... axis) { Axis::output(axis...); });
}

}  // namespace bend
