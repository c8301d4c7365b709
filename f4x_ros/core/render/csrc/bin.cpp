// SPDX-License-Identifier: Apache-2.0
// Stage 2: give every visible Gaussian a row, and every tile the list of rows its pixels may see, front to back.
//
// Rows lie in the order of the tile their centre falls into: a tile then reads its rows, and a Gaussian later its
// gradients, from a small stretch of memory. Depth orders only the lists. Each sort here is a stable counting sort
// over contiguous parts, so the result does not depend on the number of threads.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "parallel.hpp"
#include "plan.hpp"

namespace f4x {
namespace {

// Turns counts per (part, bucket) into the position of each part's first item of each bucket; returns the total.
int64_t counts_to_starts(int64_t* count, int parts, int64_t buckets, int64_t* bucket_begin) {
    int64_t at = 0;
    for (int64_t b = 0; b < buckets; b++) {
        if (bucket_begin) bucket_begin[b] = at;
        for (int p = 0; p < parts; p++) {
            const int64_t c = count[p * buckets + b];
            count[p * buckets + b] = at;
            at += c;
        }
    }
    if (bucket_begin) bucket_begin[buckets] = at;
    return at;
}

// to[] = from[0..n) in stable order of bucket_of(item). `count` holds parts * buckets numbers.
template <typename T, typename F>
void counting_sort(int parts, int64_t n, int64_t buckets, const T* from, T* to, int64_t* count, F bucket_of) {
    for_parts(parts, n, [&](int part, int64_t begin, int64_t end) {
        int64_t* c = count + part * buckets;
        std::fill(c, c + buckets, 0);
        for (int64_t i = begin; i < end; i++) c[bucket_of(from[i])]++;
    });
    counts_to_starts(count, parts, buckets, nullptr);
    for_parts(parts, n, [&](int part, int64_t begin, int64_t end) {
        int64_t* c = count + part * buckets;
        for (int64_t i = begin; i < end; i++) to[c[bucket_of(from[i])]++] = from[i];
    });
}

// Non-negative IEEE numbers order like their bits.
template <typename R> struct Key;
template <> struct Key<float> { typedef uint32_t Word; };
template <> struct Key<double> { typedef uint64_t Word; };
template <typename R> struct Item { typename Key<R>::Word key; int32_t where; };

// The survivors of stage 1, in the order of the Gaussians, as positions in its arrays.
template <typename R, typename F> void each_survivor(const Projected<R>& in, F visit) {
    for (int p = 0; p < in.parts; p++)
        for (int64_t i = in.part_begin[p], j = in.part_source[p]; i < in.part_begin[p + 1]; i++, j++) visit(i, int32_t(j));
}

// ... ordered by the tile of their centre.
template <typename R> void order_by_tile(const Projected<R>& in, const Camera<R>& cam, int parts, Buffer<int32_t>& sorted) {
    const int64_t n = in.visible;
    Buffer<int32_t> listed(static_cast<size_t>(n));
    Buffer<int64_t> count(size_t(parts) * size_t(cam.tiles()));
    each_survivor(in, [&](int64_t i, int32_t j) { listed[i] = j; });
    const R last_x = R(cam.tiles_x - 1), last_y = R(cam.tiles_y - 1), size = R(1) / R(TILE);
    counting_sort(parts, n, cam.tiles(), listed.data(), sorted.data(), count.data(), [&](int32_t j) {
        const R* row = in.rows.data() + int64_t(j) * CHANNELS;
        const int x = int(std::min(std::max(row[X] * size, R(0)), last_x)), y = int(std::min(std::max(row[Y] * size, R(0)), last_y));
        return int64_t(y) * cam.tiles_x + x;
    });
}

// ... front to back; equal depths stay in the order of the Gaussians.
template <typename R> void order_by_depth(const Projected<R>& in, int parts, Buffer<int32_t>& sorted) {
    typedef typename Key<R>::Word Word;
    constexpr int DIGIT_BITS = 11;
    const int64_t n = in.visible;
    Buffer<Item<R>> items(static_cast<size_t>(n)), spare(static_cast<size_t>(n));
    Word lo = ~Word(0), hi = 0;
    each_survivor(in, [&](int64_t i, int32_t j) {
        Word key;
        std::memcpy(&key, &in.depths[j], sizeof key);
        lo = std::min(lo, key);
        hi = std::max(hi, key);
        items[i] = {key, j};
    });
    int bits = 0;  // depths of one view share their high bits, so fewer are left to sort by
    while (n && bits < int(8 * sizeof(Word)) && (hi - lo) >> bits) bits++;
    const int passes = (bits + DIGIT_BITS - 1) / DIGIT_BITS, digit_bits = passes ? (bits + passes - 1) / passes : 0;
    const int64_t digits = int64_t(1) << digit_bits;
    Buffer<int64_t> count(size_t(parts) * size_t(digits));
    Item<R>* from = items.data();
    Item<R>* to = spare.data();
    for (int pass = 0; pass < passes; pass++) {
        const int shift = pass * digit_bits;
        counting_sort(parts, n, digits, from, to, count.data(), [=](const Item<R>& x) { return int64_t((x.key - lo) >> shift) & (digits - 1); });
        std::swap(from, to);
    }
    for (int64_t k = 0; k < n; k++) sorted[k] = from[k].where;
}

// Both orders. Each parallel region costs a rendezvous of the threads, which is long on a busy machine: a usual
// number of Gaussians is sorted by two threads at once, one order each, and only a large one by all of them.
template <typename R>
void order_both(const Projected<R>& in, const Camera<R>& cam, int threads, Buffer<int32_t>& by_tile, Buffer<int32_t>& by_depth) {
    constexpr int64_t LARGE = 1 << 18;
    by_tile.reset(size_t(in.visible));
    by_depth.reset(size_t(in.visible));
    if (in.visible >= LARGE) {
        order_by_tile(in, cam, threads, by_tile);
        order_by_depth(in, threads, by_depth);
        return;
    }
    for_parts(std::min(threads, 2), 2, [&](int, int64_t begin, int64_t end) {
        for (int64_t k = begin; k < end; k++) {
            if (k == 0) order_by_tile(in, cam, 1, by_tile);
            else order_by_depth(in, 1, by_depth);
        }
    });
}

// Columns [first, last) of the tiles in tile row ty that the ellipse of `row` meets.
template <typename R> void columns_met(const R* row, const Camera<R>& cam, int ty, R room_y, R tip, int& first, int& last) {
    const R slack = R(0.01);
    const R top = std::max(R(ty * TILE) + R(0.5) - row[Y], -room_y);
    const R bottom = std::min(R(std::min((ty + 1) * TILE, cam.height)) - R(0.5) - row[Y], room_y);
    const auto half = [&](R dy) { return row[SPREAD] * std::sqrt(std::max(row[EXTENT2] - dy * dy, R(0))); };
    const R yr = std::min(std::max(tip, top), bottom), yl = std::min(std::max(-tip, top), bottom);
    const R right = row[X] + row[SLOPE] * yr + half(yr) + slack, left = row[X] + row[SLOPE] * yl - half(yl) - slack;
    // pixel centres lie at + 0.5; clamp before the cast, an extent may exceed any integer
    const R tiles = R(cam.tiles_x), size = R(1) / R(TILE);
    first = int(std::min(std::max(std::ceil(left - R(0.5)) * size, R(0)), tiles));
    last = int(std::min(std::max(std::floor(right - R(0.5)) * size + 1, R(0)), tiles));
}

// Calls visit(tile) for every tile the ellipse of `row` meets.
template <typename R, typename F> void each_tile_met(const R* row, const Camera<R>& cam, F visit) {
    const R room_y = std::sqrt(row[EXTENT2]), size = R(1) / R(TILE), tiles = R(cam.tiles_y);
    const int y0 = int(std::min(std::max(std::ceil(row[Y] - room_y - R(0.51)) * size, R(0)), tiles));
    const int y1 = int(std::min(std::max(std::floor(row[Y] + room_y - R(0.49)) * size + 1, R(0)), tiles));
    // the ellipse is widest to the right at dy = tip and to the left at -tip
    const R tip = row[SLOPE] * row[EXTENT2] / row[EXTENT_X];
    for (int y = y0; y < y1; y++) {
        int x0, x1;
        columns_met(row, cam, y, room_y, tip, x0, x1);
        for (int x = x0; x < x1; x++) visit(y * cam.tiles_x + x);
    }
}

// Geometry, depth, colours and padding of one Gaussian side by side, as the kernels read them.
template <typename R> void pack_row(const F4xGaussians& g, const Projected<R>& in, const Plan<R>& plan, int64_t source, R* row) {
    const R* geometry = in.rows.data() + source * CHANNELS;
    for (int k = 0; k < CHANNELS; k++) row[k] = geometry[k];
    R* channels = row + CHANNELS;
    channels[0] = in.depths[source];
    int c = 1;
    if (plan.channels > 1) {
        const R* color = static_cast<const R*>(g.colors) + int64_t(in.ids[source]) * g.channels;
        for (; c < plan.channels; c++) channels[c] = color[c - 1];
    }
    for (; c < plan.groups * GROUP; c++) channels[c] = 0;
}

// A part's tile ids, in the order of its rows.
struct TileList {
    Buffer<int32_t> ids;
    int64_t size = 0;
    void push(int32_t tile) {
        if (size == int64_t(ids.size())) grow();
        ids[size++] = tile;
    }
    void grow() {
        Buffer<int32_t> larger(ids.size() ? 2 * ids.size() : 4096);
        if (size) std::memcpy(larger.data(), ids.data(), size_t(size) * sizeof(int32_t));
        ids.swap(larger);
    }
};

// Packs the rows in the order of `sources` and notes the tiles each one meets: plan.slots counts them, slot_tile
// names them. row_of[source] becomes the row.
template <typename R>
void pack_and_list(const F4xGaussians& g, const Camera<R>& cam, int parts, const Projected<R>& in, const Buffer<int32_t>& sources,
                   Plan<R>& plan, Buffer<int32_t>& row_of, Buffer<int32_t>& slot_tile) {
    const int64_t n = plan.visible;
    std::vector<TileList> lists(static_cast<size_t>(parts));
    for_parts(parts, n, [&](int part, int64_t begin, int64_t end) {
        TileList& list = lists[size_t(part)];
        for (int64_t s = begin; s < end; s++) {
            const int64_t source = sources[s];
            if (s + 8 < end) {
                const int64_t soon = sources[s + 8];
                __builtin_prefetch(in.rows.data() + soon * CHANNELS);
                if (plan.channels > 1) __builtin_prefetch(static_cast<const R*>(g.colors) + int64_t(in.ids[soon]) * g.channels);
            }
            R* row = plan.rows.data() + s * plan.stride;
            pack_row(g, in, plan, source, row);
            plan.ids[s] = in.ids[source];
            row_of[source] = int32_t(s);
            plan.slots[s] = list.size;
            each_tile_met(row, cam, [&](int tile) { list.push(tile); });
        }
    });
    int64_t total = 0;
    for (const auto& list : lists) total += list.size;
    if (total > INT32_MAX) throw std::length_error("more than 2^31 pairs of a Gaussian and a tile");
    slot_tile.reset(size_t(total));
    int64_t base = 0;
    for (int p = 0; p < parts; p++) {
        const TileList& list = lists[size_t(p)];
        if (list.size) std::memcpy(slot_tile.data() + base, list.ids.data(), size_t(list.size) * sizeof(int32_t));
        if (base) for (int64_t s = n * p / parts; s < n * (p + 1) / parts; s++) plan.slots[s] += base;
        base += list.size;
    }
    plan.slots[n] = total;
}

}  // namespace

template <typename R>
void bin(const F4xGaussians& g, const Camera<R>& cam, int parts, const Projected<R>& in, Plan<R>& plan) {
    const int64_t n = plan.visible = in.visible;
    const int64_t tiles = cam.tiles();
    plan.groups = (plan.channels + GROUP - 1) / GROUP;
    plan.stride = CHANNELS + plan.groups * GROUP;
    plan.ids.reset(size_t(n));
    plan.rows.reset(size_t(n) * size_t(plan.stride));
    plan.slots.reset(size_t(n) + 1);
    Buffer<int32_t> by_tile, by_depth, row_of(size_t(g.count)), slot_tile;
    order_both(in, cam, parts, by_tile, by_depth);
    pack_and_list(g, cam, parts, in, by_tile, plan, row_of, slot_tile);

    // counting sort of the (row, tile) pairs by tile, rows taken front to back
    plan.tile_begin.reset(size_t(tiles) + 1);
    plan.entries.reset(slot_tile.size());
    plan.slot_entry.reset(slot_tile.size());
    Buffer<int64_t> count(size_t(parts) * size_t(tiles));
    for_parts(parts, n, [&](int part, int64_t begin, int64_t end) {
        int64_t* c = count.data() + part * tiles;
        std::fill(c, c + tiles, 0);
        for (int64_t k = begin; k < end; k++) {
            const int64_t row = row_of[by_depth[k]];
            for (int64_t s = plan.slots[row]; s < plan.slots[row + 1]; s++) c[slot_tile[s]]++;
        }
    });
    counts_to_starts(count.data(), parts, tiles, plan.tile_begin.data());
    for_parts(parts, n, [&](int part, int64_t begin, int64_t end) {
        int64_t* next = count.data() + part * tiles;
        for (int64_t k = begin; k < end; k++) {
            const int32_t row = row_of[by_depth[k]];
            for (int64_t s = plan.slots[row]; s < plan.slots[row + 1]; s++) {
                const int64_t e = next[slot_tile[s]]++;
                plan.entries[e] = row;
                plan.slot_entry[s] = int32_t(e);
            }
        }
    });
}

template void bin<float>(const F4xGaussians&, const Camera<float>&, int, const Projected<float>&, Plan<float>&);
template void bin<double>(const F4xGaussians&, const Camera<double>&, int, const Projected<double>&, Plan<double>&);

}  // namespace f4x
