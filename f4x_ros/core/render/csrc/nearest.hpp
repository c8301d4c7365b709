// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace f4x {

constexpr int MOST_NEAREST = 32;

// The k nearest others [n, k] of each of n points [n, 3], k < n and at most MOST_NEAREST: nearest first, of those that are
// equally near the lower row first.
void nearest(const float* points, int64_t n, int k, int threads, int32_t* near);

}  // namespace f4x
