// To image channels as CUDA runs it: the two halves of the work of a block of threads. Here rather than in the .cu
// file, so that a CPU can run it too, one thread after another.
//
// A block takes a stretch of a sample's pixels. Several threads, its lanes, share the channels of a pixel, and each
// reads a few pixels, so that a kernel's weight is read once for all of these. What lanes add up meets in shared memory.
#pragma once

#include "activation.h"
#include "packs.h"

namespace bend {

constexpr int kRgbThreads = 256, kRgbPixels = 4;  // threads of a block, pixels of a thread
constexpr int kLeastLanes = 4, kMostLanes = 32;   // threads that share a pixel
constexpr int64_t kFewPixels = 128;               // below it, planar pictures have all lanes

// One call's memory.
template <typename T>
struct RgbCall {
  const T* x;            // [N, C, H, W], of which channels lie `channel_step` apart and pixels `pixel_step`
  const float* weights;  // [N, colours, C]
  const float* bias;     // [colours]
  float* out;            // [N, colours, H, W]
  int64_t samples, channels, colours, pixels;
  int64_t channel_step, pixel_step;
  float clamp;  // infinite for none
};

// Whether whole packs of channels can be read.
template <typename T>
bool has_whole_packs(const RgbCall<T>& call) {
  return call.channel_step == 1 && call.channels % kWhole<T> == 0 && lies_on_pack(call.x) && lies_on_pack(call.weights);
}

// How a call is cut into blocks, of `kColours` image channels each, whose threads read packs of `kWidth` channels.
template <int kColours, int kWidth>
struct RgbBlocks {
  int lanes, groups;      // threads that share a pixel, and how often a block has that many
  uint32_t tiles, parts;  // of a sample's pixels and of its image channels
  int64_t count;          // at most 2^31 - 1 can be launched, and numbers are as narrow: division is what costs here

  template <typename T>
  explicit RgbBlocks(const RgbCall<T>& call) {
    const int64_t packs = call.channel_step == 1 ? call.channels / kWidth : call.pixels < kFewPixels ? kMostLanes : 8;
    lanes = kLeastLanes;
    while (lanes < packs && lanes < kMostLanes) lanes *= 2;
    groups = kRgbThreads / lanes;
    tiles = static_cast<uint32_t>((call.pixels + groups * kRgbPixels - 1) / (groups * kRgbPixels));
    parts = static_cast<uint32_t>((call.colours + kColours - 1) / kColours);
    count = call.samples * tiles * parts;
  }
};

template <int kColours, int kWidth>
struct RgbBlock {
  static constexpr int kRow = kRgbThreads / kLeastLanes * (kLeastLanes + 1);  // sums of all groups, a gap after each
  static constexpr int kSize = kRow * kRgbPixels * kColours;

  int64_t n, first_pixel, first_colour;

  BEND_HD RgbBlock(const RgbBlocks<kColours, kWidth>& blocks, uint32_t number) {
    const uint32_t part = number / blocks.tiles, sample = part / blocks.parts;
    n = sample;
    first_pixel = static_cast<int64_t>(number - part * blocks.tiles) * blocks.groups * kRgbPixels;
    first_colour = static_cast<int64_t>(part - sample * blocks.parts) * kColours;
  }

  // First half of a thread's work: its share of the channels. All threads finish it before one begins the second half.
  template <typename T>
  BEND_HD void read(const RgbCall<T>& call, const RgbBlocks<kColours, kWidth>& blocks, int thread, float* sums) const {
    // Neighbouring threads read neighbouring memory.
    const bool is_last = call.channel_step == 1;
    const int lane = is_last ? thread % blocks.lanes : thread / blocks.groups;
    const int group = is_last ? thread / blocks.lanes : thread % blocks.groups;
    const T* from = call.x + n * call.channels * call.pixels + (first_pixel + group) * call.pixel_step;
    const float* kernels[kColours];
#pragma unroll
    for (int q = 0; q < kColours; ++q) {
      const int64_t colour = first_colour + q < call.colours ? first_colour + q : first_colour;
      kernels[q] = call.weights + (n * call.colours + colour) * call.channels;
    }
    float parts[kRgbPixels][kColours] = {};
#pragma unroll 2
    for (int64_t c = lane * kWidth; c < call.channels; c += blocks.lanes * kWidth) {
      Few<T, kWidth> pixels[kRgbPixels];
#pragma unroll
      for (int k = 0; k < kRgbPixels; ++k) {
        const int64_t place = k * blocks.groups;
        const bool is_there = first_pixel + group + place < call.pixels;
        pixels[k] = read_few<kWidth>(from + c * call.channel_step + place * call.pixel_step, is_there);
      }
#pragma unroll
      for (int q = 0; q < kColours; ++q) {
        float weights[kWidth];
        unpack(read_few<kWidth>(kernels[q] + c), weights);
#pragma unroll
        for (int k = 0; k < kRgbPixels; ++k) {
          float values[kWidth];
          unpack(pixels[k], values);
#pragma unroll
          for (int i = 0; i < kWidth; ++i) parts[k][q] += values[i] * weights[i];
        }
      }
    }
    float* const own = sums + group * (blocks.lanes + 1) + lane;
#pragma unroll
    for (int k = 0; k < kRgbPixels; ++k) {
#pragma unroll
      for (int q = 0; q < kColours; ++q) own[(q * kRgbPixels + k) * kRow] = parts[k][q];
    }
  }

  // Second half: what a pixel's lanes found, added up, for some pixels and image channels.
  template <typename T>
  BEND_HD void write(const RgbCall<T>& call, const RgbBlocks<kColours, kWidth>& blocks, int thread,
                     const float* sums) const {
    const int pixels = blocks.groups * kRgbPixels;
    for (int i = thread; i < pixels * kColours; i += kRgbThreads) {
      const int row = i / blocks.groups, group = i - row * blocks.groups, q = row / kRgbPixels;
      const int64_t pixel = first_pixel + i - q * pixels, colour = first_colour + q;
      if (pixel >= call.pixels || colour >= call.colours) continue;
      const float* found = sums + row * kRow + group * (blocks.lanes + 1);
      float sum = 0.0f;
      for (int lane = 0; lane < blocks.lanes; ++lane) sum += found[lane];
      sum += read_one(call.bias + colour);
      call.out[(n * call.colours + colour) * call.pixels + pixel] = clamped(sum, call.clamp);
    }
  }
};

}  // namespace bend
