// SPDX-License-Identifier: Apache-2.0
// What the stages of one rendering hand to each other.
#pragma once

#include <vector>

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
constexpr double REACH = 5.541263545158426;       // ln 255: a contribution under exp(-REACH) is skipped
constexpr double ALPHA_MAX = 0.999;
constexpr double TRANSMITTANCE_MIN = 1e-4;        // a pixel stops before it would fall to this

// One row per Gaussian, written for those that may be seen: geometry, then channels (depth first, then colours, then
// zeros). At d = pixel - (X, Y) alpha is exp(-8 t), t = u^2 + v^2 + FADE, u = U_X dx + U_Y dy, v = V_Y dy: the conic as a
// sum of two squares, which no rounding makes negative, and the opacity in it.
enum Row { X, Y, ROW_PAD0, ROW_PAD1, U_X, U_Y, V_Y, FADE, CHANNELS };

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

// A Gaussian in a tile's list.
struct Entry {
    int32_t row;
    uint32_t blocks;  // of the tile that it may reach; after stage 3 those that it may have contributed to
};

template <typename R> struct Plan : PlanBase {
    int channels = 0;         // C + 1, the depth included
    int groups = 0;           // padded channels / GROUP
    int64_t stride = 0;       // of rows
    Buffer<R> rows;           // [N, stride]
    Buffer<int64_t> slots;    // [N + 1] Gaussian -> its first slot; one slot per tile it meets
    Buffer<int64_t> tile_begin;   // [tiles + 1] tile -> its first entry
    Buffer<Entry> entries;        // [E] front to back within a tile
    Buffer<int32_t> entry_slot;   // [E] entry -> slot
    // left by the forward pass for the backward pass
    Buffer<R> transmittance;      // [tiles, TILE_PIXELS] in block order
    Buffer<int32_t> stop;         // [tiles, TILE_PIXELS] entry (relative to the tile's first) at which the pixel was full
};

// Non-negative IEEE numbers order like their bits.
template <typename R> struct Key;
template <> struct Key<float> { typedef uint32_t Word; };
template <> struct Key<double> { typedef uint64_t Word; };

// A tile that a Gaussian meets.
struct Slot {
    int32_t tile;
    uint32_t blocks;
};

struct SlotList {
    Buffer<Slot> slots;
    int64_t count = 0;
    // before up to `more` pushes
    void reserve(int64_t more) { if (count + more > int64_t(slots.size())) grow(more); }
    void push(Slot slot) { slots[size_t(count++)] = slot; }
    void grow(int64_t more);
};

// What one thread saw: of a range of Gaussians, in their order.
struct SeenPart {
    int64_t first_row = 0, end_row = 0;
    int64_t items = 0;  // from `first_row` on in the array of all
    SlotList slots;
    void swap(SeenPart& o) noexcept {
        std::swap(first_row, o.first_row); std::swap(end_row, o.end_row); std::swap(items, o.items);
        slots.slots.swap(o.slots.slots); std::swap(slots.count, o.slots.count);
    }
};

template <typename R> struct Seen {
    struct Item {
        typename Key<R>::Word depth;
        int32_t row;
    };
    Buffer<Item> items;  // [N], with gaps between the parts
    std::vector<SeenPart> parts;
};

// Stage 1: EWA projection. Fills the rows and slots of the Gaussians whose ellipse meets the image; plan.channels says
// whether the rows carry colours.
template <typename R> void project(const F4xGaussians&, const Camera<R>&, int threads, Plan<R>&, Seen<R>&);

// Stage 2: list for every tile the rows it may see, front to back.
template <typename R> void bin(const Camera<R>&, int threads, Seen<R>&, Plan<R>&);

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
