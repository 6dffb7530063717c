// The to-RGB layer as CUDA runs it: the two halves of the work of a block of threads. Here rather than in the .cu file,
// so that a CPU can run it too, one thread after another.
//
// A block takes a stretch of a sample's pixels. Several threads, the lanes, share the channels of a pixel; their
// partial sums are added up in shared memory.
#pragma once

#include "epilogue.h"
#include "packs.h"

namespace bend {

constexpr int kRgbThreads = 256;  // per block
constexpr int kWarp = 32;
constexpr int64_t kMostRgb = 1 << 30;  // most pixels, and most channels

// One call's memory.
template <typename T>
struct RgbCall {
  const T* x;            // [N, C, H, W], planar or channels last
  const float* weights;  // [N, colours, C]
  const float* bias;     // [colours]
  float* out;            // [N, colours, H, W]
  int64_t samples;
  int channels, colours, pixels;
  bool is_last;
  float clamp;  // infinite for none
};

// Whether whole packs, of channels or of pixels, can be read.
template <typename T>
bool has_whole_packs(const RgbCall<T>& call) {
  const int side_by_side = call.is_last ? call.channels : call.pixels;
  return side_by_side % kWhole<T> == 0 && lies_on_pack(call.x) && (!call.is_last || lies_on_pack(call.weights));
}

// How a call is cut into blocks, and the work of each into tiles of pixels, which it takes one after another.
struct RgbCut {
  int lane_bits;          // binary logarithm of `lanes`
  int lanes, groups;      // threads that share a pixel, and how many such groups a block has
  int turns;              // tiles per block
  uint32_t parts, units;  // into which a sample's image channels and its pixels are cut
  int64_t count;          // of blocks; at most 2^31 - 1 can be launched, so 32 bits number them

  template <typename T>
  RgbCut(const RgbCall<T>& call, int lane_bits, int pixels_each, int colours_each, int most_turns)
      : lane_bits(lane_bits), lanes(1 << lane_bits), groups(kRgbThreads >> lane_bits) {
    constexpr int64_t kMany = 1 << 12;  // tiles that fill any device for a while
    const int tile = groups * pixels_each, tiles = (call.pixels + tile - 1) / tile;
    turns = tiles * call.samples < kMany ? 1 : most_turns;
    units = static_cast<uint32_t>((tiles + turns - 1) / turns);
    parts = static_cast<uint32_t>((call.colours + colours_each - 1) / colours_each);
    count = call.samples * parts * units;
  }
};

// A block's memory: at its sample and its first image channel, and where its pixels begin.
template <int kColours, typename T>
struct RgbPlace {
  const T* x;
  const float* kernel;
  const float* bias;
  float* out;
  int first_pixel, colours;  // `colours`: how many are left from the block's first on

  BEND_HD RgbPlace(const RgbCall<T>& call, const RgbCut& cut, uint32_t number, int pixels_each) {
    const uint32_t part = number / cut.units, n = part / cut.parts;
    const int first_colour = static_cast<int>(part - n * cut.parts) * kColours;
    const int64_t row = static_cast<int64_t>(n) * call.colours + first_colour;
    x = call.x + static_cast<int64_t>(n) * call.channels * call.pixels;
    kernel = call.weights + row * call.channels;
    bias = call.bias + first_colour;
    out = call.out + row * call.pixels;
    first_pixel = static_cast<int>(number - part * cut.units) * cut.turns * cut.groups * pixels_each;
    colours = call.colours - first_colour;
  }

  // How far the weights of the block's image channel `q` lie from those of the first; zero if there is no such channel.
  BEND_HD int step(const RgbCall<T>& call, int q) const { return q < colours ? q * call.channels : 0; }

