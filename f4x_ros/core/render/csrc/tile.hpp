// SPDX-License-Identifier: Apache-2.0
// A tile's blocks and its list of Gaussians, turned round: for every block the Gaussians that may reach it.
//
// The kernels take the tile's list in chunks and then work through one block at a time: its transmittance and its
// sums stay in registers, and few branches are mispredicted.
#pragma once

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "reach.hpp"

namespace f4x {

constexpr int CHUNK = 64;  // entries; what is kept of a chunk stays in the first-level cache

template <typename R> struct TileFrame {
    int x0, y0;            // of the tile, pixels
    int columns, rows;     // inside the image
    Vec<R> lane_x, lane_y; // centres of block 0's pixels
    Vec<R> right[4], down[TILE_PAIRS];  // from there to the blocks of a column, of a row; tables spare the kernels a broadcast

    TileFrame(const Camera<R>& camera, int64_t tile) {
        x0 = int(tile % camera.tiles_x) * TILE;
        y0 = int(tile / camera.tiles_x) * TILE;
        columns = std::min(TILE, camera.width - x0);
        rows = std::min(TILE, camera.height - y0);
        for (int i = 0; i < LANES; i++) {
            lane_x.lanes()[i] = R(x0 + (i & 3)) + R(0.5);
            lane_y.lanes()[i] = R(y0 + (i >> 2)) + R(0.5);
        }
        for (int i = 0; i < 4; i++) right[i] = Vec<R>::all(R(4 * i));
        for (int i = 0; i < TILE_PAIRS; i++) down[i] = Vec<R>::all(R(2 * i));
    }

    // NEVER for the lanes of block b inside the image, 0 (full before the first entry) for the others
    Mask<R> open_lanes(int b) const {
        Mask<R> m;
        for (int i = 0; i < LANES; i++)
            m.lanes()[i] = (block_x(b) + (i & 3) < columns && block_y(b) + (i >> 2) < rows) ? NEVER : 0;
        return m;
    }
};

// The pointer, computed here and now: compilers otherwise prefer to repeat the sum at each of its many uses.
template <typename T> F4X_INLINE T* held(T* p) {
    asm("" : "+r"(p));
    return p;
}

// A Gaussian as the blocks of one tile see it.
template <typename R> struct Near {
    Vec<R> u, v;                    // at the pixels of block 0
    R row[CHANNELS - U_X + GROUP];  // U_X and what follows, to the fourth channel
    const R* whole;                 // its row
    typename Mask<R>::Int entry;    // relative to the tile's first

    F4X_INLINE R at(int k) const { return row[k - U_X]; }
    F4X_INLINE void set(const TileFrame<R>& tile, const R* from, int64_t e) {
        std::memcpy(row, from + U_X, sizeof row);
        const Vec<R> dx = tile.lane_x - from[X], dy = tile.lane_y - from[Y];
        u = dx * from[U_X] + dy * from[U_Y];
        v = dy * from[V_Y];
        whole = from;
        entry = typename Mask<R>::Int(e);
    }
    // alpha is exp(-8 t), at the pixels of the block (right, down) from block 0
    F4X_INLINE Vec<R> t(const Vec<R>& right, const Vec<R>& down) const {
        const Vec<R> u_here = right * at(U_X) + (down * at(U_Y) + u), v_here = down * at(V_Y) + v;
        return u_here * u_here + (v_here * v_here + at(FADE));
    }
};
constexpr double T_MAX = REACH / 8;

// One step of `transpose_bits`.
template <int J> F4X_INLINE void swap_bits(uint64_t* a, uint64_t mask) {
    for (int k = 0; k < 32; k += 2 * J)
        for (int i = k; i < k + J; i++) {
            const uint64_t t = ((a[i] >> J) ^ a[i + J]) & mask;
            a[i] ^= t << J;
            a[i + J] ^= t;
        }
}

// The matrices of bits in the lower and in the upper halves of 32 words, both transposed (Warren, Hacker's Delight).
F4X_INLINE void transpose_bits(uint64_t* a) {
    swap_bits<16>(a, 0x0000ffff0000ffffu);
    swap_bits<8>(a, 0x00ff00ff00ff00ffu);
    swap_bits<4>(a, 0x0f0f0f0f0f0f0f0fu);
    swap_bits<2>(a, 0x3333333333333333u);
    swap_bits<1>(a, 0x5555555555555555u);
}

// Some entries of a tile.
template <typename R> struct Chunk {
    int n;
    uint32_t masks[CHUNK];     // blocks each entry meets
    uint64_t members[BLOCKS];  // entries each block meets, one bit each
    Near<R> near[CHUNK];

    // body(near, i) for every entry i of block b, while it returns true
    template <typename F> F4X_INLINE void each_member(int b, F body) const {
        for (uint64_t left = members[b]; left; left &= left - 1) {
            const int64_t i = __builtin_ctzll(left);
            if (!body(*held(near + i), i)) return;
        }
    }
    // After the masks.
    void list_members() {
        for (int i = n; i < CHUNK; i++) masks[i] = 0;
        for (int k = 0; k < 32; k++) members[k] = masks[k] | uint64_t(masks[k + 32]) << 32;
        transpose_bits(members);
    }
    // Entries from i on are hidden in block b.
    void cut(int b, int64_t i) {
        for (; i < n; i++) masks[i] &= ~(uint32_t(1) << b);
    }
};
// Where a kernel keeps what it found for entry i and block b of a chunk. One more than CHUNK, or an entry's pairs would
// share one set of the cache.
constexpr int64_t PAIRS = BLOCKS * (CHUNK + 1);
F4X_INLINE int64_t pair_of(int64_t b, int64_t i) { return b * (CHUNK + 1) + i; }
static_assert(CHUNK == 64 && BLOCKS == 32, "a chunk's entries are the bits of a uint64");

constexpr int AHEAD = 12;  // entries

template <typename R> F4X_INLINE void prefetch_row(const R* row, int64_t stride) {
    for (int64_t k = 0; k < stride; k += int64_t(64 / sizeof(R))) __builtin_prefetch(row + k);
}

// Fills the chunk with entries first, first + step, .. (n of them) of tile t, for the blocks in `open`.
template <typename R>
F4X_INLINE void fill_chunk(const Plan<R>& plan, const TileFrame<R>& tile, int64_t t, int64_t first, int n, int step, uint32_t open,
                           Chunk<R>& chunk) {
    const Entry* entry = plan.entries.data() + first;
    const int64_t index = first - plan.tile_begin[size_t(t)];
    const auto row = [&](int i) { return plan.rows.data() + int64_t(entry[i * step].row) * plan.stride; };
    chunk.n = n;
    for (int i = 0; i < std::min(n, AHEAD); i++) prefetch_row(row(i), plan.stride);
    for (int i = 0; i < n; i++) {
        if (i + AHEAD < n) prefetch_row(row(i + AHEAD), plan.stride);
        chunk.masks[i] = entry[i * step].blocks & open;
        chunk.near[i].set(tile, row(i), index + i * step);
    }
    chunk.list_members();
}

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

// Composite block b over its entries, front to back: draw(near, i, w) gets every pair's weights. Afterwards the state
// holds the block's transmittance; pairs behind a block that became full are cut from the chunk's masks.
template <typename R, typename F>
F4X_INLINE void composite_block(const TileFrame<R>& tile, int b, Chunk<R>& chunk, TileState<R>& st, F draw) {
    typedef typename Mask<R>::Int Int;
    const Mask<R> never = Mask<R>::all(Int(NEVER) - 1);
    const Vec<R> nowhere = Vec<R>::all(R(INFINITY)), down = tile.down[b & 7];
    Mask<R> stop = st.stop[b];
    // a full pixel is moved to where every Gaussian is transparent
    Vec<R> right = tile.right[b >> 3].where(stop > never, nowhere);
    Vec<R> before = st.transmittance[b];
    chunk.each_member(b, [&](const Near<R>& near, int64_t i) F4X_INLINE_LAMBDA {
        const Vec<R> t = near.t(right, down);
        const Mask<R> act = t <= R(T_MAX);
        Vec<R> used = exp_minus_8(t).below(R(ALPHA_MAX)).only(act), weight = before * used, after = before - weight;
        // what is still open stays above the limit, so this is true only where something was used
        const Mask<R> full = after <= R(TRANSMITTANCE_MIN);
        if (__builtin_expect(full.any(), 0)) {  // this Gaussian is left out of the pixel and the pixel ends here
            stop = Mask<R>::all(near.entry).where(full, stop);
            right = nowhere.where(full, right);
            weight = Vec<R>::zero().where(full, weight);
            after = before.where(full, after);
            if (!(stop > never).any()) {
                chunk.cut(b, i);
                st.open &= ~(uint32_t(1) << b);
                return false;
            }
        }
        draw(near, i, weight);
        before = after;
        return true;
    });
    st.transmittance[b] = before;
    st.stop[b] = stop;
}

// body(block, lane, pixel index, run) for the tile's pixels inside the image, in runs along x. A full run's length is
// known to the compiler.
template <typename R, typename F> F4X_INLINE void each_run(const TileFrame<R>& tile, int width, F body) {
    const std::integral_constant<int, 4> four;
    for (int y = 0; y < tile.rows; y++)
        for (int x = 0; x < tile.columns; x += 4) {
            const int b = (x / 4) * 8 + y / 2, lane = 4 * (y & 1);
            const int64_t p = int64_t(tile.y0 + y) * width + tile.x0 + x;
            if (x + 4 <= tile.columns) body(b, lane, p, four);
            else body(b, lane, p, tile.columns - x);
        }
}

// body(number of colours), as a constant where it is three.
template <typename F> F4X_INLINE void with_colors(int64_t colors, F body) {
    if (colors == 3) body(std::integral_constant<int64_t, 3>());
    else body(colors);
}

}  // namespace f4x
