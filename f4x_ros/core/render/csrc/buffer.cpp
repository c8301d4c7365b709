// SPDX-License-Identifier: Apache-2.0
#include "buffer.hpp"

#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

namespace f4x {
namespace {

constexpr size_t KEPT_BYTES_MAX = size_t(256) << 20;
constexpr size_t ALIGNMENT = 64;

struct Pool {
    std::mutex mutex;
    std::vector<std::pair<size_t, void*>> blocks;  // oldest first
    size_t bytes = 0;
};

// Never destroyed: buffers held by Python objects may be freed after static destructors ran.
Pool& pool() { static Pool* p = new Pool; return *p; }

// Sizes are rounded up in steps of an eighth, so that a slightly larger frame finds the block of the last one.
size_t rounded(size_t bytes) {
    size_t step = 4096;
    while (step * 8 < bytes) step *= 2;
    return (bytes + step - 1) / step * step;
}

}  // namespace

void* pool_take(size_t bytes, size_t* granted) {
    bytes = rounded(bytes);
    Pool& p = pool();
    {
        std::lock_guard<std::mutex> lock(p.mutex);
        size_t best = p.blocks.size();
        for (size_t i = 0; i < p.blocks.size(); i++) {
            const size_t have = p.blocks[i].first;
            if (have >= bytes && have <= 2 * bytes && (best == p.blocks.size() || have < p.blocks[best].first)) best = i;
        }
        if (best < p.blocks.size()) {
            void* block = p.blocks[best].second;
            *granted = p.blocks[best].first;
            p.bytes -= *granted;
            p.blocks.erase(p.blocks.begin() + ptrdiff_t(best));
            return block;
        }
    }
    void* block = std::aligned_alloc(ALIGNMENT, bytes);
    if (!block) throw std::bad_alloc();
    *granted = bytes;
    return block;
}

void pool_give(void* block, size_t granted) noexcept {
    Pool& p = pool();
    std::lock_guard<std::mutex> lock(p.mutex);
    if (granted > KEPT_BYTES_MAX) { std::free(block); return; }
    while (!p.blocks.empty() && (p.bytes + granted > KEPT_BYTES_MAX || p.blocks.size() >= 64)) {
        p.bytes -= p.blocks.front().first;
        std::free(p.blocks.front().second);
        p.blocks.erase(p.blocks.begin());
    }
    try {
        p.blocks.emplace_back(granted, block);
        p.bytes += granted;
    } catch (const std::bad_alloc&) {
        std::free(block);
    }
}

void pool_clear() noexcept {
    Pool& p = pool();
    std::lock_guard<std::mutex> lock(p.mutex);
    for (auto& b : p.blocks) std::free(b.second);
    p.blocks.clear();
    p.bytes = 0;
}

}  // namespace f4x
