// A synthesis layer on a CPU, from one activation to the next: modulated convolution, with or without upsampling,
// demodulation, noise, bias, activation, gain and clamp. Float32, channels last, channels a multiple of 16.
//
// Weights are prepared anew at each call. That takes little longer than reading prepared ones, needs no memory for
// them, and notices any change to the weights. A processor with AMX multiplies on its matrix unit (`digit_conv.h`)
// unless told not to, except for the few pixels of the first layers (`few_pixels.h`). On others, the threads divide up
// the outputs of layers that have few tiles, else the tiles, and share no more than they must. Either way each output
// is the same chain of operations, whatever the batch and the number of threads.
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

constexpr int64_t kFewTiles = 72;
constexpr int64_t kManyWeights = 1 << 20;  // prepared, in floats
constexpr int64_t kDirectPixels = 256;     // in a picture, up to which a matrix unit is faster with the direct sum

// Calls `work(begin, end)` for equal parts of `count`, none larger than `most`.
template <typename F>
void in_parts(int64_t count, int64_t most, const F& work) {
  const int64_t parts = (count + most - 1) / most;
  for (int64_t i = 0; i < parts; ++i) work(count * i / parts, count * (i + 1) / parts);
}

// Points a layer's demodulation factors at memory of this thread.
void take_demodulation(Layer& layer) {
  static thread_local Scratch demodulation;
  layer.demodulation = demodulation.take(layer.x.samples * layer.padded());
}

template <typename Axis>
void prepare(const Layer& layer, int64_t panel, int64_t begin, int64_t end, float* to, bool is_far = false) {
  prepare_panel<Axis>(layer.weights, panel, begin, end, to, layer.demodulation, layer.padded(), is_far);
}

// Prepares the weights of all panels, one panel after the other, for all threads to use.
template <typename Axis>
const float* prepare_all(const Layer& layer) {
  const int64_t inputs = layer.weights.inputs, step = panel_floats<Axis>(inputs);
  float* const to = weight_scratch().take(layer.panels * step);
  parallel(layer.panels, [&](int64_t first, int64_t last) {
    for (int64_t panel = first; panel < last; ++panel) prepare<Axis>(layer, panel, 0, inputs, to + panel * step, true);
  });
  return to;
}

// A convolution to the same size.
class SameSize {
 public:
  explicit SameSize(const Layer& layer) : layer_(layer), tiles_(layer.x), outputs_(layer.e.channels) {}

  void run() const {
    if (takes_panels()) {
      return parallel(layer_.panels,
                      [&](int64_t first, int64_t last) { run_panels(0, tiles_.count(), first, last); });
    }
    if (takes_parts()) {
      return parallel(tiles_.count(), [&](int64_t from, int64_t to) {
        Layer own = layer_;
        take_demodulation(own);
        SameSize(own).run_parts(from, to);
      });
    }
    const float* const weights = prepare_all<SameAxis>(layer_);
    parallel(tiles_.count(), [&](int64_t from, int64_t to) {
      tiles_.run(from, to, weights, layer_.panels,
                 [&](const Place& place, const float* products, int64_t step) {
                   if (layer_.colours) return paint(place, products, step);
                   put(place, products, step, 0, outputs_);
                 });
    });
  }

  // Whether threads take some panels each rather than some tiles.
  bool takes_panels() const { return tiles_.count() <= kFewTiles; }

 private:
  static constexpr int64_t kSide = SameAxis::kOutputs;
  static_assert(kSide * kSide == kLane, "a tile's colours are a vector");
  static constexpr int64_t kPart = 1 << 15;  // tiles times channels that stay in an outer cache

  // Whether there are so many weights that each thread prepares them itself, a few at a time, for many tiles at once.
  bool takes_parts() const {
    return !layer_.colours && layer_.panels * panel_floats<SameAxis>(layer_.x.channels) > kManyWeights &&
           tiles_.count() >= kFewTiles * int64_t{torch::stable::get_num_threads()};
  }

  void run_parts(int64_t from, int64_t to) const {
    in_parts(to - from, std::max<int64_t>(1, kPart / layer_.x.channels), [&](int64_t begin, int64_t end) {
      run_panels(from + begin, from + end, 0, layer_.panels);
    });
  }

