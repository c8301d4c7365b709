// SPDX-License-Identifier: Apache-2.0
// Uninitialised, 64-byte aligned arrays whose memory is kept for the next frame.
//
// A frame needs some tens of megabytes of scratch. Fresh pages from the system cost as much as the rendering
// itself (each page is zeroed by a fault), so freed blocks wait in a small list, bounded in bytes, for the next use.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace f4x {

void* pool_take(size_t bytes, size_t* granted);  // throws std::bad_alloc
void pool_give(void* block, size_t granted) noexcept;
void pool_clear() noexcept;

template <typename T> class Buffer {
public:
    Buffer() = default;
    explicit Buffer(size_t count) { reset(count); }
    ~Buffer() { release(); }
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    // contents are undefined afterwards
    void reset(size_t count) {
        if (count * sizeof(T) > granted_ || data_ == nullptr) {
            release();
            data_ = static_cast<T*>(pool_take((count ? count : 1) * sizeof(T), &granted_));
        }
        size_ = count;
    }
    void release() noexcept {
        if (data_) pool_give(data_, granted_);
        data_ = nullptr; granted_ = size_ = 0;
    }
    void swap(Buffer& o) noexcept {
        std::swap(data_, o.data_); std::swap(size_, o.size_); std::swap(granted_, o.granted_);
    }
    T* data() { return data_; }
    const T* data() const { return data_; }
    size_t size() const { return size_; }
    T& operator[](size_t i) { return data_[i]; }
    const T& operator[](size_t i) const { return data_[i]; }

private:
    T* data_ = nullptr;
    size_t size_ = 0, granted_ = 0;
};

}  // namespace f4x
