// SPDX-License-Identifier: Apache-2.0
// Edges between neighbouring Gaussians, and the odds that both ends are of one object: objects/graph.py in one pass.
#include <algorithm>
#include <cmath>
#include <new>
#include <vector>

#include "abi.h"
#include "nearest.hpp"
#include "parallel.hpp"
#include "simd.hpp"

namespace {

constexpr int PARTS = 64;
constexpr int CUES = 8;

struct Vec3 {
    float x, y, z;
    float dot(const Vec3& o) const { return x * o.x + y * o.y + z * o.z; }
    Vec3 operator-(const Vec3& o) const { return {x - o.x, y - o.y, z - o.z}; }
    Vec3 operator*(float s) const { return {x * s, y * s, z * s}; }
};

// One Gaussian as its edges need it.
struct Shape {
    Vec3 place, axes[3];  // the axes are as long as the standard deviations
    Vec3 own, wide;       // normals of itself and of its neighbourhood, towards the eye
    float light, opacity;

    float extent(const Vec3& along) const {
        const float a = axes[0].dot(along), b = axes[1].dot(along), c = axes[2].dot(along);
        return std::sqrt(a * a + b * b + c * c);
    }
};

Vec3 facing(const Vec3& normal, const Vec3& towards_eye) { return normal.dot(towards_eye) < 0 ? normal * -1 : normal; }

// Columns of the rotation of a quaternion wxyz of any length.
void rotation(const float* q, Vec3* columns) {
    const float length = std::max(std::sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3]), 1e-12f);
    const float w = q[0] / length, x = q[1] / length, y = q[2] / length, z = q[3] / length;
    columns[0] = {1 - 2 * (y * y + z * z), 2 * (x * y + w * z), 2 * (x * z - w * y)};
    columns[1] = {2 * (x * y - w * z), 1 - 2 * (x * x + z * z), 2 * (y * z + w * x)};
    columns[2] = {2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)};
}

// Direction in which a symmetric matrix is least: its eigenvalue in closed form (Smith, Eigenvalues of a Symmetric 3 x 3
// Matrix, 1961), and what is at right angles to the two longest-apart rows that are left.
Vec3 least_direction(const double xx, const double xy, const double xz, const double yy, const double yz, const double zz) {
    const double mean = (xx + yy + zz) / 3, off = xy * xy + xz * xz + yz * yz;
    const double a = xx - mean, b = yy - mean, c = zz - mean;
    const double size = std::sqrt((a * a + b * b + c * c + 2 * off) / 6);
    if (!(size > 0)) return {1, 0, 0};  // no direction is less than another
    const double half = (a * (b * c - yz * yz) - xy * (xy * c - yz * xz) + xz * (xy * yz - b * xz)) / (2 * size * size * size);
    const double angle = std::acos(std::min(std::max(half, -1.0), 1.0)) / 3;
    const double least = mean + 2 * size * std::cos(angle + 2.0943951023931953);
    const double rows[3][3] = {{xx - least, xy, xz}, {xy, yy - least, yz}, {xz, yz, zz - least}};
    double best[3] = {1, 0, 0}, longest = 0;
    for (int i = 0; i < 3; i++) {
        const double *const p = rows[i], *const q = rows[(i + 1) % 3];
        const double cross[3] = {p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], p[0] * q[1] - p[1] * q[0]};
        const double length = cross[0] * cross[0] + cross[1] * cross[1] + cross[2] * cross[2];
        if (length > longest) {
            longest = length;
            std::copy_n(cross, 3, best);
        }
    }
    const double length = longest > 0 ? std::sqrt(longest) : 1;
    return {float(best[0] / length), float(best[1] / length), float(best[2] / length)};
}

// Direction in which a neighbourhood is thinnest.
Vec3 thinnest(const float* means, int64_t own, const int32_t* near, int k) {
    const float* const eye = means + 3 * own;  // places are counted from here, so that nothing is lost far from the origin
    double x = 0, y = 0, z = 0, xx = 0, xy = 0, xz = 0, yy = 0, yz = 0, zz = 0;
    for (int i = 0; i < k; i++) {
        const float* const p = means + 3 * int64_t(near[i]);
        const double a = double(p[0]) - eye[0], b = double(p[1]) - eye[1], c = double(p[2]) - eye[2];
        x += a, y += b, z += c;
        xx += a * a, xy += a * b, xz += a * c, yy += b * b, yz += b * c, zz += c * c;
    }
    const double n = k + 1;
    return least_direction(xx - x * x / n, xy - x * y / n, xz - x * z / n, yy - y * y / n, yz - y * z / n, zz - z * z / n);
}

Shape shape_of(const F4xEdges& in, int64_t i, const int32_t* near) {
    Shape s;
    const float *const p = in.means + 3 * i, *const scale = in.scales + 3 * i, *const color = in.colors + 3 * i;
    s.place = {p[0], p[1], p[2]};
    rotation(in.quats + 4 * i, s.axes);
    const int flat = int(std::min_element(scale, scale + 3) - scale);
    const Vec3 towards = Vec3{in.eye[0], in.eye[1], in.eye[2]} - s.place;
    s.own = facing(s.axes[flat], towards);
    s.wide = facing(thinnest(in.means, i, near, int(in.neighbours)), towards);
    for (int c = 0; c < 3; c++) s.axes[c] = s.axes[c] * scale[c];
    s.light = (color[0] + color[1] + color[2]) / 3;
    s.opacity = in.opacities[i];
    return s;
}

