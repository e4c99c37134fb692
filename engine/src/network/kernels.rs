//! The three loops in which the time goes, once for each kind of processor: a matrix product, a
//! depthwise convolution and the unpacking of 8-bit weights. The only `unsafe` of this crate.
//!
//! Everything is channels-last: a pixel is a run of channels. A kind of processor is three numbers
//! and eight functions of a line; the loops are written once, in the macro below. Before a loop starts, it is asserted that all that it will touch lies in its slices.
//!
//! A tile (`PIXELS` x `VECTORS` sums) has to fit in the registers: one vector too many, and it takes
//! three times as long. `tests/cliffs.rs` counts.

use super::work::{Depthwise, Onto, Product, Unpack};

/// What one kind of processor runs.
pub struct Kernels {
    /// As it is called in reports.
    pub name: &'static str,
    /// Floats in a vector: channels are padded to a multiple of it.
    pub lanes: usize,
    /// Channels of a panel of weights.
    pub panel: usize,
    product: unsafe fn(&mut Product),
    depthwise: unsafe fn(&mut Depthwise),
    unpack: unsafe fn(&mut Unpack),
}

impl Kernels {
    /// # Panics
    /// When something would be touched that is not in the slices; so do the other two.
    pub fn product(&self, mut work: Product) {
        #[cfg(test)]
        DONE.set(DONE.get() + (work.pixels * work.inputs * work.outputs) as i64);
        // SAFETY: the only way to a `Kernels` is `all`, which asked the processor.
        unsafe { (self.product)(&mut work) }
    }

    pub fn depthwise(&self, mut work: Depthwise) {
        #[cfg(test)]
        DONE.set(DONE.get() + (work.width * work.channels * work.kernel.pow(2)) as i64);
        // SAFETY: as above.
        unsafe { (self.depthwise)(&mut work) }
    }

    pub fn unpack(&self, mut work: Unpack) {
        // SAFETY: as above.
        unsafe { (self.unpack)(&mut work) }
    }
}

