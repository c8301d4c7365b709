// SPDX-License-Identifier: Apache-2.0
// Stage 4: gradients. Back to front through each tile's list, one row of gradients per entry (no atomics), then per
// Gaussian: sum its entries in a fixed order and carry the sum through the projection.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "ewa.hpp"
#include "parallel.hpp"
#include "tile.hpp"

namespace f4x {
namespace {

// A gradient row: moments of m = dL/d(alpha) alpha over mean - pixel, then the channels (depth first).
enum Moment { M_1, M_X, M_Y, M_XX, M_XY, M_YY, MOMENTS };

inline int64_t gradient_stride(int groups) { return MOMENTS + 2 + int64_t(groups) * GROUP; }
constexpr int FIRST_CHANNEL = MOMENTS + 2;  // keeps the channels' sums aligned to groups of four

// What comes into a block: the centres of its pixels, then the gradients: of alpha times the final transmittance, and
// from CHANNELS_IN on those of the channels.
enum Incoming { PIXEL_X, PIXEL_Y, ALPHA_IN, PAD_IN, CHANNELS_IN };

inline int64_t incoming_stride(int groups) { return CHANNELS_IN + int64_t(groups) * GROUP; }

// The pixels of a tile during back-to-front accumulation.
template <typename R> struct TileGradients {
    Vec<R> transmittance[BLOCKS];
    Vec<R> behind[BLOCKS];  // sum over the entries behind of w (g . c)
    Mask<R> stop[BLOCKS];
    Vec<R> right[BLOCKS];   // from block 0; infinite for the pixels that were full before the entry at hand
    typename Mask<R>::Int wake[BLOCKS];  // entries before this one meet more of them
};

template <typename R> struct Workspace {
    Chunk<R> chunk;
    TileGradients<R> state;
    struct Pair { Vec<R> weight, moment; } pairs[PAIRS];
};

// Moves the block's pixels that are open to `entry` to where they are.
template <typename R> void wake(const TileFrame<R>& tile, int b, typename Mask<R>::Int entry, TileGradients<R>& st) {
    st.wake[b] = 0;
    for (int i = 0; i < LANES; i++) {
        const auto stop = st.stop[b].lanes()[i];
        st.right[b].lanes()[i] = stop > entry ? tile.right[b >> 3].lanes()[i] : R(INFINITY);
        if (stop <= entry) st.wake[b] = std::max(st.wake[b], stop);
    }
}

template <typename R>
void load_tile(const Plan<R>& plan, const TileFrame<R>& tile, int width, int64_t t, const R* g_image, const R* g_depth,
               const R* g_alpha, TileGradients<R>& st, Vec<R>* in) {
    typedef typename Mask<R>::Int Int;
    const int64_t stride = incoming_stride(plan.groups);
    std::memset(static_cast<void*>(in), 0, sizeof(Vec<R>) * size_t(BLOCKS * stride));
    std::memset(static_cast<void*>(st.behind), 0, sizeof st.behind);
    std::memcpy(static_cast<void*>(st.transmittance), plan.transmittance.data() + t * TILE_PIXELS, TILE_PIXELS * sizeof(R));
    for (int b = 0; b < BLOCKS; b++) {
        for (int i = 0; i < LANES; i++) st.stop[b].lanes()[i] = plan.stop[size_t(t * TILE_PIXELS + b * LANES + i)];
        in[b * stride + PIXEL_X] = tile.lane_x + tile.right[b >> 3];
        in[b * stride + PIXEL_Y] = tile.lane_y + tile.down[b & 7];
        st.right[b] = tile.right[b >> 3];
        st.wake[b] = 0;
        if ((Mask<R>::all(Int(NEVER)) > st.stop[b]).any()) wake(tile, b, Int(NEVER) - 1, st);
    }
    const Vec<R>* transmittance = st.transmittance;
    with_colors(plan.channels - 1, [=](auto colors) F4X_INLINE_LAMBDA {
        each_run(tile, width, [=](int b, int lane, int64_t p, auto n) F4X_INLINE_LAMBDA {
            R* out = in[b * stride + CHANNELS_IN].lanes() + lane;
            if (g_alpha) {
                R* a = in[b * stride + ALPHA_IN].lanes() + lane;
                const R* left = transmittance[b].lanes() + lane;
                for (int i = 0; i < n; i++) a[i] = g_alpha[p + i] * left[i];
            }
            if (g_depth) for (int i = 0; i < n; i++) out[i] = g_depth[p + i];
            if (g_image) {
                const R* g = g_image + p * colors;
                for (int i = 0; i < n; i++)
                    for (int64_t c = 0; c < colors; c++) out[(c + 1) * LANES + i] = g[i * colors + c];
            }
        });
    });
}

// Back to front over one block's entries: the weight w and the moment m = dL/dalpha alpha of every pair.
// NG is the number of channel groups when it is known at compile time, 0 otherwise.
template <typename R, int NG, bool SHAPE>
void gradients_of_block(const TileFrame<R>& tile, int b, int groups, Workspace<R>& ws, const Vec<R>* in) {
    TileGradients<R>& st = ws.state;
    typename Workspace<R>::Pair* pairs = ws.pairs + pair_of(b, 0);
    const Vec<R> down = tile.down[b & 7], g_alpha = in[ALPHA_IN];
    const Vec<R>* g = in + CHANNELS_IN;
    Vec<R> right = st.right[b], after = st.transmittance[b], behind = st.behind[b];
    auto wake_at = st.wake[b];
    ws.chunk.each_member(b, [&](const Near<R>& near, int64_t i) F4X_INLINE_LAMBDA {
        if (__builtin_expect(near.entry < wake_at, 0)) {
            wake(tile, b, near.entry, st);
            right = st.right[b];
            wake_at = st.wake[b];
        }
        typename Workspace<R>::Pair& pair = *held(pairs + i);
        const Vec<R> t = near.t(right, down);
        const Vec<R> raw = exp_minus_8(t), alpha = raw.below(R(ALPHA_MAX)).only(t <= R(T_MAX));
        const Vec<R> inverse = Vec<R>::all(1) / (R(1) - alpha);
        const Vec<R> before = after * inverse, w = alpha * before;
        after = before;
        pair.weight = w;
        if (!SHAPE) return true;
        Vec<R> dot = g[0] * near.at(CHANNELS);
        for (int c = 1; c < GROUP; c++) dot = dot + g[c] * near.at(CHANNELS + c);
        if (NG != 1) {
            const R* c = near.whole + CHANNELS;
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
        pair.moment = (g_a * alpha).only(raw <= R(ALPHA_MAX));
        return true;
    });
    st.transmittance[b] = after;
    st.behind[b] = behind;
}

// Sums entry i's pairs over its blocks and lanes into its gradient row: moments and the first four channels.
template <typename R, int NG, bool SHAPE, bool COLOR>
F4X_INLINE void gather_entry(int i, int groups, const Workspace<R>& ws, const Vec<R>* in, R* out) {
    const int64_t stride = incoming_stride(NG ? NG : groups);
    const R* row = ws.chunk.near[i].whole;
    const Vec<R> mean_x = Vec<R>::all(row[X]), mean_y = Vec<R>::all(row[Y]);
    const typename Workspace<R>::Pair* pairs = ws.pairs + i;
    Vec<R> m[8], s[GROUP];
    for (int j = 0; j < 8; j++) m[j] = Vec<R>::zero();
    for (int j = 0; j < GROUP; j++) s[j] = Vec<R>::zero();
    for (uint32_t left = ws.chunk.masks[i]; left; left &= left - 1) {
        const int64_t b = __builtin_ctz(left);
        const auto& pair = *held(pairs + pair_of(b, 0));
        const Vec<R>* at = held(in + b * stride);
        if (SHAPE) {
            const Vec<R> dx = mean_x - at[PIXEL_X], dy = mean_y - at[PIXEL_Y], v = pair.moment, x = v * dx, y = v * dy;
            m[M_1] += v; m[M_X] += x; m[M_Y] += y; m[M_XX] += x * dx; m[M_XY] += x * dy; m[M_YY] += y * dy;
            if (!COLOR) m[MOMENTS] += pair.weight * at[CHANNELS_IN];
        }
        if (COLOR)
            for (int j = 0; j < GROUP; j++) s[j] += pair.weight * at[CHANNELS_IN + j];
    }
    if (SHAPE) {
        sum_lanes_of_8(m, out);
        if (!COLOR) out[FIRST_CHANNEL] = out[MOMENTS];
    }
    if (COLOR) sum_lanes_of_4(s, out + FIRST_CHANNEL);
}

// The channels from the fifth on.
template <typename R> void gather_channels(int i, int groups, const Workspace<R>& ws, const Vec<R>* in, R* out) {
    const int64_t channels = groups * GROUP, stride = incoming_stride(groups);
    const auto add = [&](auto count, int64_t c) F4X_INLINE_LAMBDA {
        Vec<R> s[count()];
        for (int j = 0; j < count(); j++) s[j] = Vec<R>::zero();
        for (uint32_t left = ws.chunk.masks[i]; left; left &= left - 1) {
            const int64_t b = __builtin_ctz(left);
            const Vec<R> w = ws.pairs[pair_of(b, i)].weight;
            const Vec<R>* x = in + b * stride + CHANNELS_IN + c;
            for (int j = 0; j < count(); j++) s[j] += w * x[j];
        }
        if constexpr (count() == 8) sum_lanes_of_8(s, out + FIRST_CHANNEL + c);
        else sum_lanes_of_4(s, out + FIRST_CHANNEL + c);
    };
    int64_t c = GROUP;
    for (; c + 8 <= channels; c += 8) add(std::integral_constant<int, 8>(), c);
    if (c < channels) add(std::integral_constant<int, 4>(), c);
}

// Writes the gradient rows of tile t's entries, each at its slot, and whether there is one.
// SHAPE: gradients of geometry and opacity; COLOR: gradients of the colours. Depth's own gradient belongs to SHAPE.
template <typename R, int NG, bool SHAPE, bool COLOR>
void backward_tile(const Plan<R>& plan, const TileFrame<R>& tile, int64_t t, Workspace<R>& ws, const Vec<R>* in, R* rows_out, uint8_t* drawn) {
    const int groups = NG ? NG : plan.groups;
    const int64_t begin = plan.tile_begin[t], stride = gradient_stride(groups);
    const int32_t* slots = plan.entry_slot.data();
    int64_t end = plan.tile_begin[t + 1];
    for (; end > begin && !plan.entries[end - 1].blocks; end--) drawn[slots[end - 1]] = 0;
    while (end > begin) {
        const int n = int(std::min<int64_t>(CHUNK, end - begin));
        fill_chunk(plan, tile, t, end - 1, n, -1, ~uint32_t(0), ws.chunk);
        for (int b = 0; b < BLOCKS; b++)
            if (ws.chunk.members[b]) gradients_of_block<R, NG, SHAPE>(tile, b, groups, ws, in + b * incoming_stride(groups));
        for (int i = 0; i < n; i++) {
            const int64_t slot = slots[end - 1 - i];
            const bool some = ws.chunk.masks[i] != 0;
            drawn[slot] = some;
            if (!some) continue;
            R* out = rows_out + slot * stride;
            gather_entry<R, NG, SHAPE, COLOR>(i, groups, ws, in, out);
            if (NG != 1 && COLOR) gather_channels(i, groups, ws, in, out);
        }
        end -= n;
    }
}

template <typename R, int NG, bool SHAPE, bool COLOR>
void backward_tiles(const Plan<R>& plan, const Camera<R>& cam, int threads, const R* g_image, const R* g_depth,
                    const R* g_alpha, R* rows_out, uint8_t* drawn) {
    const size_t tile_size = size_t(BLOCKS) * size_t(incoming_stride(plan.groups));
    Buffer<Vec<R>> incoming(size_t(threads) * tile_size);
    Buffer<Workspace<R>> workspaces((size_t(threads)));
    for_items(threads, cam.tiles(), [&](int worker, int64_t t) {
        if (plan.tile_begin[t] == plan.tile_begin[t + 1]) return;
        const TileFrame<R> tile(cam, t);
        Vec<R>* in = incoming.data() + size_t(worker) * tile_size;
        Workspace<R>& ws = workspaces[size_t(worker)];
        load_tile(plan, tile, cam.width, t, g_image, g_depth, g_alpha, ws.state, in);
        backward_tile<R, NG, SHAPE, COLOR>(plan, tile, t, ws, in, rows_out, drawn);
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
template <typename R> F4X_INLINE bool sum_slots(const Plan<R>& plan, int64_t i, int64_t stride, const R* rows, const uint8_t* drawn, R* sum) {
    bool some = false;
    for (int64_t s = plan.slots[i]; s < plan.slots[i + 1]; s++) {
        if (!drawn[s]) continue;
        const R* row = rows + s * stride;
        if (some) for (int64_t c = 0; c < stride; c++) sum[c] += row[c];
        else for (int64_t c = 0; c < stride; c++) sum[c] = row[c];
        some = true;
    }
    return some;
}

// The projection's part for n <= 8 rows whose moments (and depth) lie in `moments`: writes or adds to `out`.
template <typename R>
void gather_shapes(const F4xGaussians& g, const Camera<R>& cam, const int64_t* items, int n, const Vec<R>* moments,
                   const F4xGradients& out, double* view) {
    Vec<R> mean[3], quat[4], scale[3];
    load_lanes<3>(g.means, items, mean);
    load_lanes<4>(g.quats, items, quat);
    load_lanes<3>(g.scales, items, scale);
    Ewa<R> e;
    e.point(cam, mean);
    e.shape(cam, quat, scale);
    // alpha = o exp(-s): d alpha = -alpha ds, and s = a dx^2 / 2 + b dx dy + c dy^2 / 2; the moments are of -d
    const Vec<R> scaled = R(1) / e.det;
    Gradients8<R> d;
    d.mean2d[0] = scaled * (e.B * moments[M_Y] - e.C * moments[M_X]);
    d.mean2d[1] = scaled * (e.B * moments[M_X] - e.A * moments[M_Y]);
    d.conic[0] = moments[M_XX] * R(-0.5);
    d.conic[1] = -moments[M_XY];
    d.conic[2] = moments[M_YY] * R(-0.5);
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
                      const uint8_t* drawn, const F4xGradients& out) {
    constexpr int64_t LINE = 16;    // numbers
    constexpr int64_t BATCH = 512;  // fixed, so that the camera's gradient is summed in one order
    const int64_t stride = gradient_stride(plan.groups), batches = (g.count + BATCH - 1) / BATCH;
    const bool shape = out.means || out.quats || out.scales || out.viewmat;
    const int64_t colors = plan.channels - 1;
    const int64_t room = (stride / LINE + 2) * LINE;  // no two threads write to one line of the cache
    Buffer<R> scratch(size_t(threads) * size_t(room));
    Buffer<double> views(out.viewmat ? size_t(batches) * 12 : 0);
    for_items(threads, batches, [&, colors, stride, room](int worker, int64_t batch) {
        R* sum = scratch.data() + worker * room;
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
        for (int64_t i = batch * BATCH; i < std::min(g.count, (batch + 1) * BATCH); i++) {
            if (!sum_slots(plan, i, stride, rows, drawn, sum)) continue;
            if (out.colors) {
                R* color = static_cast<R*>(out.colors) + i * colors;
                for (int64_t c = 0; c < colors; c++) color[c] = sum[FIRST_CHANNEL + 1 + c];
            }
            if (out.opacities) static_cast<R*>(out.opacities)[i] = sum[M_1] / static_cast<const R*>(g.opacities)[i];
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
    Buffer<uint8_t> drawn(plan.entries.size());
    const bool shape = out.means || out.quats || out.scales || out.viewmat || out.opacities;
    auto run = [&](auto tiles) { tiles(plan, cam, threads, g_image, g_depth, g_alpha, rows.data(), drawn.data()); };
    if (plan.groups == 1) {
        if (!shape) run(backward_tiles<R, 1, false, true>);
        else if (out.colors) run(backward_tiles<R, 1, true, true>);
        else run(backward_tiles<R, 1, true, false>);
    } else {
        if (!shape) run(backward_tiles<R, 0, false, true>);
        else if (out.colors) run(backward_tiles<R, 0, true, true>);
        else run(backward_tiles<R, 0, true, false>);
    }
    gather_gaussians(plan, g, cam, threads, rows.data(), drawn.data(), out);
}

template void backward<float>(const Plan<float>&, const F4xGaussians&, const Camera<float>&, int, const float*, const float*, const float*, const F4xGradients&);
template void backward<double>(const Plan<double>&, const F4xGaussians&, const Camera<double>&, int, const double*, const double*, const double*, const F4xGradients&);

}  // namespace f4x
