// What follows an upsampling layer's convolution, as CUDA runs it where whole packs of channels come last: see
// row_ring.h and, for all else, finish_strip.h.
#pragma once

#include "finish_strip.h"
#include "row_ring.h"

namespace bend {

template <int kSide, typename T>
struct FinishRing {
  using R = Ring<1, 1, kSide, T>;
  using Place = RingPlace<R>;
  using Call = FinishCall<T>;

  struct Column : RingColumn<R> {
    float along_y[kRingTaps], along_x[kRingTaps];
    float scale[kWhole<T>], shift[kWhole<T>];  // demodulation and bias, times the gain
    const float* noise;                        // of the first output that a stage contributes to; null for none
    float added[R::kDone][R::kAcross];         // the next stage's noise

    BEND_HD Column(const Call& call, const RingCut& cut, const Place& place, int thread)
        : RingColumn<R>(cut, place, call.out, thread) {
#pragma unroll
      for (int k = 0; k < kRingTaps; ++k) {
        along_y[k] = read_one(call.taps + k);
        along_x[k] = read_one(call.taps + kRingTaps + k);
      }
      const bool is_there = this->channel < call.depth;
      unpack(read_few<kWhole<T>>(call.demodulation + place.picture * call.depth + this->channel, is_there), scale);
      unpack(read_few<kWhole<T>>(call.e.bias + this->channel, is_there), shift);
#pragma unroll
      for (int i = 0; i < kWhole<T>; ++i) {
        scale[i] *= call.e.gain;
        shift[i] *= call.e.gain;
      }
      const int64_t pixel = static_cast<int64_t>(place.y - R::kBack) * call.width + this->x;
      noise = call.e.noise ? call.e.noise + place.picture * call.e.noise_step + pixel : nullptr;
      read_noise(call, 0);
    }

    BEND_HD void read_noise(const Call& call, int step) {
#pragma unroll
      for (int o = 0; o < R::kDone; ++o) {
        const float* row = noise + static_cast<int64_t>(call.width) * (step * R::kDone + o);
#pragma unroll
        for (int a = 0; a < R::kAcross; ++a) added[o][a] = read_one(row + a, noise != nullptr && this->has(step, o, a));
      }
    }
  };

  // The convolution's result has one row and column more than the layer's.
  static RingCut cut(const Call& call) {
    return RingCut::of<R>(call.samples, call.depth, call.height + 1, call.width + 1, call.height, call.width, 1, 1);
  }

  // A thread's share of a stage's work.
  BEND_HD static void work(const Call& call, const RingCut& cut, Column& column, int step, const T* stage) {
    float added[R::kDone][R::kAcross];
#pragma unroll
    for (int o = 0; o < R::kDone; ++o) {
#pragma unroll
      for (int a = 0; a < R::kAcross; ++a) added[o][a] = column.added[o][a] * call.e.gain;
    }
    column.read_noise(call, step + 1);
    typename Column::Sums live;
    column.begin(live);
#pragma unroll
    for (int r = 0; r < kStageRows; ++r) {
      column.add_split(stage, r, column.along_y, column.along_x, live);
      float finished[R::kWide];
#pragma unroll
      for (int i = 0; i < R::kWide; ++i) {
        const int c = i % kWhole<T>;
        finished[i] = finish_scaled(call.e, live[r][i], column.scale[c], column.shift[c], added[r][i / kWhole<T>]);
      }
      column.write(cut, step, r, finished);
    }
    column.end(cut, live);
  }
};

}  // namespace bend
