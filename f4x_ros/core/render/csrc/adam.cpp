// SPDX-License-Identifier: Apache-2.0
// Adam on the rows that were seen: one pass over a parameter and its moments, which torch would do in a dozen.
#include <cmath>

#include "abi.h"
#include "parallel.hpp"

extern "C" int32_t f4x_adam_f32(const F4xAdam* a, float* parameter, const float* gradient, float* m, float* v) {
    const float b1 = a->beta1, b2 = a->beta2, eps = a->eps, rate = a->learning_rate;
    const int64_t width = a->width, stride = a->moment_stride;
#ifdef _OPENMP
#pragma omp parallel for schedule(static) num_threads(a->threads)
#endif
    for (int64_t row = 0; row < a->rows; row++) {
        if (!a->visible[row]) continue;
        const float scale = rate * a->correction[row];
        float* const p = parameter + row * width;
        const float* const g = gradient + row * width;
        float* const mr = m + row * stride;
        float* const vr = v + row * stride;
        for (int64_t k = 0; k < width; k++) {
            mr[k] = b1 * mr[k] + (1 - b1) * g[k];
            vr[k] = b2 * vr[k] + (1 - b2) * g[k] * g[k];
            p[k] -= scale * mr[k] / (std::sqrt(vr[k]) + eps);
        }
    }
    return 0;
}
