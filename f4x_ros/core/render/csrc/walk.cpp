// SPDX-License-Identifier: Apache-2.0
// Random walks on the graph of Gaussians, and the pieces it falls into: what ask/segment_spread.py says, on one thread.
// A question shares two cores with a frame: threads that meet at each of many short steps would wait for each other.
#include <algorithm>
#include <cmath>
#include <new>
#include <numeric>
#include <vector>

#include "abi.h"

namespace {

typedef std::vector<double> Values;

constexpr int LEAST_PATCH = 100;  // nodes of a patch, if the graph is not so large ...
constexpr int MOST_PATCHES = 160;  // ... that there would be more than these
constexpr int CRUMB = 8;           // what is smaller is no patch
constexpr double FIRM = 0.1;       // share of a node's largest weight from which an edge is within a patch

double product(const Values& a, const Values& b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); }

// The patch of each node, -1 for crumbs: nodes that edges as firm as any hold together, whose values hardly differ.
std::vector<int32_t> patches(const F4xLinks& links, int32_t& count) {
    const int64_t n = links.count, most = std::max<int64_t>(LEAST_PATCH, n / MOST_PATCHES + 1);
    std::vector<double> firm(n, 0.0);
    for (int64_t i = 0; i < n; i++)
        for (int64_t e = links.starts[i]; e < links.starts[i + 1]; e++) firm[i] = std::max(firm[i], FIRM * links.weights[e]);
    std::vector<int32_t> patch(n, -1), queue;
    std::vector<uint8_t> met(n, 0);
    count = 0;
    for (int64_t seed = 0; seed < n; seed++) {
        if (met[seed]) continue;
        queue.assign(1, int32_t(seed));
        met[seed] = 1;
        for (size_t k = 0; k < queue.size(); k++) {
            const int64_t i = queue[k];
            for (int64_t e = links.starts[i]; e < links.starts[i + 1] && int64_t(queue.size()) < most; e++) {
                const int32_t other = links.ends[e];
                if (met[other] || links.weights[e] < std::max(firm[i], firm[other])) continue;
                met[other] = 1;
                queue.push_back(other);
            }
        }
        if (queue.size() < CRUMB) continue;
        for (const int32_t i : queue) patch[i] = count;
        count++;
    }
    return patch;
}

// The matrix D + L + L^T of a walk, L strictly lower. Rows of a graph hold what is before them first, then the others.
class System {
public:
    System(const F4xLinks& links, const double* inside, const double* outside)
        : links_(links), middle_(links.count), diagonal_(links.count), inverse_(links.count) {
        for (int64_t i = 0; i < links.count; i++) {
            double degree = 0;
            for (int64_t e = links.starts[i]; e < links.starts[i + 1]; e++) degree += links.weights[e];
            diagonal_[i] = degree + inside[i] + outside[i];
            inverse_[i] = 1 / diagonal_[i];
            const int32_t *const begin = links.ends + links.starts[i], *const end = links.ends + links.starts[i + 1];
            middle_[i] = links.starts[i] + (std::lower_bound(begin, end, int32_t(i)) - begin);
        }
    }

    // to = A x
    void multiply(const Values& x, Values& to) const {
        for (int64_t i = 0; i < links_.count; i++) {
            double sum = diagonal_[i] * x[i];
            for (int64_t e = links_.starts[i]; e < links_.starts[i + 1]; e++) sum -= links_.weights[e] * x[links_.ends[e]];
            to[i] = sum;
        }
    }

    // to = M^-1 x, a sweep of Gauss and Seidel there and one back, and pushed = A to. As Eisenstat (Efficient
    // Implementation of a Class of Preconditioned Conjugate Gradient Methods, 1981) saw, the second takes no other pass:
    // with (D + L) D^-1 (D + L^T) to = x it is L to + D (D + L)^-1 x.
    void precondition(const Values& x, Values& to, Values& pushed) const {
        for (int64_t i = 0; i < links_.count; i++) {
            double sum = x[i];
            for (int64_t e = links_.starts[i]; e < middle_[i]; e++) sum += links_.weights[e] * to[links_.ends[e]];
            to[i] = sum * inverse_[i];
            pushed[i] = sum;
        }
        for (int64_t i = links_.count - 1; i >= 0; i--) {
            double sum = 0;  // what was found last is added last: the others need not wait for it
            for (int64_t e = links_.starts[i + 1]; e-- > middle_[i];) sum += links_.weights[e] * to[links_.ends[e]];
            const double value = to[i] += sum * inverse_[i];
            for (int64_t e = middle_[i]; e < links_.starts[i + 1]; e++) pushed[links_.ends[e]] -= links_.weights[e] * value;
        }
    }

