// SPDX-License-Identifier: Apache-2.0
// Nearest neighbours of all points of a set, by a tree of boxes with eight points in each leaf.
#include "nearest.hpp"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>
#include <vector>

#include "parallel.hpp"
#include "simd.hpp"

namespace f4x {
namespace {

constexpr int LEAF = LANES;  // points, compared at once
constexpr int PARTS = 64;    // of the points, handed out one by one
constexpr float FAR = std::numeric_limits<float>::infinity();

struct Leaf {
    float at[3][LEAF];
    int32_t row[LEAF];  // -1: none
};

struct Box {
    float low[3] = {FAR, FAR, FAR}, high[3] = {-FAR, -FAR, -FAR};
    int32_t second = 0;  // the other half lies behind all of the first; 0 = this is a leaf
    int32_t leaf = 0;

    // Of what lies in two boxes, at least; that of a box from itself is 0.
    float squared_distance(const Box& o) const {
        float sum = 0;
        for (int c = 0; c < 3; c++) {
            const float off = std::max(std::max(low[c] - o.high[c], o.low[c] - high[c]), 0.0f);
            sum += off * off;
        }
        return sum;
    }
};

class Tree {
public:
    Tree(const float* points, int64_t n) : points_(points), order_(n), leaves_((n + LEAF - 1) / LEAF) {
        std::iota(order_.begin(), order_.end(), 0);
        boxes_.reserve(2 * leaves_.size());
        split(0, int32_t(leaves_.size()));
    }

    int64_t size() const { return int64_t(order_.size()); }
    const float* point(int32_t row) const { return points_ + 3 * int64_t(row); }
    const std::vector<Box>& boxes() const { return boxes_; }
    const Leaf& leaf(const Box& box) const { return leaves_[box.leaf]; }

private:
    void split(int32_t begin, int32_t end) {
        const int64_t from = int64_t(begin) * LEAF, to = std::min<int64_t>(int64_t(end) * LEAF, size());
        const size_t own = boxes_.size();
        Box box;
        for (int64_t i = from; i < to; i++)
            for (int c = 0; c < 3; c++) {
                box.low[c] = std::min(box.low[c], point(order_[i])[c]);
                box.high[c] = std::max(box.high[c], point(order_[i])[c]);
            }
        boxes_.push_back(box);
        if (end - begin == 1) {
            boxes_[own].leaf = begin;
            fill(leaves_[begin], from, to);
            return;
        }
        int axis = 0;
        for (int c = 1; c < 3; c++)
            if (box.high[c] - box.low[c] > box.high[axis] - box.low[axis]) axis = c;
        const int32_t middle = begin + (end - begin) / 2;
        std::nth_element(order_.begin() + from, order_.begin() + int64_t(middle) * LEAF, order_.begin() + to,
                         [&](int32_t a, int32_t b) { return point(a)[axis] < point(b)[axis]; });
        split(begin, middle);
        boxes_[own].second = int32_t(boxes_.size());
        split(middle, end);
    }

    void fill(Leaf& leaf, int64_t from, int64_t to) const {
        for (int i = 0; i < LEAF; i++) {
            leaf.row[i] = from + i < to ? order_[from + i] : -1;
            for (int c = 0; c < 3; c++) leaf.at[c][i] = leaf.row[i] < 0 ? FAR : point(leaf.row[i])[c];
        }
    }

