// SPDX-License-Identifier: Apache-2.0
// Stage 4: gradients. Back to front through each tile's list, one row of gradients per entry (no atomics), then per
// Gaussian: sum its entries in a fixed order and carry the sum through the projection.
#include <cstring>

#include "ewa.hpp"
#include "parallel.hpp"
#include "tile.hpp"

namespace f4x {
namespace {

// A gradient row: moments of m = dL/d(alpha) falloff over the pixels, then the channels (depth first).
enum Moment { M_1, M_X, M_Y, M_XX, M_XY, M_YY, MOMENTS };

inline int64_t gradient_stride(int groups) { return MOMENTS + 2 + int64_t(groups) * GROUP; }
constexpr int FIRST_CHANNEL = MOMENTS + 2;  // keeps the channels' sums aligned to groups of four

// The pixels of a tile during back-to-front accumulation.
template <typename R> struct TileGradients {
    Vec<R> transmittance[BLOCKS];
    Vec<R> g_alpha[BLOCKS];  // incoming gradient of alpha times the final transmittance
    Vec<R> behind[BLOCKS];   // sum over the entries behind of w (g . c)
    Mask<R> stop[BLOCKS];
};

template <typename R> struct Workspace {
    ChunkLists<R> lists;
    TileGradients<R> state;
    Vec<R> weight[BLOCKS * CHUNK], moment[BLOCKS * CHUNK];  // of the chunk's pairs
};

template <typename R>
void load_tile(const Plan<R>& plan, const TileFrame<R>& tile, int width, int64_t t, const R* g_image, const R* g_depth,
               const R* g_alpha, TileGradients<R>& st, Vec<R>* g) {
    const int64_t channels = plan.groups * GROUP, colors = plan.channels - 1;
    std::memset(static_cast<void*>(g), 0, sizeof(Vec<R>) * size_t(BLOCKS * channels));
    std::memset(static_cast<void*>(st.g_alpha), 0, sizeof st.g_alpha);
    std::memset(static_cast<void*>(st.behind), 0, sizeof st.behind);
    std::memcpy(static_cast<void*>(st.transmittance), plan.transmittance.data() + t * TILE_PIXELS, TILE_PIXELS * sizeof(R));
    for (int b = 0; b < BLOCKS; b++)
        for (int i = 0; i < LANES; i++) st.stop[b].lanes()[i] = plan.stop[t * TILE_PIXELS + b * LANES + i];
    TileGradients<R>* state = &st;
    each_run(tile, width, [=](int b, int lane, int64_t p, int n) {
        R* out = g[b * channels].lanes() + lane;
        if (g_alpha) {
            R* a = state->g_alpha[b].lanes() + lane;
            const R* left = state->transmittance[b].lanes() + lane;
            for (int i = 0; i < n; i++) a[i] = g_alpha[p + i] * left[i];
        }
        if (g_depth) for (int i = 0; i < n; i++) out[i] = g_depth[p + i];
        if (g_image) {
            const R* in = g_image + p * colors;
            for (int i = 0; i < n; i++)
                for (int64_t c = 1; c <= colors; c++) out[c * LANES + i] = *in++;
        }
    });
}

// Back to front over one block's list: the weight w and the moment m = dL/dalpha falloff of every pair.
// NG is the number of channel groups when it is known at compile time, 0 otherwise.
template <typename R, int NG, bool SHAPE>
void gradients_of_block(const TileFrame<R>& tile, int b, int groups, Workspace<R>& ws, const Vec<R>* g) {
    typedef typename Mask<R>::Int Int;
    const BlockFrame<R> block(tile, b);
    const ChunkLists<R>& lists = ws.lists;
    TileGradients<R>& st = ws.state;
    const Vec<R> g_alpha = st.g_alpha[b];
    const Mask<R> stop = st.stop[b];
    Vec<R> after = st.transmittance[b], behind = st.behind[b];
    Vec<R>* weight = ws.weight + lists.start[b];
    Vec<R>* moment = ws.moment + lists.start[b];
    for (int k = 0; k < lists.count[b]; k++) {
        const int i = lists.index[b][k];
        const R* row = lists.rows[i];
        const Vec<R> falloff = block.falloff(row), raw = falloff * row[OPACITY];
        const Mask<R> act = (raw >= R(ALPHA_MIN)) & (stop > Mask<R>::all(Int(lists.first + i)));
        const Vec<R> alpha = raw.below(R(ALPHA_MAX)).only(act);
        const Vec<R> inverse = Vec<R>::all(1) / (R(1) - alpha);
        const Vec<R> before = after * inverse, w = alpha * before;
        after = before;
        weight[k] = w;
        if (!SHAPE) continue;
        const R* c = row + CHANNELS;
        Vec<R> dot = (g[0] * c[0] + g[1] * c[1]) + (g[2] * c[2] + g[3] * c[3]);
        if (NG != 1) {
            Vec<R> even = Vec<R>::zero(), odd = even;
            for (int j = GROUP; j < groups * GROUP; j += GROUP) {
                even += g[j] * c[j] + g[j + 1] * c[j + 1];
                odd += g[j + 2] * c[j + 2] + g[j + 3] * c[j + 3];
            }
            dot += even + odd;
        }
        // dL/dalpha = T (g . c) - (what is behind) / (1 - alpha) + g_alpha T_final / (1 - alpha)
        const Vec<R> g_a = before * dot + (g_alpha - behind) * inverse;
        behind += w * dot;
        moment[k] = (g_a * falloff).only(act & (raw <= R(ALPHA_MAX)));
    }
    st.transmittance[b] = after;
    st.behind[b] = behind;
}

// Sums an entry's pairs over its blocks and lanes into its gradient row.
template <typename R, int NG, bool SHAPE, bool COLOR>
F4X_INLINE void gather_entry(const TileFrame<R>& tile, const R* row, const int* pair, const int* block, int n, int groups,
                             const Workspace<R>& ws, const Vec<R>* g, R* out) {
    const int64_t channels = (NG ? NG : groups) * GROUP;
    if (SHAPE) {
        Vec<R> m[8];
        for (int j = 0; j < 8; j++) m[j] = Vec<R>::zero();
        for (int k = 0; k < n; k++) {
            const BlockFrame<R> frame(tile, block[k]);
            const Vec<R> dx = frame.px - row[X], dy = frame.py - row[Y], v = ws.moment[pair[k]], x = v * dx, y = v * dy;
            m[M_1] += v; m[M_X] += x; m[M_Y] += y; m[M_XX] += x * dx; m[M_XY] += x * dy; m[M_YY] += y * dy;
            if (!COLOR) m[MOMENTS] += ws.weight[pair[k]] * g[block[k] * channels];
        }
        sum_lanes_of_8(m, out);
        if (!COLOR) out[FIRST_CHANNEL] = out[MOMENTS];
    }
    if (!COLOR) return;
    int64_t c = 0;
    if (NG != 1)
        for (; c + 8 <= channels; c += 8) {
            Vec<R> s[8];
            for (int j = 0; j < 8; j++) s[j] = Vec<R>::zero();
            for (int k = 0; k < n; k++) {
                const Vec<R> w = ws.weight[pair[k]];
                const Vec<R>* x = g + block[k] * channels + c;
                for (int j = 0; j < 8; j++) s[j] += w * x[j];
            }
            sum_lanes_of_8(s, out + FIRST_CHANNEL + c);
        }
    if (c == channels) return;
    Vec<R> s[4];
    for (int j = 0; j < 4; j++) s[j] = Vec<R>::zero();
    for (int k = 0; k < n; k++) {
        const Vec<R> w = ws.weight[pair[k]];
        const Vec<R>* x = g + block[k] * channels + c;
        for (int j = 0; j < 4; j++) s[j] += w * x[j];
    }
    sum_lanes_of_4(s, out + FIRST_CHANNEL + c);
}

// Chunk lists from the back: entries end - 1, end - 2, ... with the blocks the forward pass drew.
template <typename R> int list_chunk_back(const Plan<R>& plan, int64_t begin, int64_t end, ChunkLists<R>& lists) {
    const int n = int(std::min<int64_t>(CHUNK, end - begin));
    const int64_t first = end - n;
    lists.begin(first - begin);
    for (int i = n - 1; i >= 0; i--) {
        const R* row = plan.rows.data() + int64_t(plan.entries[first + i]) * plan.stride;
        prefetch_row(row, plan.stride);
        lists.add(i, row, plan.drawn[first + i]);
    }
    lists.end();
    return n;
}

// SHAPE: gradients of geometry and opacity; COLOR: gradients of the colours. Depth's own gradient belongs to SHAPE.
template <typename R, int NG, bool SHAPE, bool COLOR>
void backward_tile(const Plan<R>& plan, const TileFrame<R>& tile, int64_t t, Workspace<R>& ws, const Vec<R>* g, R* rows_out) {
    const int groups = NG ? NG : plan.groups;
    const int64_t begin = plan.tile_begin[t], stride = gradient_stride(groups);
    int64_t end = plan.tile_begin[t + 1];
    while (end > begin && !plan.drawn[end - 1]) end--;
    while (end > begin) {
        const int n = list_chunk_back(plan, begin, end, ws.lists);
        end -= n;
        for (int b = 0; b < BLOCKS; b++)
            if (ws.lists.count[b]) gradients_of_block<R, NG, SHAPE>(tile, b, groups, ws, g + b * groups * GROUP);
        int next[BLOCKS], pair[BLOCKS], block[BLOCKS];
        std::memcpy(next, ws.lists.start, sizeof next);
        for (int i = n - 1; i >= 0; i--) {
            int pairs = 0;
            for (uint32_t left = ws.lists.masks[i]; left; left &= left - 1, pairs++) {
                const int b = __builtin_ctz(left);
                block[pairs] = b;
                pair[pairs] = next[b]++;
            }
            if (pairs) gather_entry<R, NG, SHAPE, COLOR>(tile, ws.lists.rows[i], pair, block, pairs, groups, ws, g, rows_out + (end + i) * stride);
        }
    }
}

template <typename R, int NG, bool SHAPE, bool COLOR>
void backward_tiles(const Plan<R>& plan, const Camera<R>& cam, int threads, const R* g_image, const R* g_depth,
                    const R* g_alpha, R* rows_out) {
    const size_t tile_size = size_t(BLOCKS) * size_t(plan.groups) * GROUP;
    Buffer<Vec<R>> incoming(size_t(threads) * tile_size);
    Buffer<Workspace<R>> workspaces((size_t(threads)));
    for_items(threads, cam.tiles(), [&](int worker, int64_t t) {
        if (plan.tile_begin[t] == plan.tile_begin[t + 1]) return;
        const TileFrame<R> tile(cam, t);
        Vec<R>* g = incoming.data() + size_t(worker) * tile_size;
        Workspace<R>& ws = workspaces[size_t(worker)];
        load_tile(plan, tile, cam.width, t, g_image, g_depth, g_alpha, ws.state, g);
        backward_tile<R, NG, SHAPE, COLOR>(plan, tile, t, ws, g, rows_out);
    });
}

// Gradients of eight Gaussians: in the projected quantities, and what the chain rule makes of them.
template <typename R> struct Gradients8 {
    Vec<R> mean2d[2], conic[3], z;
    Vec<R> mean[3], quat[4], scale[3];
    Vec<R> view[12];  // [3, 4]
};

// From the covariance's inverse to the rows u = r0 Q S and v = r1 Q S that it is made of.
template <typename R> F4X_INLINE void conic_backward(const Ewa<R>& e, const Vec<R>* g, Vec<R>* gu, Vec<R>* gv) {
    typedef Vec<R> V;
    // conic = inverse of the covariance X: dX = -conic dConic conic, with the symmetric gradient [[ga, gb], [gb, gc]]
    const V idet = R(1) / e.det, ca = e.C * idet, cb = -e.B * idet, cc = e.A * idet;
    const V ga = g[0], gb = g[1] * R(0.5), gc = g[2];
    const V t00 = ga * ca + gb * cb, t01 = ga * cb + gb * cc, t10 = gb * ca + gc * cb, t11 = gb * cb + gc * cc;
    const V gA = -(ca * t00 + cb * t10), gB = -(ca * t01 + cb * t11), gC = -(cb * t01 + cc * t11);  // gB: one off-diagonal entry
    for (int k = 0; k < 3; k++) {
        gu[k] = R(2) * (gA * e.u[k] + gB * e.v[k]);
        gv[k] = R(2) * (gC * e.v[k] + gB * e.u[k]);
    }
}

// From the rotation matrix to the quaternion, whose length has no effect.
template <typename R> F4X_INLINE void rotation_backward(const Ewa<R>& e, const Vec<R>* gQ, Vec<R>* g) {
    typedef Vec<R> V;
    const V w = e.q[0], a = e.q[1], b = e.q[2], c = e.q[3];
    V d[4];
    d[0] = R(2) * (c * (gQ[3] - gQ[1]) + b * (gQ[2] - gQ[6]) + a * (gQ[7] - gQ[5]));
    d[1] = R(2) * (b * (gQ[1] + gQ[3]) + c * (gQ[2] + gQ[6]) + w * (gQ[7] - gQ[5]) - R(2) * a * (gQ[4] + gQ[8]));
    d[2] = R(2) * (a * (gQ[1] + gQ[3]) + w * (gQ[2] - gQ[6]) + c * (gQ[5] + gQ[7]) - R(2) * b * (gQ[0] + gQ[8]));
    d[3] = R(2) * (w * (gQ[3] - gQ[1]) + a * (gQ[2] + gQ[6]) + b * (gQ[5] + gQ[7]) - R(2) * c * (gQ[0] + gQ[4]));
    const V along = d[0] * w + d[1] * a + d[2] * b + d[3] * c;
    for (int k = 0; k < 4; k++) g[k] = (d[k] - along * e.q[k]) * e.qn;
}

// Chain rule from the pixel plane back to mean, quaternion, scale and camera.
template <typename R>
F4X_INLINE void project_backward(const Ewa<R>& e, const Camera<R>& cam, const Vec<R>* mean, const Vec<R>* scale, Gradients8<R>& g) {
    typedef Vec<R> V;
    const R* W = cam.rotation;
    V gu[3], gv[3], gr0[3], gr1[3], gQ[9];
    conic_backward(e, g.conic, gu, gv);
    for (int k = 0; k < 3; k++) g.scale[k] = gu[k] * e.uq[k] + gv[k] * e.vq[k];
    for (int j = 0; j < 3; j++) {
        gr0[j] = gr1[j] = V::zero();
        for (int k = 0; k < 3; k++) {
            const V m = e.Q[3 * j + k] * scale[k];
            gr0[j] += gu[k] * m;
            gr1[j] += gv[k] * m;
            gQ[3 * j + k] = (e.r0[j] * gu[k] + e.r1[j] * gv[k]) * scale[k];
        }
    }
    rotation_backward(e, gQ, g.quat);
    // r0 = fx / z (W0 - xl W2), r1 = fy / z (W1 - yl W2)
    const V fx = e.iz * cam.fx, fy = e.iz * cam.fy;
    const V gxl = -fx * (gr0[0] * W[6] + gr0[1] * W[7] + gr0[2] * W[8]);
    const V gyl = -fy * (gr1[0] * W[6] + gr1[1] * W[7] + gr1[2] * W[8]);
    const V gxn = g.mean2d[0] * cam.fx + gxl.only((e.xn > cam.x_min) & (e.xn < cam.x_max));
    const V gyn = g.mean2d[1] * cam.fy + gyl.only((e.yn > cam.y_min) & (e.yn < cam.y_max));
    const V giz = (Ewa<R>::dot(gr0, e.r0) + Ewa<R>::dot(gr1, e.r1)) * e.p[2] + gxn * e.p[0] + gyn * e.p[1];
    const V gp[3] = {gxn * e.iz, gyn * e.iz, g.z - giz * e.iz * e.iz};
    for (int k = 0; k < 3; k++) {
        g.mean[k] = gp[0] * W[k] + gp[1] * W[3 + k] + gp[2] * W[6 + k];
        g.view[k] = gp[0] * mean[k] + fx * gr0[k];
        g.view[4 + k] = gp[1] * mean[k] + fy * gr1[k];
        g.view[8 + k] = gp[2] * mean[k] - fx * e.xl * gr0[k] - fy * e.yl * gr1[k];
        g.view[4 * k + 3] = gp[k];
    }
}

// Sums a Gaussian's gradient rows in the order of its tiles; false if no tile drew it.
template <typename R> bool sum_entries(const Plan<R>& plan, int64_t at, int64_t stride, const R* rows, R* sum) {
    bool some = false;
    for (int64_t s = plan.slots[at]; s < plan.slots[at + 1]; s++) {
        const int64_t e = plan.slot_entry[s];
        if (!plan.drawn[e]) continue;
        const R* row = rows + e * stride;
        if (some) for (int64_t c = 0; c < stride; c++) sum[c] += row[c];
        else for (int64_t c = 0; c < stride; c++) sum[c] = row[c];
        some = true;
    }
    return some;
}

// Everything gather_gaussians will touch of row k, whose places are scattered.
template <typename R>
F4X_INLINE void prefetch_gaussian(const Plan<R>& plan, const F4xGaussians& g, int64_t k, int64_t stride, const R* rows,
                                  const F4xGradients& out) {
    const int64_t i = plan.ids[k];
    for (int64_t s = plan.slots[k]; s < plan.slots[k + 1]; s++) {
        const int64_t e = plan.slot_entry[s];
        __builtin_prefetch(&plan.drawn[e]);
        prefetch_row(rows + e * stride, stride);
    }
    __builtin_prefetch(static_cast<const R*>(g.means) + 3 * i);
    __builtin_prefetch(static_cast<const R*>(g.quats) + 4 * i);
    __builtin_prefetch(static_cast<const R*>(g.scales) + 3 * i);
    if (out.means) __builtin_prefetch(static_cast<R*>(out.means) + 3 * i, 1);
    if (out.quats) __builtin_prefetch(static_cast<R*>(out.quats) + 4 * i, 1);
    if (out.scales) __builtin_prefetch(static_cast<R*>(out.scales) + 3 * i, 1);
    if (out.colors) __builtin_prefetch(static_cast<R*>(out.colors) + g.channels * i, 1);
}

// The projection's part for n <= 8 rows whose moments (and depth) lie in `moments`: writes or adds to `out`.
template <typename R>
void gather_shapes(const F4xGaussians& g, const Camera<R>& cam, const int64_t* items, int n, const Vec<R>* moments,
                   const F4xGradients& out, double* view) {
    Vec<R> mean[3], quat[4], scale[3], opacity;
    load_lanes<3>(g.means, items, mean);
    load_lanes<4>(g.quats, items, quat);
    load_lanes<3>(g.scales, items, scale);
    load_lanes<1>(g.opacities, items, &opacity);
    Ewa<R> e;
    e.point(cam, mean);
    e.shape(cam, quat, scale);
    // alpha = o exp(-s): d alpha = -o falloff ds, and s = a dx^2 / 2 + b dx dy + c dy^2 / 2 with d = pixel - mean
    const Vec<R> scaled = opacity / e.det;
    Gradients8<R> d;
    d.mean2d[0] = scaled * (e.C * moments[M_X] - e.B * moments[M_Y]);
    d.mean2d[1] = scaled * (e.A * moments[M_Y] - e.B * moments[M_X]);
    d.conic[0] = opacity * moments[M_XX] * R(-0.5);
    d.conic[1] = -opacity * moments[M_XY];
    d.conic[2] = opacity * moments[M_YY] * R(-0.5);
    d.z = moments[MOMENTS];
    project_backward(e, cam, mean, scale, d);
    if (out.means) store_lanes<3>(d.mean, out.means, items, n);
    if (out.quats) store_lanes<4>(d.quat, out.quats, items, n);
    if (out.scales) store_lanes<3>(d.scale, out.scales, items, n);
    if (view)
        for (int k = 0; k < 12; k++)
            for (int j = 0; j < n; j++) view[k] += double(d.view[k].lanes()[j]);
}

template <typename R>
void gather_gaussians(const Plan<R>& plan, const F4xGaussians& g, const Camera<R>& cam, int threads, const R* rows,
                      const F4xGradients& out) {
    constexpr int64_t BATCH = 512;  // fixed, so that the camera's gradient is summed in one order
    const int64_t stride = gradient_stride(plan.groups), batches = (plan.visible + BATCH - 1) / BATCH;
    const bool shape = out.means || out.quats || out.scales || out.viewmat;
    const int64_t colors = plan.channels - 1;
    Buffer<R> scratch(size_t(threads) * size_t(stride));
    Buffer<double> views(out.viewmat ? size_t(batches) * 12 : 0);
    for_items(threads, batches, [&, colors, stride](int worker, int64_t batch) {
        R* sum = scratch.data() + worker * stride;
        double* view = out.viewmat ? views.data() + batch * 12 : nullptr;
        if (view) std::fill(view, view + 12, 0.0);
        Vec<R> moments[MOMENTS + 1] = {};
        int64_t items[LANES] = {};
        int n = 0;
        const auto flush = [&] {
            for (int j = n; j < LANES; j++) items[j] = items[0];  // the other lanes repeat the first and are not stored
            if (n) gather_shapes(g, cam, items, n, moments, out, view);
            n = 0;
        };
        for (int64_t k = batch * BATCH; k < std::min(plan.visible, (batch + 1) * BATCH); k++) {
            if (k + 8 < plan.visible) prefetch_gaussian(plan, g, k + 8, stride, rows, out);
            if (!sum_entries(plan, k, stride, rows, sum)) continue;
            const int64_t i = plan.ids[k];
            if (out.colors) {
                R* color = static_cast<R*>(out.colors) + i * colors;
                for (int64_t c = 0; c < colors; c++) color[c] = sum[FIRST_CHANNEL + 1 + c];
            }
            if (out.opacities) static_cast<R*>(out.opacities)[i] = sum[M_1];
            if (!shape) continue;
            items[n] = i;
            for (int m = 0; m < MOMENTS; m++) moments[m].lanes()[n] = sum[m];
            moments[MOMENTS].lanes()[n] = sum[FIRST_CHANNEL];
            if (++n == LANES) flush();
        }
        flush();
    });
    if (!out.viewmat) return;
    std::fill(out.viewmat, out.viewmat + 12, 0.0);
    for (int64_t b = 0; b < batches; b++) for (int k = 0; k < 12; k++) out.viewmat[k] += views[b * 12 + k];
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
