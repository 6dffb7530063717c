// A convolution over tiles of a picture: patches are read and transformed, multiplied by the prepared weights point by
// point, and handed on as products; a block of tiles at a time, so that intermediate results stay in the cache.
#pragma once

#include <algorithm>
#include <vector>

#include "gemm.h"
#include "scratch.h"
#include "styled_layer.h"
#include "winograd_axes.h"

namespace bend {

// Where a tile lies, and whether it is an edge at the bottom or on the right, of which only the first products count.
struct Place {
  int64_t sample, y, x;
  bool is_below, is_right;
};

template <typename Axis>
class Tiles {
 public:
  static constexpr int kSlots = Axis::kSlots * Axis::kSlots, kProducts = Axis::kProducts * Axis::kProducts;

  explicit Tiles(const Picture& x) : x_(x), tiles_y_(Axis::num_tiles(x.height)), tiles_x_(Axis::num_tiles(x.width)) {}

  int64_t per_row() const { return tiles_x_; }
  int64_t per_sample() const { return tiles_y_ * tiles_x_; }
  int64_t count() const { return x_.samples * per_sample(); }

  // How many tiles are multiplied together: few, so that they and their products stay in a near cache; more where the
  // weights, which are read again for each block, are too many for any cache.
  int64_t block_size(int64_t panels) const {
    constexpr int64_t kMany = 3 << 20;
    return panels * panel_floats<Axis>(x_.channels) < kMany ? 24 : 96;
  }

  // Multiplies tiles `from` to `to` by `panels` panels of prepared weights, a block at a time. Calls
  // `finish(place, products, step)` for each tile, where `products + i * step` is the i-th of kProducts vectors, which
  // hold all channels of these panels.
  template <typename Finish>
  void run(int64_t from, int64_t to, const float* weights, int64_t panels, const Finish& finish) const {
    const int64_t size = block_size(panels), blocks = (to - from + size - 1) / size;
    const int64_t most = std::min(to - from, rounded((to - from + blocks - 1) / blocks));  // of tiles, in equal blocks
    const int64_t columns = panels * kPanel, step_v = left_floats(most), step_m = rounded(most) * columns + kApart;
    float* const v = working_scratch().take(kSlots * step_v + kProducts * step_m);
    float* const m = v + kSlots * step_v;
    for (int64_t begin = from; begin < to; begin += most) {
      const Block block(*this, begin, std::min(begin + most, to));
      read(block, v, step_v);
      multiply(block, v, step_v, weights, panels, 0, x_.channels, m, step_m);
      for (int64_t i = 0; i < block.rows(); ++i) finish(block.place(i), m + i * columns, step_m);
    }
  }

  // The same for panels `first` to `last`, one after the other, with all these tiles at once. `prepare(panel, begin,
  // end, to)` writes the weights for some of a panel's inputs just before they are used, while they are still in a near
  // cache. `finish` takes the panel as its first argument; `end_panel(panel)` is called after a panel's last tile.
  template <typename Prepare, typename Finish, typename EndPanel>
  void run_panels(int64_t from, int64_t to, int64_t first, int64_t last, const Prepare& prepare, const Finish& finish,
                  const EndPanel& end_panel) const {
    const Block block(*this, from, to);
    const int64_t rows = block.rows(), step_v = left_floats(rows), step_m = rounded(rows) * kPanel + kApart;
    float* const v = working_scratch().take(kSlots * step_v + kProducts * step_m + panel_floats<Axis>(kChain));
    float* const m = v + kSlots * step_v;
    float* const weights = m + kProducts * step_m;
    read(block, v, step_v);
    for (int64_t panel = first; panel < last; ++panel) {
      for (int64_t begin = 0; begin < x_.channels; begin += kChain) {
        const int64_t end = std::min(begin + kChain, x_.channels);
        prepare(panel, begin, end, weights);
        multiply(block, v, step_v, weights, 1, begin, end, m, step_m);
      }
      for (int64_t i = 0; i < rows; ++i) finish(panel, block.place(i), m + i * kPanel, step_m);
      end_panel(panel);
    }
  }

 private:
  static constexpr int64_t kApart = kLane;  // a cache line between streams, lest they compete for one cache set

  // Tiles that are multiplied together, in this order: right edges, inner tiles, bottom edges, corners. For each
  // product, the tiles that have it then lie side by side.
  class Block {
   public:
    Block(const Tiles& tiles, int64_t begin, int64_t end) {
      places_.reserve(end - begin);
      for (int64_t tile = begin; tile < end; ++tile) places_.push_back(tiles.place(tile));
      std::stable_sort(places_.begin(), places_.end(),
                       [](const Place& a, const Place& b) { return kind_of(a) < kind_of(b); });
      for (const Place& place : places_) {
        for (int kind = kind_of(place); kind < kKinds; ++kind) ++ends_[kind];
      }
    }

    int64_t rows() const { return static_cast<int64_t>(places_.size()); }
    const Place& place(int64_t row) const { return places_[row]; }
    // The rows that have product `y`, `x`.
    int64_t begin(int y, int x) const { return x == 0 ? 0 : ends_[kRight]; }
    int64_t end(int y, int x) const { return ends_[y > 0 ? kInside : x > 0 ? kBelow : kCorner]; }