    // Calls body(patch, value) for what row i of A has in patches; several times for one.
    template <typename F> void row(int64_t i, const std::vector<int32_t>& patch, F body) const {
        if (patch[i] >= 0) body(patch[i], diagonal_[i]);
        for (int64_t e = links_.starts[i]; e < links_.starts[i + 1]; e++)
            if (patch[links_.ends[e]] >= 0) body(patch[links_.ends[e]], -links_.weights[e]);
    }

private:
    const F4xLinks& links_;
    std::vector<int64_t> middle_;  // where each row's upper part begins
    Values diagonal_, inverse_;
};

// What is constant on patches, solved exactly: Z is 1 where a node is of a patch.
class Coarse {
public:
    Coarse(const System& system, const F4xLinks& links)
        : patch_(patches(links, count_)), begin_(1, 0), factor_(size_t(count_) * count_, 0.0), sums_(count_) {
        Values row(count_, 0.0);
        std::vector<int32_t> met;
        for (int64_t i = 0; i < links.count; i++) {
            met.clear();
            system.row(i, patch_, [&](int32_t k, double value) {
                if (row[k] == 0) met.push_back(k);
                row[k] += value;
            });
            for (const int32_t k : met) {
                if (row[k] != 0) {
                    to_.push_back(k);
                    value_.push_back(row[k]);
                    if (patch_[i] >= 0) factor_[size_t(patch_[i]) * count_ + k] += row[k];
                }
                row[k] = 0;
            }
            begin_.push_back(int64_t(to_.size()));
        }
        decompose();
    }

    // x -= Z (Z^T A Z)^-1 Z^T A x, with pushed = A x before and after.
    void remove(Values& x, Values& pushed) {
        sum_up(pushed.data());
        for (size_t i = 0; i < x.size(); i++) {
            if (patch_[i] >= 0) x[i] -= sums_[patch_[i]];
            for (int64_t e = begin_[i]; e < begin_[i + 1]; e++) pushed[i] -= value_[e] * sums_[to_[e]];
        }
    }

    // to = Z (Z^T A Z)^-1 Z^T x
    void solve(const double* x, double* to) {
        sum_up(x);
        for (size_t i = 0; i < patch_.size(); i++) to[i] = patch_[i] < 0 ? 0 : sums_[patch_[i]];
    }

private:
    // sums = (Z^T A Z)^-1 Z^T x
    void sum_up(const double* x) {
        std::fill(sums_.begin(), sums_.end(), 0.0);
        for (size_t i = 0; i < patch_.size(); i++)
            if (patch_[i] >= 0) sums_[patch_[i]] += x[i];
        substitute();
    }

    // Cholesky's U with U^T U = Z^T A Z, in place; what is below its diagonal is not used.
    void decompose() {
        for (int32_t j = 0; j < count_; j++) {
            double* const own = row(j);
            const double root = std::sqrt(own[j]);
            for (int32_t k = j; k < count_; k++) own[k] /= root;
            for (int32_t i = j + 1; i < count_; i++)
                if (own[i] != 0) subtract(own, own[i], row(i), i);
        }
    }

    void substitute() {
        for (int32_t j = 0; j < count_; j++) {
            sums_[j] /= row(j)[j];
            subtract(row(j), sums_[j], sums_.data(), j + 1);
        }
        for (int32_t j = count_ - 1; j >= 0; j--) {
            const double* const own = row(j);
            double part[4] = {sums_[j], 0, 0, 0};  // each addition waits for the one before it
            int32_t k = j + 1;
            for (; k + 3 < count_; k += 4)
                for (int i = 0; i < 4; i++) part[i] -= own[k + i] * sums_[k + i];
            for (; k < count_; k++) part[0] -= own[k] * sums_[k];
            sums_[j] = (part[0] + part[1] + part[2] + part[3]) / own[j];
        }
    }

