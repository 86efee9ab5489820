//! The tile unit of this CPU, or its model: detection, configuration, and the one loop that uses it.
#![allow(unsafe_code)]

use super::{BRICK, Block, model};
use std::sync::OnceLock;

/// What multiplies tiles.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TileUnit {
    /// AMX.
    Cpu,
    /// The model of it.
    Model,
}

/// Bricks of one operand: that of step s begins at s · stride.
#[derive(Clone, Copy)]
pub(crate) struct Bricks<'a> {
    pub(crate) data: &'a [u32],
    pub(crate) stride: usize,
}

impl TileUnit {
    /// The unit of this CPU. CPUID has amx-tile and amx-bf16, the system saves tiles (XCR0), and grants them to this process.
    pub(crate) fn detect() -> Option<TileUnit> {
        static GRANTED: OnceLock<bool> = OnceLock::new();
        GRANTED.get_or_init(hardware::request).then_some(TileUnit::Cpu)
    }

    /// c = a b, plus c if `add`, over `steps` bricks of each in `parts`.
    #[inline(always)]
    pub(crate) fn multiply(self, c: &mut Block, a: Bricks, b: Bricks, steps: usize, parts: usize, add: bool) {
        assert!((1..=2).contains(&parts));
        if !add {
            c.0.fill(0.0);
        }
        if steps == 0 {
            return;
        }
        for operand in [a, b] {
            assert!((steps - 1) * operand.stride + parts * BRICK <= operand.data.len(), "an operand is too short");
        }
        if self == TileUnit::Cpu {
            // SAFETY: `detect` constructs it, and the assertion bounds what is read. Tiles are configured in each thread of
            // a run; on a thread without it the first instruction faults.
            return unsafe { hardware::multiply(c, a, b, steps, parts) };
        }
        for step in 0..steps {
            for (of_a, of_b) in PRODUCTS[parts - 1] {
                let a = a.data[step * a.stride + of_a * BRICK..].first_chunk().expect("in bounds");
                let b = b.data[step * b.stride + of_b * BRICK..].first_chunk().expect("in bounds");
                model::multiply(c, a, b);
            }
        }
    }

    /// Configures the tiles of this thread.
    pub(crate) fn configure(self) -> Configured {
        if self == TileUnit::Cpu {
            // SAFETY: `detect` constructs it.
            unsafe { hardware::configure() }
        }
        Configured(self)
    }
}

/// The parts of each product of a step, small products first.
const PRODUCTS: [&[(usize, usize)]; 2] = [&[(0, 0)], &[(1, 0), (0, 1), (0, 0)]];

/// Configured tiles, released when it ends.
pub(crate) struct Configured(TileUnit);

impl Drop for Configured {
    fn drop(&mut self) {
        if self.0 == TileUnit::Cpu {
            // SAFETY: the CPU has AMX, as `configure` has used it.
            unsafe { hardware::release() }
        }
    }
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod hardware {
    use super::{BRICK, Block, Bricks};
    use std::arch::asm;
    use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};

    /// See [`TileUnit::detect`](super::TileUnit::detect).
    pub(super) fn request() -> bool {
        const OSXSAVE: u32 = 1 << 27;
        const AMX_BF16_AND_TILE: u32 = 1 << 22 | 1 << 24;
        const TILE_CONFIG_AND_DATA: u64 = 1 << 17 | 1 << 18;
        const ARCH_REQ_XCOMP_PERM: i32 = 0x1023;
        const TILE_DATA: u64 = 18;
        if __cpuid(0).eax < 7 || __cpuid(1).ecx & OSXSAVE == 0 {
            return false;
        }
        if __cpuid_count(7, 0).edx & AMX_BF16_AND_TILE != AMX_BF16_AND_TILE {
            return false;
        }
        #[target_feature(enable = "xsave")]
        unsafe fn xcr0() -> u64 {
            // SAFETY: register 0 is there with OSXSAVE.
            unsafe { _xgetbv(0) }
        }
        // SAFETY: the CPU has XGETBV, by OSXSAVE. The call changes no memory; an older kernel refuses it.
        unsafe {
            xcr0() & TILE_CONFIG_AND_DATA == TILE_CONFIG_AND_DATA
                && libc::syscall(libc::SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, TILE_DATA) == 0
        }
    }