macro_rules! kernels {
    ($module:ident, $attribute:tt, lanes $lanes:literal, vectors $vectors:literal,
     pixels $pixels:literal, $($ops:item)*) => {
        #[allow(
            clippy::undocumented_unsafe_blocks,
            clippy::needless_range_loop,
            reason = "the functions of a line do what their names say; sums are numbered as registers are"
        )]
        pub mod $module {
            use super::*;
            const LANES: usize = $lanes;
            const VECTORS: usize = $vectors;
            const PIXELS: usize = $pixels;
            const PANEL: usize = LANES * VECTORS;
            /// Plain code is for tests alone where every processor has vectors.
            const SMALL: bool =
                LANES == 1 && cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));

            pub static KERNELS: Kernels = Kernels {
                name: stringify!($module), lanes: LANES, panel: PANEL, product, depthwise, unpack,
            };

            $( #$attribute #[inline] $ops )*

            #$attribute
            fn product(p: &mut Product) {
                let weights = p.inputs.checked_mul(p.outputs);
                assert!(p.outputs.is_multiple_of(LANES) && weights.is_some_and(|all| all <= p.weights.len()));
                assert!(p.from_at.fits(p.pixels, p.inputs, p.from.len()));
                assert!(p.to_at.fits(p.pixels, p.outputs, p.to.len()));
                if let Onto::Relu6(bias) = p.onto { assert!(bias.len() >= p.outputs); }
                let mut n = 0;
                while n < p.outputs {
                    // SAFETY: in bounds, as asserted; no more vectors are done than are left.
                    unsafe {
                        match (p.outputs - n) / LANES {
                            1 => { panel::<1>(p, n); n += LANES; }
                            2 if VECTORS > 2 => { panel::<2>(p, n); n += 2 * LANES; }
                            3 if VECTORS > 3 => { panel::<3>(p, n); n += 3 * LANES; }
                            _ => { panel::<VECTORS>(p, n); n += PANEL; }
                        }
                    }
                }
            }

            /// The channels from `n` on, `N` vectors of them.
            ///
            /// # Safety
            /// What `product` asserts, and `n + N * LANES` channels at least.
            #$attribute
            #[inline(never)]
            unsafe fn panel<const N: usize>(p: &mut Product, n: usize) {
                // SAFETY: in bounds, as the caller promises.
                unsafe {
                    let weights = p.weights.as_ptr().add(n * p.inputs);
                    let (source, sink) = (p.from.as_ptr(), p.to.as_mut_ptr().add(n));
                    let (mut from_walk, mut to_walk) = (p.from_at.walk(), p.to_at.walk());
                    let mut first = 0;
                    while first < p.pixels {
                        // Past the end the last pixel is done again, and not stored.
                        let count = (p.pixels - first).min(PIXELS);
                        let mut from = [source; PIXELS];
                        let mut to = [sink; PIXELS];
                        for m in 0..PIXELS {
                            from[m] = source.add(from_walk.at);
                            to[m] = sink.add(to_walk.at);
                            if m + 1 < count { from_walk.step(); to_walk.step(); }
                        }
                        let mut sum = [[zero(); N]; PIXELS];
                        match p.onto {
                            Onto::Relu6(bias) => for v in 0..N {
                                let start = load(bias.as_ptr().add(n + v * LANES));
                                for m in 0..PIXELS { sum[m][v] = start; }
                            },
                            Onto::Sum => for m in 0..PIXELS {
                                for v in 0..N { sum[m][v] = load(to[m].add(v * LANES)); }
                            },
                        }
                        for k in 0..p.inputs {
                            let row = weights.add(k * N * LANES);
                            let mut w = [zero(); N];
                            for v in 0..N { w[v] = load(row.add(v * LANES)); }
                            for m in 0..PIXELS {
                                let x = splat(*from[m].add(k));
                                for v in 0..N { sum[m][v] = fma(x, w[v], sum[m][v]); }
                            }
                        }
                        let clamp = matches!(p.onto, Onto::Relu6(_));
                        for m in 0..PIXELS {
                            if m < count {
                                for v in 0..N {
                                    let y = if clamp { relu6(sum[m][v]) } else { sum[m][v] };
                                    store(to[m].add(v * LANES), y);
                                }
                            }
                        }
                        first += count;
                        from_walk.step();
                        to_walk.step();
                    }
                }
            }

            #$attribute
            fn depthwise(d: &mut Depthwise) {
                assert!(d.channels.is_multiple_of(LANES) && d.width > 0 && d.kernel > 0);
                let size = |all: &[usize]| all.iter().try_fold(1_usize, |a, b| a.checked_mul(*b));
                let reach = || {
                    let across = size(&[d.width - 1, d.stride])?.checked_add(d.kernel)?;
                    size(&[d.kernel - 1, d.row])?.checked_add(size(&[across, d.channels])?)
                };
                assert!(reach().is_some_and(|end| end <= d.rows.len()));
                let taps = size(&[d.kernel, d.kernel, d.channels]);
                assert!(taps.is_some_and(|taps| taps <= d.weights.len()) && d.bias.len() >= d.channels);
                assert!(size(&[d.width, d.channels]).is_some_and(|end| end <= d.to.len()));
                // SAFETY: in bounds, as asserted; four pixels at a time only where there are four.
                unsafe {
                    match (d.kernel, d.stride) {
                        (3 | 5, 1 | 2) if SMALL || d.width < 4 => narrow(d),
                        (3, 1) => window::<3, 1>(d),
                        (3, 2) => window::<3, 2>(d),
                        (5, 1) => window::<5, 1>(d),
                        (5, 2) => window::<5, 2>(d),
                        _ => unreachable!("no such convolution"),
                    }
                }
            }

            /// Four pixels at a time; the last overlap others where the width is no multiple.
            ///
            /// # Safety
            /// What `depthwise` asserts, `K` and `S` as in `d`, and a width of four at least.
            #$attribute
            unsafe fn window<const K: usize, const S: usize>(d: &mut Depthwise) {
                const M: usize = 4;
                let mut x = 0;
                while x < d.width {
                    let x0 = x.min(d.width - M);
                    for c in (0..d.channels).step_by(LANES) {
                        // SAFETY: in bounds, as the caller promises.
                        unsafe {
                            let mut sum = [load(d.bias.as_ptr().add(c)); M];
                            for ky in 0..K {
                                let row = d.rows.as_ptr().add(ky * d.row + x0 * S * d.channels + c);
                                let w = d.weights.as_ptr().add(ky * K * d.channels + c);
                                let mut weight = [zero(); K];
                                for kx in 0..K { weight[kx] = load(w.add(kx * d.channels)); }
                                for column in 0..(M - 1) * S + K {
                                    let v = load(row.add(column * d.channels));
                                    for m in 0..M {
                                        if column >= m * S && column - m * S < K {
                                            sum[m] = fma(v, weight[column - m * S], sum[m]);
                                        }
                                    }
                                }
                            }
                            let to = d.to.as_mut_ptr().add(x0 * d.channels + c);
                            for m in 0..M { store(to.add(m * d.channels), relu6(sum[m])); }
                        }
                    }
                    x += M;
                }
            }

            /// One pixel at a time, in little code: for the smallest pictures, and for tests.
            ///
            /// # Safety
            /// What `depthwise` asserts.
            #$attribute
            unsafe fn narrow(d: &mut Depthwise) {
                for x in 0..d.width {
                    for c in (0..d.channels).step_by(LANES) {
                        // SAFETY: in bounds, as the caller promises.
                        unsafe {
                            let mut sum = load(d.bias.as_ptr().add(c));
                            for ky in 0..d.kernel {
                                let row = d.rows.as_ptr().add(ky * d.row + x * d.stride * d.channels + c);
                                let w = d.weights.as_ptr().add(ky * d.kernel * d.channels + c);
                                for kx in 0..d.kernel {
                                    let at = kx * d.channels;
                                    sum = fma(load(row.add(at)), load(w.add(at)), sum);
                                }
                            }
                            store(d.to.as_mut_ptr().add(x * d.channels + c), relu6(sum));
                        }
                    }
                }
            }

            #$attribute
            fn unpack(u: &mut Unpack) {
                assert!(u.padded.is_multiple_of(LANES) && u.panel.is_multiple_of(LANES) && u.panel > 0);
                assert!(u.count <= u.padded && u.scale.len() >= u.count);
                let fits = |a: usize, b: usize, len: usize| a.checked_mul(b).is_some_and(|all| all <= len);
                assert!(fits(u.rows, u.padded, u.to.len()) && fits(u.rows, u.columns, u.stored.len()));
                assert!(u.first.checked_add(u.count).is_some_and(|end| end <= u.columns));
                let (mut n, mut at) = (0, 0);
                while n < u.padded {
                    let wide = (u.padded - n).min(u.panel);
                    let real = u.count.saturating_sub(n).min(wide);
                    for row in 0..u.rows {
                        // SAFETY: in bounds, as asserted; `real` columns from `first + n` on are wanted.
                        unsafe {
                            let to = u.to.as_mut_ptr().add(at);
                            let from = u.stored.as_ptr().wrapping_add(row * u.columns + u.first + n);
                            let scale = u.scale.as_ptr().wrapping_add(n);
                            let mut c = 0;
                            while c + LANES <= real {
                                store(to.add(c), mul(widen(from.add(c)), load(scale.add(c))));
                                c += LANES;
                            }
                            while c < wide {
                                *to.add(c) = match c < real {
                                    true => f32::from((*from.add(c)).cast_signed()) * *scale.add(c),
                                    false => 0.0,
                                };
                                c += 1;
                            }
                        }
                        at += wide;
                    }
                    n += wide;
                }
            }
        }
    };
}