    // to -= share * from, from column `begin` on
    void subtract(const double* from, double share, double* to, int32_t begin) const {
        for (int32_t k = begin; k < count_; k++) to[k] -= share * from[k];
    }

    double* row(int32_t j) { return &factor_[size_t(j) * count_]; }

    int32_t count_ = 0;
    std::vector<int32_t> patch_;
    std::vector<int64_t> begin_;  // rows of A Z
    std::vector<int32_t> to_;
    Values value_, factor_, sums_;
};

// Conjugate gradients on what is not constant on patches, which is known exactly beforehand (Nicolaides, Deflation of
// Conjugate Gradients, 1987; as Saad et al., A Deflated Version of the Conjugate Gradient Algorithm, 2000): firm edges of
// 400 times what ends a walk make the values of whole surfaces rise and fall together, which takes hundreds of steps
// without.
int solve(const F4xLinks& links, const double* inside, const double* outside, double tolerance, int steps, double* found) {
    const int64_t n = links.count;
    const System system(links, inside, outside);
    Coarse coarse(system, links);
    Values rest(inside, inside + n), scaled(n), direction(n, 0.0), pushed(n), pushed_direction(n, 0.0);
    coarse.solve(inside, scaled.data());
    system.multiply(scaled, pushed);
    for (int64_t i = 0; i < n; i++) rest[i] -= pushed[i];
    std::copy(scaled.begin(), scaled.end(), found);
    const double goal = tolerance * tolerance * double(n);
    double before = 0;
    int step = 0;
    for (; step < steps; step++) {
        system.precondition(rest, scaled, pushed);
        const double size = product(rest, scaled), share = step ? size / before : 0;
        if (!(size > goal)) break;
        before = size;
        coarse.remove(scaled, pushed);
        double energy = 0;
        for (int64_t i = 0; i < n; i++) {
            direction[i] = scaled[i] + share * direction[i];
            pushed_direction[i] = pushed[i] + share * pushed_direction[i];
            energy += direction[i] * pushed_direction[i];
        }
        const double length = size / energy;
        for (int64_t i = 0; i < n; i++) {
            found[i] += length * direction[i];
            rest[i] -= length * pushed_direction[i];
        }
    }
    return step;
}

// Calls body(node) for all that hang together with `from` through nodes that are `open`, itself first; closes them.
template <typename F> void flood(const F4xLinks& links, int64_t from, std::vector<uint8_t>& open, std::vector<int64_t>& queue, F body) {
    queue.assign(1, from);
    open[from] = 0;
    while (!queue.empty()) {
        const int64_t node = queue.back();
        queue.pop_back();
        body(node);
        for (int64_t e = links.starts[node]; e < links.starts[node + 1]; e++)
            if (open[links.ends[e]]) {
                open[links.ends[e]] = 0;
                queue.push_back(links.ends[e]);
            }
    }
}

void find_pieces(const F4xLinks& links, const uint8_t* chosen, int64_t* piece) {
    std::vector<uint8_t> open(chosen, chosen + links.count);
    std::vector<int64_t> queue;
    std::fill_n(piece, links.count, int64_t(-1));
    int64_t made = 0;
    for (int64_t i = 0; i < links.count; i++)
        if (open[i]) {
            flood(links, i, open, queue, [&](int64_t node) { piece[node] = made; });
            made++;
        }
}