  // Writes a sum with bias and clamp, unless it lies outside.
  BEND_HD void write(const RgbCall<T>& call, int q, int pixel, float sum) const {
    if (pixel >= call.pixels || q >= colours) return;
    out[static_cast<int64_t>(call.pixels) * q + pixel] = bounded(sum + read_one(bias + q), call.clamp);
  }
};

// Channels last: a thread reads packs of `kWidth` channels of a few pixels, so that each weight is read once for all of
// them. A warp has pixels of its own, and waits for no other warp.
template <int kColours, int kWidth, typename T>
struct DeepRgb {
  static constexpr bool kWaitsForAll = false;
  static constexpr int kLeastBlocks = 4;  // that a multiprocessor should hold, which limits registers
  static constexpr int kLeastBits = 2, kLeastLanes = 1 << kLeastBits, kPixels = 4, kTurns = 4, kFewPixels = 1 << 15;
  static constexpr int kChunk = kWidth < 4 ? kWidth : 4;  // channels whose weights are held at a time
  static constexpr int kRow = kWarp / kLeastLanes * (kLeastLanes + 1);  // sums of a warp's groups, a gap after each
  static constexpr int kWarpSize = kRow * kPixels * kColours, kSize = kRgbThreads / kWarp * kWarpSize;

  RgbPlace<kColours, T> at;

  static RgbCut cut(const RgbCall<T>& call) {
    // A group reads 128 bytes in a row. Where pixels are few, larger groups share the work.
    const int most = call.samples * call.pixels < kFewPixels ? 5 : 3;
    int bits = kLeastBits;
    while (bits < most && 1 << bits < call.channels / kWidth) ++bits;
    return RgbCut(call, bits, kPixels, kColours, kTurns);
  }

  BEND_HD DeepRgb(const RgbCall<T>& call, const RgbCut& cut, uint32_t number) : at(call, cut, number, kPixels) {}

  // The first pixel of a thread's warp.
  BEND_HD int warp_pixel(const RgbCut& cut, int turn, int thread) const {
    return at.first_pixel + ((turn * kRgbThreads + (thread & -kWarp)) >> cut.lane_bits) * kPixels;
  }

  // First half of a thread's work: its share of the channels. Threads that share sums all finish it before any of them
  // begins the second half.
  BEND_HD void read(const RgbCall<T>& call, const RgbCut& cut, int turn, int thread, float* sums) const {
    const int lane = thread & (cut.lanes - 1), group = (thread & (kWarp - 1)) >> cut.lane_bits;
    const int groups = kWarp >> cut.lane_bits, pixel = warp_pixel(cut, turn, thread) + group;
    const T* from = at.x + static_cast<int64_t>(call.channels) * pixel;
    const int64_t step = static_cast<int64_t>(call.channels) * groups;
    float found[kPixels][kColours] = {};
#pragma unroll 1
    for (int c = lane * kWidth; c < call.channels; c += cut.lanes * kWidth) {
      Few<T, kWidth> packs[kPixels];
#pragma unroll
      for (int k = 0; k < kPixels; ++k) {
        packs[k] = read_few<kWidth>(from + c + step * k, pixel + k * groups < call.pixels);
      }
#pragma unroll
      for (int first = 0; first < kWidth; first += kChunk) {
        float weights[kColours][kChunk];
#pragma unroll
        for (int q = 0; q < kColours; ++q) {
          unpack(read_few<kChunk>(at.kernel + at.step(call, q) + c + first), weights[q]);
        }
#pragma unroll
        for (int k = 0; k < kPixels; ++k) {
          float values[kChunk];
          unpack(part<kChunk>(packs[k], first), values);
#pragma unroll
          for (int q = 0; q < kColours; ++q) {
#pragma unroll
            for (int i = 0; i < kChunk; ++i) found[k][q] += values[i] * weights[q][i];
          }
        }
      }
    }
    float* const own = sums + thread / kWarp * kWarpSize + group * (cut.lanes + 1) + lane;
#pragma unroll
    for (int k = 0; k < kPixels; ++k) {
#pragma unroll
      for (int q = 0; q < kColours; ++q) own[(q * kPixels + k) * kRow] = found[k][q];
    }
  }

