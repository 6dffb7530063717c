// Prepares a layer's weights, styles and input for one convolution that all samples share, as CUDA runs it: the work of
// threads and of blocks of threads. Here rather than in the .cu file, so that a CPU can run it too, one thread after
// another.
//
// For float16 convolutions, each output's weights are divided by the largest of them times the square root of their
// number, and each sample's styles by the largest, so that products stay in range; demodulation undoes both.
#pragma once

#include <cmath>

#include "demodulation.h"
#include "packs.h"

namespace bend {

constexpr float kLeastScale = 1e-20f;

// One call's memory.
struct Modulation {
  const float* weight;  // [O, I, 9]
  const float* styles;  // [N, I]
  float* demodulation;  // [N, O]
  float* scales;        // [N, I], what each sample's channels are to be multiplied by
  float* gains;         // [O], what each output's weights are to be multiplied by
  int samples, outputs, inputs;
  bool is_bounded;  // for float16
};

// A block finds the demodulation of one output for a few samples. All threads must have read weights and styles before
// any adds, and have added before any writes.
struct DemodulationBlock {
  static constexpr int kThreads = 128, kLanes = 16, kSamples = kThreads / kLanes;  // lanes share a sample

  // What threads share, besides `squares`: the sum of the squares of the output's weights, for each input.
  struct Shared {
    float largest_weight[kThreads], largest_style[kThreads], sums[kThreads];
  };

  const Modulation& call;
  int output, first_sample, thread;

  BEND_HD int sample() const { return first_sample + thread / kLanes; }

  BEND_HD void read_weights(Shared& shared, float* squares) const {
    const float* from = call.weight + static_cast<int64_t>(output) * call.inputs * kKernelTaps;
    float largest = 0.0f;
    for (int i = thread; i < call.inputs; i += kThreads) {
      float sum = 0.0f;
#pragma unroll
      for (int k = 0; k < kKernelTaps; ++k) {
        const float w = read_one(from + static_cast<int64_t>(i) * kKernelTaps + k);
        sum += w * w;
        largest = fmaxf(largest, std::fabs(w));
      }
      squares[i] = sum;
    }
    shared.largest_weight[thread] = largest;
  }

  BEND_HD void read_styles(Shared& shared) const {
    float largest = 0.0f;
    if (call.is_bounded && sample() < call.samples) {
      for (int i = thread % kLanes; i < call.inputs; i += kLanes) largest = fmaxf(largest, std::fabs(style(i)));
    }
    shared.largest_style[thread] = largest;
  }

  BEND_HD void add(Shared& shared, const float* squares) const {
    const float scale = scale_of(shared), gain = gain_of(shared);
    float sum = 0.0f;
    if (sample() < call.samples) {
      for (int i = thread % kLanes; i < call.inputs; i += kLanes) {
        const float s = style(i) * scale;
        sum += s * s * (squares[i] * gain * gain);
        if (output == 0) call.scales[static_cast<int64_t>(sample()) * call.inputs + i] = s;
      }
    }
    shared.sums[thread] = sum;
  }

  BEND_HD void write(const Shared& shared) const {
    if (thread == 0 && first_sample == 0) call.gains[output] = gain_of(shared);
    if (thread % kLanes != 0 || sample() >= call.samples) return;
    float sum = 0.0f;
    for (int lane = 0; lane < kLanes; ++lane) sum += shared.sums[thread + lane];
    call.demodulation[static_cast<int64_t>(sample()) * call.outputs + output] = demodulation_of(sum);
  }

 private:
  BEND_HD float style(int i) const { return read_one(call.styles + static_cast<int64_t>(sample()) * call.inputs + i); }

  BEND_HD float scale_of(const Shared& shared) const {
    if (!call.is_bounded) return 1.0f;
    float largest = kLeastScale;
    for (int lane = 0; lane < kLanes; ++lane) {
      largest = fmaxf(largest, shared.largest_style[thread / kLanes * kLanes + lane]);
    }
    return 1.0f / largest;
  }

  BEND_HD float gain_of(const Shared& shared) const {
    if (!call.is_bounded) return 1.0f;
    float largest = kLeastScale;
    for (int i = 0; i < kThreads; ++i) largest = fmaxf(largest, shared.largest_weight[i]);
    return 1.0f / std::sqrt(static_cast<float>(call.inputs * kKernelTaps)) / largest;
  }
};

// Weights in the layout that a convolution with channels last takes.
template <typename T>
struct LayOut {
  const float* weight;  // [O, I, 9]
  const float* gains;   // [O]
  const float* scales;  // [I]; null for none
  T* out;               // [O, 9, I], or [I, 9, O] for a transposed convolution
  int outputs, inputs;

