// What CUDA kernels need of torch, through the stable ABI alone: the device, its current stream, and errors.
#pragma once

#include <cuda_runtime.h>
#include <torch/csrc/stable/accelerator.h>
#include <torch/csrc/stable/macros.h>

#include <optional>

#include "tensors.h"

namespace bend {

constexpr int kThreads = 256;

// Makes a tensor's device the current one for as long as this object lives.
class OnDevice {
 public:
  explicit OnDevice(const Tensor& x) : index_(x.get_device_index()), guard_(index_) {}

  cudaStream_t stream() const {
    void* stream = nullptr;
    TORCH_ERROR_CODE_CHECK(aoti_torch_get_current_cuda_stream(index_, &stream));
    return static_cast<cudaStream_t>(stream);
  }

 private:
  int32_t index_;
  torch::stable::accelerator::DeviceGuard guard_;
};

inline void check_beside(const Tensor& x, const std::optional<Tensor>& other, const char* name) {
  const auto is_beside = [&x](const Tensor& y) {
    return x.is_cuda() && y.is_cuda() && x.get_device_index() == y.get_device_index();
  };
  STD_TORCH_CHECK(!other || is_beside(*other), name, " must be on x's device");
}

// The most blocks in a grid's first dimension.
constexpr int64_t kMostBlocksInRow = INT32_MAX;

inline int64_t blocks_for(int64_t count, int64_t each) { return (count + each - 1) / each; }

}  // namespace bend