// Unit features, with zeros behind them up to a whole number of vectors.
class Units {
public:
    Units(const F4xEdges& in) : in_(in), blocks_((in.features + f4x::LANES - 1) / f4x::LANES), numbers_(in.count * width(), 0.0f) {}

    void put(int64_t i) {
        const float* const from = in_.known + i * in_.features;
        float sum = 0;
        for (int64_t c = 0; c < in_.features; c++) sum += from[c] * from[c];
        const float length = std::max(std::sqrt(sum), 1e-12f);
        for (int64_t c = 0; c < in_.features; c++) numbers_[i * width() + c] = from[c] / length;
    }

    float cosine(int64_t a, int64_t b) const {
        typedef f4x::Vec<float> Lanes;
        Lanes sum = Lanes::zero();
        const float *x = numbers_.data() + a * width(), *y = numbers_.data() + b * width();
        for (int64_t k = 0; k < blocks_; k++, x += f4x::LANES, y += f4x::LANES) sum += Lanes::load(x) * Lanes::load(y);
        return sum.sum();
    }

private:
    int64_t width() const { return blocks_ * f4x::LANES; }
    const F4xEdges& in_;
    const int64_t blocks_;
    std::vector<float> numbers_;
};

void put_cues(const Shape& a, const Shape& b, float cosine, float* cues) {
    const Vec3 apart = b.place - a.place;
    const float length = std::max(std::sqrt(apart.dot(apart)), 1e-6f);
    const Vec3 along = apart * (1 / length);
    const float own_a = a.own.dot(along), own_b = b.own.dot(along);
    cues[0] = 1 - cosine;
    cues[1] = std::fabs(a.light - b.light);
    cues[2] = std::log(length / std::max(a.extent(along) + b.extent(along), 1e-4f));
    cues[3] = std::log(length);
    cues[4] = std::max(own_a - own_b, 0.0f);
    cues[5] = std::max(a.wide.dot(along) - b.wide.dot(along), 0.0f);
    cues[6] = std::min(a.opacity, b.opacity);
    cues[7] = (std::fabs(own_a) + std::fabs(own_b)) / 2;
}

int64_t make_edges(const F4xEdges& in, int64_t* first, int64_t* second, double* odds) {
    const int64_t n = in.count;
    const int k = int(in.neighbours);
    std::vector<int32_t> near(n * in.neighbours);
    f4x::nearest(in.means, n, k, in.threads, near.data());
    // Each pair once: where both are neighbours of each other, by the lower row.
    const auto counts = [&](int64_t i, int32_t other) {
        if (i < other) return true;
        const int32_t* const back = near.data() + int64_t(other) * k;
        bool mutual = false;
        for (int j = 0; j < k; j++) mutual |= back[j] == int32_t(i);
        return !mutual;
    };
    std::vector<Shape> shapes(n);
    std::vector<uint32_t> kept(n);  // which of a row's neighbours it makes edges to, bit by bit
    Units units(in);
    int64_t made[PARTS + 1] = {};
    f4x::for_items(in.threads, PARTS, [&](int, int64_t part) {
        int64_t count = 0;
        for (int64_t i = n * part / PARTS; i < n * (part + 1) / PARTS; i++) {
            const int32_t* const own = near.data() + i * k;
            shapes[i] = shape_of(in, i, own);
            units.put(i);
            for (int j = 0; j < k; j++) kept[i] |= uint32_t(counts(i, own[j])) << j;
            count += __builtin_popcount(kept[i]);
        }
        made[part + 1] = count;
    });
    for (int part = 0; part < PARTS; part++) made[part + 1] += made[part];
    f4x::for_items(in.threads, PARTS, [&](int, int64_t part) {
        int64_t edge = made[part];
        for (int64_t i = n * part / PARTS; i < n * (part + 1) / PARTS; i++)
            for (uint32_t bits = kept[i]; bits; bits &= bits - 1, edge++) {
                const int32_t other = near[i * k + __builtin_ctz(bits)];
                const int64_t a = std::min<int64_t>(i, other), b = std::max<int64_t>(i, other);
                first[edge] = a;
                second[edge] = b;
                float cues[CUES];
                put_cues(shapes[a], shapes[b], units.cosine(a, b), cues);
                double sum = in.bias;
                for (int c = 0; c < CUES; c++) sum += in.slopes[c] * cues[c];
                odds[edge] = sum;
            }
    });
    return made[PARTS];
}

}  // namespace

extern "C" int32_t f4x_edges_f32(const F4xEdges* in, int64_t* first, int64_t* second, double* odds, int64_t* made) {
    if (in->neighbours < 1 || in->neighbours >= in->count || in->neighbours > f4x::MOST_NEAREST || in->count > INT32_MAX) return 2;
    try {
        *made = make_edges(*in, first, second, odds);
        return 0;
    } catch (const std::bad_alloc&) {
        return 1;
    }
}
