// SPDX-License-Identifier: Apache-2.0
// The two ways work is shared between threads; without OpenMP both run serially.
#pragma once

#include <cstdint>
#ifdef _OPENMP
#include <omp.h>
#endif

namespace f4x {

// body(part, begin, end) for `parts` contiguous ranges of [0, n).
template <typename F> void for_parts(int parts, int64_t n, F body) {
#ifdef _OPENMP
#pragma omp parallel for schedule(static, 1) num_threads(parts) if (parts > 1)
#endif
    for (int p = 0; p < parts; p++) body(p, n * p / parts, n * (p + 1) / parts);
}

// body(worker, item) for each item of [0, n), handed out one by one; worker < threads.
template <typename F> void for_items(int threads, int64_t n, F body) {
#ifdef _OPENMP
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads) if (threads > 1)
    for (int64_t i = 0; i < n; i++) body(omp_get_thread_num(), i);
#else
    for (int64_t i = 0; i < n; i++) body(0, i);
#endif
}

}  // namespace f4x
