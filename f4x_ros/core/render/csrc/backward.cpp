// SPDX-License-Identifier: Apache-2.0
// Stage 4: gradients. Back to front through each tile's list, one row of gradients per entry (no atomics), then per
// Gaussian: sum its entries in a fixed order and carry the sum through the projection.
#include <cstring>

#include "ewa.hpp"
#include "parallel.hpp"
#include "tile.hpp"

namespace f4x {
namespace {

// A gradient row: moments of e = dL/d(falloff) over the pixels, then the channels (depth first).
enum Moment { M_1, M_X, M_Y, M_XX, M_XY, M_YY, MOMENTS };

inline int64_t gradient_stride(int groups) { return (MOMENTS + groups * GROUP + 7) / 8 * 8; }

template <typename R> struct TileGradients {
    Vec<R> transmittance[BLOCKS];
    Vec<R> g_alpha[BLOCKS];  // incoming gradient of alpha times the final transmittance
    Vec<R> behind[BLOCKS];   // sum over the entries behind of w (g . c)
    Mask<R> last[BLOCKS];
};

template <typename R>
void load_tile(const Plan<R>& plan, const TileFrame<R>& tile, const Camera<R>& cam, int64_t t, const R* g_image,
               const R* g_depth, const R* g_alpha, TileGradients<R>& st, Vec<R>* g) {
    const int channels = plan.groups * GROUP, colors = plan.channels - 1;
    std::memset(static_cast<void*>(g), 0, sizeof(Vec<R>) * size_t(BLOCKS * channels));
    std::memset(static_cast<void*>(st.g_alpha), 0, sizeof st.g_alpha);
    std::memset(static_cast<void*>(st.behind), 0, sizeof st.behind);
    std::memcpy(static_cast<void*>(st.transmittance), plan.transmittance.data() + t * TILE_PIXELS, TILE_PIXELS * sizeof(R));
    for (int b = 0; b < BLOCKS; b++)
        for (int i = 0; i < LANES; i++) st.last[b].lanes()[i] = plan.last[t * TILE_PIXELS + b * LANES + i];
    each_pixel<R>(tile, cam.width, [&](int b, int i, int64_t p) {
        R* lane = g[b * channels].lanes() + i;
        if (g_alpha) st.g_alpha[b].lanes()[i] = g_alpha[p] * st.transmittance[b].lanes()[i];
        if (g_depth) lane[0] = g_depth[p];
        if (g_image) for (int c = 0; c < colors; c++) lane[(c + 1) * LANES] = g_image[p * colors + c];
    });
}

// SHAPE: gradients of geometry and opacity; COLOR: gradients of the colours. Depth's own gradient belongs to SHAPE.
template <typename R, int NG, bool SHAPE, bool COLOR>
void backward_tile(const Plan<R>& plan, const TileFrame<R>& tile, int64_t t, TileGradients<R>& st, const Vec<R>* incoming,
                   Vec<R>* sums, R* rows_out) {
    const int groups = NG ? NG : plan.groups, channels = groups * GROUP;
    const int64_t begin = plan.tile_begin[t], end = plan.tile_begin[t + 1], stride = gradient_stride(groups);
    for (int64_t e = end - 1; e >= begin; e--) {
        uint32_t left = plan.drawn[e];
        if (!left) continue;
        const R* row = plan.rows.data() + int64_t(plan.entries[e]) * plan.stride;
        const Splat<R> splat(tile, row);
        const R opacity = row[OPACITY];
        const Mask<R> here = Mask<R>::all(typename Mask<R>::Int(e - begin));
        for (int64_t i = 0; i < stride; i++) sums[i] = Vec<R>::zero();
        Vec<R> m1 = Vec<R>::zero(), mx = m1, my = m1, mxx = m1, mxy = m1, myy = m1;
        for (; left; left &= left - 1) {
            const int b = __builtin_ctz(left);
            Vec<R> dx, dy;
            const Vec<R> falloff = splat.falloff(b, dx, dy), raw = falloff * opacity;
            const Mask<R> act = (raw >= R(ALPHA_MIN)) & (st.last[b] >= here);
            const Vec<R> alpha = raw.below(R(ALPHA_MAX)).only(act);
            const Vec<R> inverse = Vec<R>::all(1) / alpha.from(1);
            const Vec<R> before = st.transmittance[b] * inverse, w = alpha * before;
            st.transmittance[b] = before;
            const Vec<R>* g = incoming + b * channels;
            const R* c = row + CHANNELS;
            Vec<R>* s = sums + MOMENTS;
            Vec<R> dot = Vec<R>::zero();
            if (SHAPE && !COLOR) s[0] += w * g[0];
            for (int k = 0; k < groups; k++, g += GROUP, c += GROUP, s += GROUP) {
                if (SHAPE) dot += (g[0] * c[0] + g[1] * c[1]) + (g[2] * c[2] + g[3] * c[3]);
                if (COLOR) { s[0] += w * g[0]; s[1] += w * g[1]; s[2] += w * g[2]; s[3] += w * g[3]; }
            }
            if (SHAPE) {
                // dL/dalpha = T (g . c) - (what is behind) / (1 - alpha) + g_alpha T_final / (1 - alpha)
                const Vec<R> g_a = before * dot + (st.g_alpha[b] - st.behind[b]) * inverse;
                st.behind[b] += w * dot;
                const Vec<R> m = (g_a * falloff).only(act & (raw <= R(ALPHA_MAX)));
                const Vec<R> x = m * dx, y = m * dy;
                m1 += m; mx += x; my += y; mxx += x * dx; mxy += x * dy; myy += y * dy;
            }
        }
        sums[M_1] = m1; sums[M_X] = mx; sums[M_Y] = my; sums[M_XX] = mxx; sums[M_XY] = mxy; sums[M_YY] = myy;
        for (int64_t i = 0; i < stride; i += 8) sum_lanes_of_8(sums + i, rows_out + e * stride + i);
    }
}

template <typename R, int NG, bool SHAPE, bool COLOR>
void backward_tiles(const Plan<R>& plan, const Camera<R>& cam, int threads, const R* g_image, const R* g_depth,
                    const R* g_alpha, R* rows_out) {
    const size_t channels = size_t(plan.groups) * GROUP, stride = size_t(gradient_stride(plan.groups));
    Buffer<Vec<R>> incoming(size_t(threads) * BLOCKS * channels), sums(size_t(threads) * stride);
    Buffer<TileGradients<R>> states((size_t(threads)));
    for_items(threads, cam.tiles(), [&](int worker, int64_t t) {
        if (plan.tile_begin[t] == plan.tile_begin[t + 1]) return;
        const TileFrame<R> tile(cam, t);
        Vec<R>* g = incoming.data() + size_t(worker) * BLOCKS * channels;
        load_tile(plan, tile, cam, t, g_image, g_depth, g_alpha, states[worker], g);
        backward_tile<R, NG, SHAPE, COLOR>(plan, tile, t, states[worker], g, sums.data() + size_t(worker) * stride, rows_out);
    });
}

// Gradient of the loss in the projected quantities of one Gaussian.
template <typename R> struct Projected2D { R mean[2], conic[3], z; };

// Chain rule from the pixel plane back to mean, quaternion, scale and camera; outputs may be null.
template <typename R>
void project_backward(const Ewa<R>& e, const Camera<R>& cam, const R* mean, const R* scale, const Projected2D<R>& g,
                      R* g_mean, R* g_quat, R* g_scale, double* g_view) {
    const R* W = cam.rotation;
    // conic = inverse of the covariance X: dX = -conic dConic conic, with the symmetric gradient [[ga, gb], [gb, gc]]
    const R idet = 1 / e.det, ca = e.C * idet, cb = -e.B * idet, cc = e.A * idet;
    const R ga = g.conic[0], gb = g.conic[1] * R(0.5), gc = g.conic[2];
    const R t00 = ga * ca + gb * cb, t01 = ga * cb + gb * cc, t10 = gb * ca + gc * cb, t11 = gb * cb + gc * cc;
    const R gA = -(ca * t00 + cb * t10), gB = -(ca * t01 + cb * t11), gC = -(cb * t01 + cc * t11);  // gB: one off-diagonal entry
    R gu[3], gv[3], gr0[3], gr1[3], gQ[9];
    for (int k = 0; k < 3; k++) {
        gu[k] = 2 * (gA * e.u[k] + gB * e.v[k]);
        gv[k] = 2 * (gC * e.v[k] + gB * e.u[k]);
        if (g_scale) g_scale[k] = gu[k] * e.uq[k] + gv[k] * e.vq[k];
    }
    for (int j = 0; j < 3; j++) {
        gr0[j] = gr1[j] = 0;
        for (int k = 0; k < 3; k++) {
            const R m = e.Q[3 * j + k] * scale[k];
            gr0[j] += gu[k] * m;
            gr1[j] += gv[k] * m;
            gQ[3 * j + k] = (e.r0[j] * gu[k] + e.r1[j] * gv[k]) * scale[k];
        }
    }
    if (g_quat) {
        const R w = e.q[0], a = e.q[1], b = e.q[2], c = e.q[3];
        R d[4];
        d[0] = 2 * (-c * gQ[1] + b * gQ[2] + c * gQ[3] - a * gQ[5] - b * gQ[6] + a * gQ[7]);
        d[1] = 2 * (b * gQ[1] + c * gQ[2] + b * gQ[3] - 2 * a * gQ[4] - w * gQ[5] + c * gQ[6] + w * gQ[7] - 2 * a * gQ[8]);
        d[2] = 2 * (-2 * b * gQ[0] + a * gQ[1] + w * gQ[2] + a * gQ[3] + c * gQ[5] - w * gQ[6] + c * gQ[7] - 2 * b * gQ[8]);
        d[3] = 2 * (-2 * c * gQ[0] - w * gQ[1] + a * gQ[2] + w * gQ[3] - 2 * c * gQ[4] + b * gQ[5] + a * gQ[6] + b * gQ[7]);
        const R along = d[0] * w + d[1] * a + d[2] * b + d[3] * c;  // the length of the quaternion has no effect
        for (int k = 0; k < 4; k++) g_quat[k] = (d[k] - along * e.q[k]) * e.qn;
    }
    // r0 = fx / z (W0 - xl W2), r1 = fy / z (W1 - yl W2)
    R giz = 0, gxl = 0, gyl = 0;
    for (int k = 0; k < 3; k++) {
        giz += (gr0[k] * e.r0[k] + gr1[k] * e.r1[k]) * e.p[2];
        gxl -= cam.fx * e.iz * W[6 + k] * gr0[k];
        gyl -= cam.fy * e.iz * W[6 + k] * gr1[k];
    }
    const R gxn = cam.fx * g.mean[0] + (e.xn > cam.x_min && e.xn < cam.x_max ? gxl : R(0));
    const R gyn = cam.fy * g.mean[1] + (e.yn > cam.y_min && e.yn < cam.y_max ? gyl : R(0));
    giz += gxn * e.p[0] + gyn * e.p[1];
    const R gp[3] = {gxn * e.iz, gyn * e.iz, g.z - giz * e.iz * e.iz};
    if (g_mean) for (int k = 0; k < 3; k++) g_mean[k] = W[k] * gp[0] + W[3 + k] * gp[1] + W[6 + k] * gp[2];
    if (g_view) for (int k = 0; k < 3; k++) {
        g_view[k] += double(gp[0] * mean[k] + cam.fx * e.iz * gr0[k]);
        g_view[4 + k] += double(gp[1] * mean[k] + cam.fy * e.iz * gr1[k]);
        g_view[8 + k] += double(gp[2] * mean[k] - cam.fx * e.iz * e.xl * gr0[k] - cam.fy * e.iz * e.yl * gr1[k]);
        g_view[4 * k + 3] += double(gp[k]);
    }
}

// Sums a Gaussian's gradient rows in the order of its tiles; false if no tile drew it.
template <typename R> bool sum_entries(const Plan<R>& plan, int64_t rank, int64_t stride, const R* rows, R* sum) {
    bool some = false;
    for (int64_t s = plan.slots[rank]; s < plan.slots[rank + 1]; s++) {
        const int64_t e = plan.slot_entry[s];
        if (!plan.drawn[e]) continue;
        const R* row = rows + e * stride;
        if (some) for (int64_t c = 0; c < stride; c++) sum[c] += row[c];
        else std::memcpy(sum, row, size_t(stride) * sizeof(R));
        some = true;
    }
    return some;
}

template <typename R>
void gather_gaussians(const Plan<R>& plan, const F4xGaussians& g, const Camera<R>& cam, int threads, const R* rows,
                      const F4xGradients& out) {
    constexpr int64_t CHUNK = 512;  // fixed, so that the camera's gradient is summed in one order
    const int64_t stride = gradient_stride(plan.groups), chunks = (plan.visible + CHUNK - 1) / CHUNK;
    const bool shape = out.means || out.quats || out.scales || out.viewmat;
    const int colors = plan.channels - 1;
    Buffer<R> scratch(size_t(threads) * size_t(stride));
    Buffer<double> views(out.viewmat ? size_t(chunks) * 12 : 0);
    for_items(threads, chunks, [&](int worker, int64_t chunk) {
        R* sum = scratch.data() + worker * stride;
        double* view = out.viewmat ? views.data() + chunk * 12 : nullptr;
        if (view) std::fill(view, view + 12, 0.0);
        Ewa<R> e;
        for (int64_t k = chunk * CHUNK; k < std::min(plan.visible, (chunk + 1) * CHUNK); k++) {
            if (!sum_entries(plan, k, stride, rows, sum)) continue;
            const int64_t i = plan.ids[k];
            const R* row = plan.rows.data() + k * plan.stride;
            if (out.colors) std::memcpy(static_cast<R*>(out.colors) + i * colors, sum + MOMENTS + 1, size_t(colors) * sizeof(R));
            if (out.opacities) static_cast<R*>(out.opacities)[i] = sum[M_1];
            if (!shape) continue;
            // alpha = o exp(-s): d alpha = -o falloff ds, and s = a dx^2 / 2 + b dx dy + c dy^2 / 2 with d = pixel - mean
            const R o = row[OPACITY];
            Projected2D<R> p;
            p.mean[0] = o * (row[CONIC_A] * sum[M_X] + row[CONIC_B] * sum[M_Y]);
            p.mean[1] = o * (row[CONIC_B] * sum[M_X] + row[CONIC_C] * sum[M_Y]);
            p.conic[0] = R(-0.5) * o * sum[M_XX];
            p.conic[1] = -o * sum[M_XY];
            p.conic[2] = R(-0.5) * o * sum[M_YY];
            p.z = sum[MOMENTS];
            const R* mean = static_cast<const R*>(g.means) + 3 * i;
            const R* scale = static_cast<const R*>(g.scales) + 3 * i;
            e.point(cam, mean);
            e.shape(cam, static_cast<const R*>(g.quats) + 4 * i, scale);
            project_backward(e, cam, mean, scale, p, out.means ? static_cast<R*>(out.means) + 3 * i : nullptr,
                             out.quats ? static_cast<R*>(out.quats) + 4 * i : nullptr,
                             out.scales ? static_cast<R*>(out.scales) + 3 * i : nullptr, view);
        }
    });
    if (!out.viewmat) return;
    std::fill(out.viewmat, out.viewmat + 12, 0.0);
    for (int64_t c = 0; c < chunks; c++) for (int k = 0; k < 12; k++) out.viewmat[k] += views[c * 12 + k];
}

}  // namespace

template <typename R>
void backward(const Plan<R>& plan, const F4xGaussians& g, const Camera<R>& cam, int threads, const R* g_image,
              const R* g_depth, const R* g_alpha, const F4xGradients& out) {
    Buffer<R> rows(plan.entries.size() * size_t(gradient_stride(plan.groups)));
    const bool shape = out.means || out.quats || out.scales || out.viewmat || out.opacities;
    auto run = [&](auto tiles) { tiles(plan, cam, threads, g_image, g_depth, g_alpha, rows.data()); };
    if (plan.groups == 1) {
        if (!shape) run(backward_tiles<R, 1, false, true>);
        else if (out.colors) run(backward_tiles<R, 1, true, true>);
        else run(backward_tiles<R, 1, true, false>);
    } else {
        if (!shape) run(backward_tiles<R, 0, false, true>);
        else if (out.colors) run(backward_tiles<R, 0, true, true>);
        else run(backward_tiles<R, 0, true, false>);
    }
    gather_gaussians(plan, g, cam, threads, rows.data(), out);
}

template void backward<float>(const Plan<float>&, const F4xGaussians&, const Camera<float>&, int, const float*, const float*, const float*, const F4xGradients&);
template void backward<double>(const Plan<double>&, const F4xGaussians&, const Camera<double>&, int, const double*, const double*, const double*, const F4xGradients&);

}  // namespace f4x
