// SPDX-License-Identifier: Apache-2.0
// Stage 2: order the visible Gaussians by depth, pack their rows in that order, and list for each tile the
// Gaussians whose ellipse meets it. Everything is a stable counting sort over contiguous parts, so the result does
// not depend on the number of threads.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "parallel.hpp"
#include "plan.hpp"

namespace f4x {
namespace {

// Non-negative IEEE numbers order like their bits.
template <typename R> struct Key;
template <> struct Key<float> { typedef uint32_t Word; };
template <> struct Key<double> { typedef uint64_t Word; };

template <typename R> struct Item { typename Key<R>::Word key; int32_t source; };

constexpr int DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS;

// Stable least-significant-digit radix sort of `items` by key; the keys span `bits` bits. Result in `items`.
template <typename R> void radix_sort(int parts, int64_t n, int bits, Buffer<Item<R>>& items, Buffer<Item<R>>& spare) {
    const int passes = (bits + DIGIT_BITS - 1) / DIGIT_BITS;
    if (passes == 0) return;
    if (n < 8192) parts = 1;
    Buffer<int64_t> count(size_t(parts) * DIGITS);
    Item<R>* from = items.data();
    Item<R>* to = spare.data();
    const int digit_bits = (bits + passes - 1) / passes, digits = 1 << digit_bits;
    for (int pass = 0; pass < passes; pass++) {
        const int shift = pass * digit_bits;
        const auto digit = [&](const Item<R>& x) { return int(x.key >> shift) & (digits - 1); };
        for_parts(parts, n, [&](int part, int64_t begin, int64_t end) {
            int64_t* c = count.data() + part * DIGITS;
            std::fill(c, c + digits, 0);
            for (int64_t i = begin; i < end; i++) c[digit(from[i])]++;
        });
        int64_t at = 0;
        for (int d = 0; d < digits; d++)
            for (int p = 0; p < parts; p++) { const int64_t c = count[p * DIGITS + d]; count[p * DIGITS + d] = at; at += c; }
        for_parts(parts, n, [&](int part, int64_t begin, int64_t end) {
            int64_t* c = count.data() + part * DIGITS;
            for (int64_t i = begin; i < end; i++) to[c[digit(from[i])]++] = from[i];
        });
        std::swap(from, to);
    }
    if (from != items.data()) std::memcpy(static_cast<void*>(items.data()), from, size_t(n) * sizeof(Item<R>));
}

// Gathers the parts' survivors into one list of (depth key, where) and sorts it.
template <typename R> void sort_by_depth(const Projected<R>& in, Buffer<Item<R>>& items) {
    typedef typename Key<R>::Word Word;
    const int64_t n = in.visible;
    Buffer<Word> lowest(size_t(in.parts)), highest(size_t(in.parts));
    items.reset(size_t(n));
    for_parts(in.parts, in.parts, [&](int p, int64_t, int64_t) {
        Word lo = ~Word(0), hi = 0;
        for (int64_t i = in.part_begin[p], j = in.part_source[p]; i < in.part_begin[p + 1]; i++, j++) {
            Word k;
            std::memcpy(&k, &in.depths[j], sizeof k);
            lo = std::min(lo, k);
            hi = std::max(hi, k);
            items[i] = {k, int32_t(j)};
        }
        lowest[p] = lo;
        highest[p] = hi;
    });
    if (n == 0) return;
    const Word lo = *std::min_element(lowest.data(), lowest.data() + in.parts);
    const Word hi = *std::max_element(highest.data(), highest.data() + in.parts);
    for (int64_t i = 0; i < n; i++) items[i].key -= lo;  // fewer bits to sort
    int bits = 0;
    while (bits < int(8 * sizeof(Word)) && (hi - lo) >> bits) bits++;
    Buffer<Item<R>> spare((size_t(n)));
    radix_sort<R>(in.parts, n, bits, items, spare);
}

// Columns [first, last) of the tiles in tile row ty that the ellipse of `row` meets.
template <typename R> void columns_met(const R* row, const Camera<R>& cam, int ty, int& first, int& last) {
    const R slack = R(0.01);
    const R room_y = std::sqrt(row[EXTENT2]);
    const R top = std::max(R(ty * TILE) + R(0.5) - row[Y], -room_y);
    const R bottom = std::min(R(std::min((ty + 1) * TILE, cam.height)) - R(0.5) - row[Y], room_y);
    // the ellipse is widest to the right at dy = tip, to the left at -tip (d x / d y = 0 on its border)
    const R tip = row[SLOPE] * row[EXTENT2] / row[EXTENT_X];
    const auto half = [&](R dy) { return row[SPREAD] * std::sqrt(std::max(row[EXTENT2] - dy * dy, R(0))); };
    const R yr = std::min(std::max(tip, top), bottom), yl = std::min(std::max(-tip, top), bottom);
    const R right = row[X] + row[SLOPE] * yr + half(yr) + slack, left = row[X] + row[SLOPE] * yl - half(yl) - slack;
    // pixel centres lie at + 0.5; clamp before the cast, an extent may exceed any integer
    const R tiles = R(cam.tiles_x), size = R(TILE);
    first = int(std::min(std::max(std::ceil(left - R(0.5)) / size, R(0)), tiles));
    last = int(std::min(std::max(std::floor(right - R(0.5)) / size + 1, R(0)), tiles));
}

template <typename R> void rows_met(const R* row, const Camera<R>& cam, int& first, int& last) {
    const R room = std::sqrt(row[EXTENT2]) + R(0.01), tiles = R(cam.tiles_y), size = R(TILE);
    first = int(std::min(std::max(std::ceil(row[Y] - room - R(0.5)) / size, R(0)), tiles));
    last = int(std::min(std::max(std::floor(row[Y] + room - R(0.5)) / size + 1, R(0)), tiles));
}

// Geometry, depth, colours and padding of one Gaussian side by side, as the kernels read them.
template <typename R> void pack_row(const F4xGaussians& g, const Projected<R>& in, const Plan<R>& plan, int64_t source, R* row) {
    const int32_t id = in.ids[source];
    std::memcpy(row, in.rows.data() + source * CHANNELS, CHANNELS * sizeof(R));
    R* channels = row + CHANNELS;
    channels[0] = in.depths[source];
    int c = 1;
    if (g.colors) {
        const R* color = static_cast<const R*>(g.colors) + int64_t(id) * g.channels;
        for (; c < plan.channels; c++) channels[c] = color[c - 1];
    }
    for (; c < plan.groups * GROUP; c++) channels[c] = 0;
}

}  // namespace

template <typename R>
void bin(const F4xGaussians& g, const Camera<R>& cam, int threads, const Projected<R>& in, Plan<R>& plan) {
    const int64_t n = plan.visible = in.visible;
    const int tiles = cam.tiles(), parts = threads;
    plan.channels = (g.colors ? int(g.channels) : 0) + 1;
    plan.groups = (plan.channels + GROUP - 1) / GROUP;
    plan.stride = CHANNELS + plan.groups * GROUP;
    Buffer<Item<R>> items;
    sort_by_depth(in, items);

    plan.ids.reset(size_t(n));
    plan.rows.reset(size_t(n) * size_t(plan.stride));
    plan.slots.reset(size_t(n) + 1);
    plan.tile_begin.reset(size_t(tiles) + 1);
    Buffer<int64_t> count(size_t(parts) * size_t(tiles));  // per part and tile; later the next entry to write
    Buffer<int64_t> part_slots(size_t(parts) + 1);
    // Pass 1: pack; note the tiles of every Gaussian. The tile ids of a part go to a list of its own.
    struct TileList {
        Buffer<int32_t> ids;
        int64_t size = 0;
        void push(int32_t v) {
            if (size == int64_t(ids.size())) grow();
            ids[size++] = v;
        }
        void grow() {
            Buffer<int32_t> larger(ids.size() ? 2 * ids.size() : 4096);
            std::memcpy(larger.data(), ids.data(), size_t(size) * sizeof(int32_t));
            ids.swap(larger);
        }
    };
    TileList* lists = new TileList[size_t(parts)];
    for_parts(parts, n, [&](int part, int64_t begin, int64_t end) {
        int64_t* c = count.data() + int64_t(part) * tiles;
        std::fill(c, c + tiles, 0);
        TileList& list = lists[part];
        for (int64_t k = begin; k < end; k++) {
            R* row = plan.rows.data() + k * plan.stride;
            pack_row(g, in, plan, items[k].source, row);
            plan.ids[k] = in.ids[items[k].source];
            plan.slots[k] = list.size;
            int y0, y1, x0, x1;
            rows_met(row, cam, y0, y1);
            for (int y = y0; y < y1; y++) {
                columns_met(row, cam, y, x0, x1);
                for (int x = x0; x < x1; x++) {
                    const int tile = y * cam.tiles_x + x;
                    c[tile]++;
                    list.push(tile);
                }
            }
        }
        part_slots[part + 1] = list.size;
    });
    part_slots[0] = 0;
    for (int p = 0; p < parts; p++) part_slots[p + 1] += part_slots[p];
    const int64_t total = part_slots[parts];
    int64_t at = 0;
    for (int t = 0; t < tiles; t++) {
        plan.tile_begin[t] = at;
        for (int p = 0; p < parts; p++) { int64_t& c = count[int64_t(p) * tiles + t]; const int64_t v = c; c = at; at += v; }
    }
    plan.tile_begin[tiles] = total;

    // Pass 2: hand every slot its place in its tile's list.
    plan.entries.reset(size_t(total));
    plan.slot_entry.reset(size_t(total));
    for_parts(parts, n, [&](int part, int64_t begin, int64_t end) {
        int64_t* next = count.data() + int64_t(part) * tiles;
        const TileList& list = lists[part];
        const int64_t base = part_slots[part];
        for (int64_t k = begin; k < end; k++) {
            const int64_t s0 = plan.slots[k], s1 = k + 1 < end ? plan.slots[k + 1] : list.size;
            for (int64_t s = s0; s < s1; s++) {
                const int64_t e = next[list.ids[s]]++;
                plan.entries[e] = int32_t(k);
                plan.slot_entry[base + s] = int32_t(e);
            }
        }
    });
    for (int p = 1; p < parts; p++)
        for (int64_t k = n * p / parts; k < n * (p + 1) / parts; k++) plan.slots[k] += part_slots[p];
    plan.slots[n] = total;
    delete[] lists;
}

template void bin<float>(const F4xGaussians&, const Camera<float>&, int, const Projected<float>&, Plan<float>&);
template void bin<double>(const F4xGaussians&, const Camera<double>&, int, const Projected<double>&, Plan<double>&);

}  // namespace f4x