    /// Every tile has 16 rows of 64 bytes.
    ///
    /// # Safety
    /// The CPU has AMX, and the system has granted it.
    pub(super) unsafe fn configure() {
        #[repr(align(64))]
        struct Config([u8; 64]);
        let mut config = Config([0; 64]);
        config.0[0] = 1; // palette
        for tile in 0..8 {
            config.0[16 + 2 * tile] = 64; // bytes of a row
            config.0[48 + tile] = 16; // rows
        }
        // SAFETY: the caller's promise; it reads the 64 bytes.
        unsafe { asm!("ldtilecfg [{}]", in(reg) &config, options(nostack, readonly)) }
    }

    /// # Safety
    /// As `configure`.
    pub(super) unsafe fn release() {
        // SAFETY: the caller's promise.
        unsafe { asm!("tilerelease", options(nostack, nomem)) }
    }

    /// The loop over bricks: tmm0 to 3 = c, tmm4 and 5 = a, tmm6 and 7 = b. One `asm!`, since the compiler promises no
    /// tile register from one to the next.
    macro_rules! tile_loop {
        ($c:expr, $a:expr, $b:expr, $steps:expr, $($product:expr),*) => {
            asm!(
                "tileloadd tmm0, [{c} + {t}]",
                "tileloadd tmm1, [{c} + {t} + 64]",
                "tileloadd tmm2, [{c} + {t} + 2048]",
                "tileloadd tmm3, [{c} + {t} + 2112]",
                "2:",
                $($product,)*
                "add {a}, {sa}",
                "add {b}, {sb}",
                "dec {n}",
                "jnz 2b",
                "tilestored [{c} + {t}], tmm0",
                "tilestored [{c} + {t} + 64], tmm1",
                "tilestored [{c} + {t} + 2048], tmm2",
                "tilestored [{c} + {t} + 2112], tmm3",
                c = in(reg) $c.0.as_mut_ptr(), a = inout(reg) $a.data.as_ptr() => _, b = inout(reg) $b.data.as_ptr() => _,
                n = inout(reg) $steps => _, sa = in(reg) 4 * $a.stride, sb = in(reg) 4 * $b.stride,
                t = in(reg) 128usize, s = in(reg) 64usize,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack)
            )
        };
    }
    macro_rules! load_a {
        ($part:literal) => {
            concat!("tileloadd tmm4, [{a} + {s} + ", $part, "]\n tileloadd tmm5, [{a} + {s} + ", $part, " + 1024]")
        };
    }
    macro_rules! load_b {
        ($part:literal) => {
            concat!("tileloadd tmm6, [{b} + {s} + ", $part, "]\n tileloadd tmm7, [{b} + {s} + ", $part, " + 1024]")
        };
    }
    macro_rules! dots {
        () => {
            "tdpbf16ps tmm0, tmm4, tmm6\n tdpbf16ps tmm1, tmm4, tmm7\n tdpbf16ps tmm2, tmm5, tmm6\n tdpbf16ps tmm3, tmm5, tmm7"
        };
    }

    /// c += a b.
    ///
    /// # Safety
    /// The CPU has AMX and the system has granted it; `steps` is not 0, and that many bricks can be read.
    pub(super) unsafe fn multiply(c: &mut Block, a: Bricks, b: Bricks, steps: usize, parts: usize) {
        const { assert!(4 * BRICK == 2048) } // the second part begins there
        // SAFETY: the caller's promise; c is 32 rows of 128 bytes.
        unsafe {
            match parts {
                1 => tile_loop!(c, a, b, steps, load_a!("0"), load_b!("0"), dots!()),
                _ => tile_loop!(
                    c,
                    a,
                    b,
                    steps,
                    load_a!("2048"),
                    load_b!("0"),
                    dots!(),
                    load_a!("0"),
                    load_b!("2048"),
                    dots!(),
                    load_b!("0"),
                    dots!()
                ),
            }
        }
    }
}

/// No tiles.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
mod hardware {
    use super::{Block, Bricks};

    pub(super) fn request() -> bool {
        false
    }
    pub(super) unsafe fn configure() {}
    pub(super) unsafe fn release() {}
    pub(super) unsafe fn multiply(_: &mut Block, _: Bricks, _: Bricks, _: usize, _: usize) {
        unreachable!("no unit was detected")
    }
}
