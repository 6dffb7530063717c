// A synthesis layer on a CPU, from one activation to the next: modulated convolution, with or without upsampling,
// demodulation, noise, bias, activation, gain and clamp. Float32, channels last, channels a multiple of 16.
//
// Weights are prepared anew at each call, which costs little more than reading prepared ones would and needs no memory
// for them, and no notice of their changes. Where a layer has few tiles the threads share out the outputs, else the
// tiles; either way each output is the same chain of operations, whatever the batch and the number of threads. A processor
// with AMX takes `pieces_conv.h` instead, unless told not to.
#include <algorithm>
#include <cstring>
#include <optional>

#include "epilogue_tensors.h"
#include "fir_rows.h"
#include "pieces_conv.h"
#include "tensors.h"
#include "tiles.h"

namespace bend {
namespace {

constexpr int64_t kFewTiles = 96;
constexpr int64_t kDirectPixels = 64;    // of a picture, up to which the direct sum is faster
constexpr int64_t kLargePixels = 1024;   // of a picture, from which Winograd's products are the faster exact ones
constexpr int64_t kBandBytes = 4 << 20;  // of an upsampled picture's rows between convolution and FIR

template <typename Axis>
void prepare(const Layer& layer, int64_t panel, float* to) {
  prepare_panel<Axis>(layer.weights, panel, to, layer.demodulation, layer.padded());
}

template <typename Axis>
void prepare_all(const Layer& layer) {
  parallel(layer.panels, [&](int64_t first, int64_t last) {
    for (int64_t panel = first; panel < last; ++panel) {
      prepare<Axis>(layer, panel, layer.prepared + panel_offset<Axis>(layer.weights.inputs, panel, 0));
    }
  });
}

template <typename Axis>
class SameSize {
 public:
  explicit SameSize(const Layer& layer) : layer_(layer), tiles_(layer.x), outputs_(layer.e.channels) {}

  void run() const {
    if (tiles_.count() <= kFewTiles) {
      parallel(layer_.panels, [&](int64_t first, int64_t last) {
        tiles_.run_panels(
            first, last, [&](int64_t panel, float* to) { prepare<Axis>(layer_, panel, to); },
            [&](int64_t panel, int64_t n, int64_t ty, int64_t tx, const float* products, int64_t step) {
              put(n, ty, tx, products, step, panel * kPanel, std::min((panel + 1) * kPanel, outputs_));
            });
      });
      return;
    }
    prepare_all<Axis>(layer_);
    parallel(tiles_.count(), [&](int64_t from, int64_t to) {
      tiles_.run(from, to, layer_.prepared, layer_.panels,
                 [&](int64_t n, int64_t ty, int64_t tx, const float* products, int64_t step) {
                   put(n, ty, tx, products, step, 0, outputs_);
                 });
    });
  }

 private:
  static constexpr int kSide = Axis::kOutputs;

  // Finishes and writes a tile's outputs `begin` to `end`.
  void put(int64_t n, int64_t ty, int64_t tx, const float* products, int64_t step, int64_t begin, int64_t end) const {
    const int64_t height = layer_.x.height, width = layer_.x.width, top = ty * kSide, left = tx * kSide;
    const int64_t rows = std::min<int64_t>(kSide, height - top), columns = std::min<int64_t>(kSide, width - left);
    const float* noise = layer_.noise_of(n);
    for (int64_t o = begin; o < end; o += kLane) {
      Floats y[kSide * kSide];
      output_tile<Axis>(products + o - begin, step, y);
      const Floats d = load(layer_.demodulation_of(n) + o), b = load(layer_.e.bias + o);
      for (int64_t i = 0; i < rows; ++i) {
        const int64_t at = (top + i) * width + left;
        for (int64_t j = 0; j < columns; ++j) {
          const Floats value = finish(layer_.e, y[i * kSide + j], d, b, noise ? noise[at + j] : 0.0f);
          store(layer_.out + (n * height * width + at + j) * outputs_ + o, value);
        }
      }
    }
  }

