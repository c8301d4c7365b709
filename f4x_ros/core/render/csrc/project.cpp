// SPDX-License-Identifier: Apache-2.0
// Stage 1: project every Gaussian and keep those whose visible ellipse meets the image.
//
// Rows stay in the order of the Gaussians, so what is read of them here and written to them by the backward pass is
// read and written in order. Depth orders only the lists.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "ewa.hpp"
#include "parallel.hpp"
#include "reach.hpp"

namespace f4x {

template <typename R> Camera<R>::Camera(const F4xView& view) {
    const R* m = static_cast<const R*>(view.viewmat);
    const R* K = static_cast<const R*>(view.K);
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 3; j++) rotation[3 * i + j] = m[4 * i + j];
        translation[i] = m[4 * i + 3];
    }
    width = view.width; height = view.height;
    tiles_x = (width + TILE - 1) / TILE; tiles_y = (height + TILE - 1) / TILE;
    fx = K[0]; fy = K[4]; cx = K[2]; cy = K[5];
    // gsplat: 0.3 tan(fov / 2) beyond the image on each side
    const R mx = R(0.15) * R(width) / fx, my = R(0.15) * R(height) / fy;
    x_min = -(cx / fx + mx); x_max = (R(width) - cx) / fx + mx;
    y_min = -(cy / fy + my); y_max = (R(height) - cy) / fy + my;
    near_m = R(view.near_m); eps2d = R(view.eps2d);
}

