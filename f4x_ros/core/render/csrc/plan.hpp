// SPDX-License-Identifier: Apache-2.0
// What the stages of one rendering hand to each other.
#pragma once

#include "abi.h"
#include "buffer.hpp"
#include "simd.hpp"

namespace f4x {

constexpr int TILE = 16;                          // pixels; gsplat's default
constexpr int TILE_PIXELS = TILE * TILE;
constexpr int BLOCKS = TILE_PIXELS / LANES;       // 4 x 2 pixel blocks of a tile: one bit each of a uint32
constexpr int GROUP = 4;                          // channels are padded to a multiple of this
static_assert(BLOCKS == 32, "a tile's blocks are the bits of a uint32");
constexpr int32_t NEVER = INT32_MAX;              // a pixel that was not full at the end of its list

// The compositing rules of gsplat 1.5.3.
constexpr double ALPHA_MIN = 1.0 / 255.0;         // a smaller contribution is skipped
constexpr double ALPHA_MAX = 0.999;
constexpr double TRANSMITTANCE_MIN = 1e-4;        // a pixel stops before it would fall to this

// One row per visible Gaussian, ordered by the tile of its centre: geometry, then channels (depth first, then colours, then zeros).
// The falloff is exp(-8 t) with t = FALL_XX dx^2 + FALL_XY dx dy + FALL_YY dy^2, that is the conic over 16, 8, 16.
// Where alpha >= 1/255 is the ellipse dy^2 <= EXTENT2, |dx - SLOPE dy| <= SPREAD sqrt(EXTENT2 - dy^2), EXTENT_X wide.
enum Row { X, Y, FALL_XX, FALL_XY, FALL_YY, OPACITY, EXTENT2, SLOPE, SPREAD, EXTENT_X, ROW_PAD0, ROW_PAD1, CHANNELS };

template <typename R> struct Camera {
    R rotation[9], translation[3];
    R fx, fy, cx, cy;
    R x_min, x_max, y_min, y_max;  // where the Jacobian's x/z and y/z are held, 15 % of the image beyond its border
    R near_m, eps2d;
    int width, height, tiles_x, tiles_y;
    explicit Camera(const F4xView& view);
    int tiles() const { return tiles_x * tiles_y; }
};

struct PlanBase { virtual ~PlanBase() = default; };

template <typename R> struct Plan : PlanBase {
    int64_t visible = 0;      // M
    int channels = 0;         // C + 1, the depth included
    int groups = 0;           // padded channels / GROUP
    int64_t stride = 0;       // of rows
    Buffer<R> rows;           // [M, stride]
    Buffer<int32_t> ids;      // [M] row -> index of the Gaussian
    Buffer<int64_t> slots;    // [M + 1] row -> its first slot; one slot per tile it meets
    Buffer<int32_t> slot_entry;   // [E] slot -> entry
    Buffer<int64_t> tile_begin;   // [tiles + 1] tile -> its first entry
    Buffer<int32_t> entries;      // [E] row, front to back within a tile
    // left by the forward pass for the backward pass
    Buffer<uint32_t> drawn;       // [E] blocks of the tile this entry may have contributed to
    Buffer<R> transmittance;      // [tiles, TILE_PIXELS] in block order
    Buffer<int32_t> stop;         // [tiles, TILE_PIXELS] entry (relative to the tile's first) at which the pixel was full
};

// Stage 1: EWA projection; keeps the Gaussians whose ellipse meets the image.
template <typename R> struct Projected {
    int parts = 1;
    Buffer<R> rows;               // [N, CHANNELS], compact within each part
    Buffer<int32_t> ids;          // same order
    Buffer<R> depths;
    Buffer<int64_t> part_begin;   // [parts + 1] after compaction: offset of the part's first survivor
    Buffer<int64_t> part_source;  // [parts] where the part's survivors lie in the arrays above
    int64_t visible = 0;
};
template <typename R> void project(const F4xGaussians&, const Camera<R>&, int threads, Projected<R>&);

// Stage 2: pack rows with their channels; list for every tile the rows it may see, front to back.
// plan.channels says whether the rows carry colours.
template <typename R> void bin(const F4xGaussians&, const Camera<R>&, int threads, const Projected<R>&, Plan<R>&);

// Stage 3: front-to-back compositing.
template <typename R> void composite(Plan<R>&, const Camera<R>&, int threads, bool keep, R* image, R* depth, R* alpha);

// Stage 4: back-to-front gradients per entry, then per Gaussian through the projection. Which gradients: those that
// have somewhere to go.
template <typename R>
void backward(const Plan<R>&, const F4xGaussians&, const Camera<R>&, int threads, const R* g_image, const R* g_depth,
              const R* g_alpha, const F4xGradients&);

// The transposed pass of stage 3: what each Gaussian's pixels say, weighted as they would be composited.
template <typename R>
void uplift(const Plan<R>&, const Camera<R>&, int threads, int channels, const R* features, const R* pixel_weight,
            R* sum, R* weight);

}  // namespace f4x
