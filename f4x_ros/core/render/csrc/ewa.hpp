// SPDX-License-Identifier: Apache-2.0
// The projection of one Gaussian to the image (EWA splatting, Zwicker et al. 2001; clamping as in gsplat).
#pragma once

#include <algorithm>
#include <cmath>

#include "plan.hpp"

namespace f4x {

template <typename R> struct Ewa {
    R p[3];          // mean, camera frame
    R iz, xn, yn;    // 1 / z, x / z, y / z
    R xl, yl;        // xn, yn held inside the camera's limits
    R q[4], qn;      // unit quaternion wxyz, 1 / its given length
    R Q[9];          // its rotation
    R r0[3], r1[3];  // rows of J W: d(pixel) / d(map point), linearised at the mean
    R uq[3], vq[3];  // r0 Q, r1 Q
    R u[3], v[3];    // r0 Q S, r1 Q S
    R A, B, C, det;  // 2D covariance [[A, B], [B, C]] in px^2 with eps2d on its diagonal

    static R dot(const R* a, const R* b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

    void point(const Camera<R>& cam, const R* mean) {
        for (int k = 0; k < 3; k++) p[k] = dot(cam.rotation + 3 * k, mean) + cam.translation[k];
    }

    void shape(const Camera<R>& cam, const R* quat, const R* scale) {
        const R* W = cam.rotation;
        iz = R(1) / p[2];
        xn = p[0] * iz;
        yn = p[1] * iz;
        xl = std::min(std::max(xn, cam.x_min), cam.x_max);
        yl = std::min(std::max(yn, cam.y_min), cam.y_max);
        for (int k = 0; k < 3; k++) {
            r0[k] = cam.fx * iz * (W[k] - xl * W[6 + k]);
            r1[k] = cam.fy * iz * (W[3 + k] - yl * W[6 + k]);
        }
        qn = R(1) / std::max(std::sqrt(quat[0] * quat[0] + quat[1] * quat[1] + quat[2] * quat[2] + quat[3] * quat[3]), R(1e-12));
        for (int k = 0; k < 4; k++) q[k] = quat[k] * qn;
        const R w = q[0], a = q[1], b = q[2], c = q[3];
        Q[0] = 1 - 2 * (b * b + c * c); Q[1] = 2 * (a * b - w * c); Q[2] = 2 * (a * c + w * b);
        Q[3] = 2 * (a * b + w * c); Q[4] = 1 - 2 * (a * a + c * c); Q[5] = 2 * (b * c - w * a);
        Q[6] = 2 * (a * c - w * b); Q[7] = 2 * (b * c + w * a); Q[8] = 1 - 2 * (a * a + b * b);
        for (int k = 0; k < 3; k++) {
            uq[k] = r0[0] * Q[k] + r0[1] * Q[3 + k] + r0[2] * Q[6 + k];
            vq[k] = r1[0] * Q[k] + r1[1] * Q[3 + k] + r1[2] * Q[6 + k];
            u[k] = uq[k] * scale[k];
            v[k] = vq[k] * scale[k];
        }
        const R uu = dot(u, u), vv = dot(v, v);
        A = uu + cam.eps2d;
        B = dot(u, v);
        C = vv + cam.eps2d;
        // A C - B^2 by Lagrange's identity: no cancellation, so thin Gaussians keep a positive determinant in float32
        const R x = u[1] * v[2] - u[2] * v[1], y = u[2] * v[0] - u[0] * v[2], z = u[0] * v[1] - u[1] * v[0];
        det = x * x + y * y + z * z + cam.eps2d * (uu + vv + cam.eps2d);
    }
};

}  // namespace f4x
