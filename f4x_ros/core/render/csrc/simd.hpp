// SPDX-License-Identifier: Apache-2.0
// Eight-lane vectors built from the machine's native registers, by compiler vector extensions (gcc and clang).
//
// The rasteriser works on blocks of 4 x 2 pixels, one lane per pixel. A Vec<float> is one AVX register or two
// SSE/NEON ones, a Vec<double> twice as many. Plain loops with "#pragma omp simd" were not vectorised by gcc 12;
// a struct of native registers is, on every target, without a line of intrinsics in the kernels.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#if defined(__AVX__) || defined(__SSE2__)
#include <immintrin.h>
#endif

#define F4X_INLINE __attribute__((always_inline)) inline
#define F4X_INLINE_LAMBDA __attribute__((always_inline))
#define F4X_EACH _Pragma("GCC unroll 4") for (int i = 0; i < COUNT; i++)

namespace f4x {

constexpr int LANES = 8;
#if defined(__AVX__)
constexpr int REGISTER_BYTES = 32;
#else
constexpr int REGISTER_BYTES = 16;
#endif

template <typename R> struct Native;
template <> struct Native<float> {
    typedef float Real __attribute__((vector_size(REGISTER_BYTES)));
    typedef int32_t Word __attribute__((vector_size(REGISTER_BYTES)));
    typedef int32_t Int;
};
template <> struct Native<double> {
    typedef double Real __attribute__((vector_size(REGISTER_BYTES)));
    typedef int64_t Word __attribute__((vector_size(REGISTER_BYTES)));
    typedef int64_t Int;
};

// a > b ? a : b and a < b ? a : b: what the instructions do, NaN included, but not what gcc makes of the text
#if defined(__AVX__)
F4X_INLINE __m256 max_of(__m256 a, __m256 b) { return _mm256_max_ps(a, b); }
F4X_INLINE __m256 min_of(__m256 a, __m256 b) { return _mm256_min_ps(a, b); }
F4X_INLINE __m256d max_of(__m256d a, __m256d b) { return _mm256_max_pd(a, b); }
F4X_INLINE __m256d min_of(__m256d a, __m256d b) { return _mm256_min_pd(a, b); }
#elif defined(__SSE2__)
F4X_INLINE __m128 max_of(__m128 a, __m128 b) { return _mm_max_ps(a, b); }
F4X_INLINE __m128 min_of(__m128 a, __m128 b) { return _mm_min_ps(a, b); }
F4X_INLINE __m128d max_of(__m128d a, __m128d b) { return _mm_max_pd(a, b); }
F4X_INLINE __m128d min_of(__m128d a, __m128d b) { return _mm_min_pd(a, b); }
#else
template <typename V> F4X_INLINE V max_of(V a, V b) { return a > b ? a : b; }
template <typename V> F4X_INLINE V min_of(V a, V b) { return a < b ? a : b; }
#endif

// Lanes of integers as wide as R; all ones is true where it serves as a mask.
template <typename R> struct Mask {
    static constexpr int COUNT = LANES * sizeof(R) / REGISTER_BYTES;
    typedef typename Native<R>::Word Word;
    typedef typename Native<R>::Int Int;
    Word part[COUNT];

    static F4X_INLINE Mask all(Int v) { Mask r; F4X_EACH r.part[i] = v - Word{}; return r; }
    F4X_INLINE Int* lanes() { return reinterpret_cast<Int*>(part); }
    F4X_INLINE const Int* lanes() const { return reinterpret_cast<const Int*>(part); }
    F4X_INLINE Mask operator&(const Mask& o) const { Mask r; F4X_EACH r.part[i] = part[i] & o.part[i]; return r; }
    F4X_INLINE Mask without(const Mask& o) const { Mask r; F4X_EACH r.part[i] = part[i] & ~o.part[i]; return r; }
    F4X_INLINE Mask operator>(const Mask& o) const { Mask r; F4X_EACH r.part[i] = part[i] > o.part[i]; return r; }
    // this where the mask m is set, other elsewhere
    F4X_INLINE Mask where(const Mask& m, const Mask& other) const {
        Mask r; F4X_EACH r.part[i] = (part[i] & m.part[i]) | (other.part[i] & ~m.part[i]); return r;
    }
    // the lanes' sign bits: one bit per lane of a mask
    F4X_INLINE uint32_t bits() const;
    F4X_INLINE bool any() const { return bits() != 0; }
};

template <typename R> F4X_INLINE uint32_t Mask<R>::bits() const {
    uint32_t r = 0;
#if defined(__AVX__)
    F4X_EACH r |= uint32_t(sizeof(R) == 4 ? _mm256_movemask_ps((__m256)part[i]) : _mm256_movemask_pd((__m256d)part[i])) << (i * (REGISTER_BYTES / sizeof(R)));
#elif defined(__SSE2__)
    F4X_EACH r |= uint32_t(sizeof(R) == 4 ? _mm_movemask_ps((__m128)part[i]) : _mm_movemask_pd((__m128d)part[i])) << (i * (REGISTER_BYTES / sizeof(R)));
#else
    for (int x = 0; x < LANES; x++) r |= uint32_t(lanes()[x] != 0) << x;
#endif
    return r;
}

template <typename R> struct Vec {
    static constexpr int COUNT = LANES * sizeof(R) / REGISTER_BYTES;
    typedef typename Native<R>::Real Real;
    Real part[COUNT];

    // v - 0 is v bit for bit, so this folds to a broadcast under strict floating point rules too
    static F4X_INLINE Vec all(R v) { Vec r; F4X_EACH r.part[i] = v - Real{}; return r; }
    static F4X_INLINE Vec zero() { Vec r; F4X_EACH r.part[i] = Real{}; return r; }
    static F4X_INLINE Vec load(const R* from) { Vec r; std::memcpy(&r, from, sizeof r); return r; }
    F4X_INLINE void store(R* to) const { std::memcpy(to, this, sizeof *this); }
    F4X_INLINE R* lanes() { return reinterpret_cast<R*>(part); }
    F4X_INLINE const R* lanes() const { return reinterpret_cast<const R*>(part); }
#define F4X_OPERATOR(o)                                                                                           \
    F4X_INLINE Vec operator o(const Vec& b) const { Vec r; F4X_EACH r.part[i] = part[i] o b.part[i]; return r; }  \
    F4X_INLINE Vec operator o(R b) const { Vec r; F4X_EACH r.part[i] = part[i] o b; return r; }                   \
    F4X_INLINE Vec& operator o##=(const Vec& b) { F4X_EACH part[i] = part[i] o b.part[i]; return *this; }
    F4X_OPERATOR(+) F4X_OPERATOR(-) F4X_OPERATOR(*) F4X_OPERATOR(/)
#undef F4X_OPERATOR
    friend F4X_INLINE Vec operator+(R a, const Vec& b) { return all(a) + b; }
    friend F4X_INLINE Vec operator-(R a, const Vec& b) { return all(a) - b; }
    friend F4X_INLINE Vec operator*(R a, const Vec& b) { return all(a) * b; }
    friend F4X_INLINE Vec operator/(R a, const Vec& b) { return all(a) / b; }
    F4X_INLINE Vec operator-() const { return zero() - *this; }
    F4X_INLINE Mask<R> operator>=(R b) const { Mask<R> r; F4X_EACH r.part[i] = part[i] >= b; return r; }
    F4X_INLINE Mask<R> operator>(R b) const { Mask<R> r; F4X_EACH r.part[i] = part[i] > b; return r; }
    F4X_INLINE Mask<R> operator<(R b) const { Mask<R> r; F4X_EACH r.part[i] = part[i] < b; return r; }
    F4X_INLINE Mask<R> operator<=(R b) const { Mask<R> r; F4X_EACH r.part[i] = part[i] <= b; return r; }
    F4X_INLINE Vec larger(const Vec& b) const { Vec r; F4X_EACH r.part[i] = max_of(part[i], b.part[i]); return r; }
    F4X_INLINE Vec smaller(const Vec& b) const { Vec r; F4X_EACH r.part[i] = min_of(part[i], b.part[i]); return r; }
    F4X_INLINE Vec above(R lo) const { return larger(all(lo)); }  // NaN becomes lo
    F4X_INLINE Vec below(R hi) const { return smaller(all(hi)); }
    // this where m is set, zero elsewhere
    F4X_INLINE Vec only(const Mask<R>& m) const { Vec r; F4X_EACH r.part[i] = (Real)((typename Native<R>::Word)part[i] & m.part[i]); return r; }
    F4X_INLINE Vec where(const Mask<R>& m, const Vec& other) const { Vec r; F4X_EACH r.part[i] = m.part[i] ? part[i] : other.part[i]; return r; }
    F4X_INLINE Vec sqrt() const;
    F4X_INLINE R sum() const {
        const R* x = lanes();
        return ((x[0] + x[1]) + (x[2] + x[3])) + ((x[4] + x[5]) + (x[6] + x[7]));
    }
};

template <typename R> F4X_INLINE Vec<R> Vec<R>::sqrt() const {
    Vec r;
#if defined(__AVX__)
    F4X_EACH r.part[i] = sizeof(R) == 4 ? (Real)_mm256_sqrt_ps((__m256)part[i]) : (Real)_mm256_sqrt_pd((__m256d)part[i]);
#elif defined(__SSE2__)
    F4X_EACH r.part[i] = sizeof(R) == 4 ? (Real)_mm_sqrt_ps((__m128)part[i]) : (Real)_mm_sqrt_pd((__m128d)part[i]);
#else
    for (int x = 0; x < LANES; x++) r.lanes()[x] = std::sqrt(lanes()[x]);
#endif
    return r;
}

// exp(-8 t) for t in [0, 0.7], where alpha is at least 1/255; elsewhere undefined, NaN included. A polynomial of exp(-t),
// squared three times: no bit tricks, so one text serves every target.
// float: minimax of degree 5, relative error 2e-6 (most of it the squarings' rounding).
F4X_INLINE Vec<float> exp_minus_8(const Vec<float>& t) {
    Vec<float> p = t * -5.90699943e-3f + 3.98826919e-2f;
    p = p * t + -1.66047074e-1f;
    p = p * t + 4.99903761e-1f;
    p = p * t + -9.99995026e-1f;
    p = p * t + 1.0f;
    p *= p; p *= p; p *= p;
    return p;
}

// double: the Taylor series to degree 16, relative error under 1e-14.
F4X_INLINE Vec<double> exp_minus_8(const Vec<double>& t) {
    constexpr double C[17] = {1.0, -1.0, 1.0 / 2, -1.0 / 6, 1.0 / 24, -1.0 / 120, 1.0 / 720, -1.0 / 5040, 1.0 / 40320,
                              -1.0 / 362880, 1.0 / 3628800, -1.0 / 39916800, 1.0 / 479001600, -1.0 / 6227020800,
                              1.0 / 87178291200, -1.0 / 1307674368000, 1.0 / 20922789888000};
    Vec<double> p = Vec<double>::all(C[16]);
    _Pragma("GCC unroll 16") for (int k = 15; k >= 0; k--) p = p * t + C[k];
    p *= p; p *= p; p *= p;
    return p;
}

// out[k] = sum of the lanes of v[k], k = 0..7. One transposing tree instead of eight horizontal sums.
template <typename R> F4X_INLINE void sum_lanes_of_8(const Vec<R>* v, R* out) {
#if defined(__AVX__)
    if constexpr (sizeof(R) == 4) {
        const __m256 a = _mm256_hadd_ps(v[0].part[0], v[1].part[0]), b = _mm256_hadd_ps(v[2].part[0], v[3].part[0]);
        const __m256 c = _mm256_hadd_ps(v[4].part[0], v[5].part[0]), d = _mm256_hadd_ps(v[6].part[0], v[7].part[0]);
        const __m256 e = _mm256_hadd_ps(a, b), f = _mm256_hadd_ps(c, d);
        _mm256_storeu_ps(out, _mm256_add_ps(_mm256_permute2f128_ps(e, f, 0x20), _mm256_permute2f128_ps(e, f, 0x31)));
        return;
    }
#endif
    for (int k = 0; k < 8; k++) out[k] = v[k].sum();
}

// The same for four.
template <typename R> F4X_INLINE void sum_lanes_of_4(const Vec<R>* v, R* out) {
#if defined(__AVX__)
    if constexpr (sizeof(R) == 4) {
        const __m256 a = _mm256_hadd_ps(v[0].part[0], v[1].part[0]), b = _mm256_hadd_ps(v[2].part[0], v[3].part[0]);
        const __m256 e = _mm256_hadd_ps(a, b);
        _mm_storeu_ps(out, _mm_add_ps(_mm256_castps256_ps128(e), _mm256_extractf128_ps(e, 1)));
        return;
    }
#endif
    for (int k = 0; k < 4; k++) out[k] = v[k].sum();
}

}  // namespace f4x
