// SPDX-License-Identifier: Apache-2.0
// Which Gaussians a view may show (1: smaller than it can resolve, 2: the others), and their rows as they are drawn: what a training step needs before it draws.
#include <cmath>

#include "abi.h"
#include "parallel.hpp"

extern "C" int32_t f4x_in_view_f32(const F4xInView* in, uint8_t* shown) {
    const float* const m = in->viewmat;
#ifdef _OPENMP
#pragma omp parallel for schedule(static) num_threads(in->threads) if (in->threads > 1)
#endif
    for (int64_t i = 0; i < in->count; i++) {
        const float *const p = in->means + 3 * i, *const s = in->log_scales + 3 * i;
        shown[i] = 0;
        const float z = m[8] * p[0] + m[9] * p[1] + m[10] * p[2] + m[11];
        if (!(z > in->near_m) || !(in->birth_s[i] < in->time_s) || !(in->time_s < in->death_s[i])) continue;
        const float largest = std::exp(std::fmax(s[0], std::fmax(s[1], s[2]))), reach = in->sigmas * largest;
        const float x = m[0] * p[0] + m[1] * p[1] + m[2] * p[2] + m[3], across = reach * in->stretch[0];
        const float y = m[4] * p[0] + m[5] * p[1] + m[6] * p[2] + m[7], down = reach * in->stretch[1];
        const bool inside = x > -(z * in->sides[0] + across) && x < z * in->sides[1] + across &&
                            y > -(z * in->sides[2] + down) && y < z * in->sides[3] + down;
        if (inside) shown[i] = largest < in->least * z ? 1 : 2;
    }
    return 0;
}

extern "C" int32_t f4x_gather_f32(const F4xGather* g) {
#ifdef _OPENMP
#pragma omp parallel for schedule(static) num_threads(g->threads) if (g->threads > 1)
#endif
    for (int64_t i = 0; i < g->count; i++) {
        const int64_t row = g->rows[i];
        for (int k = 0; k < 3; k++) g->means[3 * i + k] = g->from_means[3 * row + k];
        for (int k = 0; k < 4; k++) g->quats[4 * i + k] = g->from_quats[4 * row + k];
        for (int k = 0; k < 3; k++) g->scales[3 * i + k] = std::exp(g->from_log_scales[3 * row + k]);
        g->opacities[i] = 1 / (1 + std::exp(-g->from_logit_opacities[row]));
        for (int k = 0; k < 3; k++) g->colors[3 * i + k] = g->from_colors[3 * row + k];
    }
    return 0;
}