  void run_panels(int64_t from, int64_t to, int64_t first, int64_t last) const {
    tiles_.run_panels(
        from, to, first, last,
        [&](int64_t panel, int64_t begin, int64_t end, float* to) { prepare<SameAxis>(layer_, panel, begin, end, to); },
        [&](int64_t panel, const Place& place, const float* products, int64_t step) {
          put(place, products, step, panel * kPanel, panel * kPanel + layer_.outputs_of(panel));
        },
        [](int64_t) {});
  }

  // Finishes a tile's outputs `begin` to `end`, 16 at a time, and calls `take(output, pixels)` with them.
  template <typename Take>
  void finish_tile(const Place& place, const float* products, int64_t step, int64_t begin, int64_t end,
                   const Take& take) const {
    const int64_t n = place.sample, width = layer_.x.width, rows = rows_of(place), columns = columns_of(place);
    const float* noise = layer_.noise_of(n);
    if (noise) noise += pixel_of(place);
    for (int64_t o = begin; o < end; o += kLane) {
      Floats y[kSide * kSide];
      output_tile<SameAxis>(place, products + o - begin, step, y);
      const Floats d = load(layer_.demodulation_of(n) + o), b = load(layer_.e.bias + o);
      for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < columns; ++j) {
          y[i * kSide + j] = finish(layer_.e, y[i * kSide + j], d, b, noise ? noise[i * width + j] : 0.0f);
        }
      }
      take(o, y);
    }
  }

  void put(const Place& place, const float* products, int64_t step, int64_t begin, int64_t end) const {
    const int64_t width = layer_.x.width, pixels = layer_.x.height * width;
    const int64_t rows = rows_of(place), columns = columns_of(place);
    const bool is_far = layer_.has_far_output(pixels);
    float* const to = layer_.out + (place.sample * pixels + pixel_of(place)) * outputs_;
    finish_tile(place, products, step, begin, end, [&](int64_t o, const Floats* y) {
      for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < columns; ++j) {
          store(to + (i * width + j) * outputs_ + o, y[i * kSide + j], is_far);
        }
      }
    });
  }

  // A tile's colours, from all its outputs.
  void paint(const Place& place, const float* products, int64_t step) const {
    static thread_local Scratch scratch;
    float* const values = scratch.take(outputs_ * kLane);  // [outputs][pixels]
    finish_tile(place, products, step, 0, outputs_, [&](int64_t o, Floats* y) {
      transpose(y);
      for (int64_t i = 0; i < kLane; ++i) store(values + (o + i) * kLane, y[i]);
    });
    const Colours& colours = *layer_.colours;
    for (int64_t k = 0; k < colours.count; ++k) {
      Floats sums = {};
      for (int64_t o = 0; o < outputs_; o += kLane) {
        sums = colours.add(sums, reinterpret_cast<const Floats*>(values + o * kLane), place.sample, k, o);
      }
      colours.finish_tile(sums, place.sample, k, pixel_of(place), kSide, rows_of(place), columns_of(place),
                          layer_.x.width);
    }
  }

  int64_t rows_of(const Place& place) const { return std::min(kSide, layer_.x.height - place.y * kSide); }
  int64_t columns_of(const Place& place) const { return std::min(kSide, layer_.x.width - place.x * kSide); }
  int64_t pixel_of(const Place& place) const { return (place.y * layer_.x.width + place.x) * kSide; }

  const Layer& layer_;
  Tiles<SameAxis> tiles_;
  int64_t outputs_;
};

