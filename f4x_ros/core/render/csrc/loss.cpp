// SPDX-License-Identifier: Apache-2.0
// How far a rendered view is from what was seen, and the gradients of that: one pass over the pixels, where torch would
// take thirty.
#include <algorithm>
#include <cstring>

#include "abi.h"
#include "parallel.hpp"
#include "simd.hpp"

namespace {

using f4x::LANES;
typedef f4x::Vec<float> Vec;
typedef f4x::Mask<float> Mask;

constexpr int PARTS = 16;   // of the image; fixed, so that sums do not depend on the number of threads
constexpr int SUMMED = 32;  // groups of pixels that are summed in single precision
constexpr float LEAST_ALPHA = 0.05f, LEAST_DEPTH = 0.3f;

struct Sums {
    double color = 0, square = 0, depth = 0, clear = 0, gain[3] = {0, 0, 0}, offset[3] = {0, 0, 0};
    void add(const Sums& o) {
        color += o.color;
        square += o.square;
        depth += o.depth;
        clear += o.clear;
        for (int c = 0; c < 3; c++) {
            gain[c] += o.gain[c];
            offset[c] += o.offset[c];
        }
    }
};

F4X_INLINE Vec sign(const Vec& x) { return Vec::all(1).only(x > 0) - Vec::all(1).only(x < 0); }
F4X_INLINE Vec magnitude(const Vec& x) { return x.larger(-x); }

// Eight pixels at a time. Colours stay as they lie, three vectors of red, green, blue, red, ..: `k` below is the vector,
// and its lane i is of channel (8 k + i) % 3.
class Pixels {
public:
    explicit Pixels(const F4xLoss& in)
        : per_value_(1.0f / (3.0f * float(in.pixels))), per_pixel_(1.0f / float(in.pixels)), squared_(2 * in.squared_weight),
          depth_(in.depth_weight * per_pixel_), alpha_(-in.alpha_weight * per_pixel_) {
        for (int i = 0; i < 3 * LANES; i++) {
            gain_[i / LANES].lanes()[i % LANES] = in.exposure[i % 3];
            offset_[i / LANES].lanes()[i % LANES] = in.exposure[3 + i % 3];
        }
        clear();
    }

    F4X_INLINE void group(const float* color, const float* depth, const float* alpha, const uint8_t* rgb, const float* seen,
                          float* g_color, float* g_depth, float* g_alpha) {
        float spread[3 * LANES], towards[3 * LANES];  // alpha, and the gradients that reach it, of every colour
        float colors[3 * LANES];
        for (int i = 0; i < 3 * LANES; i++) colors[i] = rgb[i];
        for (int i = 0; i < LANES; i++)
            for (int c = 0; c < 3; c++) spread[3 * i + c] = alpha[i];
        for (int k = 0; k < 3; k++) {
            const Vec rendered = Vec::load(color + k * LANES), a = Vec::load(spread + k * LANES);
            const Vec error = rendered * gain_[k] + a * offset_[k] - Vec::load(colors + k * LANES) / 255.0f;
            const Vec g = (sign(error) + error * squared_) * per_value_;
            colors_ += magnitude(error);
            squares_ += error * error;
            gains_[k] += g * rendered;
            offsets_[k] += g * a;
            (g * gain_[k]).store(g_color + k * LANES);
            (g * offset_[k]).store(towards + k * LANES);
        }
        Vec towards_alpha;
        for (int i = 0; i < LANES; i++)
            towards_alpha.lanes()[i] = alpha_ + towards[3 * i] + towards[3 * i + 1] + towards[3 * i + 2];
        const Vec a = Vec::load(alpha), d = Vec::load(depth), s = Vec::load(seen);
        const Mask read = s > 0;
        const Vec solid = a.above(LEAST_ALPHA), expected = d / solid, off = expected - s, share = 1.0f / s.above(LEAST_DEPTH);
        const Vec g = ((share * depth_) * sign(off) / solid).only(read);
        clear_ += 1.0f - a;
        depths_ += (magnitude(off) * share).only(read);
        g.store(g_depth);
        (towards_alpha - (g * expected).only((a >= LEAST_ALPHA) & read)).store(g_alpha);
    }