   private:
    enum Kind { kRight, kInside, kBelow, kCorner, kKinds };
    static Kind kind_of(const Place& place) {
      if (place.is_below) return place.is_right ? kCorner : kBelow;
      return place.is_right ? kRight : kInside;
    }

    std::vector<Place> places_;
    int64_t ends_[kKinds] = {};
  };

  static constexpr int64_t rounded(int64_t rows) { return (rows + kTileRows - 1) / kTileRows * kTileRows; }
  // The size of a slot, [rows, channels], and a cache line more.
  int64_t left_floats(int64_t rows) const { return rows * x_.channels + kApart; }

  Place place(int64_t tile) const {
    const int64_t y = tile / tiles_x_ % tiles_y_, x = tile % tiles_x_;
    return {tile / per_sample(), y, x, Axis::is_edge(y, x_.height), Axis::is_edge(x, x_.width)};
  }

  // Multiplies inputs `begin` to `end` of a block by those of some panels. The first inputs write the products, later
  // ones add to them.
  void multiply(const Block& block, const float* v, int64_t step_v, const float* weights, int64_t panels, int64_t begin,
                int64_t end, float* m, int64_t step_m) const {
    const int64_t depth = end - begin, columns = panels * kPanel;
    for (int p = 0; p < kProducts; ++p) {
      const int py = p / Axis::kProducts, px = p % Axis::kProducts;
      const int64_t slot = Axis::slot(py) * Axis::kSlots + Axis::slot(px);
      const int64_t point = Axis::weight(py) * Axis::kWeights + Axis::weight(px);
      const int64_t first = block.begin(py, px), rows = block.end(py, px) - first;
      const float* const left = v + slot * step_v + first * x_.channels + begin;
      for (int64_t panel = 0; panel < panels; ++panel) {
        const float* const right = weights + panel * panel_floats<Axis>(depth) + point * point_floats(depth);
        float* const to = m + p * step_m + first * columns + panel * kPanel;
        panel_product(left, x_.channels, rows, right, depth, to, columns, begin > 0);
      }
    }
  }

  // Transforms a block's patches.
  void read(const Block& block, float* v, int64_t step_v) const {
    static thread_local Scratch scratch;
    float* const zeros = scratch.take(x_.channels);
    std::fill(zeros, zeros + x_.channels, 0.0f);
    for (int64_t row = 0; row < block.rows(); ++row) {
      read_tile(block.place(row), v + row * x_.channels, step_v, zeros);
    }
  }

  // Transforms a tile's patch into slots `step_v` apart.
  void read_tile(const Place& place, float* v, int64_t step_v, const float* zeros) const {
    constexpr int kPatch = Axis::kPatch;
    const int64_t n = place.sample, top = place.y * Axis::kStep - 1, left = place.x * Axis::kStep - 1;
    const float* from[kPatch * kPatch];
    for (int i = 0; i < kPatch * kPatch; ++i) {
      const int64_t y = top + i / kPatch, x = left + i % kPatch;
      const bool is_inside = y >= 0 && y < x_.height && x >= 0 && x < x_.width;
      from[i] = is_inside ? x_.data + ((n * x_.height + y) * x_.width + x) * x_.channels : zeros;
    }
    const float* styles = x_.styles + n * x_.channels;
    for (int64_t c = 0; c < x_.channels; c += kLane) {
      const Floats style = load(styles + c);
      Floats patch[kPatch * kPatch], slots[kSlots];
#pragma GCC unroll 36
      for (int i = 0; i < kPatch * kPatch; ++i) {
        patch[i] = load(from[i] + c) * style;
        if (i % kPatch >= kPatch - Axis::kStep) fetch_line(from[i] + Axis::kStep * x_.channels + c);  // the next tile
      }
      both_axes<kPatch, Axis::kSlots>(patch, slots, [](auto... axis) { Axis::input(axis...); });
#pragma GCC unroll 81
      for (int i = 0; i < kSlots; ++i) store(v + i * step_v + c, slots[i]);
    }
  }

  Picture x_;
  int64_t tiles_y_, tiles_x_;
};

// The outputs of a tile for 16 channels, from products `step` apart. What an edge lacks counts as zero.
template <typename Axis>
inline void output_tile(const Place& place, const float* products, int64_t step, Floats* y) {
  constexpr int kProducts = Axis::kProducts * Axis::kProducts;
  Floats m[kProducts];
  if (place.is_below || place.is_right) {
    for (int i = 0; i < kProducts; ++i) {
      const bool is_there = (!place.is_below || i < Axis::kProducts) && (!place.is_right || i % Axis::kProducts == 0);
      m[i] = is_there ? load(products + i * step) : Floats{};
    }
  } else {
#pragma GCC unroll 81
    for (int i = 0; i < kProducts; ++i) m[i] = load(products + i * step);
  }
  both_axes<Axis::kProducts, Axis::kOutputs>(m, y, [](auto... axis) { Axis::output(axis...); });
}

}  // namespace bend
