// SPDX-License-Identifier: Apache-2.0
// Stage 3: front-to-back alpha compositing, one tile at a time (Kerbl et al. 2023, rules of gsplat 1.5.3).
#include <cstring>

#include "parallel.hpp"
#include "tile.hpp"

namespace f4x {
namespace {

template <typename R> struct Workspace {
    ChunkLists<R> lists;
    TileState<R> state;
    Vec<R> weights[CHUNK];
};

// With the first four channels only (depth and up to three colours): sums in registers.
template <typename R> void draw_4(const TileFrame<R>& tile, int b, Workspace<R>& ws, int64_t, Vec<R>* sums) {
    Vec<R> s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3];
    composite_block(tile, b, ws.lists, ws.state, [&](int, const R* row, const Vec<R>& w) F4X_INLINE_LAMBDA {
        s0 += w * row[CHANNELS];
        s1 += w * row[CHANNELS + 1];
        s2 += w * row[CHANNELS + 2];
        s3 += w * row[CHANNELS + 3];
    });
    sums[0] = s0; sums[1] = s1; sums[2] = s2; sums[3] = s3;
}

// Any number of channels: first the weights, then the channels, eight at a time.
template <typename R> void draw_any(const TileFrame<R>& tile, int b, Workspace<R>& ws, int64_t channels, Vec<R>* sums) {
    int n = 0;
    Vec<R>* weights = ws.weights;
    composite_block(tile, b, ws.lists, ws.state, [&](int k, const R*, const Vec<R>& w) F4X_INLINE_LAMBDA {
        weights[k] = w;
        n = k + 1;
    });
    const uint8_t* index = ws.lists.index[b];
    int64_t c = 0;
    for (; c + 8 <= channels; c += 8, sums += 8) {
        Vec<R> s[8];
        for (int j = 0; j < 8; j++) s[j] = sums[j];
        for (int k = 0; k < n; k++) {
            const R* color = ws.lists.rows[index[k]] + CHANNELS + c;
            const Vec<R> w = weights[k];
            for (int j = 0; j < 8; j++) s[j] += w * color[j];
        }
        for (int j = 0; j < 8; j++) sums[j] = s[j];
    }
    if (c == channels) return;
    Vec<R> s[4];
    for (int j = 0; j < 4; j++) s[j] = sums[j];
    for (int k = 0; k < n; k++) {
        const R* color = ws.lists.rows[index[k]] + CHANNELS + c;
        const Vec<R> w = weights[k];
        for (int j = 0; j < 4; j++) s[j] += w * color[j];
    }
    for (int j = 0; j < 4; j++) sums[j] = s[j];
}

template <typename R> using Draw = void (*)(const TileFrame<R>&, int, Workspace<R>&, int64_t, Vec<R>*);

template <typename R>
void composite_tile(Plan<R>& plan, const TileFrame<R>& tile, int64_t t, bool keep, Draw<R> draw, Workspace<R>& ws, Vec<R>* sums) {
    const int64_t channels = plan.groups * GROUP, end = plan.tile_begin[t + 1];
    ws.state.begin(tile);
    std::memset(static_cast<void*>(sums), 0, sizeof(Vec<R>) * size_t(BLOCKS * channels));
    int64_t e = plan.tile_begin[t];
    while (e < end && ws.state.open) {
        const int n = list_chunk(plan, tile, t, e, ws.state.open, ws.lists);
        for (uint32_t left = ws.state.open; left; left &= left - 1) {
            const int b = __builtin_ctz(left);
            if (ws.lists.count[b]) draw(tile, b, ws, channels, sums + b * channels);
        }
        if (keep) std::memcpy(plan.drawn.data() + e, ws.lists.masks, size_t(n) * sizeof(uint32_t));
        e += n;
    }
    if (keep) std::memset(plan.drawn.data() + e, 0, size_t(end - e) * sizeof(uint32_t));
}

// From block order to images.
template <typename R>
void store_tile(const Plan<R>& plan, const TileFrame<R>& tile, int width, const TileState<R>& st, const Vec<R>* sums, R* image,
                R* depth, R* alpha) {
    const int64_t channels = plan.groups * GROUP, colors = plan.channels - 1;
    const Vec<R>* transmittance = st.transmittance;
    each_run(tile, width, [=](int b, int lane, int64_t p, int n) {
        const R* left = transmittance[b].lanes() + lane;
        const R* sum = sums[b * channels].lanes() + lane;
        for (int i = 0; i < n; i++) alpha[p + i] = R(1) - left[i];
        for (int i = 0; i < n; i++) depth[p + i] = sum[i];
        R* out = image + p * colors;
        for (int i = 0; i < n; i++)
            for (int64_t c = 1; c <= colors; c++) *out++ = sum[c * LANES + i];
    });
}

template <typename R> void keep_tile(Plan<R>& plan, int64_t t, const TileState<R>& st) {
    std::memcpy(plan.transmittance.data() + t * TILE_PIXELS, st.transmittance, TILE_PIXELS * sizeof(R));
    for (int b = 0; b < BLOCKS; b++)
        for (int i = 0; i < LANES; i++) plan.stop[t * TILE_PIXELS + b * LANES + i] = int32_t(st.stop[b].lanes()[i]);
}

}  // namespace

template <typename R>
void composite(Plan<R>& plan, const Camera<R>& cam, int threads, bool keep, R* image, R* depth, R* alpha) {
    if (keep) {
        plan.drawn.reset(plan.entries.size());
        plan.transmittance.reset(size_t(cam.tiles()) * TILE_PIXELS);
        plan.stop.reset(size_t(cam.tiles()) * TILE_PIXELS);
    }
    const size_t sums_size = size_t(BLOCKS) * size_t(plan.groups) * GROUP;
    Buffer<Vec<R>> sums(size_t(threads) * sums_size);
    Buffer<Workspace<R>> workspaces((size_t(threads)));
    const Draw<R> draw = plan.groups == 1 ? draw_4<R> : draw_any<R>;
    for_items(threads, cam.tiles(), [&](int worker, int64_t t) {
        const TileFrame<R> tile(cam, t);
        Workspace<R>& ws = workspaces[size_t(worker)];
        Vec<R>* s = sums.data() + size_t(worker) * sums_size;
        composite_tile(plan, tile, t, keep, draw, ws, s);
        store_tile(plan, tile, cam.width, ws.state, s, image, depth, alpha);
        if (keep) keep_tile(plan, t, ws.state);
    });
}

template void composite<float>(Plan<float>&, const Camera<float>&, int, bool, float*, float*, float*);
template void composite<double>(Plan<double>&, const Camera<double>&, int, bool, double*, double*, double*);

}  // namespace f4x
