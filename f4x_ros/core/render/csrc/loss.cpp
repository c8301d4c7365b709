// SPDX-License-Identifier: Apache-2.0
// How far a rendered view is from what was seen, and the gradients of that: one pass over the pixels, where torch would
// take thirty.
#include <algorithm>
#include <cmath>

#include "abi.h"
#include "parallel.hpp"

namespace {

constexpr int PARTS = 16;  // of the image; fixed, so that sums do not depend on the number of threads
constexpr float LEAST_ALPHA = 0.05f, LEAST_DEPTH = 0.3f;

struct Sums {
    double color = 0, square = 0, depth = 0, clear = 0, gain[3] = {0, 0, 0}, offset[3] = {0, 0, 0};
};

inline float sign(float x) { return float(x > 0) - float(x < 0); }

void rows(const F4xLoss& in, int64_t begin, int64_t end, float* g_color, float* g_depth, float* g_alpha, Sums& sums) {
    const int64_t pixels = in.pixels;
    const float per_value = 1.0f / (3.0f * float(pixels)), per_pixel = 1.0f / float(pixels);
    for (int64_t p = begin; p < end; p++) {
        const float alpha = in.alpha[p];
        float towards_alpha = -in.alpha_weight * per_pixel;
        for (int c = 0; c < 3; c++) {
            const float color = in.color[3 * p + c];
            const float error = color * in.exposure[c] + alpha * in.exposure[3 + c] - float(in.rgb[3 * p + c]) / 255.0f;
            const float g = (sign(error) + 2 * in.squared_weight * error) * per_value;
            sums.color += std::fabs(error);
            sums.square += error * error;
            sums.gain[c] += g * color;
            sums.offset[c] += g * alpha;
            g_color[3 * p + c] = g * in.exposure[c];
            towards_alpha += g * in.exposure[3 + c];
        }
        sums.clear += 1 - alpha;
        g_depth[p] = 0;
        const float seen = in.seen_depth[p];
        if (seen > 0) {
            const float solid = std::max(alpha, LEAST_ALPHA), off = in.depth[p] / solid - seen;
            const float share = 1 / std::max(seen, LEAST_DEPTH);
            const float g = in.depth_weight * per_pixel * share * sign(off);
            sums.depth += std::fabs(off) * share;
            g_depth[p] = g / solid;
            if (alpha >= LEAST_ALPHA) towards_alpha -= g * in.depth[p] / (solid * solid);
        }
        g_alpha[p] = towards_alpha;
    }
}

}  // namespace

extern "C" int32_t f4x_loss_f32(const F4xLoss* in, float* g_color, float* g_depth, float* g_alpha, float* g_exposure, double* loss) {
    Sums parts[PARTS];
#ifdef _OPENMP
#pragma omp parallel for schedule(static) num_threads(in->threads) if (in->threads > 1)
#endif
    for (int part = 0; part < PARTS; part++)
        rows(*in, in->pixels * part / PARTS, in->pixels * (part + 1) / PARTS, g_color, g_depth, g_alpha, parts[part]);
    Sums all;
    for (const Sums& part : parts) {
        all.color += part.color;
        all.square += part.square;
        all.depth += part.depth;
        all.clear += part.clear;
        for (int c = 0; c < 3; c++) {
            all.gain[c] += part.gain[c];
            all.offset[c] += part.offset[c];
        }
    }
    for (int c = 0; c < 3; c++) {
        g_exposure[c] = float(all.gain[c]);
        g_exposure[3 + c] = float(all.offset[c]);
    }
    const double pixels = double(in->pixels);
    *loss = (all.color + in->squared_weight * all.square) / (3 * pixels) + in->depth_weight * all.depth / pixels +
            in->alpha_weight * all.clear / pixels;
    return 0;
}
