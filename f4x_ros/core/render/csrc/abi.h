/* SPDX-License-Identifier: Apache-2.0
 * The C interface of libf4x_rast. Arrays are dense, row-major, of the type in the function's suffix (f32, f64).
 * Every function that can fail returns 0 for success, 1 when memory ran out, 3 when Gaussians and tiles make more
 * than 2^31 pairs, 2 on any other failure.
 * F4X_RAST_ABI changes whenever a struct, a signature or a meaning does; the Python loader compares it. */
#ifndef F4X_RAST_ABI_H
#define F4X_RAST_ABI_H

#include <stdint.h>

#if defined(__GNUC__)
#define F4X_EXPORT __attribute__((visibility("default")))
#else
#define F4X_EXPORT
#endif

#define F4X_RAST_ABI 2

#ifdef __cplusplus
extern "C" {
#endif

typedef struct F4xGaussians {
    int64_t count;         /* N */
    int64_t channels;      /* C */
    const void *means;     /* [N, 3] metres, map frame */
    const void *quats;     /* [N, 4] wxyz, any length */
    const void *scales;    /* [N, 3] metres */
    const void *opacities; /* [N] 0..1 */
    const void *colors;    /* [N, C]; not read by uplift */
} F4xGaussians;

typedef struct F4xView {
    const void *viewmat; /* [4, 4] T_camera_map */
    const void *K;       /* [3, 3] pixels */
    int32_t width, height;
    double near_m, eps2d;
    int32_t threads;
    int32_t keep; /* forward: 1 = make the plan that backward needs */
} F4xView;

/* Where to write gradients; NULL = not wanted. Rows of Gaussians that were not drawn are left as they are. */
typedef struct F4xGradients {
    void *means, *quats, *scales, *opacities, *colors;
    double *viewmat; /* [3, 4], always float64 */
} F4xGradients;

/* One step of Adam on a parameter [rows, width]; its moments are columns of tables with moment_stride columns. */
typedef struct F4xAdam {
    int64_t rows, width, moment_stride;
    const uint8_t *visible;  /* [rows], 0 = leave the row and its moments alone */
    const float *correction; /* [rows], sqrt(1 - beta2^t) / (1 - beta1^t) */
    float learning_rate, beta1, beta2, eps;
    int32_t threads;
} F4xAdam;

F4X_EXPORT int32_t f4x_rast_abi(void);
F4X_EXPORT const char *f4x_rast_build(void); /* e.g. "avx2 openmp" */

/* image [H, W, C], depth [H, W] sum of w z, alpha [H, W]; *plan is set when view->keep */
F4X_EXPORT int32_t f4x_forward_f32(const F4xGaussians *, const F4xView *, void *image, void *depth, void *alpha, void **plan);
F4X_EXPORT int32_t f4x_forward_f64(const F4xGaussians *, const F4xView *, void *image, void *depth, void *alpha, void **plan);
/* incoming gradients of the three images; each may be NULL for zero */
F4X_EXPORT int32_t f4x_backward_f32(const void *plan, const F4xGaussians *, const F4xView *, const void *g_image,
                         const void *g_depth, const void *g_alpha, const F4xGradients *);
F4X_EXPORT int32_t f4x_backward_f64(const void *plan, const F4xGaussians *, const F4xView *, const void *g_image,
                         const void *g_depth, const void *g_alpha, const F4xGradients *);
/* features [H, W, C] with C = gaussians->channels, pixel_weight [H, W] or NULL; sum [N, C] and weight [N] are zero at
 * entry and stay so for Gaussians that were not drawn */
F4X_EXPORT int32_t f4x_uplift_f32(const F4xGaussians *, const F4xView *, const void *features, const void *pixel_weight,
                       void *sum, void *weight);
F4X_EXPORT int32_t f4x_uplift_f64(const F4xGaussians *, const F4xView *, const void *features, const void *pixel_weight,
                       void *sum, void *weight);
F4X_EXPORT int32_t f4x_adam_f32(const F4xAdam *, float *parameter, const float *gradient, float *m, float *v);
F4X_EXPORT void f4x_plan_free(void *plan);
F4X_EXPORT void f4x_pool_clear(void); /* returns the scratch memory kept for the next frame to the system */

#ifdef __cplusplus
}
#endif
#endif