// The transposed convolution and the FIR after it. With few tiles, each thread takes some panels of outputs, and makes
// and then filters all rows of each. Otherwise it takes a range of rows and makes them a band of tiles at a time, each
// band followed by the FIR over the rows that it completes. Outputs at the seam between two ranges need rows of both,
// and are made last.
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
        whole_rows_(tile_rows_ - UpAxis::is_edge(tile_rows_ - 1, layer.x.height)),
        band_(std::clamp<int64_t>(tiles_.block_size(layer.panels) / tiles_.per_row(), 1, whole_rows_)) {}

  // Whether threads take some panels each rather than some tiles: where a picture has few tiles, and there are enough
  // panels.
  bool takes_panels() const {
    const int64_t busy = std::min<int64_t>(torch::stable::get_num_threads(), layer_.x.samples * whole_rows_);
    return tiles_.per_sample() <= kFewTiles && layer_.panels >= busy;
  }

  void run() const {
    if (!takes_panels()) return run_many();
    const int64_t most = kFewTiles / tiles_.per_sample();  // samples; more outgrow the caches
    in_parts(layer_.x.samples, most, [&](int64_t begin, int64_t end) {
      Upsampling(layer_.of_samples(begin, end - begin, height_ * width_), taps_).run_few();
    });
  }

 private:
  static constexpr int64_t kSide = UpAxis::kOutputs;

  void run_few() const {
    const int64_t kept = kSide * tile_rows_, step = kept * (width_ + 1) * kPanel;
    parallel(layer_.panels, [&](int64_t first, int64_t last) {
      static thread_local Scratch scratch;
      float* const rows = scratch.take(step * layer_.x.samples);  // for one panel
      tiles_.run_panels(
          0, tiles_.count(), first, last,
          [&](int64_t panel, int64_t from, int64_t to, float* w) { prepare<UpAxis>(layer_, panel, from, to, w); },
          [&](int64_t panel, const Place& place, const float* products, int64_t by) {
            const int64_t channels = layer_.outputs_of(panel);
            float* const to = rows + place.sample * step + kSide * place.y * (width_ + 1) * channels;
            put(place, to, channels, products, by);
          },
          [&](int64_t panel) {
            const Layer some = layer_.of_panel(panel);
            for (int64_t n = 0; n < layer_.x.samples; ++n) {
              for (int64_t y = 0; y < height_; ++y) upsampled_row(some, taps_, n, y, rows + n * step, kept);
            }
          });
    });
  }

  // Each thread makes the same number of rows of tiles; an edge goes along with the row before it.
  void run_many() const {
    static thread_local Scratch scratch;
    const float* const weights = prepare_all<UpAxis>(layer_);
    const int64_t count = layer_.x.samples * whole_rows_;
    const int64_t ranges = std::min<int64_t>(torch::stable::get_num_threads(), count);
    const auto start = [&](int64_t range) { return range * count / ranges; };
    float* const seams = scratch.take(ranges * kSide * row_);  // rows around each range's start: row y at y % kSide
    parallel(ranges, [&](int64_t first, int64_t last) {
      for (int64_t range = first; range < last; ++range) {
        for (int64_t i = start(range); i < start(range + 1);) {
          const int64_t n = i / whole_rows_, from = i % whole_rows_;
          const int64_t to = std::min(whole_rows_, from + start(range + 1) - i);
          make_range(n, from, to, weights, seams + range * kSide * row_);
          i += to - from;
        }
      }
    });
    parallel(ranges * kSeam, [&](int64_t first, int64_t last) {
      for (int64_t i = first; i < last; ++i) {
        const int64_t range = i / kSeam, n = start(range) / whole_rows_, from = start(range) % whole_rows_;
        const int64_t y = kSide * from - 2 + i % kSeam;
        if (from > 0) upsampled_row(layer_, taps_, n, y, seams + range * kSide * row_, kSide);
      }
    });
  }

  // Makes the outputs that rows of tiles `from` to `to` of sample `n` complete. The first and last three rows of the
  // convolution are kept for the seams with the ranges before and after; the next range's seam lies right after `seam`.
  void make_range(int64_t n, int64_t from, int64_t to, const float* weights, float* seam) const {
    static thread_local Scratch scratch;
    const int64_t kept = kSide * (band_ + 1);
    float* const ring = scratch.take(kept * row_);
    const auto keep = [&](int64_t y, float* seam) {
      for (int64_t i = y; i < y + kSeam; ++i) {
        std::copy_n(ring + i % kept * row_, row_, seam + i % kSide * row_);
      }
    };
    int64_t y = from > 0 ? kSide * from + 1 : 0;
    for (int64_t first = from; first < to; first += band_) {
      const int64_t last = std::min(first + band_, to);
      make_rows(n, first, last == whole_rows_ ? tile_rows_ : last, weights, ring, kept);
      if (first == from && from > 0) keep(kSide * from, seam);
      for (const int64_t end = last == whole_rows_ ? height_ : kSide * last - 2; y < end; ++y) {
        upsampled_row(layer_, taps_, n, y, ring, kept);
      }
    }
    if (to < whole_rows_) keep(kSide * to - kSeam, seam + kSide * row_);
  }

  // The rows of tiles `first` to `last` of sample `n`, into the ring: row y at y % kept.
  void make_rows(int64_t n, int64_t first, int64_t last, const float* weights, float* ring, int64_t kept) const {
    const int64_t from = n * tiles_.per_sample() + first * tiles_.per_row();
    tiles_.run(from, from + (last - first) * tiles_.per_row(), weights, layer_.panels,
               [&](const Place& place, const float* products, int64_t by) {
                 put(place, ring + kSide * place.y % kept * row_, outputs_, products, by);
               });
  }

  // Writes some channels of a tile's rows, the first row at `to`. An edge, or a tile that reaches beyond the picture,
  // has fewer rows or columns.
  void put(const Place& place, float* to, int64_t channels, const float* products, int64_t step) const {
    const int64_t rows = std::min(kSide, height_ + 1 - kSide * place.y);
    const int64_t columns = std::min(kSide, width_ + 1 - kSide * place.x);
    for (int64_t o = 0; o < channels; o += kLane) {
      Floats y[kSide * kSide];
      output_tile<UpAxis>(place, products + o, step, y);
      for (int64_t i = 0; i < rows; ++i) {
        for (int64_t j = 0; j < columns; ++j) {
          store(to + (i * (width_ + 1) + kSide * place.x + j) * channels + o, y[kSide * i + j]);
        }
      }
    }
  }

  static constexpr int64_t kSeam = 3;  // rows of the output that need rows of two ranges

  const Layer& layer_;
  const float* taps_;
  Tiles<UpAxis> tiles_;
  int64_t outputs_, height_, width_, row_, tile_rows_, whole_rows_, band_;
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