// The number [N] of the first level whose piece holds each node, `count` where none does. Levels descend, so each piece
// holds the one before it.
std::vector<int> first_levels(const F4xLinks& links, const double* walk, int64_t from, const double* level, int count) {
    std::vector<int> first(links.count, count);
    std::vector<std::vector<int64_t>> waiting(count + 1);  // nodes beside a piece, by the level that they reach
    const auto reached = [&](int64_t node) {
        int k = 0;
        while (k < count && walk[node] < level[k]) k++;
        return k;
    };
    std::vector<uint8_t> met(links.count, 0);
    met[from] = 1;
    waiting[reached(from)].push_back(from);
    for (int k = 0; k < count; k++)
        while (!waiting[k].empty()) {
            const int64_t node = waiting[k].back();
            waiting[k].pop_back();
            first[node] = k;
            for (int64_t e = links.starts[node]; e < links.starts[node + 1]; e++)
                if (const int64_t other = links.ends[e]; !met[other]) {
                    met[other] = 1;
                    waiting[std::max(k, reached(other))].push_back(other);
                }
        }
    return first;
}

void find_contrast(const F4xLinks& links, const double* walk, const double* like, int64_t from, const double* level, int count,
                   double* contrast) {
    const std::vector<int> first = first_levels(links, walk, from, level, count);
    Values fall(count, 0.0), cut(count, 0.0), alike(count, 0.0), held(count, 0.0);
    for (int64_t i = 0; i < links.count; i++) {
        if (first[i] < count) {
            alike[first[i]] += like[i];
            held[first[i]] += 1;
        }
        for (int64_t e = links.starts[i]; e < links.starts[i + 1] && links.ends[e] < i; e++) {
            const int64_t other = links.ends[e];
            for (int k = std::min(first[i], first[other]); k < std::max(first[i], first[other]); k++) {
                fall[k] += std::fabs(walk[i] - walk[other]);
                cut[k] += 1;
            }
        }
    }
    double likeness = 0, nodes = 0;
    for (int k = 0; k < count; k++) {
        likeness += alike[k];
        nodes += held[k];
        const double mean = nodes > 0 ? likeness / nodes : 0;
        contrast[k] = cut[k] > 0 ? fall[k] / cut[k] * mean * mean : 0;
    }
}

template <typename F> int32_t guarded(F body) {
    try {
        body();
        return 0;
    } catch (const std::bad_alloc&) {
        return 1;
    }
}

}  // namespace

extern "C" {

int32_t f4x_links(int64_t count, int64_t edges, const int64_t* first, const int64_t* second, const double* weight, int64_t* starts,
                  int32_t* ends, float* weights) {
    return guarded([&] {
        // Counted into rows twice: by one end, then by the other, so that each row is in ascending order.
        std::vector<int64_t> place(count + 1, 0);
        std::vector<int32_t> to(2 * edges), row(2 * edges);
        std::vector<float> value(2 * edges);
        std::fill_n(starts, count + 1, int64_t(0));
        for (int64_t e = 0; e < edges; e++) {
            starts[first[e] + 1]++;
            starts[second[e] + 1]++;
        }
        for (int64_t i = 0; i < count; i++) starts[i + 1] += starts[i];
        std::copy_n(starts, count + 1, place.begin());
        for (int64_t e = 0; e < edges; e++)
            for (int turn = 0; turn < 2; turn++) {
                const int64_t at = place[turn ? first[e] : second[e]]++;
                to[at] = int32_t(turn ? first[e] : second[e]);
                row[at] = int32_t(turn ? second[e] : first[e]);
                value[at] = float(weight[e]);
            }
        std::copy_n(starts, count + 1, place.begin());
        for (int64_t e = 0; e < 2 * edges; e++) {
            const int64_t at = place[row[e]]++;
            ends[at] = to[e];
            weights[at] = value[e];
        }
    });
}

int32_t f4x_walk(const F4xLinks* links, const double* inside, const double* outside, double tolerance, int32_t steps, double* found,
                 int32_t* taken) {
    return guarded([&] { *taken = solve(*links, inside, outside, tolerance, steps, found); });
}

int32_t f4x_pieces(const F4xLinks* links, const uint8_t* chosen, int64_t* piece) {
    return guarded([&] { find_pieces(*links, chosen, piece); });
}

int32_t f4x_contrast(const F4xLinks* links, const double* walk, const double* like, int64_t from, const double* levels, int32_t count,
                     double* contrast) {
    return guarded([&] { find_contrast(*links, walk, like, from, levels, count, contrast); });
}
}
