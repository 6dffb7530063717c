// The tile transforms of Winograd's 3x3 convolution on a CPU, for channels last; `winograd.py` explains the method.
//
// Points are 0, +-sqrt(1/2), +-sqrt(2) and infinity: the matrices' entries stay near one, which keeps rounding errors
// near those of the plain sum. Pictures are cut into tiles of 4x4; the six-point transforms are applied along x, then
// along y.
#include <algorithm>
#include <vector>

#include "far.h"
#include "tensors.h"

namespace bend {
namespace {

constexpr int64_t kTile = 4;     // outputs of a tile along an axis
constexpr int64_t kPoints = 6;   // kTile + 3 - 1
constexpr int64_t kWidth = 16;   // floats of a vector
constexpr float kNear = 0.70710678118654752f, kFar = 1.41421356237309505f;

// Six neighbours to six points: the values of an input tile.
struct FromInput {
  static constexpr int64_t kReads = 6, kBefore = 1;
  static inline void apply(const Floats* d, Floats* out) {
    const Floats e = d[4] - 2.0f * d[2], o = kNear * (d[3] - 2.0f * d[1]);
    const Floats f = d[4] - 0.5f * d[2], p = kFar * (d[3] - 0.5f * d[1]);
    out[0] = d[0] - 2.5f * d[2] + d[4];
    out[1] = e + o;
    out[2] = e - o;
    out[3] = f + p;
    out[4] = f - p;
    out[5] = d[1] - 2.5f * d[3] + d[5];
  }
};

// Four outputs to six points: the transpose of `to_output`, for gradients of weights.
struct FromOutput {
  static constexpr int64_t kReads = 4, kBefore = 0;
  static inline void apply(const Floats* g, Floats* out) {
    const Floats e = g[0] + 0.5f * g[2], o = kNear * (g[1] + 0.5f * g[3]);
    const Floats f = g[0] + 2.0f * g[2], p = kFar * (g[1] + 2.0f * g[3]);
    out[0] = g[0];
    out[1] = e + o;
    out[2] = e - o;
    out[3] = f + p;
    out[4] = f - p;
    out[5] = g[3];
  }
};

inline void to_output(const Floats* m, Floats* out) {
  const Floats s = m[1] + m[2], d = m[1] - m[2], t = m[3] + m[4], e = m[3] - m[4];
  out[0] = m[0] + s + t;
  out[1] = kNear * d + kFar * e;
  out[2] = 0.5f * s + 2.0f * t;
  out[3] = (0.5f * kNear) * d + (2.0f * kFar) * e + m[5];
}

// Where tile `index` of pictures `[N, H, W, C]` lies.
struct Tiles {
  int64_t height, width, channels, rows, columns;
  Tiles(int64_t height, int64_t width, int64_t channels)
      : height(height),
        width(width),
        channels(channels),
        rows((height + kTile - 1) / kTile),
        columns((width + kTile - 1) / kTile) {}
  int64_t count() const { return rows * columns; }
  // Offset of pixel (y, x) of the tile, counted from its first output; -1 outside the picture.
  int64_t offset(int64_t index, int64_t y, int64_t x) const {
    const int64_t picture = index / count(), tile = index % count();
    const int64_t row = tile / columns * kTile + y, column = tile % columns * kTile + x;
    if (row < 0 || row >= height || column < 0 || column >= width) return -1;
    return ((picture * height + row) * width + column) * channels;
  }
};

template <typename Transform>
void split(const Tiles& tiles, int64_t num_tiles, const float* x, float* out, int64_t tile_step, int64_t point_step) {
  constexpr int64_t kReads = Transform::kReads;
  const std::vector<float> zeros(tiles.channels, 0.0f);
  const bool is_far = may_go_far(out);  // the products that follow are computed by other threads
  parallel(num_tiles, 8, [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) {
      const float* pixels[kReads * kReads];
      for (int64_t y = 0; y < kReads; ++y) {
        for (int64_t c = 0; c < kReads; ++c) {
          const int64_t offset = tiles.offset(i, y - Transform::kBefore, c - Transform::kBefore);
          pixels[y * kReads + c] = offset < 0 ? zeros.data() : x + offset;
        }
      }
      float* result = out + i * tile_step;
      for (int64_t c = 0; c < tiles.channels; c += kWidth) {
        Floats half[kPoints][kReads];  // transformed along x, stored by columns
        for (int64_t y = 0; y < kReads; ++y) {
          Floats line[kReads], points[kPoints];
          for (int64_t k = 0; k < kReads; ++k) line[k] = load(pixels[y * kReads + k] + c);
          Transform::apply(line, points);
          for (int64_t k = 0; k < kPoints; ++k) half[k][y] = points[k];
        }
        for (int64_t k = 0; k < kPoints; ++k) {
          Floats points[kPoints];
          Transform::apply(half[k], points);
          for (int64_t j = 0; j < kPoints; ++j) {
            store(result + (j * kPoints + k) * point_step + c, points[j], is_far);
          }
        }
      }
    }
  });
}

void join(const Tiles& tiles, int64_t num_tiles, const float* m, float* y) {
  const int64_t channels = tiles.channels;
  torch::stable::parallel_for(0, num_tiles, 8, [&](int64_t from, int64_t to) {
    std::vector<float> spill(channels);
    for (int64_t i = from; i < to; ++i) {
      const float* points = m + i * kPoints * kPoints * channels;
      float* pixels[kTile * kTile];
      for (int64_t r = 0; r < kTile; ++r) {
        for (int64_t c = 0; c < kTile; ++c) {
          const int64_t offset = tiles.offset(i, r, c);
          pixels[r * kTile + c] = offset < 0 ? spill.data() : y + offset;
        }
      }
      for (int64_t c = 0; c < channels; c += kWidth) {
        Floats half[kTile][kPoints];
        for (int64_t j = 0; j < kPoints; ++j) {
          Floats line[kPoints], out[kTile];
          for (int64_t k = 0; k < kPoints; ++k) line[k] = load(points + (j * kPoints + k) * channels + c);
          to_output(line, out);
          for (int64_t k = 0; k < kTile; ++k) half[k][j] = out[k];
        }
        for (int64_t k = 0; k < kTile; ++k) {
          Floats out[kTile];
          to_output(half[k], out);
          for (int64_t j = 0; j < kTile; ++j) store(pixels[j * kTile + k] + c, out[j]);
        }
      }
    }
  });
}

void check(const Tensor& pictures, const Tensor& points, int64_t num_points_values, const char* name) {
  STD_TORCH_CHECK(pictures.scalar_type() == ScalarType::Float && points.scalar_type() == ScalarType::Float, name,
                  " takes float32");
  STD_TORCH_CHECK(is_channels_last(pictures) && points.is_contiguous(), name, " takes channels last");
  STD_TORCH_CHECK(pictures.size(1) % kWidth == 0, name, " takes a multiple of 16 channels");
  STD_TORCH_CHECK(points.numel() == num_points_values, name, ": the tiles do not fit the picture");
}

// pictures [N, C, H, W] to points, [tiles, 36, C] or [36, tiles, C].
void winograd_split(const Tensor& x, Tensor points, bool is_gradient, bool by_point) {
  const Tiles tiles(x.size(2), x.size(3), x.size(1));
  const int64_t count = x.size(0) * tiles.count(), channels = tiles.channels;
  check(x, points, count * kPoints * kPoints * channels, "winograd_split");
  const int64_t tile_step = by_point ? channels : kPoints * kPoints * channels;
  const int64_t point_step = by_point ? count * channels : channels;
  const float* from = x.const_data_ptr<float>();
  float* to = points.mutable_data_ptr<float>();
  if (is_gradient) {
    split<FromOutput>(tiles, count, from, to, tile_step, point_step);
  } else {
    split<FromInput>(tiles, count, from, to, tile_step, point_step);
  }
}

// Points [tiles, 36, C] to pictures [N, C, H, W].
void winograd_join(const Tensor& points, Tensor y) {
  const Tiles tiles(y.size(2), y.size(3), y.size(1));
  const int64_t count = y.size(0) * tiles.count();
  check(y, points, count * kPoints * kPoints * tiles.channels, "winograd_join");
  join(tiles, count, points.const_data_ptr<float>(), y.mutable_data_ptr<float>());
}

}  // namespace
}  // namespace bend

STABLE_TORCH_LIBRARY_IMPL(bend, CPU, m) {
  m.impl("winograd_split", TORCH_BOX(&bend::winograd_split));
  m.impl("winograd_join", TORCH_BOX(&bend::winograd_join));
}
