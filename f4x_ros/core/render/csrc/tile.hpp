// SPDX-License-Identifier: Apache-2.0
// The pixels of one 16 x 16 tile as 32 blocks of 4 x 2: which blocks an ellipse meets, and its alpha in a block.
// Block b covers columns 4 (b / 8) .. + 3 and rows 2 (b % 8) .. + 1; lanes 0..3 are the upper row.
#pragma once

#include <algorithm>

#include "plan.hpp"

namespace f4x {

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
        const R slack = R(0.01), none = R(1e30);
        const Vec<R> dy0 = even_y - row[Y], dy1 = dy0 + R(1);
        const Vec<R> room0 = (dy0 * dy0).from(row[EXTENT2]), room1 = (dy1 * dy1).from(row[EXTENT2]);
        const Vec<R> half0 = room0.above(0).sqrt() * row[SPREAD] + slack, half1 = room1.above(0).sqrt() * row[SPREAD] + slack;
        const R px = row[X] - R(x0) - R(0.5);  // in the tile's pixel indices
        const Vec<R> mid0 = dy0 * row[SLOPE] + px, mid1 = dy1 * row[SLOPE] + px;
        // 0.02 px^2 beyond the extent keeps rows whose room is a rounding error below zero
        const R edge = R(-0.02);
        const Mask<R> in0 = room0 >= edge, in1 = room1 >= edge;
        const Vec<R> far = Vec<R>::all(none), near = Vec<R>::all(-none);
        const Vec<R> lo = (mid0 - half0).where(in0, far).smaller((mid1 - half1).where(in1, far));
        const Vec<R> hi = (mid0 + half0).where(in0, near).larger((mid1 + half1).where(in1, near));
        uint32_t bits = 0;
        for (int j = 0; j < 4; j++) bits |= ((hi >= R(4 * j)) & (lo <= R(4 * j + 3))).bits() << (8 * j);
        return bits;
    }

    // lanes of block b inside the image
    Mask<R> inside(int b) const {
        Mask<R> m;
        for (int i = 0; i < LANES; i++)
            m.lanes()[i] = (block_x(b) + (i & 3) < columns && block_y(b) + (i >> 2) < rows) ? -1 : 0;
        return m;
    }
};

// One Gaussian seen from a tile: falloff(block) = exp(-0.5 d^T conic d) at the block's pixels.
template <typename R> struct Splat {
    Vec<R> dx0, dy0;
    R a, b, c;
    F4X_INLINE Splat(const TileFrame<R>& tile, const R* row)
        : dx0(tile.lane_x - row[X]), dy0(tile.lane_y - row[Y]), a(R(0.5) * row[CONIC_A]), b(row[CONIC_B]), c(R(0.5) * row[CONIC_C]) {}
    F4X_INLINE Vec<R> falloff(int block, Vec<R>& dx, Vec<R>& dy) const {
        dx = dx0 + R(block_x(block));
        dy = dy0 + R(block_y(block));
        const Vec<R> s = (dx * a + dy * b) * dx + (dy * c) * dy;
        return exp_minus(s.above(0).below(8));
    }
};

// Images to and from block order.
template <typename R, typename F> F4X_INLINE void each_pixel(const TileFrame<R>& tile, int width, F body) {
    for (int b = 0; b < BLOCKS; b++)
        for (int i = 0; i < LANES; i++) {
            const int x = block_x(b) + (i & 3), y = block_y(b) + (i >> 2);
            if (x < tile.columns && y < tile.rows) body(b, i, int64_t(tile.y0 + y) * width + tile.x0 + x);
        }
}

}  // namespace f4x
