// A synthesis layer on a CPU, from one activation to the next: modulated convolution, with or without upsampling,
// demodulation, noise, bias, activation, gain and clamp. Float32, channels last, channels a multiple of 16.
//
// Weights are prepared anew at each call. That takes little longer than reading prepared ones, needs no memory for
// them, and notices any change to the weights. A processor with AMX multiplies on its matrix unit (`digit_conv.h`)
// unless told not to, except for the few pixels of the first layers (`few_pixels.h`). On others, the threads divide up
// the outputs of layers that have few tiles, else the tiles. Either way each output is the same chain of operations,
// whatever the batch and the number of threads.
#include <algorithm>
#include <limits>

#include "digit_conv.h"
#include "epilogue_tensors.h"
#include "few_pixels.h"
#include "operations.h"
#include "tensors.h"
#include "tiles.h"

namespace bend {
namespace {

constexpr int64_t kFewTiles = 96;
constexpr int64_t kDirectPixels = 64;           // of a picture, up to which the direct sum is faster
constexpr int64_t kDirectPixelsInDigits = 256;  // the same on a matrix unit

template <typename Axis>
void prepare(const Layer& layer, int64_t panel, float* to) {
  prepare_panel<Axis>(layer.weights, panel, to, layer.demodulation, layer.padded());
}

template <typename Axis>
void prepare_all(const Layer& layer) {
  const int64_t step = panel_floats<Axis>(layer.weights.inputs);
  parallel(layer.panels, [&](int64_t first, int64_t last) {
    for (int64_t panel = first; panel < last; ++panel) {
      prepare<Axis>(layer, panel, layer.prepared + panel * step);
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

// The transposed convolution a band of tiles' rows at a time, each followed by the FIR over the rows that it completes.
// Threads take some bands each; the last rows before those are made anew.
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
        band_(std::clamp<int64_t>((kBandTiles + tiles_.per_row() - 1) / tiles_.per_row(), 1, tile_rows_)) {}

  void run() const {
    if (tiles_.count() <= kFewTiles) return run_few();
    prepare_all<UpAxis>(layer_);
    const int64_t bands = (tile_rows_ + band_ - 1) / band_, kept = 4 * (band_ + 1);
    parallel(layer_.x.samples * bands, [&](int64_t from, int64_t to) {
      static thread_local Scratch scratch;
      float* const ring = scratch.take(kept * row_);
      if (const int64_t first = from % bands * band_; first > 0) make_rows(from / bands, first - 1, first, ring, kept);
      for (int64_t i = from; i < to; ++i) {
        const int64_t n = i / bands, first = i % bands * band_, last = std::min(first + band_, tile_rows_);
        make_rows(n, first, last, ring, kept);
        const int64_t end = last == tile_rows_ ? height_ : 4 * last - 2;
        for (int64_t y = std::max<int64_t>(0, 4 * first - 2); y < end; ++y) {
          upsampled_row(layer_, taps_, n, y, ring, kept);
        }
      }
    });
  }

 private:
  static constexpr int64_t kBandTiles = 96;  // tiles at once; the weights are read once for all of them

  void run_few() const {
    static thread_local Scratch scratch;
    const int64_t step = 4 * tile_rows_ * row_;
    float* const rows = scratch.take(step * layer_.x.samples);
    parallel(layer_.panels, [&](int64_t first, int64_t last) {
      tiles_.run_panels(
          first, last, [&](int64_t panel, float* to) { prepare<UpAxis>(layer_, panel, to); },
          [&](int64_t panel, int64_t n, int64_t ty, int64_t tx, const float* products, int64_t by) {
            const int64_t begin = panel * kPanel, end = std::min(begin + kPanel, outputs_);
            put(rows + n * step + 4 * ty * row_, tx, products, by, begin, end);
          });
    });
    parallel(layer_.x.samples * height_, [&](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) {
        upsampled_row(layer_, taps_, i / height_, i % height_, rows + i / height_ * step, 4 * tile_rows_);
      }
    });
  }

  // Four rows of each row of tiles of sample `n`, `first` to `last`, into the ring: row y at y % kept.
  void make_rows(int64_t n, int64_t first, int64_t last, float* ring, int64_t kept) const {
    const int64_t from = n * tiles_.per_sample() + first * tiles_.per_row();
    tiles_.run(from, from + (last - first) * tiles_.per_row(), layer_.prepared, layer_.panels,
               [&](int64_t, int64_t ty, int64_t tx, const float* products, int64_t by) {
                 put(ring + 4 * ty % kept * row_, tx, products, by, 0, outputs_);
               });
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

  const Layer& layer_;
  const float* taps_;
  Tiles<UpAxis> tiles_;
  int64_t outputs_, height_, width_, row_, tile_rows_, band_;
};

void check(const Tensor& x, const Tensor& weight) {
  STD_TORCH_CHECK(is_channels_last(x), "x must be dense with channels last");
  STD_TORCH_CHECK(weight.dim() == 4 && weight.size(2) == 3 && weight.size(3) == 3, "the kernel must be 3x3");
  STD_TORCH_CHECK(weight.size(1) == x.size(1) && x.size(1) % kLane == 0 && weight.size(0) % kLane == 0,
                  "channels must be multiples of 16");
  STD_TORCH_CHECK(x.scalar_type() == ScalarType::Float && weight.scalar_type() == ScalarType::Float,
                  "x and weight must be float32");
  STD_TORCH_CHECK(weight.is_contiguous(), "the weight must be contiguous");
}

void check_style(const Tensor& x, const Tensor& weight, const Tensor& styles, const Tensor& bias) {
  STD_TORCH_CHECK(styles.dim() == 2 && styles.size(0) == x.size(0) && styles.size(1) == x.size(1),
                  "styles must be [N, I]");
  STD_TORCH_CHECK(bias.dim() == 1 && bias.size(0) == weight.size(0), "the bias must be [O]");
  for (const Tensor* t : {&styles, &bias}) {
    STD_TORCH_CHECK(t->scalar_type() == ScalarType::Float && t->is_contiguous(),
                    "styles and bias must be float32 and contiguous");
  }
}

// Memory for all prepared weights, unless the tiles are few.
template <typename Axis>
float* take_weights(const Layer& layer) {
  if (Tiles<Axis>(layer.x).count() <= kFewTiles) return nullptr;
  return weight_scratch().take(layer.panels * panel_floats<Axis>(layer.weights.inputs));
}

template <typename Axis>
void run_same(Layer& layer) {
  layer.prepared = take_weights<Axis>(layer);
  SameSize<Axis>(layer).run();
}

#if defined(BEND_AMX)
// Calls `f` with the way that a layer is computed on a matrix unit.
template <typename F>
auto with_digits(const Layer& layer, const float* taps, const F& f) {
  const bool has_tiles = layer.x.width % PanelTiles::kWide == 0 && layer.x.channels >= kDepth;
  if (taps) return f(DigitConv<PanelFir>(layer, taps));
  if (has_tiles && layer.x.height * layer.x.width > kDirectPixelsInDigits) {
    return f(DigitConv<PanelTiles>(layer, nullptr));
  }
  return f(DigitConv<PanelPixels>(layer, nullptr));
}
#endif

void take_demodulation(Layer& layer) {
  static thread_local Scratch demodulation;
  layer.demodulation = demodulation.take(layer.x.samples * layer.padded());
}

void run(Layer& layer, const float* taps, [[maybe_unused]] bool on_matrix_unit) {
  take_demodulation(layer);
#if defined(BEND_AMX)
  if (on_matrix_unit && has_amx()) return with_digits(layer, taps, [](const auto& conv) { conv.run(); });
#endif
  if (taps) {
    layer.prepared = take_weights<UpAxis>(layer);
    Upsampling(layer, taps).run();
  } else if (layer.x.height * layer.x.width <= kDirectPixels) {  // of a picture, so as not to depend on the batch
    run_same<DirectAxis>(layer);
  } else {
    run_same<SameAxis>(layer);
  }
}

// Makes a layer's colours alone, which not every processor does, nor every way; returns whether it did.
bool try_colours([[maybe_unused]] Layer& layer) {
#if defined(BEND_AMX)
  if (has_amx() && !FewPixels::serves(layer.x)) {
    take_demodulation(layer);
    return with_digits(layer, nullptr, [](const auto& conv) {
      if (!conv.makes_colours()) return false;
      conv.run();
      return true;
    });
  }
#endif
  return false;
}

Layer layer_of(const Tensor& x, const Tensor& weight, const float* styles, const Epilogue& e, float* out) {
  return {{x.const_data_ptr<float>(), styles, x.size(0), x.size(2), x.size(3), x.size(1)},
          {weight.const_data_ptr<float>(), styles, weight.size(0), weight.size(1), x.size(0)},
          e,
          num_panels(weight.size(0)),
          nullptr,
          nullptr,
          out};
}

// The same layer without style, demodulation and epilogue: a convolution of training.
Tensor convolve3x3(const Tensor& x, const Tensor& weight) {
  check(x, weight);
  static thread_local Scratch constants;
  const int64_t samples = x.size(0), inputs = x.size(1), outputs = weight.size(0);
  float *const ones = constants.take(samples * inputs + outputs), *const zeros = ones + samples * inputs;
  std::fill(ones, zeros, 1.0f);
  std::fill(zeros, zeros + outputs, 0.0f);
  Tensor out = fresh(x, {samples, x.size(2), x.size(3), outputs});
  const Epilogue e{zeros, nullptr, 0, outputs, 1.0f, 1.0f, std::numeric_limits<float>::infinity()};
  Layer layer = layer_of(x, weight, ones, e, out.mutable_data_ptr<float>());
  layer.weights.are_demodulated = false;
  run(layer, nullptr, true);
  return out;
}

}  // namespace

Tensor styled_conv(const Tensor& x, const Tensor& weight, const Tensor& styles, const std::optional<Tensor>& noise,
                   const Tensor& bias, const std::optional<Tensor>& taps, double slope, double gain, double clamp,
                   bool on_matrix_unit) {
  check(x, weight);
  check_style(x, weight, styles, bias);
  const int64_t factor = taps ? 2 : 1, height = factor * x.size(2), width = factor * x.size(3);
  check_taps(taps);
  // [N, H, W, O] in memory, which is channels last once permuted.
  Tensor out = fresh(x, {x.size(0), height, width, weight.size(0)});
  float* const to = out.mutable_data_ptr<float>();
  prefer_huge_pages(to, out.numel() * sizeof(float));
  const Epilogue e = epilogue_of(noise, bias, x.size(0), height, width, slope, gain, clamp);
  Layer layer = layer_of(x, weight, styles.const_data_ptr<float>(), e, to);
  const float* const along = taps ? taps->const_data_ptr<float>() : nullptr;
  if (FewPixels::serves(layer.x)) {
    FewPixels(layer, along).run();
  } else {
    run(layer, along, on_matrix_unit);
  }
  return out;
}

Tensor styled_image(const Tensor& x, const Tensor& weight, const Tensor& styles, const std::optional<Tensor>& noise,
                    const Tensor& bias, double slope, double gain, double clamp, const ToRgb& rgb) {
  check(x, weight);
  check_style(x, weight, styles, bias);
  Tensor image = fresh(x, {x.size(0), rgb.bias.numel(), x.size(2), x.size(3)});
  const Colours colours = rgb.colours(image, weight.size(0));
  const Epilogue e = epilogue_of(noise, bias, x.size(0), x.size(2), x.size(3), slope, gain, clamp);
  Layer layer = layer_of(x, weight, styles.const_data_ptr<float>(), e, nullptr);
  layer.colours = &colours;
  if (try_colours(layer)) return image;
  return to_rgb(pictures(styled_conv(x, weight, styles, noise, bias, std::nullopt, slope, gain, clamp, true)), rgb);
}

}  // namespace bend

STABLE_TORCH_LIBRARY_IMPL(bend, CPU, m) {
  m.impl("styled_conv", TORCH_BOX(&bend::styled_conv));
  m.impl("convolve3x3", TORCH_BOX(&bend::convolve3x3));
}
