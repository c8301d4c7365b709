// SPDX-License-Identifier: Apache-2.0
// Which tiles an ellipse meets, and which of their blocks.
//
// A tile of 16 x 16 pixels is 32 blocks of 4 x 2: block b covers columns 4 (b / 8) .. + 3 and rows 2 (b % 8) .. + 1.
// The ellipse's span is solved for eight pairs of pixel rows at once. A small ellipse needs that once, also where it
// lies across the border of two rows of tiles.
#pragma once

#include <algorithm>

#include "plan.hpp"

namespace f4x {

inline int block_x(int b) { return 4 * (b >> 3); }
inline int block_y(int b) { return 2 * (b & 7); }
constexpr int TILE_PAIRS = TILE / 2;  // pairs of pixel rows of a tile
static_assert(TILE_PAIRS == LANES, "one lane per pair of rows of a tile");

// dy^2 <= extent2, |dx - slope dy| <= spread sqrt(extent2 - dy^2): where alpha >= 1/255.
template <typename R> struct Ellipse {
    R x, y, extent2, slope, spread;
    int pair, end_pair;  // pairs of pixel rows it may reach, within the image
    int tile, end_tile;  // columns of tiles, likewise
};

// Its first and last pixel in eight pairs of rows; first > last where it reaches none of their pixels.
template <typename R> struct Spans {
    Vec<R> first, last;

    // Conservative by 0.01 px; the exact test is on alpha itself.
    F4X_INLINE Spans(const Ellipse<R>& e, int pair) {
        // 0.02 px^2 beyond the extent keeps rows whose room is a rounding error below zero
        const R slack = R(0.01), edge = R(-0.02), middle = e.x - R(0.5);
        Vec<R> dy0;
        for (int i = 0; i < LANES; i++) dy0.lanes()[i] = R(2 * i) + R(0.5);
        dy0 = dy0 + (R(2 * pair) - e.y);
        const Vec<R> dy1 = dy0 + R(1), room0 = e.extent2 - dy0 * dy0, room1 = e.extent2 - dy1 * dy1;
        const Vec<R> half0 = room0.above(0).sqrt() * e.spread + slack, half1 = room1.above(0).sqrt() * e.spread + slack;
        const Vec<R> mid0 = dy0 * e.slope + middle, mid1 = dy1 * e.slope + middle;
        const Mask<R> in0 = room0 >= edge, in1 = room1 >= edge;
        const Vec<R> far = Vec<R>::all(R(1e30)), near = Vec<R>::all(R(-1e30));
        first = (mid0 - half0).where(in0, far).smaller((mid1 - half1).where(in1, far));
        last = (mid0 + half0).where(in0, near).larger((mid1 + half1).where(in1, near));
    }

    // The pairs of rows in which it reaches columns x .. x + 3, one bit each.
    F4X_INLINE uint64_t reach(int x) const { return ((last >= R(x)) & (first <= R(x + 3))).bits(); }
};

// Every other byte of x, from the lowest on.
F4X_INLINE uint32_t even_bytes(uint64_t x) {
    x &= 0x00ff00ff00ff00ffu;
    x = (x | x >> 8) & 0x0000ffff0000ffffu;
    return uint32_t(x | x >> 16);
}

// No fewer than the tiles it meets.
template <typename R> F4X_INLINE int64_t most_tiles(const Ellipse<R>& e) {
    return int64_t(std::max(0, e.end_tile - e.tile)) * (std::max(0, e.end_pair - e.pair) / TILE_PAIRS + 2);
}

// visit(tile, blocks) for every tile that the ellipse meets.
template <typename R, typename F> F4X_INLINE void each_tile_met(const Ellipse<R>& e, const Camera<R>& cam, F visit) {
    int pair = e.pair;
    if (e.end_pair - pair > LANES) pair &= ~(TILE_PAIRS - 1);  // so that no tile is met twice
    for (; pair < e.end_pair; pair += LANES) {
        const Spans<R> spans(e, pair);
        const int down = pair % TILE_PAIRS, row = pair / TILE_PAIRS, above = row * cam.tiles_x;
        const bool below = down + e.end_pair - pair > TILE_PAIRS && row + 1 < cam.tiles_y && down;
        for (int x = e.tile; x < e.end_tile; x++) {
            uint64_t reach = 0;  // two bytes per column of blocks: the pairs of this row of tiles and of the next
            for (int j = 0; j < 4; j++) reach |= spans.reach(x * TILE + 4 * j) << (16 * j + down);
            const uint32_t blocks = even_bytes(reach);
            if (blocks) visit(above + x, blocks);
            if (!below) continue;
            const uint32_t more = even_bytes(reach >> 8);
            if (more) visit(above + cam.tiles_x + x, more);
        }
    }
}

}  // namespace f4x