#[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
mod x86 {
    use super::*;
    #[cfg(target_arch = "x86")]
    use std::arch::x86::*;
    #[cfg(target_arch = "x86_64")]
    use std::arch::x86_64::*;
    kernels! { avx512, [target_feature(enable = "avx512f")], lanes 16, vectors 3, pixels 8,
        fn zero() -> __m512 { _mm512_setzero_ps() }
        fn splat(x: f32) -> __m512 { _mm512_set1_ps(x) }
        unsafe fn load(p: *const f32) -> __m512 { unsafe { _mm512_loadu_ps(p) } }
        unsafe fn store(p: *mut f32, x: __m512) { unsafe { _mm512_storeu_ps(p, x) } }
        fn fma(a: __m512, b: __m512, c: __m512) -> __m512 { _mm512_fmadd_ps(a, b, c) }
        fn relu6(x: __m512) -> __m512 { _mm512_min_ps(_mm512_max_ps(x, zero()), splat(6.0)) }
        fn mul(a: __m512, b: __m512) -> __m512 { _mm512_mul_ps(a, b) }
        unsafe fn widen(p: *const u8) -> __m512 {
            _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(unsafe { _mm_loadu_si128(p.cast()) }))
        }
    }
    kernels! { avx2, [target_feature(enable = "avx2,fma")], lanes 8, vectors 2, pixels 6,
        fn zero() -> __m256 { _mm256_setzero_ps() }
        fn splat(x: f32) -> __m256 { _mm256_set1_ps(x) }
        unsafe fn load(p: *const f32) -> __m256 { unsafe { _mm256_loadu_ps(p) } }
        unsafe fn store(p: *mut f32, x: __m256) { unsafe { _mm256_storeu_ps(p, x) } }
        fn fma(a: __m256, b: __m256, c: __m256) -> __m256 { _mm256_fmadd_ps(a, b, c) }
        fn relu6(x: __m256) -> __m256 { _mm256_min_ps(_mm256_max_ps(x, zero()), splat(6.0)) }
        fn mul(a: __m256, b: __m256) -> __m256 { _mm256_mul_ps(a, b) }
        unsafe fn widen(p: *const u8) -> __m256 {
            _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(unsafe { _mm_loadl_epi64(p.cast()) }))
        }
    }
    kernels! { sse2, [target_feature(enable = "sse2")], lanes 4, vectors 2, pixels 4,
        fn zero() -> __m128 { _mm_setzero_ps() }
        fn splat(x: f32) -> __m128 { _mm_set1_ps(x) }
        unsafe fn load(p: *const f32) -> __m128 { unsafe { _mm_loadu_ps(p) } }
        unsafe fn store(p: *mut f32, x: __m128) { unsafe { _mm_storeu_ps(p, x) } }
        fn fma(a: __m128, b: __m128, c: __m128) -> __m128 { _mm_add_ps(_mm_mul_ps(a, b), c) }
        fn relu6(x: __m128) -> __m128 { _mm_min_ps(_mm_max_ps(x, zero()), splat(6.0)) }
        fn mul(a: __m128, b: __m128) -> __m128 { _mm_mul_ps(a, b) }
        unsafe fn widen(p: *const u8) -> __m128 {
            let x = _mm_cvtsi32_si128(unsafe { p.cast::<i32>().read_unaligned() });
            let twice = _mm_unpacklo_epi8(x, x);
            _mm_cvtepi32_ps(_mm_srai_epi32::<24>(_mm_unpacklo_epi16(twice, twice)))
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod arm64 {
    use super::*;
    use std::arch::aarch64::*;
    kernels! { neon, [target_feature(enable = "neon")], lanes 4, vectors 3, pixels 8,
        fn zero() -> float32x4_t { splat(0.0) }
        fn splat(x: f32) -> float32x4_t { vdupq_n_f32(x) }
        unsafe fn load(p: *const f32) -> float32x4_t { unsafe { vld1q_f32(p) } }
        unsafe fn store(p: *mut f32, x: float32x4_t) { unsafe { vst1q_f32(p, x) } }
        fn fma(a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t { vfmaq_f32(c, a, b) }
        fn relu6(x: float32x4_t) -> float32x4_t { vminq_f32(vmaxq_f32(x, zero()), splat(6.0)) }
        fn mul(a: float32x4_t, b: float32x4_t) -> float32x4_t { vmulq_f32(a, b) }
        unsafe fn widen(p: *const u8) -> float32x4_t {
            let x = vcreate_s8(u64::from(unsafe { p.cast::<u32>().read_unaligned() }));
            vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(x))))
        }
    }
}