  const Layer& layer_;
  Tiles<Axis> tiles_;
  int64_t outputs_;
};

// The transposed convolution a band of rows at a time, each followed by the FIR over what it completes. The three rows
// that the next band needs too are kept.
class Upsampling {
 public:
  Upsampling(const Layer& layer, const float* taps)
      : layer_(layer),
        taps_(taps),
        tiles_(layer.x),
        outputs_(layer.e.channels),
        height_(2 * layer.x.height),
        width_(2 * layer.x.width),
        row_((width_ + 1) * outputs_),
        tile_rows_(UpAxis::num_tiles(layer.x.height)),
        band_(std::clamp<int64_t>(kBandBytes / (4 * row_ * int64_t(sizeof(float))), 1, tile_rows_)) {}

  void run() const {
    static thread_local Scratch scratch;
    if (tiles_.count() <= kFewTiles) {
      return run_few(scratch.take(4 * tile_rows_ * row_ * layer_.x.samples));
    }
    prepare_all<UpAxis>(layer_);
    float* const rows = scratch.take((kKept + 4 * band_) * row_);
    for (int64_t n = 0; n < layer_.x.samples; ++n) run_sample(n, rows);
  }

 private:
  static constexpr int64_t kKept = 3;

  void run_few(float* rows) const {
    const int64_t step = 4 * tile_rows_ * row_;
    parallel(layer_.panels, [&](int64_t first, int64_t last) {
      tiles_.run_panels(
          first, last, [&](int64_t panel, float* to) { prepare<UpAxis>(layer_, panel, to); },
          [&](int64_t panel, int64_t n, int64_t ty, int64_t tx, const float* products, int64_t by) {
            const int64_t begin = panel * kPanel, end = std::min(begin + kPanel, outputs_);
            put(rows + n * step + 4 * ty * row_, tx, products, by, begin, end);
          });
    });
    parallel(layer_.x.samples * height_, [&](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) fir(i / height_, i % height_, rows + i / height_ * step, 0);
    });
  }

  void run_sample(int64_t n, float* rows) const {
    int64_t done = 0;  // rows of the output
    for (int64_t first = 0; first < tile_rows_; first += band_) {
      const int64_t last = std::min(first + band_, tile_rows_), base = 4 * first - kKept;
      if (first > 0) std::memmove(rows, rows + 4 * band_ * row_, kKept * row_ * sizeof(float));
      const int64_t from = n * tiles_.per_sample() + first * tiles_.per_row();
      parallel((last - first) * tiles_.per_row(), [&](int64_t begin, int64_t end) {
        tiles_.run(from + begin, from + end, layer_.prepared, layer_.panels,
                   [&](int64_t, int64_t ty, int64_t tx, const float* products, int64_t by) {
                     put(rows + (4 * ty - base) * row_, tx, products, by, 0, outputs_);
                   });
      });
      const int64_t until = last == tile_rows_ ? height_ : 4 * last - 2;
      parallel(until - done, [&](int64_t begin, int64_t end) {
        for (int64_t i = done + begin; i < done + end; ++i) fir(n, i, rows, base);
      });
      done = until;
    }
  }

