// SPDX-License-Identifier: Apache-2.0
// Stage 1: project every Gaussian and keep those whose visible ellipse meets the image.
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

// The row's geometry; false when nothing of the Gaussian can be seen. NaN anywhere fails a comparison and is culled.
template <typename R> bool project_one(const Ewa<R>& e, const Camera<R>& cam, R opacity, R* row) {
    if (!(e.det > 0) || !(e.det < std::numeric_limits<R>::max())) return false;
    const R reach2 = 2 * std::log(opacity * R(255));  // alpha >= 1/255  <=>  d^T conic d <= reach2
    if (!(reach2 > 0)) return false;
    const R idet = 1 / e.det;
    row[X] = cam.fx * e.xn + cam.cx;
    row[Y] = cam.fy * e.yn + cam.cy;
    row[FALL_XX] = e.C * idet / 16;
    row[FALL_XY] = -e.B * idet / 8;
    row[FALL_YY] = e.A * idet / 16;
    row[OPACITY] = opacity;
    row[EXTENT2] = reach2 * e.C;
    row[SLOPE] = e.B / e.C;
    row[SPREAD] = std::sqrt(e.det) / e.C;
    row[EXTENT_X] = std::sqrt(reach2 * e.A);
    row[ROW_PAD0] = row[ROW_PAD1] = 0;
    const R ex = row[EXTENT_X] + R(0.01), ey = std::sqrt(row[EXTENT2]) + R(0.01);
    return row[X] + ex > R(0.5) && row[X] - ex < R(cam.width) - R(0.5) && row[Y] + ey > R(0.5) && row[Y] - ey < R(cam.height) - R(0.5);
}

}  // namespace

template <typename R> void project(const F4xGaussians& g, const Camera<R>& cam, int threads, Projected<R>& out) {
    const R* means = static_cast<const R*>(g.means);
    const R* quats = static_cast<const R*>(g.quats);
    const R* scales = static_cast<const R*>(g.scales);
    const R* opacities = static_cast<const R*>(g.opacities);
    const int parts = out.parts = threads;
    out.rows.reset(size_t(g.count) * CHANNELS);
    out.ids.reset(size_t(g.count));
    out.depths.reset(size_t(g.count));
    out.part_begin.reset(size_t(parts) + 1);
    out.part_source.reset(size_t(parts));
    for_parts(parts, g.count, [&](int part, int64_t begin, int64_t end) {
        int64_t at = begin;
        Ewa<R> e;
        for (int64_t i = begin; i < end; i++) {
            e.point(cam, means + 3 * i);
            if (!(e.p[2] >= cam.near_m)) continue;
            e.shape(cam, quats + 4 * i, scales + 3 * i);
            if (!project_one(e, cam, opacities[i], out.rows.data() + at * CHANNELS)) continue;
            out.ids[at] = int32_t(i);
            out.depths[at] = e.p[2];
            at++;
        }
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
