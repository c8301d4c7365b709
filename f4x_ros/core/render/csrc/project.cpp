// SPDX-License-Identifier: Apache-2.0
// Stage 1: project every Gaussian and keep those whose visible ellipse meets the image.
#include <algorithm>
#include <cmath>
#include <limits>

#include "ewa.hpp"
#include "parallel.hpp"

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

// The rows' geometry for the lanes in `bits`; returns those of which something can be seen. NaN anywhere fails a
// comparison and is culled.
template <typename R>
F4X_INLINE uint32_t project_rows(const Ewa<R>& e, const Camera<R>& cam, const Vec<R>& opacity, uint32_t bits, Vec<R>* row) {
    const R most = std::numeric_limits<R>::max(), half = R(0.5), slack = R(0.01);
    Vec<R> reach2;  // alpha >= 1/255  <=>  d^T conic d <= reach2
    for (int j = 0; j < LANES; j++) reach2.lanes()[j] = 2 * std::log(opacity.lanes()[j] * R(255));
    const Vec<R> idet = R(1) / e.det, iC = R(1) / e.C;
    row[X] = e.xn * cam.fx + cam.cx;
    row[Y] = e.yn * cam.fy + cam.cy;
    row[FALL_XX] = e.C * idet * R(1.0 / 16);
    row[FALL_XY] = e.B * idet * R(-1.0 / 8);
    row[FALL_YY] = e.A * idet * R(1.0 / 16);
    row[OPACITY] = opacity;
    row[EXTENT2] = reach2 * e.C;
    row[SLOPE] = e.B * iC;
    row[SPREAD] = e.det.sqrt() * iC;
    row[EXTENT_X] = (reach2 * e.A).sqrt();
    row[ROW_PAD0] = row[ROW_PAD1] = Vec<R>::zero();
    const Vec<R> ex = row[EXTENT_X] + slack, ey = row[EXTENT2].sqrt() + slack;
    const Mask<R> seen = (e.det > R(0)) & (e.det < most) & (reach2 > R(0)) & (row[X] + ex > half) & (row[Y] + ey > half) &
                         (row[X] - ex < R(cam.width) - half) & (row[Y] - ey < R(cam.height) - half);
    return bits & seen.bits();
}

// Eight Gaussians from `first` on, of which the first `n` count; writes the survivors' rows, ids and depths.
template <typename R>
int project_eight(const F4xGaussians& g, const Camera<R>& cam, int64_t first, int n, R* rows, int32_t* ids, R* depths) {
    int64_t items[LANES];
    for (int j = 0; j < LANES; j++) items[j] = first + (j < n ? j : 0);
    Vec<R> mean[3], quat[4], scale[3], opacity, row[CHANNELS];
    Ewa<R> e;
    load_lanes<3>(g.means, items, mean);
    e.point(cam, mean);
    uint32_t bits = (e.p[2] >= cam.near_m).bits() & ((1u << n) - 1);
    if (!bits) return 0;
    load_lanes<4>(g.quats, items, quat);
    load_lanes<3>(g.scales, items, scale);
    load_lanes<1>(g.opacities, items, &opacity);
    e.shape(cam, quat, scale);
    bits = project_rows(e, cam, opacity, bits, row);
    int at = 0;
    for (; bits; bits &= bits - 1, at++) {
        const int j = __builtin_ctz(bits);
        for (int k = 0; k < CHANNELS; k++) rows[at * CHANNELS + k] = row[k].lanes()[j];
        ids[at] = int32_t(first + j);
        depths[at] = e.p[2].lanes()[j];
    }
    return at;
}

}  // namespace

template <typename R> void project(const F4xGaussians& g, const Camera<R>& cam, int threads, Projected<R>& out) {
    const int parts = out.parts = threads;
    out.rows.reset(size_t(g.count) * CHANNELS);
    out.ids.reset(size_t(g.count));
    out.depths.reset(size_t(g.count));
    out.part_begin.reset(size_t(parts) + 1);
    out.part_source.reset(size_t(parts));
    for_parts(parts, g.count, [&](int part, int64_t begin, int64_t end) {
        int64_t at = begin;
        for (int64_t i = begin; i < end; i += LANES)
            at += project_eight(g, cam, i, int(std::min<int64_t>(LANES, end - i)), out.rows.data() + at * CHANNELS,
                                out.ids.data() + at, out.depths.data() + at);
        out.part_source[part] = begin;
        out.part_begin[part + 1] = at - begin;
    });
    out.part_begin[0] = 0;
    for (int p = 0; p < parts; p++) out.part_begin[p + 1] += out.part_begin[p];
    out.visible = out.part_begin[parts];
}

template struct Camera<float>;
template struct Camera<double>;
template void project<float>(const F4xGaussians&, const Camera<float>&, int, Projected<float>&);
template void project<double>(const F4xGaussians&, const Camera<double>&, int, Projected<double>&);

}  // namespace f4x