  // Writes outputs `begin` to `end` of a tile's 4 rows, the first of them at `to`; the last column's tiles reach beyond
  // the picture.
  void put(float* to, int64_t tx, const float* products, int64_t step, int64_t begin, int64_t end) const {
    const int64_t columns = std::min<int64_t>(4, width_ + 1 - 4 * tx);
    for (int64_t o = begin; o < end; o += kLane) {
      Floats y[16];
      output_tile<UpAxis>(products + o - begin, step, y);
      for (int64_t i = 0; i < 4; ++i) {
        for (int64_t j = 0; j < columns; ++j) store(to + i * row_ + (4 * tx + j) * outputs_ + o, y[4 * i + j]);
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

  const Layer& layer_;
  const float* taps_;
  Tiles<UpAxis> tiles_;
  int64_t outputs_, height_, width_, row_, tile_rows_, band_;
};

void check(const Tensor& x, const Tensor& weight, const Tensor& styles, const Tensor& bias) {
  STD_TORCH_CHECK(is_channels_last(x), "x must be dense with channels last");
  STD_TORCH_CHECK(weight.dim() == 4 && weight.size(2) == 3 && weight.size(3) == 3, "the kernel must be 3x3");
  STD_TORCH_CHECK(weight.size(1) == x.size(1) && x.size(1) % kLane == 0 && weight.size(0) % kLane == 0,
                  "channels must be multiples of 16");
  STD_TORCH_CHECK(styles.dim() == 2 && styles.size(0) == x.size(0) && styles.size(1) == x.size(1),
                  "styles must be [N, I]");
  STD_TORCH_CHECK(bias.dim() == 1 && bias.size(0) == weight.size(0), "the bias must be [O]");
  for (const Tensor* t : {&x, &weight, &styles, &bias}) {
    STD_TORCH_CHECK(t->scalar_type() == ScalarType::Float, "styled_conv takes float32");
    STD_TORCH_CHECK(t == &x || t->is_contiguous(), "weight, styles and bias must be contiguous");
  }
}

// Memory for all prepared weights, unless the tiles are few.
template <typename Axis>
float* take_weights(const Layer& layer, Scratch& scratch) {
  if (Tiles<Axis>(layer.x).count() <= kFewTiles) return nullptr;
  return scratch.take(panel_offset<Axis>(layer.weights.inputs, layer.panels, 0));
}

#if defined(BEND_AMX)
template <int pieces>
void run_pieces(const Layer& layer, const float* taps) {
  taps ? UpPieces<pieces>(layer, taps).run() : SamePieces<pieces>(layer).run();
}
#endif

Tensor styled_conv(const Tensor& x, const Tensor& weight, const Tensor& styles, const std::optional<Tensor>& noise,
                   const Tensor& bias, const std::optional<Tensor>& taps, double slope, double gain, double clamp,
                   int64_t pieces) {
  check(x, weight, styles, bias);
  STD_TORCH_CHECK(pieces == 0 || pieces == 2 || pieces == 3, "pieces are 2 or 3, or 0 for none");
  const int64_t factor = taps ? 2 : 1, height = factor * x.size(2), width = factor * x.size(3);
  check_taps(taps);
  // [N, H, W, O] in memory, which is channels last once permuted.
  Tensor out = torch::stable::new_empty(x, {x.size(0), height, width, weight.size(0)});
  const float* styles_data = styles.const_data_ptr<float>();
  Layer layer{
      {x.const_data_ptr<float>(), styles_data, x.size(0), x.size(2), x.size(3), x.size(1)},
      {weight.const_data_ptr<float>(), styles_data, weight.size(0), weight.size(1), x.size(0)},
      epilogue_of(noise, bias, height, width, slope, gain, clamp),
      num_panels(weight.size(0)),
      nullptr,
      nullptr,
      out.mutable_data_ptr<float>()};
  static thread_local Scratch demodulation, prepared;
  layer.demodulation = demodulation.take(x.size(0) * layer.padded());
#if defined(BEND_AMX)
  // Six products of pieces take longer than Winograd's one where a picture is large and needs no FIR.
  const bool is_direct_faster = taps || height * width < kLargePixels;
  if (has_amx() && (pieces == 2 || (pieces == 3 && is_direct_faster))) {
    const float* along = taps ? taps->const_data_ptr<float>() : nullptr;
    pieces == 2 ? run_pieces<2>(layer, along) : run_pieces<3>(layer, along);
    return out;
  }
#endif
  if (taps) {
    layer.prepared = take_weights<UpAxis>(layer, prepared);
    Upsampling(layer, taps->const_data_ptr<float>()).run();
  } else if (height * width <= kDirectPixels) {  // not the batch's: a picture does not depend on its neighbours
    layer.prepared = take_weights<DirectAxis>(layer, prepared);
    SameSize<DirectAxis>(layer).run();
  } else {
    layer.prepared = take_weights<SameAxis>(layer, prepared);
    SameSize<SameAxis>(layer).run();
  }
  return out;
}

}  // namespace
}  // namespace bend

STABLE_TORCH_LIBRARY_IMPL(bend, CPU, m) { m.impl("styled_conv", TORCH_BOX(&bend::styled_conv)); }
