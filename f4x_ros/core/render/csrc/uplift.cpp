// SPDX-License-Identifier: Apache-2.0
// The transposed pass: sum_p w_gp f_p and sum_p w_gp for every Gaussian g, with the compositing weights w of stage 3.
// The weights of a chunk are computed block by block as there, then gathered Gaussian by Gaussian.
#include <algorithm>
#include <cstring>

#include "parallel.hpp"
#include "tile.hpp"

namespace f4x {
namespace {

template <typename R> struct Workspace {
    Chunk<R> chunk;
    TileState<R> state;
    Vec<R> weights[PAIRS];
};

// Channel 0 is the pixel's weight, the features follow, each times that weight.
template <typename R>
void load_tile(const TileFrame<R>& tile, int width, int64_t colors, int64_t channels, const R* features, const R* pixel_weight, Vec<R>* f) {
    std::memset(static_cast<void*>(f), 0, sizeof(Vec<R>) * size_t(BLOCKS * channels));
    each_run(tile, width, [=](int b, int lane, int64_t p, int n) {
        R* out = f[b * channels].lanes() + lane;
        const R* in = features + p * colors;
        for (int i = 0; i < n; i++) {
            const R w = pixel_weight ? pixel_weight[p + i] : R(1);
            out[i] = w;
            for (int64_t c = 1; c <= colors; c++) out[c * LANES + i] = w * *in++;
        }
    });
}

// One Gaussian's pairs: sum over its blocks of weight times channel, four channels at a time.
template <typename R>
void gather_entry(const Vec<R>* const* weights, const Vec<R>* const* pixels, int n, int64_t channels, R* out) {
    for (int64_t c = 0; c < channels; c += GROUP) {
        Vec<R> s[GROUP];
        for (int j = 0; j < GROUP; j++) s[j] = Vec<R>::zero();
        for (int k = 0; k < n; k++) {
            const Vec<R> w = *weights[k];
            const Vec<R>* x = pixels[k] + c;
            for (int j = 0; j < GROUP; j++) s[j] += w * x[j];
        }
        sum_lanes_of_4(s, out + c);
    }
}

// The sums of tile t's entries, each at its slot; zeros for what was not drawn.
template <typename R>
void uplift_tile(const Plan<R>& plan, const TileFrame<R>& tile, int64_t t, int64_t channels, Workspace<R>& ws, const Vec<R>* f, R* rows_out) {
    const int64_t end = plan.tile_begin[t + 1];
    const auto row_out = [&](int64_t e) { return rows_out + int64_t(plan.entry_slot[e]) * channels; };
    Chunk<R>& chunk = ws.chunk;
    ws.state.begin(tile);
    int64_t e = plan.tile_begin[t];
    while (e < end && ws.state.open) {
        const int n = int(std::min<int64_t>(CHUNK, end - e));
        fill_chunk(plan, tile, t, e, n, 1, ws.state.open, chunk);
        for (uint32_t left = ws.state.open; left; left &= left - 1) {
            const int b = __builtin_ctz(left);
            composite_block(tile, b, chunk, ws.state, [&](const Near<R>&, int64_t i, const Vec<R>& w) F4X_INLINE_LAMBDA {
                ws.weights[pair_of(b, i)] = w;
            });
        }
        for (int i = 0; i < n; i++) {
            const Vec<R>* weights[BLOCKS];
            const Vec<R>* pixels[BLOCKS];
            int met = 0;
            for (uint32_t left = chunk.masks[i]; left; left &= left - 1, met++) {
                const int b = __builtin_ctz(left);
                weights[met] = ws.weights + pair_of(b, i);
                pixels[met] = f + b * channels;
            }
            gather_entry(weights, pixels, met, channels, row_out(e + i));
        }
        e += n;
    }
    for (; e < end; e++) std::fill_n(row_out(e), channels, R(0));
}

}  // namespace

template <typename R>
void uplift(const Plan<R>& plan, const Camera<R>& cam, int threads, int colors, const R* features, const R* pixel_weight,
            R* sum, R* weight) {
    const int64_t channels = (colors + 1 + GROUP - 1) / GROUP * GROUP;
    const size_t tile_size = size_t(BLOCKS * channels);
    const int64_t rows_n = int64_t(plan.slots.size()) - 1;
    Buffer<Vec<R>> inputs(size_t(threads) * tile_size);
    Buffer<Workspace<R>> workspaces((size_t(threads)));
    Buffer<R> rows(plan.entries.size() * size_t(channels));
    for_items(threads, cam.tiles(), [&](int worker, int64_t t) {
        if (plan.tile_begin[t] == plan.tile_begin[t + 1]) return;
        const TileFrame<R> tile(cam, t);
        Vec<R>* f = inputs.data() + size_t(worker) * tile_size;
        load_tile(tile, cam.width, colors, channels, features, pixel_weight, f);
        uplift_tile(plan, tile, t, channels, workspaces[size_t(worker)], f, rows.data());
    });
    for_parts(threads, rows_n, [&, colors, channels](int, int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; i++) {
            R* out = sum + i * colors;
            for (int64_t s = plan.slots[i]; s < plan.slots[i + 1]; s++) {
                const R* row = rows.data() + s * channels;
                weight[i] += row[0];
                for (int c = 0; c < colors; c++) out[c] += row[c + 1];
            }
        }
    });
}

template void uplift<float>(const Plan<float>&, const Camera<float>&, int, int, const float*, const float*, float*, float*);
template void uplift<double>(const Plan<double>&, const Camera<double>&, int, int, const double*, const double*, double*, double*);

}  // namespace f4x
