// SPDX-License-Identifier: Apache-2.0
// Stage 3: front-to-back alpha compositing, one tile at a time (Kerbl et al. 2023, rules of gsplat 1.5.3).
#include <cstring>

#include "parallel.hpp"
#include "tile.hpp"

namespace f4x {
namespace {

template <typename R> struct TileState {
    Vec<R> transmittance[BLOCKS];
    Mask<R> live[BLOCKS], last[BLOCKS];
};

// NG is the number of channel groups when it is known at compile time, 0 otherwise.
template <typename R, int NG, bool KEEP>
void composite_tile(Plan<R>& plan, const TileFrame<R>& tile, int64_t t, TileState<R>& st, Vec<R>* sums) {
    const int groups = NG ? NG : plan.groups, channels = groups * GROUP;
    const int64_t begin = plan.tile_begin[t], end = plan.tile_begin[t + 1];
    const Vec<R> zero = Vec<R>::zero();
    uint32_t open = 0;  // blocks with a live pixel
    for (int b = 0; b < BLOCKS; b++) {
        st.transmittance[b] = Vec<R>::all(1);
        st.live[b] = tile.inside(b);
        if (KEEP) st.last[b] = Mask<R>::all(-1);
        open |= uint32_t(st.live[b].any()) << b;
    }
    for (int i = 0; i < BLOCKS * channels; i++) sums[i] = zero;

    int64_t e = begin;
    for (; e < end && open; e++) {
        const R* row = plan.rows.data() + int64_t(plan.entries[e]) * plan.stride;
        if (e + 2 < end) __builtin_prefetch(plan.rows.data() + int64_t(plan.entries[e + 2]) * plan.stride);
        uint32_t left = tile.blocks_met(row) & open, drawn = 0;
        const Splat<R> splat(tile, row);
        const R opacity = row[OPACITY];
        for (; left; left &= left - 1) {
            const int b = __builtin_ctz(left);
            Vec<R> dx, dy;
            Vec<R> alpha = (splat.falloff(b, dx, dy) * opacity).below(R(ALPHA_MAX));
            Mask<R> act = (alpha >= R(ALPHA_MIN)) & st.live[b];
            const Vec<R> before = st.transmittance[b];
            alpha = alpha.only(act);
            Vec<R> after = before - before * alpha;
            const Mask<R> stop = (after <= R(TRANSMITTANCE_MIN)) & act;
            if (__builtin_expect(stop.any(), 0)) {  // the pixel is full: this one is left out and it ends here
                after = before.where(stop, after);
                alpha = zero.where(stop, alpha);
                act = act.without(stop);
                st.live[b] = st.live[b].without(stop);
                if (!st.live[b].any()) open &= ~(1u << b);
            }
            if (!act.any()) continue;
            drawn |= 1u << b;
            st.transmittance[b] = after;
            if (KEEP) st.last[b] = Mask<R>::all(typename Mask<R>::Int(e - begin)).where(act, st.last[b]);
            const Vec<R> w = alpha * before;
            Vec<R>* s = sums + b * channels;
            const R* c = row + CHANNELS;
            for (int g = 0; g < groups; g++, s += GROUP, c += GROUP) {
                s[0] += w * c[0]; s[1] += w * c[1]; s[2] += w * c[2]; s[3] += w * c[3];
            }
        }
        if (KEEP) plan.drawn[e] = drawn;
    }
    if (KEEP) std::memset(plan.drawn.data() + e, 0, size_t(end - e) * sizeof(uint32_t));
}

template <typename R, int NG, bool KEEP>
void composite_all(Plan<R>& plan, const Camera<R>& cam, int threads, R* image, R* depth, R* alpha) {
    const int channels = plan.groups * GROUP, colors = plan.channels - 1;
    Buffer<Vec<R>> sums(size_t(threads) * BLOCKS * size_t(channels));
    Buffer<TileState<R>> states((size_t(threads)));
    for_items(threads, cam.tiles(), [&](int worker, int64_t t) {
        const TileFrame<R> tile(cam, t);
        TileState<R>& st = states[worker];
        Vec<R>* s = sums.data() + size_t(worker) * BLOCKS * size_t(channels);
        composite_tile<R, NG, KEEP>(plan, tile, t, st, s);
        each_pixel<R>(tile, cam.width, [&](int b, int i, int64_t p) {
            const R* lane = s[b * channels].lanes() + i;
            alpha[p] = R(1) - st.transmittance[b].lanes()[i];
            depth[p] = lane[0];
            for (int c = 0; c < colors; c++) image[p * colors + c] = lane[(c + 1) * LANES];
        });
        if (KEEP) {
            std::memcpy(plan.transmittance.data() + t * TILE_PIXELS, st.transmittance, TILE_PIXELS * sizeof(R));
            for (int b = 0; b < BLOCKS; b++)
                for (int i = 0; i < LANES; i++) plan.last[t * TILE_PIXELS + b * LANES + i] = int32_t(st.last[b].lanes()[i]);
        }
    });
}

}  // namespace

template <typename R>
void composite(Plan<R>& plan, const Camera<R>& cam, int threads, bool keep, R* image, R* depth, R* alpha) {
    if (keep) {
        plan.drawn.reset(plan.entries.size());
        plan.transmittance.reset(size_t(cam.tiles()) * TILE_PIXELS);
        plan.last.reset(size_t(cam.tiles()) * TILE_PIXELS);
    }
    if (plan.groups == 1) {
        if (keep) composite_all<R, 1, true>(plan, cam, threads, image, depth, alpha);
        else composite_all<R, 1, false>(plan, cam, threads, image, depth, alpha);
    } else {
        if (keep) composite_all<R, 0, true>(plan, cam, threads, image, depth, alpha);
        else composite_all<R, 0, false>(plan, cam, threads, image, depth, alpha);
    }
}

template void composite<float>(Plan<float>&, const Camera<float>&, int, bool, float*, float*, float*);
template void composite<double>(Plan<double>&, const Camera<double>&, int, bool, double*, double*, double*);

}  // namespace f4x
