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

#define F4X_RAST_ABI 7

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

/* A rendered view and what was seen of it, P pixels. */
typedef struct F4xLoss {
    int64_t pixels;
    const float *color, *depth, *alpha; /* [P, 3], [P] accumulated, [P] */
    const uint8_t *rgb;                 /* [P, 3] what was seen */
    const float *seen_depth;            /* [P] metres, 0 = no reading */
    const float *exposure;              /* [2, 3] gain and offset */
    float squared_weight, depth_weight, alpha_weight;
    int32_t threads;
} F4xLoss;

/* Rows of a table that a view may show at its time. */
typedef struct F4xInView {
    int64_t count;
    const float *means, *log_scales;  /* [count, 3] */
    const double *birth_s, *death_s;  /* [count] */
    const float *viewmat;             /* [4, 4] T_camera_map */
    float sides[4];                   /* tangents of left, right, top and bottom, each positive outwards */
    float stretch[2];                 /* how much longer a reach is towards the rim, across and down */
    float near_m, sigmas;
    float least;                      /* standard deviation / distance from which it can be refined */
    double time_s;
    int32_t threads;
} F4xInView;

/* Some rows of a table as they are drawn. */
typedef struct F4xGather {
    int64_t count;
    const int64_t *rows;
    const float *from_means, *from_quats, *from_log_scales, *from_logit_opacities, *from_colors;
    float *means, *quats, *scales, *opacities, *colors; /* of the rows: exp and sigmoid of the table's */
    int32_t threads;
} F4xGather;

/* One step of Adam on some rows of a table; the arrays g_* and scales, opacities have one row for each of `rows`. */
typedef struct F4xRefine {
    int64_t count;
    const int64_t *rows;                                           /* [count], each once */
    float *means, *quats, *log_scales, *logit_opacities, *colors; /* the table */
    float *steps, *m, *v;                                          /* of it; m and v have `moments` columns */
    int64_t moments;
    const float *scales, *opacities;                               /* of the rows: exp and sigmoid of the table's */
    const float *g_means, *g_quats, *g_scales, *g_opacities, *g_colors;
    float rates[5]; /* of the five parameters */
    float beta1, beta2, eps;
    float fall; /* share of a second moment that a step leaves of it at least */
    int32_t threads;
} F4xRefine;

/* Gaussians whose nearest neighbours are joined by edges; float32. */
typedef struct F4xEdges {
    int64_t count, features, neighbours;          /* N, C, k < N and at most 32 */
    const float *means, *quats, *scales, *colors; /* [N, 3], [N, 4] wxyz, [N, 3] metres, [N, 3] */
    const float *opacities, *known;               /* [N], [N, C] features, C may be 0 */
    float eye[3];                                 /* from where surfaces are seen */
    float slopes[8], bias;                        /* from cues to log odds; in the order of objects/graph.py */
    int32_t threads;
} F4xEdges;

/* A graph of N nodes, each edge in the rows of both of its ends. */
typedef struct F4xLinks {
    int64_t count;         /* N */
    const int64_t *starts; /* [N + 1] of the rows */
    const int32_t *ends;   /* ascending within a row */
    const float *weights;  /* conductances */
} F4xLinks;

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
/* gradients [P, 3], [P], [P], [2, 3] and the loss, see mapping/loss.py */
F4X_EXPORT int32_t f4x_loss_f32(const F4xLoss *, float *g_color, float *g_depth, float *g_alpha, float *g_exposure, double *loss);
F4X_EXPORT int32_t f4x_in_view_f32(const F4xInView *, uint8_t *shown); /* 1: too small to refine, 2: the others */
F4X_EXPORT int32_t f4x_gather_f32(const F4xGather *);
/* rows whose colours have no gradient were not drawn and stay as they are */
F4X_EXPORT int32_t f4x_refine_f32(const F4xRefine *);
/* edges first < second and their log odds, see objects/graph.py; *made is how many there are, at most N k */
F4X_EXPORT int32_t f4x_edges_f32(const F4xEdges *, int64_t *first, int64_t *second, double *odds, int64_t *made);
/* rows [N + 1], [2 E], [2 E] of a graph from its edges, each given once */
F4X_EXPORT int32_t f4x_links(int64_t count, int64_t edges, const int64_t *first, const int64_t *second, const double *weight,
                             int64_t *starts, int32_t *ends, float *weights);
/* probability [N] that a walk ends inside, see ask/segment_spread.py; *taken is the number of steps */
F4X_EXPORT int32_t f4x_walk(const F4xLinks *, const double *inside, const double *outside, double tolerance, int32_t steps,
                            double *found, int32_t *taken);
/* connected piece [N] of what is chosen, -1 elsewhere */
F4X_EXPORT int32_t f4x_pieces(const F4xLinks *, const uint8_t *chosen, int64_t *piece);
/* for each of some descending levels: how steeply a walk falls at the outline of the piece around `from`, see
 * ask/segment_field.py */
F4X_EXPORT int32_t f4x_contrast(const F4xLinks *, const double *walk, const double *like, int64_t from, const double *levels,
                                int32_t count, double *contrast);
F4X_EXPORT void f4x_plan_free(void *plan);
F4X_EXPORT void f4x_pool_clear(void); /* returns the scratch memory kept for the next frame to the system */

#ifdef __cplusplus
}
#endif
#endif
