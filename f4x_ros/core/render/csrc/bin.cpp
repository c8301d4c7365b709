// SPDX-License-Identifier: Apache-2.0
// Stage 2: list for every tile the rows its pixels may see, front to back.
//
// Each sort here is a stable counting sort over contiguous parts, so the result does not depend on the number of threads.
#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "parallel.hpp"
#include "plan.hpp"

namespace f4x {

void SlotList::grow(int64_t more) {
    Buffer<Slot> larger(std::max(2 * slots.size(), size_t(count + more + 4096)));
    if (count) std::memcpy(static_cast<void*>(larger.data()), slots.data(), size_t(count) * sizeof(Slot));
    slots.swap(larger);
}

namespace {

// Turns counts per (part, bucket) into the position of each part's first item of each bucket.
void counts_to_starts(int64_t* count, int parts, int64_t buckets, int64_t* bucket_begin) {
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

// What was seen, front to back; equal depths stay in the order of the Gaussians. Lies in `items` or in `spare`.
template <typename R>
const typename Seen<R>::Item* order_by_depth(const Seen<R>& seen, int64_t n, int threads, Buffer<typename Seen<R>::Item>& items,
                                             Buffer<typename Seen<R>::Item>& spare) {
    typedef typename Seen<R>::Item Item;
    typedef typename Key<R>::Word Word;
    // Each parallel region costs a rendezvous of the threads, which is long on a busy machine
    constexpr int64_t LARGE = 1 << 18;
    constexpr int DIGIT_BITS = 11;
    const int parts = n < LARGE ? 1 : threads;
    items.reset(size_t(n));
    spare.reset(size_t(n));
    Word lo = ~Word(0), hi = 0;
    Item* to = items.data();
    for (const SeenPart& part : seen.parts)
        for (int64_t i = 0; i < part.items; i++) {
            const Item item = seen.items[size_t(part.first_row + i)];
            lo = std::min(lo, item.depth);
            hi = std::max(hi, item.depth);
            *to++ = item;
        }
    int bits = 0;  // depths of one view share their high bits, so fewer are left to sort by
    while (n && bits < int(8 * sizeof(Word)) && (hi - lo) >> bits) bits++;
    const int passes = (bits + DIGIT_BITS - 1) / DIGIT_BITS, digit_bits = passes ? (bits + passes - 1) / passes : 0;
    const int64_t digits = int64_t(1) << digit_bits;
    Buffer<int64_t> count(size_t(parts) * size_t(digits));
    Item* from = items.data();
    to = spare.data();
    for (int pass = 0; pass < passes; pass++) {
        const int shift = pass * digit_bits;
        counting_sort(parts, n, digits, from, to, count.data(), [=](const Item& x) { return int64_t((x.depth - lo) >> shift) & (digits - 1); });
        std::swap(from, to);
    }
    return from;
}

// The parts' slots one after the other, and plan.slots into that; returns them.
template <typename R> const Slot* join_slots(Seen<R>& seen, int64_t n, Plan<R>& plan, Buffer<Slot>& joined) {
    int64_t total = 0;
    for (const SeenPart& part : seen.parts) total += part.slots.count;
    if (total > INT32_MAX) throw std::length_error("more than 2^31 pairs of a Gaussian and a tile");
    plan.slots[size_t(n)] = total;
    if (seen.parts.size() == 1) {
        joined.swap(seen.parts[0].slots.slots);
        return joined.data();
    }
    joined.reset(size_t(total));
    int64_t base = 0;
    for (const SeenPart& part : seen.parts) {
        const SlotList& list = part.slots;
        if (list.count) std::memcpy(static_cast<void*>(joined.data() + base), list.slots.data(), size_t(list.count) * sizeof(Slot));
        for (int64_t s = part.first_row; s < part.end_row; s++) plan.slots[size_t(s)] += base;
        base += list.count;
    }
    return joined.data();
}

}  // namespace

template <typename R> void bin(const Camera<R>& cam, int threads, Seen<R>& seen, Plan<R>& plan) {
    typedef typename Seen<R>::Item Item;
    const int64_t tiles = cam.tiles(), rows = int64_t(plan.slots.size()) - 1;
    int64_t n = 0;
    for (const SeenPart& part : seen.parts) n += part.items;
    Buffer<Item> items, spare;
    Buffer<Slot> joined;
    const Item* sorted = order_by_depth(seen, n, threads, items, spare);
    const Slot* slots = join_slots(seen, rows, plan, joined);
    const int64_t* slot_of = plan.slots.data();
    const int64_t total = slot_of[rows];

    // counting sort of the slots by tile, Gaussians taken front to back
    plan.tile_begin.reset(size_t(tiles) + 1);
    plan.entries.reset(size_t(total));
    plan.entry_slot.reset(size_t(total));
    Buffer<int64_t> count(size_t(threads) * size_t(tiles));
    for_parts(threads, n, [&](int part, int64_t begin, int64_t end) {
        int64_t* c = count.data() + part * tiles;
        std::fill(c, c + tiles, 0);
        for (int64_t k = begin; k < end; k++) {
            const int64_t row = sorted[k].row;
            for (int64_t s = slot_of[row]; s < slot_of[row + 1]; s++) c[slots[s].tile]++;
        }
    });
    counts_to_starts(count.data(), threads, tiles, plan.tile_begin.data());
    for_parts(threads, n, [&](int part, int64_t begin, int64_t end) {
        int64_t* next = count.data() + part * tiles;
        Entry* entries = plan.entries.data();
        int32_t* entry_slot = plan.entry_slot.data();
        for (int64_t k = begin; k < end; k++) {
            const int32_t row = sorted[k].row;
            for (int64_t s = slot_of[row]; s < slot_of[row + 1]; s++) {
                const int64_t e = next[slots[s].tile]++;
                entries[e] = {row, slots[s].blocks};
                entry_slot[e] = int32_t(s);
            }
        }
    });
}

template void bin<float>(const Camera<float>&, int, Seen<float>&, Plan<float>&);
template void bin<double>(const Camera<double>&, int, Seen<double>&, Plan<double>&);

}  // namespace f4x
