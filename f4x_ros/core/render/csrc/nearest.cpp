// SPDX-License-Identifier: Apache-2.0
// Nearest neighbours of all points of a set, by a tree of boxes with eight points in each leaf.
#include "nearest.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include "parallel.hpp"

namespace f4x {
namespace {

constexpr int LEAF = 8;       // points, compared at once
constexpr int PARTS = 64;     // of the points, handed out one by one
constexpr float FAR = std::numeric_limits<float>::infinity();

struct Leaf {
    float at[3][LEAF];
    int32_t row[LEAF];  // -1: none
};

struct Box {
    float low[3] = {FAR, FAR, FAR}, high[3] = {-FAR, -FAR, -FAR};
    int32_t second = 0;  // the other half lies behind all of the first; 0 = this is a leaf
    int32_t leaf = 0;

    float squared_distance(const float* p) const {
        float sum = 0;
        for (int c = 0; c < 3; c++) {
            const float off = std::max(std::max(low[c] - p[c], p[c] - high[c]), 0.0f);
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
    int32_t row(int64_t place) const { return order_[place]; }  // points that are near each other stand together
    const float* point(int32_t row) const { return points_ + 3 * int64_t(row); }
    const std::vector<Box>& boxes() const { return boxes_; }
    const Leaf& leaf(int32_t i) const { return leaves_[i]; }

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

// The nearest so far of one point, in their order.
class Query {
public:
    Query(const Tree& tree, int32_t row, int k, int32_t* near) : tree_(tree), row_(row), k_(k), near_(near) {
        std::fill_n(distance_, k, FAR);
        std::fill_n(near, k, std::numeric_limits<int32_t>::max());
        visit(0, 0);
    }

private:
    void visit(int32_t at, float away) {
        if (away > distance_[k_ - 1]) return;
        const Box& box = tree_.boxes()[at];
        if (!box.second) return look(tree_.leaf(box.leaf));
        const float* const p = tree_.point(row_);
        const float one = tree_.boxes()[at + 1].squared_distance(p), other = tree_.boxes()[box.second].squared_distance(p);
        if (one <= other) {
            visit(at + 1, one);
            visit(box.second, other);
        } else {
            visit(box.second, other);
            visit(at + 1, one);
        }
    }

    void look(const Leaf& leaf) {
        const float* const p = tree_.point(row_);
        float squared[LEAF];
        for (int i = 0; i < LEAF; i++) {
            const float x = leaf.at[0][i] - p[0], y = leaf.at[1][i] - p[1], z = leaf.at[2][i] - p[2];
            squared[i] = x * x + y * y + z * z;
        }
        for (int i = 0; i < LEAF; i++)
            if (squared[i] <= distance_[k_ - 1] && leaf.row[i] >= 0 && leaf.row[i] != row_) put(squared[i], leaf.row[i]);
    }

    void put(float squared, int32_t row) {
        int i = k_ - 1;
        if (!(squared < distance_[i] || (squared == distance_[i] && row < near_[i]))) return;
        for (; i > 0 && (squared < distance_[i - 1] || (squared == distance_[i - 1] && row < near_[i - 1])); i--) {
            distance_[i] = distance_[i - 1];
            near_[i] = near_[i - 1];
        }
        distance_[i] = squared;
        near_[i] = row;
    }

    const Tree& tree_;
    const int32_t row_;
    const int k_;
    int32_t* const near_;
    float distance_[MOST_NEAREST];
};

}  // namespace

void nearest(const float* points, int64_t n, int k, int threads, int32_t* near) {
    const Tree tree(points, n);
    for_items(threads, PARTS, [&](int, int64_t part) {
        for (int64_t i = n * part / PARTS; i < n * (part + 1) / PARTS; i++) {
            const int32_t row = tree.row(i);
            Query(tree, row, k, near + int64_t(row) * k);
        }
    });
}

}  // namespace f4x
