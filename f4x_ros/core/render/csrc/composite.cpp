// SPDX-License-Identifier: Apache-2.0
// Stage 3: front-to-back alpha compositing, one tile at a time (Kerbl et al. 2023, rules of gsplat 1.5.3).
#include <cstring>

#include "parallel.hpp"
#include "tile.hpp"

namespace f4x {
namespace {

template <typename R> struct Workspace {
    Chunk<R> chunk;
    TileState<R> state;
    Vec<R> weights[CHUNK];  // of one block's entries
};

// With the first four channels only (depth and up to three colours): sums in registers.
template <typename R> void draw_4(const TileFrame<R>& tile, int b, Workspace<R>& ws, int64_t, Vec<R>* sums) {
    Vec<R> s0 = sums[0], s1 = sums[1], s2 = sums[2], s3 = sums[3];
    composite_block(tile, b, ws.chunk, ws.state, [&](const Near<R>& near, int64_t, const Vec<R>& w) F4X_INLINE_LAMBDA {
        s0 += w * near.at(CHANNELS);
        s1 += w * near.at(CHANNELS + 1);
        s2 += w * near.at(CHANNELS + 2);
        s3 += w * near.at(CHANNELS + 3);
    });
    sums[0] = s0; sums[1] = s1; sums[2] = s2; sums[3] = s3;
}

// sums[j] += weight times channel c + j of block b's entries under `end`, j < COUNT.
template <int COUNT, typename R> F4X_INLINE void add_channels(int b, const Workspace<R>& ws, int64_t end, int64_t c, Vec<R>* sums) {
    Vec<R> s[COUNT];
    for (int j = 0; j < COUNT; j++) s[j] = sums[j];
    ws.chunk.each_member(b, [&](const Near<R>& near, int64_t i) F4X_INLINE_LAMBDA {
        if (i >= end) return false;
        const R* color = near.whole + CHANNELS + c;
        const Vec<R> w = ws.weights[i];
        for (int j = 0; j < COUNT; j++) s[j] += w * color[j];
        return true;
    });
    for (int j = 0; j < COUNT; j++) sums[j] = s[j];
}

// Any number of channels: first the weights, then the channels, eight at a time.
template <typename R> void draw_any(const TileFrame<R>& tile, int b, Workspace<R>& ws, int64_t channels, Vec<R>* sums) {
    int64_t end = 0;
    composite_block(tile, b, ws.chunk, ws.state, [&](const Near<R>&, int64_t i, const Vec<R>& w) F4X_INLINE_LAMBDA {
        ws.weights[i] = w;
        end = i + 1;
    });
    int64_t c = 0;
    for (; c + 8 <= channels; c += 8) add_channels<8>(b, ws, end, c, sums + c);
    if (c < channels) add_channels<4>(b, ws, end, c, sums + c);
}

template <typename R> using Draw = void (*)(const TileFrame<R>&, int, Workspace<R>&, int64_t, Vec<R>*);

template <typename R>
void composite_tile(Plan<R>& plan, const TileFrame<R>& tile, int64_t t, bool keep, Draw<R> draw, Workspace<R>& ws, Vec<R>* sums) {
    const int64_t channels = plan.groups * GROUP, end = plan.tile_begin[t + 1];
    ws.state.begin(tile);
    std::memset(static_cast<void*>(sums), 0, sizeof(Vec<R>) * size_t(BLOCKS * channels));
    int64_t e = plan.tile_begin[t];
    while (e < end && ws.state.open) {
        const int n = int(std::min<int64_t>(CHUNK, end - e));
        fill_chunk(plan, tile, t, e, n, 1, ws.state.open, ws.chunk);
        for (uint32_t left = ws.state.open; left; left &= left - 1) {
            const int b = __builtin_ctz(left);
            if (ws.chunk.members[b]) draw(tile, b, ws, channels, sums + b * channels);
        }
        if (keep) for (int i = 0; i < n; i++) plan.entries[e + i].blocks = ws.chunk.masks[i];
        e += n;
    }
    if (keep) for (; e < end; e++) plan.entries[e].blocks = 0;
}

// From block order to images.
template <typename R>
void store_tile(const Plan<R>& plan, const TileFrame<R>& tile, int width, const TileState<R>& st, const Vec<R>* sums, R* image,
                R* depth, R* alpha) {
    const int64_t channels = plan.groups * GROUP;
    const Vec<R>* transmittance = st.transmittance;
    with_colors(plan.channels - 1, [=](auto colors) F4X_INLINE_LAMBDA {
        each_run(tile, width, [=](int b, int lane, int64_t p, auto n) F4X_INLINE_LAMBDA {
            const R* left = transmittance[b].lanes() + lane;
            const R* sum = sums[b * channels].lanes() + lane;
            for (int i = 0; i < n; i++) alpha[p + i] = R(1) - left[i];
            for (int i = 0; i < n; i++) depth[p + i] = sum[i];
            R* out = image + p * colors;
            for (int i = 0; i < n; i++)
                for (int64_t c = 0; c < colors; c++) out[i * colors + c] = sum[(c + 1) * LANES + i];
        });
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