  // Second half: adds up what the lanes of a pixel found; there may be no pixel left for a thread.
  BEND_HD void write(const RgbCall<T>& call, const RgbCut& cut, int turn, int thread, const float* sums) const {
    const int groups = kWarp >> cut.lane_bits, first = warp_pixel(cut, turn, thread), p = thread & (kWarp - 1);
    if (p >= groups * kPixels) return;
    const float* found = sums + thread / kWarp * kWarpSize + (p << cut.lane_bits) / kWarp * kRow +
                         (p & (groups - 1)) * (cut.lanes + 1);
    float totals[kColours] = {};
#pragma unroll 1
    for (int lane = 0; lane < cut.lanes; lane += kLeastLanes) {
#pragma unroll
      for (int q = 0; q < kColours; ++q) {
#pragma unroll
        for (int l = 0; l < kLeastLanes; ++l) totals[q] += found[q * kPixels * kRow + lane + l];
      }
    }
#pragma unroll
    for (int q = 0; q < kColours; ++q) at.write(call, q, first + p, totals[q]);
  }
};

// Planar: a thread reads packs of `kWidth` pixels of several channels at once.
template <int kColours, int kWidth, typename T>
struct FlatRgb {
  static constexpr bool kWaitsForAll = true;
  static constexpr int kLeastBlocks = kWidth > 4 ? 3 : 4;
  static constexpr int kChannels = 4, kSize = kRgbThreads * kWidth * kColours;
  static constexpr int kStored = kWidth < 4 ? kWidth : 4;  // sums stored at once

  RgbPlace<kColours, T> at;

  static RgbCut cut(const RgbCall<T>& call) {
    constexpr int kChannelsEach = 8, kFewPixels = 1024;  // a small picture's channels are spread the widest
    const int most = call.pixels <= kFewPixels ? 64 : 32;
    int bits = 0;
    while (kChannelsEach << bits < call.channels && 1 << bits < most) ++bits;
    return RgbCut(call, bits, kWidth, kColours, 1);
  }

  BEND_HD FlatRgb(const RgbCall<T>& call, const RgbCut& cut, uint32_t number) : at(call, cut, number, kWidth) {}

  BEND_HD void read(const RgbCall<T>& call, const RgbCut& cut, int, int thread, float* sums) const {
    const int group = thread & (cut.groups - 1), lane = (thread << cut.lane_bits) / kRgbThreads;
    const int pixel = at.first_pixel + group * kWidth;
    const bool is_inside = pixel < call.pixels;
    const T* from = at.x + pixel;
    float found[kColours][kWidth] = {};
#pragma unroll 1
    for (int first = lane * kChannels; first < call.channels; first += cut.lanes * kChannels) {
      Few<T, kWidth> packs[kChannels];
#pragma unroll
      for (int k = 0; k < kChannels; ++k) {
        const bool is_there = is_inside && first + k < call.channels;
        packs[k] = read_few<kWidth>(from + static_cast<int64_t>(first + k) * call.pixels, is_there);
      }
#pragma unroll
      for (int k = 0; k < kChannels; ++k) {
        float values[kWidth];
        unpack(packs[k], values);
#pragma unroll
        for (int q = 0; q < kColours; ++q) {
          const float weight = read_one(at.kernel + at.step(call, q) + first + k, first + k < call.channels);
#pragma unroll
          for (int i = 0; i < kWidth; ++i) found[q][i] += values[i] * weight;
        }
      }
    }
#pragma unroll
    for (int q = 0; q < kColours; ++q) {
      float* const own = sums + ((q * cut.lanes + lane) * cut.groups + group) * kWidth;
#pragma unroll
      for (int i = 0; i < kWidth; i += kStored) write_few(own + i, pack<float, kStored>(found[q] + i));
    }
  }

  BEND_HD void write(const RgbCall<T>& call, const RgbCut& cut, int, int thread, const float* sums) const {
    const int tile = cut.groups * kWidth;
    for (int i = thread; i < tile * kColours; i += kRgbThreads) {
      const int q = i / tile, place = i - q * tile;
      const float* found = sums + q * cut.lanes * tile + place;
      float sum = 0.0f;
#pragma unroll 8
      for (int lane = 0; lane < cut.lanes; ++lane) sum += found[lane * tile];
      at.write(call, q, at.first_pixel + place, sum);
    }
  }
};

}  // namespace bend