/// 32-bit ARM's intrinsics are not stable: only with the feature `arm-neon`.
#[cfg(all(target_arch = "arm", feature = "arm-neon"))]
mod arm32 {
    use super::*;
    use std::arch::arm::*;
    kernels! { neon, [target_feature(enable = "v7,neon")], lanes 4, vectors 2, pixels 4,
        fn zero() -> float32x4_t { splat(0.0) }
        fn splat(x: f32) -> float32x4_t { vdupq_n_f32(x) }
        unsafe fn load(p: *const f32) -> float32x4_t { unsafe { vld1q_f32(p) } }
        unsafe fn store(p: *mut f32, x: float32x4_t) { unsafe { vst1q_f32(p, x) } }
        fn fma(a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t { vmlaq_f32(c, a, b) }
        fn relu6(x: float32x4_t) -> float32x4_t { vminq_f32(vmaxq_f32(x, zero()), splat(6.0)) }
        fn mul(a: float32x4_t, b: float32x4_t) -> float32x4_t { vmulq_f32(a, b) }
        unsafe fn widen(p: *const u8) -> float32x4_t {
            let x = vcreate_s8(u64::from(unsafe { p.cast::<u32>().read_unaligned() }));
            vcvtq_f32_s32(vmovl_s16(vget_low_s16(vmovl_s8(x))))
        }
    }
}

kernels! { plain, [allow(clippy::modulo_one)], lanes 1, vectors 4, pixels 2,
    fn zero() -> f32 { 0.0 }
    fn splat(x: f32) -> f32 { x }
    unsafe fn load(p: *const f32) -> f32 { unsafe { *p } }
    unsafe fn store(p: *mut f32, x: f32) { unsafe { *p = x } }
    fn fma(a: f32, b: f32, c: f32) -> f32 { a * b + c }
    fn relu6(x: f32) -> f32 { x.clamp(0.0, 6.0) }
    fn mul(a: f32, b: f32) -> f32 { a * b }
    unsafe fn widen(p: *const u8) -> f32 { f32::from(unsafe { *p }.cast_signed()) }
}

/// What this processor can run, the quickest first. Never empty.
pub fn all() -> Vec<&'static Kernels> {
    let mut all = Vec::new();
    #[cfg(any(target_arch = "x86_64", target_arch = "x86"))]
    {
        if is_x86_feature_detected!("avx512f") {
            all.push(&x86::avx512::KERNELS);
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            all.push(&x86::avx2::KERNELS);
        }
        if is_x86_feature_detected!("sse2") {
            all.push(&x86::sse2::KERNELS);
        }
    }
    #[cfg(target_arch = "aarch64")]
    all.push(&arm64::neon::KERNELS);
    #[cfg(all(target_arch = "arm", feature = "arm-neon"))]
    if std::arch::is_arm_feature_detected!("neon") {
        all.push(&arm32::neon::KERNELS);
    }
    all.push(&plain::KERNELS);
    all
}

/// The quickest that this processor can run.
pub fn best() -> &'static Kernels {
    all().first().copied().unwrap_or(&plain::KERNELS)
}

#[cfg(test)]
std::thread_local! {
    static DONE: std::cell::Cell<i64> = const { std::cell::Cell::new(0) };
}

/// The multiply-adds that this thread has done.
#[cfg(test)]
pub fn done() -> i64 {
    DONE.get()
}
