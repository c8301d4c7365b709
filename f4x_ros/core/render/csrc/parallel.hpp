// SPDX-License-Identifier: Apache-2.0
// The two ways work is shared between threads; without OpenMP both run serially.
#pragma once

#include <cstdint>
#include <exception>
#ifdef _OPENMP
#include <omp.h>
#endif

namespace f4x {

// Carries the first exception out of a parallel region, which none may leave by itself.
class Errors {
public:
    template <typename F> void guard(F body) noexcept {
        try {
            body();
        } catch (...) {
#ifdef _OPENMP
#pragma omp critical(f4x_errors)
#endif
            if (!first_) first_ = std::current_exception();
        }
    }
    void rethrow() const {
        if (first_) std::rethrow_exception(first_);
    }

private:
    std::exception_ptr first_;
};

// body(part, begin, end) for `parts` contiguous ranges of [0, n).
template <typename F> void for_parts(int parts, int64_t n, F body) {
    Errors errors;
#ifdef _OPENMP
#pragma omp parallel for schedule(static, 1) num_threads(parts) if (parts > 1)
#endif
    for (int p = 0; p < parts; p++) errors.guard([&] { body(p, n * p / parts, n * (p + 1) / parts); });
    errors.rethrow();
}

// body(worker, item) for each item of [0, n), handed out one by one; worker < threads.
template <typename F> void for_items(int threads, int64_t n, F body) {
    Errors errors;
#ifdef _OPENMP
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads) if (threads > 1)
    for (int64_t i = 0; i < n; i++) errors.guard([&] { body(omp_get_thread_num(), i); });
#else
    (void)threads;
    for (int64_t i = 0; i < n; i++) errors.guard([&] { body(0, i); });
#endif
    errors.rethrow();
}

}  // namespace f4x