#if defined(BEND_AMX)
// Calls `f` with the implementation that suits a layer on a matrix unit.
template <typename F>
auto with_digits(const Layer& layer, const float* taps, const F& f) {
  const bool has_tiles = layer.x.width % PanelTiles::kWide == 0 && layer.x.channels >= kDepth;
  if (taps) return f(DigitConv<PanelFir>(layer, taps));
  if (has_tiles && layer.x.height * layer.x.width > kDirectPixels) {
    return f(DigitConv<PanelTiles>(layer, nullptr));
  }
  return f(DigitConv<PanelPixels>(layer, nullptr));
}
#endif

void run(Layer& layer, const float* taps, [[maybe_unused]] bool on_matrix_unit) {
  take_demodulation(layer);
#if defined(BEND_AMX)
  if (on_matrix_unit && has_amx()) return with_digits(layer, taps, [](const auto& conv) { conv.run(); });
#endif
  if (taps) {
    Upsampling(layer, taps).run();
  } else {
    SameSize(layer).run();
  }
}

// Makes a layer's colours instead of its output, which not every implementation can; returns whether it did.
bool try_colours(Layer& layer) {
  if (FewPixels::serves(layer.x)) return false;
#if defined(BEND_AMX)
  if (has_amx()) {
    take_demodulation(layer);
    return with_digits(layer, nullptr, [](const auto& conv) {
      if (!conv.makes_colours()) return false;
      conv.run();
      return true;
    });
  }
#endif
  if (SameSize(layer).takes_panels()) return false;  // colours need all panels at once
  run(layer, nullptr, false);
  return true;
}

Layer layer_of(const Tensor& x, const Tensor& weight, const float* styles, const Epilogue& e, float* out) {
  return {{x.const_data_ptr<float>(), styles, x.size(0), x.size(2), x.size(3), x.size(1)},
          {weight.const_data_ptr<float>(), styles, weight.size(0), weight.size(1), x.size(0)},
          e,
          num_panels(weight.size(0)),
          nullptr,
          out,
          weight.size(0)};
}

// The same layer without style, demodulation and epilogue: a convolution for training.
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
