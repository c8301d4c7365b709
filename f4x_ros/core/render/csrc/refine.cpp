// SPDX-License-Identifier: Apache-2.0
// One step of Adam on some rows of a table of Gaussians, from the gradients of what was drawn of them: one pass over
// memory, which torch would do in some dozens.
#include <cmath>

#include "abi.h"
#include "parallel.hpp"

namespace {

struct Adam {
    float b1, b2, eps, fall;
    // Moves one number against its gradient.
    inline void operator()(float& value, float g, float& m, float& v, float scale) const {
        m = b1 * m + (1 - b1) * g;
        v = std::fmax(b2 * v + (1 - b2) * g * g, fall * v);
        value -= scale * m / (std::sqrt(v) + eps);
    }
};

}  // namespace

extern "C" int32_t f4x_refine_f32(const F4xRefine* r) {
    const Adam adam = {r->beta1, r->beta2, r->eps, r->fall};
#ifdef _OPENMP
#pragma omp parallel for schedule(static) num_threads(r->threads) if (r->threads > 1)
#endif
    for (int64_t i = 0; i < r->count; i++) {
        const float* const g_color = r->g_colors + 3 * i;
        if (g_color[0] == 0 && g_color[1] == 0 && g_color[2] == 0) continue;  // it drew no pixel
        const int64_t row = r->rows[i];
        const float t = ++r->steps[row];
        // Bias correction of both moments in one factor
        const float correction = std::sqrt(1 - std::pow(r->beta2, t)) / (1 - std::pow(r->beta1, t));
        float scale[5];
        for (int k = 0; k < 5; k++) scale[k] = correction * r->rates[k];
        float *m = r->m + r->moments * row, *v = r->v + r->moments * row;
        for (int k = 0; k < 3; k++) adam(r->means[3 * row + k], r->g_means[3 * i + k], *m++, *v++, scale[0]);
        for (int k = 0; k < 4; k++) adam(r->quats[4 * row + k], r->g_quats[4 * i + k], *m++, *v++, scale[1]);
        for (int k = 0; k < 3; k++)
            adam(r->log_scales[3 * row + k], r->g_scales[3 * i + k] * r->scales[3 * i + k], *m++, *v++, scale[2]);
        const float opacity = r->opacities[i];
        adam(r->logit_opacities[row], r->g_opacities[i] * opacity * (1 - opacity), *m++, *v++, scale[3]);
        for (int k = 0; k < 3; k++) adam(r->colors[3 * row + k], g_color[k], *m++, *v++, scale[4]);
    }
    return 0;
}
