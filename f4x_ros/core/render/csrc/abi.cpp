// SPDX-License-Identifier: Apache-2.0
// The C interface: picks the number type, turns exceptions into codes, owns nothing but the plans it hands out.
#include "abi.h"

#include <algorithm>
#include <memory>
#include <new>
#include <stdexcept>

#include "plan.hpp"

namespace f4x {
namespace {

template <typename F> int32_t guarded(F body) {
    try {
        body();
        return 0;
    } catch (const std::bad_alloc&) {
        return 1;
    } catch (const std::length_error&) {
        return 3;
    } catch (...) {
        return 2;
    }
}

// A small view is done before a second thread has woken up.
int threads_for(const F4xGaussians& g, const F4xView& view) {
    const int64_t useful = 1 + g.count / 1024 + int64_t(view.width) * view.height / (16 * TILE_PIXELS);
    return int(std::max<int64_t>(1, std::min<int64_t>(view.threads, useful)));
}

template <typename R> void plan_view(const F4xGaussians& g, const Camera<R>& cam, int threads, int64_t colors, Plan<R>& plan) {
    Seen<R> seen;
    plan.channels = int(colors) + 1;
    project(g, cam, threads, plan, seen);
    bin(cam, threads, seen, plan);
}

template <typename R>
int32_t run_forward(const F4xGaussians* g, const F4xView* view, void* image, void* depth, void* alpha, void** plan_out) {
    return guarded([&] {
        auto plan = std::make_unique<Plan<R>>();
        const Camera<R> cam(*view);
        const int threads = threads_for(*g, *view);
        plan_view(*g, cam, threads, g->channels, *plan);
        composite(*plan, cam, threads, view->keep != 0, static_cast<R*>(image), static_cast<R*>(depth), static_cast<R*>(alpha));
        if (view->keep) *plan_out = static_cast<PlanBase*>(plan.release());
    });
}

template <typename R>
int32_t run_backward(const void* plan, const F4xGaussians* g, const F4xView* view, const void* g_image, const void* g_depth,
                 const void* g_alpha, const F4xGradients* out) {
    return guarded([&] {
        const auto& p = static_cast<const Plan<R>&>(*static_cast<const PlanBase*>(plan));
        backward(p, *g, Camera<R>(*view), threads_for(*g, *view), static_cast<const R*>(g_image), static_cast<const R*>(g_depth),
                 static_cast<const R*>(g_alpha), *out);
    });
}

template <typename R>
int32_t run_uplift(const F4xGaussians* g, const F4xView* view, const void* features, const void* pixel_weight, void* sum, void* weight) {
    return guarded([&] {
        Plan<R> plan;
        const Camera<R> cam(*view);
        const int threads = threads_for(*g, *view);
        plan_view(*g, cam, threads, 0, plan);
        uplift(plan, cam, threads, int(g->channels), static_cast<const R*>(features), static_cast<const R*>(pixel_weight),
               static_cast<R*>(sum), static_cast<R*>(weight));
    });
}

}  // namespace
}  // namespace f4x

extern "C" {

int32_t f4x_rast_abi(void) { return F4X_RAST_ABI; }

const char* f4x_rast_build(void) {
    return
#if defined(__AVX2__) && defined(__FMA__)
        "avx2 fma"
#elif defined(__SSE2__)
        "sse2"
#elif defined(__ARM_NEON)
        "neon"
#else
        "generic"
#endif
#ifdef _OPENMP
        ", openmp";
#else
        ", single threaded";
#endif
}

#define F4X_API(R, S)                                                                                                            \
    int32_t f4x_forward_##S(const F4xGaussians* g, const F4xView* v, void* image, void* depth, void* alpha, void** plan) {       \
        return f4x::run_forward<R>(g, v, image, depth, alpha, plan);                                                                 \
    }                                                                                                                            \
    int32_t f4x_backward_##S(const void* plan, const F4xGaussians* g, const F4xView* v, const void* gi, const void* gd,          \
                             const void* ga, const F4xGradients* out) {                                                          \
        return f4x::run_backward<R>(plan, g, v, gi, gd, ga, out);                                                                    \
    }                                                                                                                            \
    int32_t f4x_uplift_##S(const F4xGaussians* g, const F4xView* v, const void* f, const void* pw, void* sum, void* weight) {    \
        return f4x::run_uplift<R>(g, v, f, pw, sum, weight);                                                                         \
    }
F4X_API(float, f32)
F4X_API(double, f64)

void f4x_plan_free(void* plan) { delete static_cast<f4x::PlanBase*>(plan); }
void f4x_pool_clear(void) { f4x::pool_clear(); }
}