    const float* points_;
    std::vector<int32_t> order_;
    std::vector<Leaf> leaves_;
    std::vector<Box> boxes_;
};

// A squared distance and a row as one number in their order: a float's bits, if it is not negative, order like the float,
// and so do those of a double.
double key_of(float squared, int32_t row) {
    uint32_t high;
    std::memcpy(&high, &squared, sizeof high);
    const uint64_t bits = uint64_t(high) << 32 | uint32_t(row);
    double key;
    std::memcpy(&key, &bits, sizeof key);
    return key;
}

int32_t row_of(double key) {
    uint64_t bits;
    std::memcpy(&bits, &key, sizeof bits);
    return int32_t(uint32_t(bits));
}

float squared_of(double key) {
    uint64_t bits;
    std::memcpy(&bits, &key, sizeof bits);
    const uint32_t high = uint32_t(bits >> 32);
    float squared;
    std::memcpy(&squared, &high, sizeof squared);
    return squared;
}

// The K nearest of each point of a leaf, all of which are looked for together.
template <int K> class Query {
public:
    Query(const Tree& tree, const Box& own) : boxes_(tree.boxes().data()), tree_(tree), own_(own), points_(tree.leaf(own)) {
        for (int i = 0; i < LEAF; i++) {
            std::fill_n(keys_[i], K, key_of(FAR, std::numeric_limits<int32_t>::max()));
            limits_[i] = points_.row[i] < 0 ? -1 : FAR;  // what is no point has all it needs
        }
        look(points_);  // most are here
        visit(0);
    }

    void write(int k, int32_t* near) const {
        for (int i = 0; i < LEAF; i++)
            for (int j = 0; j < k && points_.row[i] >= 0; j++) near[int64_t(points_.row[i]) * k + j] = row_of(keys_[i][j]);
    }

private:
    void visit(int32_t at) {
        if (!boxes_[at].second) {
            if (&boxes_[at] != &own_) look(tree_.leaf(boxes_[at]));
            return;
        }
        int32_t first = at + 1, then = boxes_[at].second;
        float near = boxes_[first].squared_distance(own_), far = boxes_[then].squared_distance(own_);
        if (far < near) {
            std::swap(first, then);
            std::swap(near, far);
        }
        if (near <= limit_) visit(first);
        if (far <= limit_) visit(then);
    }

    void look(const Leaf& leaf) {
        typedef Vec<float> Lanes;
        const Lanes x = Lanes::load(leaf.at[0]), y = Lanes::load(leaf.at[1]), z = Lanes::load(leaf.at[2]);
        limit_ = 0;
        for (int i = 0; i < LEAF; i++) {
            const Lanes a = x - Lanes::all(points_.at[0][i]), b = y - Lanes::all(points_.at[1][i]);
            const Lanes c = z - Lanes::all(points_.at[2][i]), squared = a * a + b * b + c * c;
            for (uint32_t lanes = (squared <= limits_[i]).bits(); lanes; lanes &= lanes - 1) {
                const int j = __builtin_ctz(lanes);
                if (leaf.row[j] != points_.row[i] && leaf.row[j] >= 0) put(i, key_of(squared.lanes()[j], leaf.row[j]));
            }
            limit_ = std::max(limit_, limits_[i]);
        }
    }

    void put(int i, double key) {
        double *const keys = keys_[i], moved[K];
        moved[0] = std::min(keys[0], key);
        for (int j = 1; j < K; j++) moved[j] = std::max(keys[j - 1], std::min(keys[j], key));
        std::copy_n(moved, K, keys);
        limits_[i] = squared_of(keys[K - 1]);
    }

    const Box* const boxes_;
    const Tree& tree_;
    const Box& own_;
    const Leaf& points_;
    float limit_ = FAR, limits_[LEAF];  // squared distances within which one is looked for: the largest, of each
    double keys_[LEAF][K];
};

template <int K> void ask(const Tree& tree, int k, int threads, int32_t* near) {
    const int64_t count = int64_t(tree.boxes().size());
    for_items(threads, PARTS, [&](int, int64_t part) {
        for (int64_t i = count * part / PARTS; i < count * (part + 1) / PARTS; i++)
            if (const Box& box = tree.boxes()[i]; !box.second) Query<K>(tree, box).write(k, near);
    });
}

}  // namespace

void nearest(const float* points, int64_t n, int k, int threads, int32_t* near) {
    const Tree tree(points, n);
    if (k <= 10)
        ask<10>(tree, k, threads, near);
    else
        ask<MOST_NEAREST>(tree, k, threads, near);
}

}  // namespace f4x