    // Moves the sums of no more than SUMMED groups into double precision.
    void move_to(Sums& sums) {
        sums.color += colors_.sum();
        sums.square += squares_.sum();
        sums.depth += depths_.sum();
        sums.clear += clear_.sum();
        for (int i = 0; i < 3 * LANES; i++) {
            sums.gain[i % 3] += gains_[i / LANES].lanes()[i % LANES];
            sums.offset[i % 3] += offsets_[i / LANES].lanes()[i % LANES];
        }
        clear();
    }

private:
    void clear() {
        colors_ = squares_ = depths_ = clear_ = Vec::zero();
        for (int k = 0; k < 3; k++) gains_[k] = offsets_[k] = Vec::zero();
    }
    float per_value_, per_pixel_, squared_, depth_, alpha_;
    Vec gain_[3], offset_[3];
    Vec colors_, squares_, depths_, clear_, gains_[3], offsets_[3];
};

// Fewer than eight pixels: as eight, of which the last are black, clear and were not seen.
void rest(const F4xLoss& in, int64_t p, int n, Pixels& pixels, float* g_color, float* g_depth, float* g_alpha, Sums& sums) {
    float color[3 * LANES] = {}, depth[LANES] = {}, alpha[LANES] = {}, seen[LANES] = {}, g[5 * LANES];
    uint8_t rgb[3 * LANES] = {};
    std::copy_n(in.color + 3 * p, 3 * n, color);
    std::copy_n(in.depth + p, n, depth);
    std::copy_n(in.alpha + p, n, alpha);
    std::copy_n(in.seen_depth + p, n, seen);
    std::copy_n(in.rgb + 3 * p, 3 * n, rgb);
    pixels.group(color, depth, alpha, rgb, seen, g, g + 3 * LANES, g + 4 * LANES);
    std::copy_n(g, 3 * n, g_color + 3 * p);
    std::copy_n(g + 3 * LANES, n, g_depth + p);
    std::copy_n(g + 4 * LANES, n, g_alpha + p);
    sums.clear -= LANES - n;
}

void part_of_view(const F4xLoss& in, int64_t begin, int64_t end, float* g_color, float* g_depth, float* g_alpha, Sums& sums) {
    Pixels pixels(in);
    int64_t p = begin;
    for (int groups = 0; p + LANES <= end; p += LANES) {
        pixels.group(in.color + 3 * p, in.depth + p, in.alpha + p, in.rgb + 3 * p, in.seen_depth + p, g_color + 3 * p, g_depth + p,
                     g_alpha + p);
        if (++groups % SUMMED == 0) pixels.move_to(sums);
    }
    if (p < end) rest(in, p, int(end - p), pixels, g_color, g_depth, g_alpha, sums);
    pixels.move_to(sums);
}

}  // namespace

extern "C" int32_t f4x_loss_f32(const F4xLoss* in, float* g_color, float* g_depth, float* g_alpha, float* g_exposure, double* loss) {
    Sums parts[PARTS];
#ifdef _OPENMP
#pragma omp parallel for schedule(static) num_threads(in->threads) if (in->threads > 1)
#endif
    for (int part = 0; part < PARTS; part++)
        part_of_view(*in, in->pixels * part / PARTS, in->pixels * (part + 1) / PARTS, g_color, g_depth, g_alpha, parts[part]);
    Sums all;
    for (const Sums& part : parts) all.add(part);
    for (int c = 0; c < 3; c++) {
        g_exposure[c] = float(all.gain[c]);
        g_exposure[3 + c] = float(all.offset[c]);
    }
    const double pixels = double(in->pixels);
    *loss = (all.color + in->squared_weight * all.square) / (3 * pixels) + in->depth_weight * all.depth / pixels +
            in->alpha_weight * all.clear / pixels;
    return 0;
}
