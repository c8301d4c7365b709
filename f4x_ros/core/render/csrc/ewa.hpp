// SPDX-License-Identifier: Apache-2.0
// The projection of a Gaussian to the image (EWA splatting, Zwicker et al. 2001; clamping as in gsplat).
#pragma once

#include "plan.hpp"

namespace f4x {

// Eight Gaussians at once, one per lane.
template <typename R> struct Ewa {
    typedef Vec<R> V;
    V p[3];          // mean, camera frame
    V iz, xn, yn;    // 1 / z, x / z, y / z
    V xl, yl;        // xn, yn held inside the camera's limits
    V q[4], qn;      // unit quaternion wxyz, 1 / its given length
    V Q[9];          // its rotation
    V r0[3], r1[3];  // rows of J W: d(pixel) / d(map point), linearised at the mean
    V uq[3], vq[3];  // r0 Q, r1 Q
    V u[3], v[3];    // r0 Q S, r1 Q S
    V A, B, C, det;  // 2D covariance [[A, B], [B, C]] in px^2 with eps2d on its diagonal

    static F4X_INLINE V dot(const V* a, const V* b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

    F4X_INLINE void point(const Camera<R>& cam, const V* mean) {
        for (int k = 0; k < 3; k++) {
            const R* row = cam.rotation + 3 * k;
            p[k] = mean[0] * row[0] + mean[1] * row[1] + mean[2] * row[2] + cam.translation[k];
        }
    }

    F4X_INLINE void shape(const Camera<R>& cam, const V* quat, const V* scale) {
        const R* W = cam.rotation;
        iz = R(1) / p[2];
        xn = p[0] * iz;
        yn = p[1] * iz;
        xl = xn.above(cam.x_min).below(cam.x_max);
        yl = yn.above(cam.y_min).below(cam.y_max);
        for (int k = 0; k < 3; k++) {
            r0[k] = (W[k] - xl * W[6 + k]) * iz * cam.fx;
            r1[k] = (W[3 + k] - yl * W[6 + k]) * iz * cam.fy;
        }
        qn = R(1) / (dot(quat, quat) + quat[3] * quat[3]).sqrt().above(R(1e-12));
        for (int k = 0; k < 4; k++) q[k] = quat[k] * qn;
        const V w = q[0], a = q[1], b = q[2], c = q[3];
        Q[0] = R(1) - R(2) * (b * b + c * c); Q[1] = R(2) * (a * b - w * c); Q[2] = R(2) * (a * c + w * b);
        Q[3] = R(2) * (a * b + w * c); Q[4] = R(1) - R(2) * (a * a + c * c); Q[5] = R(2) * (b * c - w * a);
        Q[6] = R(2) * (a * c - w * b); Q[7] = R(2) * (b * c + w * a); Q[8] = R(1) - R(2) * (a * a + b * b);
        for (int k = 0; k < 3; k++) {
            uq[k] = r0[0] * Q[k] + r0[1] * Q[3 + k] + r0[2] * Q[6 + k];
            vq[k] = r1[0] * Q[k] + r1[1] * Q[3 + k] + r1[2] * Q[6 + k];
            u[k] = uq[k] * scale[k];
            v[k] = vq[k] * scale[k];
        }
        const V uu = dot(u, u), vv = dot(v, v);
        A = uu + cam.eps2d;
        B = dot(u, v);
        C = vv + cam.eps2d;
        // A C - B^2 by Lagrange's identity: no cancellation, so thin Gaussians keep a positive determinant in float32
        const V x = u[1] * v[2] - u[2] * v[1], y = u[2] * v[0] - u[0] * v[2], z = u[0] * v[1] - u[1] * v[0];
        det = x * x + y * y + z * z + (uu + vv + cam.eps2d) * cam.eps2d;
    }
};

// Items i[0..LANES) of an array of K numbers each, to lanes and back.
template <int K, typename R> F4X_INLINE void load_lanes(const void* array, const int64_t* items, Vec<R>* out) {
    for (int j = 0; j < LANES; j++) {
        const R* in = static_cast<const R*>(array) + K * items[j];
        for (int k = 0; k < K; k++) out[k].lanes()[j] = in[k];
    }
}
template <int K, typename R> F4X_INLINE void store_lanes(const Vec<R>* in, void* array, const int64_t* items, int n) {
    for (int j = 0; j < n; j++) {
        R* out = static_cast<R*>(array) + K * items[j];
        for (int k = 0; k < K; k++) out[k] = in[k].lanes()[j];
    }
}

}  // namespace f4x
