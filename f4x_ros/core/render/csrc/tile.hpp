// SPDX-License-Identifier: Apache-2.0
// A 16 x 16 tile as 32 blocks of 4 x 2 pixels, and its list of Gaussians resorted by block.
//
// Block b covers columns 4 (b / 8) .. + 3 and rows 2 (b % 8) .. + 1; lanes 0..3 are the upper row. The kernels take
// the tile's list in chunks, turn each chunk into one list per block, and then work through one block at a time:
// its transmittance and its sums stay in registers, and few branches are mispredicted.
#pragma once

#include <algorithm>

#include "plan.hpp"

namespace f4x {

constexpr int CHUNK = 128;  // entries; the rows, lists and weights of a chunk stay in the first-level caches

inline int block_x(int b) { return 4 * (b >> 3); }
inline int block_y(int b) { return 2 * (b & 7); }

template <typename R> struct TileFrame {
    int x0, y0;            // of the tile, pixels
    int columns, rows;     // inside the image
    Vec<R> lane_x, lane_y; // centres of block 0's pixels
    Vec<R> even_y;         // centres of the tile's rows 0, 2, .. 14

    TileFrame(const Camera<R>& camera, int64_t tile) {
        x0 = int(tile % camera.tiles_x) * TILE;
        y0 = int(tile / camera.tiles_x) * TILE;
        columns = std::min(TILE, camera.width - x0);
        rows = std::min(TILE, camera.height - y0);
        for (int i = 0; i < LANES; i++) {
            lane_x.lanes()[i] = R(x0 + (i & 3)) + R(0.5);
            lane_y.lanes()[i] = R(y0 + (i >> 2)) + R(0.5);
            even_y.lanes()[i] = R(y0 + 2 * i) + R(0.5);
        }
    }

    // Blocks that may hold a pixel with alpha >= 1/255. Conservative by 0.01 px; the exact test is on alpha itself.
    F4X_INLINE uint32_t blocks_met(const R* row) const {
        const R slack = R(0.01);
        const Vec<R> dy0 = even_y - row[Y], dy1 = dy0 + R(1);
        const Vec<R> room0 = row[EXTENT2] - dy0 * dy0, room1 = row[EXTENT2] - dy1 * dy1;
        const Vec<R> half0 = room0.above(0).sqrt() * row[SPREAD] + slack, half1 = room1.above(0).sqrt() * row[SPREAD] + slack;
        const R px = row[X] - R(x0) - R(0.5);  // in the tile's pixel indices
        const Vec<R> mid0 = dy0 * row[SLOPE] + px, mid1 = dy1 * row[SLOPE] + px;
        // 0.02 px^2 beyond the extent keeps rows whose room is a rounding error below zero
        const R edge = R(-0.02);
        const Mask<R> in0 = room0 >= edge, in1 = room1 >= edge;
        const Vec<R> far = Vec<R>::all(R(1e30)), near = Vec<R>::all(R(-1e30));
        const Vec<R> lo = (mid0 - half0).where(in0, far).smaller((mid1 - half1).where(in1, far));
        const Vec<R> hi = (mid0 + half0).where(in0, near).larger((mid1 + half1).where(in1, near));
        uint32_t bits = 0;
        for (int j = 0; j < 4; j++) bits |= ((hi >= R(4 * j)) & (lo <= R(4 * j + 3))).bits() << (8 * j);
        return bits;
    }

    // NEVER for the lanes of block b inside the image, 0 (full before the first entry) for the others
    Mask<R> open_lanes(int b) const {
        Mask<R> m;
        for (int i = 0; i < LANES; i++)
            m.lanes()[i] = (block_x(b) + (i & 3) < columns && block_y(b) + (i >> 2) < rows) ? NEVER : 0;
        return m;
    }
};

// The pixels of one block, and how a Gaussian falls off over them.
template <typename R> struct BlockFrame {
    Vec<R> px, py;
    F4X_INLINE BlockFrame(const TileFrame<R>& tile, int b) : px(tile.lane_x + R(block_x(b))), py(tile.lane_y + R(block_y(b))) {}
    F4X_INLINE Vec<R> falloff(const R* row) const {
        const Vec<R> dx = px - row[X], dy = py - row[Y];
        const Vec<R> t = (dx * row[FALL_XX] + dy * row[FALL_XY]) * dx + (dy * row[FALL_YY]) * dy;
        return exp_minus_8(t.above(0).below(1));
    }
};

// A chunk of a tile's entries as one list per block.
template <typename R> struct ChunkLists {
    int64_t first;               // entry of index 0, relative to the tile's first
    const R* rows[CHUNK];
    uint32_t masks[CHUNK];       // blocks each entry meets
    int count[BLOCKS];
    int start[BLOCKS + 1];       // of each block's pairs in the chunk's pair arrays
    uint8_t index[BLOCKS][CHUNK];

    void begin(int64_t e) {
        first = e;
        for (int b = 0; b < BLOCKS; b++) count[b] = 0;
    }
    F4X_INLINE void add(int i, const R* row, uint32_t mask) {
        rows[i] = row;
        masks[i] = mask;
        for (; mask; mask &= mask - 1) {
            const int b = __builtin_ctz(mask);
            index[b][count[b]++] = uint8_t(i);
        }
    }
    void end() {
        start[0] = 0;
        for (int b = 0; b < BLOCKS; b++) start[b + 1] = start[b] + count[b];
    }
    // entries from position k of block b's list on are hidden there
    void cut(int b, int k) {
        for (; k < count[b]; k++) masks[index[b][k]] &= ~(1u << b);
    }
};
static_assert(CHUNK <= 256, "indices are uint8_t");

// The pixels of a tile during front-to-back compositing.
template <typename R> struct TileState {
    Vec<R> transmittance[BLOCKS];
    Mask<R> stop[BLOCKS];  // entry at which the pixel was full, NEVER while it is open
    uint32_t open;         // blocks with an open pixel

    void begin(const TileFrame<R>& tile) {
        open = 0;
        for (int b = 0; b < BLOCKS; b++) {
            transmittance[b] = Vec<R>::all(1);
            stop[b] = tile.open_lanes(b);
            open |= uint32_t((stop[b] > Mask<R>::all(0)).any()) << b;
        }
    }
};

constexpr int AHEAD = 12;  // entries

template <typename R> F4X_INLINE void prefetch_row(const R* row, int64_t stride) {
    for (int64_t k = 0; k < stride; k += int64_t(64 / sizeof(R))) __builtin_prefetch(row + k);
}

// Chunk lists of tile t's entries from e on, for the blocks in `open`; returns how many entries were taken.
template <typename R>
F4X_INLINE int list_chunk(const Plan<R>& plan, const TileFrame<R>& tile, int64_t t, int64_t e, uint32_t open, ChunkLists<R>& lists) {
    const int n = int(std::min<int64_t>(CHUNK, plan.tile_begin[t + 1] - e));
    const R* rows = plan.rows.data();
    lists.begin(e - plan.tile_begin[t]);
    for (int i = 0; i < std::min(n, AHEAD); i++) prefetch_row(rows + int64_t(plan.entries[e + i]) * plan.stride, plan.stride);
    for (int i = 0; i < n; i++) {
        const R* row = rows + int64_t(plan.entries[e + i]) * plan.stride;
        if (i + AHEAD < n) prefetch_row(rows + int64_t(plan.entries[e + i + AHEAD]) * plan.stride, plan.stride);
        lists.add(i, row, tile.blocks_met(row) & open);
    }
    lists.end();
    return n;
}

// Composite block b over its list, front to back: draw(k, row, w) gets every pair's weights. Afterwards the state
// holds the block's transmittance; pairs behind a block that became full are cut from the lists.
template <typename R, typename F>
F4X_INLINE void composite_block(const TileFrame<R>& tile, int b, ChunkLists<R>& lists, TileState<R>& st, F draw) {
    typedef typename Mask<R>::Int Int;
    const BlockFrame<R> block(tile, b);
    Vec<R> before = st.transmittance[b];
    Mask<R> stop = st.stop[b], live = stop > Mask<R>::all(Int(NEVER) - 1);
    const uint8_t* index = lists.index[b];
    const int n = lists.count[b];
    for (int k = 0; k < n; k++) {
        const R* row = lists.rows[index[k]];
        const Vec<R> alpha = (block.falloff(row) * row[OPACITY]).below(R(ALPHA_MAX));
        Mask<R> act = (alpha >= R(ALPHA_MIN)) & live;
        Vec<R> used = alpha.only(act);
        Vec<R> after = before - before * used;
        const Mask<R> full = (after <= R(TRANSMITTANCE_MIN)) & act;
        if (__builtin_expect(full.any(), 0)) {  // this Gaussian is left out of the pixel and the pixel ends here
            live = live.without(full);
            stop = Mask<R>::all(Int(lists.first + index[k])).where(full, stop);
            used = used.only(live);
            after = before.where(full, after);
            if (!live.any()) {
                lists.cut(b, k);
                st.open &= ~(1u << b);
                break;
            }
        }
        draw(k, row, before * used);
        before = after;
    }
    st.transmittance[b] = before;
    st.stop[b] = stop;
}

// body(block's lane pointer offset, pixel index) for the tile's pixels inside the image, in runs along x.
template <typename R, typename F> F4X_INLINE void each_run(const TileFrame<R>& tile, int width, F body) {
    for (int y = 0; y < tile.rows; y++)
        for (int x = 0; x < tile.columns; x += 4)
            body((x / 4) * 8 + y / 2, 4 * (y & 1), int64_t(tile.y0 + y) * width + tile.x0 + x, std::min(4, tile.columns - x));
}

}  // namespace f4x