  BEND_HD float value(int output, int input, int tap) const {
    const float w = read_one(weight + (static_cast<int64_t>(output) * inputs + input) * kKernelTaps + tap);
    return w * read_one(gains + output) * (scales ? read_one(scales + input) : 1.0f);
  }
};

// For one output and some inputs, a block moves the taps from the last dimension to the second, through shared memory.
template <typename T>
struct RowBlock {
  static constexpr int kThreads = 256, kInputs = 128, kSize = kInputs * kKernelTaps;

  BEND_HD static void read(const LayOut<T>& call, int output, int first, int thread, float* shared) {
    for (int i = thread; i < kSize; i += kThreads) {
      const int input = first + i / kKernelTaps;
      if (input < call.inputs) shared[i] = call.value(output, input, i % kKernelTaps);
    }
  }

  BEND_HD static void write(const LayOut<T>& call, int output, int first, int thread, const float* shared) {
    for (int i = thread; i < kSize; i += kThreads) {
      const int tap = i / kInputs, input = i % kInputs;
      if (first + input >= call.inputs) continue;
      const int64_t row = static_cast<int64_t>(output) * kKernelTaps + tap;
      call.out[row * call.inputs + first + input] = static_cast<T>(shared[input * kKernelTaps + tap]);
    }
  }
};

// A block transposes a square of outputs by (inputs and taps), through shared memory.
template <typename T>
struct SquareBlock {
  static constexpr int kThreads = 256, kSide = 32, kRow = kSide + 1, kSize = kSide * kRow;

  BEND_HD static void read(const LayOut<T>& call, int first_output, int first, int thread, float* shared) {
    const int column = first + thread % kSide;
    for (int row = thread / kSide; row < kSide; row += kThreads / kSide) {
      if (first_output + row >= call.outputs || column >= call.inputs * kKernelTaps) continue;
      shared[row * kRow + thread % kSide] =
          call.value(first_output + row, column / kKernelTaps, column % kKernelTaps);
    }
  }

  BEND_HD static void write(const LayOut<T>& call, int first_output, int first, int thread, const float* shared) {
    const int output = first_output + thread % kSide;
    for (int row = thread / kSide; row < kSide; row += kThreads / kSide) {
      const int64_t place = first + row;  // in inputs and taps
      if (output >= call.outputs || place >= call.inputs * kKernelTaps) continue;
      call.out[place * call.outputs + output] = static_cast<T>(shared[thread % kSide * kRow + row]);
    }
  }
};

// Each of a picture's channels times a number of its own.
template <typename T>
struct Scaling {
  const T* x;           // [N, planes, pixels, depth]
  const float* scales;  // [N, planes * depth]
  T* out;               // like x
  int64_t count;        // of elements
  uint32_t pixels, depth;  // one of planes and depth is 1

  bool has_packs_of(int width) const {
    return (depth > 1 ? depth : pixels) % width == 0 && lies_on_pack(x) && lies_on_pack(out) && lies_on_pack(scales);
  }
};

constexpr int kScaledPacks = 4;  // per thread, which issues all its reads at once

// Scales the packs `first`, `first + step`, … of one thread. Index is as narrow as the count allows, because division
// is what costs time here.
template <int kWidth, typename Index, typename T>
BEND_HD void scale_packs(const Scaling<T>& call, Index first, Index step) {
  const Index num = static_cast<Index>(call.count / kWidth);
  const bool is_last = call.depth > 1;
  const Index across = is_last ? call.depth / kWidth : call.pixels / kWidth;  // packs of a pixel, or of a plane
  Few<T, kWidth> packs[kScaledPacks];
#pragma unroll
  for (int k = 0; k < kScaledPacks; ++k) {
    const Index number = first + k * step;
    packs[k] = read_few<kWidth>(call.x + static_cast<int64_t>(number) * kWidth, number < num);
  }
#pragma unroll
  for (int k = 0; k < kScaledPacks; ++k) {
    const Index number = first + k * step;
    if (number >= num) continue;
    float values[kWidth], scales[kWidth];
    unpack(packs[k], values);
    const Index outer = number / across;  // the pixel, or the plane
    if (is_last) {
      const int64_t place = static_cast<int64_t>(outer / call.pixels) * call.depth + (number - outer * across) * kWidth;
      unpack(read_few<kWidth>(call.scales + place), scales);
    } else {
      const float scale = read_one(call.scales + outer);
#pragma unroll
      for (int i = 0; i < kWidth; ++i) scales[i] = scale;
    }
#pragma unroll
    for (int i = 0; i < kWidth; ++i) values[i] *= scales[i];
    write_few(call.out + static_cast<int64_t>(number) * kWidth, pack<T, kWidth>(values));
  }
}

}  // namespace bend
