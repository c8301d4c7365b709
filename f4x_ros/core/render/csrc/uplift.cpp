// SPDX-License-Identifier: Apache-2.0
// The transposed pass: sum_p w_gp f_p and sum_p w_gp for every Gaussian g, with the compositing weights w of stage 3.
// It walks the tiles front to back like stage 3, but gathers from the pixels instead of giving to them.
#include <cstring>

#include "parallel.hpp"
#include "tile.hpp"

namespace f4x {
namespace {

template <typename R> struct TileState {
    Vec<R> transmittance[BLOCKS];
    Mask<R> live[BLOCKS];
};

// Channel 0 is the pixel's weight, the features follow, each times that weight.
template <typename R>
void load_tile(const TileFrame<R>& tile, int width, int channels, int groups, const R* features, const R* pixel_weight, Vec<R>* f) {
    std::memset(static_cast<void*>(f), 0, sizeof(Vec<R>) * size_t(BLOCKS * groups * GROUP));
    each_pixel<R>(tile, width, [&](int b, int i, int64_t p) {
        R* lane = f[b * groups * GROUP].lanes() + i;
        const R w = pixel_weight ? pixel_weight[p] : R(1);
        lane[0] = w;
        for (int c = 0; c < channels; c++) lane[(c + 1) * LANES] = w * features[p * channels + c];
    });
}

template <typename R>
void uplift_tile(const Plan<R>& plan, const TileFrame<R>& tile, int64_t t, int groups, TileState<R>& st, const Vec<R>* f,
                 Vec<R>* sums, uint32_t* drawn_out, R* rows_out) {
    const int channels = groups * GROUP;
    const int64_t begin = plan.tile_begin[t], end = plan.tile_begin[t + 1];
    const int stride = (channels + 7) / 8 * 8;
    uint32_t open = 0;
    for (int b = 0; b < BLOCKS; b++) {
        st.transmittance[b] = Vec<R>::all(1);
        st.live[b] = tile.inside(b);
        open |= uint32_t(st.live[b].any()) << b;
    }
    int64_t e = begin;
    for (; e < end && open; e++) {
        const R* row = plan.rows.data() + int64_t(plan.entries[e]) * plan.stride;
        uint32_t left = tile.blocks_met(row) & open, drawn = 0;
        const Splat<R> splat(tile, row);
        for (; left; left &= left - 1) {
            const int b = __builtin_ctz(left);
            Vec<R> dx, dy;
            Vec<R> alpha = (splat.falloff(b, dx, dy) * row[OPACITY]).below(R(ALPHA_MAX));
            Mask<R> act = (alpha >= R(ALPHA_MIN)) & st.live[b];
            const Vec<R> before = st.transmittance[b];
            alpha = alpha.only(act);
            Vec<R> after = before - before * alpha;
            const Mask<R> stop = (after <= R(TRANSMITTANCE_MIN)) & act;
            if (__builtin_expect(stop.any(), 0)) {
                after = before.where(stop, after);
                alpha = Vec<R>::zero().where(stop, alpha);
                act = act.without(stop);
                st.live[b] = st.live[b].without(stop);
                if (!st.live[b].any()) open &= ~(1u << b);
            }
            if (!act.any()) continue;
            if (!drawn) for (int i = 0; i < stride; i++) sums[i] = Vec<R>::zero();
            drawn |= 1u << b;
            st.transmittance[b] = after;
            const Vec<R> w = alpha * before;
            const Vec<R>* x = f + b * channels;
            Vec<R>* s = sums;
            for (int g = 0; g < groups; g++, s += GROUP, x += GROUP) {
                s[0] += w * x[0]; s[1] += w * x[1]; s[2] += w * x[2]; s[3] += w * x[3];
            }
        }
        drawn_out[e] = drawn;
        if (drawn) for (int i = 0; i < stride; i += 8) sum_lanes_of_8(sums + i, rows_out + e * stride + i);
    }
    std::memset(drawn_out + e, 0, size_t(end - e) * sizeof(uint32_t));
}

}  // namespace

template <typename R>
void uplift(const Plan<R>& plan, const Camera<R>& cam, int threads, int channels, const R* features, const R* pixel_weight,
            R* sum, R* weight) {
    const int groups = (channels + 1 + GROUP - 1) / GROUP;
    const int stride = (groups * GROUP + 7) / 8 * 8;
    Buffer<Vec<R>> inputs(size_t(threads) * BLOCKS * size_t(groups) * GROUP), sums(size_t(threads) * size_t(stride));
    Buffer<TileState<R>> states((size_t(threads)));
    Buffer<uint32_t> drawn(plan.entries.size());
    Buffer<R> rows(plan.entries.size() * size_t(stride));
    for_items(threads, cam.tiles(), [&](int worker, int64_t t) {
        if (plan.tile_begin[t] == plan.tile_begin[t + 1]) return;
        const TileFrame<R> tile(cam, t);
        Vec<R>* f = inputs.data() + size_t(worker) * BLOCKS * size_t(groups) * GROUP;
        load_tile(tile, cam.width, channels, groups, features, pixel_weight, f);
        uplift_tile(plan, tile, t, groups, states[worker], f, sums.data() + worker * stride, drawn.data(), rows.data());
    });
    for_parts(threads, plan.visible, [&](int, int64_t begin, int64_t end) {
        for (int64_t k = begin; k < end; k++) {
            const int64_t i = plan.ids[k];
            for (int64_t s = plan.slots[k]; s < plan.slots[k + 1]; s++) {
                const int64_t e = plan.slot_entry[s];
                if (!drawn[e]) continue;
                const R* row = rows.data() + e * stride;
                weight[i] += row[0];
                for (int c = 0; c < channels; c++) sum[i * channels + c] += row[c + 1];
            }
        }
    });
}

template void uplift<float>(const Plan<float>&, const Camera<float>&, int, int, const float*, const float*, float*, float*);
template void uplift<double>(const Plan<double>&, const Camera<double>&, int, int, const double*, const double*, double*, double*);

}  // namespace f4x
