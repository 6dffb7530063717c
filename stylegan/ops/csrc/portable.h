// What lets one header serve both the C++ compiler and nvcc, so that a CPU build tests the arithmetic of the CUDA one.
#pragma once

#include <torch/headeronly/util/BFloat16.h>
#include <torch/headeronly/util/Half.h>

#include <cmath>
#include <cstdint>

#if defined(__CUDACC__)
#define BEND_HD __host__ __device__ __forceinline__
#else
#define BEND_HD inline
#endif

#if defined(__CUDA_ARCH__)
#define BEND_HAS_WARPS  // threads can wait for one another; elsewhere they run one after another
#endif

namespace bend {

using BFloat16 = c10::BFloat16;
using Half = c10::Half;

// What a dtype is computed in: itself, but single precision for the halves.
template <typename T>
struct Compute {
  using type = float;
};
template <>
struct Compute<double> {
  using type = double;
};
template <typename T>
using compute_t = typename Compute<T>::type;

}  // namespace bend
