// SPDX-License-Identifier: Apache-2.0
// Edges between neighbouring Gaussians, and what tells whether both ends are of one object: objects/graph.py in one pass.
#include <algorithm>
#include <cmath>
#include <new>
#include <vector>

#include "abi.h"
#include "nearest.hpp"
#include "parallel.hpp"

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

// Direction in which a symmetric matrix is least, by Jacobi's rotations.
Vec3 least_direction(double a[3][3]) {
    double v[3][3] = {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
    for (int sweep = 0; sweep < 12; sweep++) {
        const double off = a[0][1] * a[0][1] + a[0][2] * a[0][2] + a[1][2] * a[1][2];
        const double on = a[0][0] * a[0][0] + a[1][1] * a[1][1] + a[2][2] * a[2][2];
        if (!(off > 1e-24 * on)) break;
        for (int p = 0; p < 2; p++)
            for (int q = p + 1; q < 3; q++) {
                if (a[p][q] == 0) continue;
                const double half = (a[q][q] - a[p][p]) / (2 * a[p][q]);
                const double t = (half < 0 ? -1 : 1) / (std::fabs(half) + std::sqrt(half * half + 1));
                const double c = 1 / std::sqrt(t * t + 1), s = t * c;
                for (int k = 0; k < 3; k++) {
                    const double x = a[k][p], y = a[k][q];
                    a[k][p] = c * x - s * y;
                    a[k][q] = s * x + c * y;
                }
                for (int k = 0; k < 3; k++) {
                    const double x = a[p][k], y = a[q][k];
                    a[p][k] = c * x - s * y;
                    a[q][k] = s * x + c * y;
                }
                for (int k = 0; k < 3; k++) {
                    const double x = v[k][p], y = v[k][q];
                    v[k][p] = c * x - s * y;
                    v[k][q] = s * x + c * y;
                }
            }
    }
    int least = 0;
    for (int k = 1; k < 3; k++)
        if (a[k][k] < a[least][least]) least = k;
    return {float(v[0][least]), float(v[1][least]), float(v[2][least])};
}

// Direction in which a neighbourhood is thinnest.
Vec3 thinnest(const float* means, int64_t own, const int32_t* near, int k) {
    double middle[3] = {0, 0, 0}, spread[3][3] = {};
    const auto point = [&](int i) { return means + 3 * (i < 0 ? own : int64_t(near[i])); };
    for (int i = -1; i < k; i++)
        for (int c = 0; c < 3; c++) middle[c] += double(point(i)[c]) / (k + 1);
    for (int i = -1; i < k; i++)
        for (int r = 0; r < 3; r++)
            for (int c = 0; c < 3; c++) spread[r][c] += (point(i)[r] - middle[r]) * (point(i)[c] - middle[c]);
    return least_direction(spread);
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

void normalized(const float* from, int64_t numbers, float* to) {
    float sum = 0;
    for (int64_t c = 0; c < numbers; c++) sum += from[c] * from[c];
    const float length = std::max(std::sqrt(sum), 1e-12f);
    for (int64_t c = 0; c < numbers; c++) to[c] = from[c] / length;
}

void put_cues(const Shape& a, const Shape& b, float cosine, float* cues, int64_t room) {
    const Vec3 apart = b.place - a.place;
    const float length = std::max(std::sqrt(apart.dot(apart)), 1e-6f);
    const Vec3 along = apart * (1 / length);
    const float own_a = a.own.dot(along), own_b = b.own.dot(along);
    cues[0 * room] = 1 - cosine;
    cues[1 * room] = std::fabs(a.light - b.light);
    cues[2 * room] = std::log(length / std::max(a.extent(along) + b.extent(along), 1e-4f));
    cues[3 * room] = std::log(length);
    cues[4 * room] = std::max(own_a - own_b, 0.0f);
    cues[5 * room] = std::max(a.wide.dot(along) - b.wide.dot(along), 0.0f);
    cues[6 * room] = std::min(a.opacity, b.opacity);
    cues[7 * room] = (std::fabs(own_a) + std::fabs(own_b)) / 2;
}

int64_t make_edges(const F4xEdges& in, int64_t* first, int64_t* second, float* cues) {
    const int64_t n = in.count, numbers = in.features, room = n * in.neighbours;
    const int k = int(in.neighbours);
    std::vector<int32_t> near(room);
    f4x::nearest(in.means, n, k, in.threads, near.data());
    // Each pair once: where both are neighbours of each other, by the lower row.
    const auto counts = [&](int64_t i, int32_t other) {
        const int32_t* const back = near.data() + int64_t(other) * k;
        return i < other || std::find(back, back + k, int32_t(i)) == back + k;
    };
    std::vector<Shape> shapes(n);
    std::vector<float> unit(n * numbers);
    int64_t made[PARTS + 1] = {};
    f4x::for_items(in.threads, PARTS, [&](int, int64_t part) {
        int64_t count = 0;
        for (int64_t i = n * part / PARTS; i < n * (part + 1) / PARTS; i++) {
            const int32_t* const own = near.data() + i * k;
            shapes[i] = shape_of(in, i, own);
            normalized(in.known + i * numbers, numbers, unit.data() + i * numbers);
            for (int j = 0; j < k; j++) count += counts(i, own[j]);
        }
        made[part + 1] = count;
    });
    for (int part = 0; part < PARTS; part++) made[part + 1] += made[part];
    f4x::for_items(in.threads, PARTS, [&](int, int64_t part) {
        int64_t edge = made[part];
        for (int64_t i = n * part / PARTS; i < n * (part + 1) / PARTS; i++)
            for (int j = 0; j < k; j++) {
                const int32_t other = near[i * k + j];
                if (!counts(i, other)) continue;
                const int64_t a = std::min<int64_t>(i, other), b = std::max<int64_t>(i, other);
                float cosine = 0;
                for (int64_t c = 0; c < numbers; c++) cosine += unit[a * numbers + c] * unit[b * numbers + c];
                first[edge] = a;
                second[edge] = b;
                put_cues(shapes[a], shapes[b], cosine, cues + edge, room);
                edge++;
            }
    });
    return made[PARTS];
}

}  // namespace

extern "C" int32_t f4x_edges_f32(const F4xEdges* in, int64_t* first, int64_t* second, float* cues, int64_t* made) {
    if (in->neighbours < 1 || in->neighbours >= in->count || in->neighbours > f4x::MOST_NEAREST || in->count > INT32_MAX) return 2;
    try {
        *made = make_edges(*in, first, second, cues);
        return 0;
    } catch (const std::bad_alloc&) {
        return 1;
    }
}
