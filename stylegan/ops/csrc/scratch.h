// Memory that is kept from call to call, since getting fresh pages takes longer than the work done on them.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace bend {

constexpr size_t kHugePage = 2 << 20;

// Asks for huge pages for memory that is about to be written for the first time: it is read and written in many
// streams, each in different pages.
inline void prefer_huge_pages(void* data, size_t bytes) {
#if defined(MADV_HUGEPAGE)
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(data) + kHugePage - 1) / kHugePage * kHugePage;
  const uintptr_t end = (reinterpret_cast<uintptr_t>(data) + bytes) / kHugePage * kHugePage;
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
#endif
}

class Scratch {
 public:
  Scratch() = default;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { std::free(data_); }

  // At least `count` floats, aligned to a cache line; previous contents may be lost.
  float* take(int64_t count) {
    if (count > size_) {
      std::free(data_);
      size_ = 0;
      const size_t bytes = count * sizeof(float), page = bytes < kHugePage ? 64 : kHugePage;
      data_ = static_cast<float*>(std::aligned_alloc(page, (bytes + page - 1) / page * page));
      if (data_ == nullptr) throw std::bad_alloc();
      prefer_huge_pages(data_, bytes);
      size_ = count;
    }
    return data_;
  }

 private:
  float* data_ = nullptr;
  int64_t size_ = 0;
};

// A thread's working memory within one layer, and the memory for a layer's prepared weights; all kinds of layers share
// them.
inline Scratch& working_scratch() {
  static thread_local Scratch scratch;
  return scratch;
}
inline Scratch& weight_scratch() {
  static thread_local Scratch scratch;
  return scratch;
}

}  // namespace bend