namespace {

// Eight Gaussians in the image.
template <typename R> struct Outline {
    Vec<R> row[CHANNELS];                 // their rows
    Vec<R> extent2, slope, spread;        // of their ellipses
    Vec<R> first_x, last_x, first_y, last_y;  // pixels they may reach, within the image; to be rounded down

    // The lanes of `bits` in which something can be seen. NaN anywhere fails a comparison and is culled.
    F4X_INLINE uint32_t draw(const Ewa<R>& e, const Camera<R>& cam, const Vec<R>& opacity, uint32_t bits) {
        const R most = std::numeric_limits<R>::max(), half = R(0.5), slack = R(0.01);
        Vec<R> reach2;  // alpha >= 1/255  <=>  d^T conic d <= reach2
        for (int j = 0; j < LANES; j++) reach2.lanes()[j] = 2 * std::log(opacity.lanes()[j] * R(255));
        const Vec<R> iC = R(1) / e.C, x = e.xn * cam.fx + cam.cx, y = e.yn * cam.fy + cam.cy;
        extent2 = reach2 * e.C;
        slope = e.B * iC;
        spread = e.det.sqrt() * iC;
        row[X] = x;
        row[Y] = y;
        row[ROW_PAD0] = row[ROW_PAD1] = Vec<R>::zero();
        row[U_X] = (e.C / e.det).sqrt() * R(0.25);
        row[U_Y] = -row[U_X] * slope;
        row[V_Y] = iC.sqrt() * R(0.25);
        row[FADE] = (R(2 * REACH) - reach2) * R(1.0 / 16);
        const Vec<R> room_x = (reach2 * e.A).sqrt(), room_y = extent2.sqrt(), ex = room_x + slack, ey = room_y + slack;
        const Mask<R> seen = (e.det > R(0)) & (e.det < most) & (reach2 > R(0)) & (x + ex > half) & (y + ey > half) &
                             (x - ex < R(cam.width) - half) & (y - ey < R(cam.height) - half);
        // pixel centres lie at + 0.5, and an extent may exceed any integer
        first_x = (x - ex + half).above(0);
        first_y = (y - ey + half).above(0);
        last_x = (x + ex - half).below(R(cam.width - 1));
        last_y = (y + ey - half).below(R(cam.height - 1));
        return bits & seen.bits();
    }

    F4X_INLINE Ellipse<R> ellipse(int j) const {
        const auto pixel = [](const Vec<R>& v, int j) -> int { return int(v.lanes()[j]) & INT32_MAX; };  // never negative
        return {row[X].lanes()[j], row[Y].lanes()[j], extent2.lanes()[j], slope.lanes()[j], spread.lanes()[j],
                pixel(first_y, j) / 2, pixel(last_y, j) / 2 + 1, pixel(first_x, j) / TILE, pixel(last_x, j) / TILE + 1};
    }
};

// Writes the row and the slots of lane j; `index` is the Gaussian's.
template <typename R>
F4X_INLINE void keep(const F4xGaussians& g, const Camera<R>& cam, const Plan<R>& plan, const Outline<R>& outline, R depth,
                     int j, int64_t index, R* row, SlotList& slots) {
    for (int k = 0; k < CHANNELS; k++) row[k] = outline.row[k].lanes()[j];
    R* channels = row + CHANNELS;
    channels[0] = depth;
    int c = 1;
    if (plan.channels > 1) {
        const R* color = static_cast<const R*>(g.colors) + index * g.channels;
        for (; c < plan.channels; c++) channels[c] = color[c - 1];
    }
    for (; c < plan.groups * GROUP; c++) channels[c] = 0;
    each_tile_met(outline.ellipse(j), cam, [&](int64_t more) F4X_INLINE_LAMBDA { slots.reserve(more); },
                  [&](int tile, uint32_t blocks) F4X_INLINE_LAMBDA { slots.push({tile, blocks}); });
}

// Eight Gaussians from `first` on, of which the first `n` count; returns how many of them are listed in `items`.
template <typename R>
int project_eight(const F4xGaussians& g, const Camera<R>& cam, int64_t first, int n, Plan<R>& plan,
                  typename Seen<R>::Item* items, SlotList& slots) {
    int64_t source[LANES];
    for (int j = 0; j < LANES; j++) source[j] = first + (j < n ? j : 0);
    Vec<R> mean[3], quat[4], scale[3], opacity;
    Ewa<R> e;
    load_lanes<3>(g.means, source, mean);
    e.point(cam, mean);
    uint32_t bits = (e.p[2] >= cam.near_m).bits() & ((1u << n) - 1);
    Outline<R> outline;
    if (bits) {
        load_lanes<4>(g.quats, source, quat);
        load_lanes<3>(g.scales, source, scale);
        load_lanes<1>(g.opacities, source, &opacity);
        e.shape(cam, quat, scale);
        bits = outline.draw(e, cam, opacity, bits);
    }
    int listed = 0;
    for (int j = 0; j < n; j++) {
        plan.slots[size_t(first + j)] = slots.count;
        if (!(bits >> j & 1)) continue;
        const R depth = e.p[2].lanes()[j];
        keep(g, cam, plan, outline, depth, j, first + j, plan.rows.data() + (first + j) * plan.stride, slots);
        std::memcpy(&items[listed].depth, &depth, sizeof depth);
        items[listed++].row = int32_t(first + j);
    }
    return listed;
}

}  // namespace

template <typename R> void project(const F4xGaussians& g, const Camera<R>& cam, int threads, Plan<R>& plan, Seen<R>& out) {
    plan.groups = (plan.channels + GROUP - 1) / GROUP;
    plan.stride = CHANNELS + plan.groups * GROUP;
    plan.rows.reset(size_t(g.count) * size_t(plan.stride));
    plan.slots.reset(size_t(g.count) + 1);
    out.items.reset(size_t(g.count));
    out.parts = std::vector<SeenPart>(size_t(threads));
    for_parts(threads, g.count, [&](int part, int64_t begin, int64_t end) {
        SeenPart seen;  // of this thread alone: those of two threads would lie in one line of the cache
        seen.first_row = begin;
        seen.end_row = end;
        for (int64_t i = begin; i < end; i += LANES)
            seen.items += project_eight(g, cam, i, int(std::min<int64_t>(LANES, end - i)), plan, out.items.data() + begin + seen.items, seen.slots);
        out.parts[size_t(part)].swap(seen);
    });
}

template struct Camera<float>;
template struct Camera<double>;
template void project<float>(const F4xGaussians&, const Camera<float>&, int, Plan<float>&, Seen<float>&);
template void project<double>(const F4xGaussians&, const Camera<double>&, int, Plan<double>&, Seen<double>&);

}  // namespace f4x
