//! The machines that the library is given away for.

/// What a target's C library is, which decides what its files are called and how they are tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum System {
    /// glibc, from this version on.
    Gnu(&'static str),
    /// musl: Alpine, OpenWrt and the like.
    Musl,
    /// Windows, by MinGW-w64 and its msvcrt.
    Windows,
}

/// What links a target's library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linker {
    /// zig, which knows the symbols of every old glibc.
    Zig,
    /// The target's gcc.
    Gcc,
}

/// How a target's programs run here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runner {
    /// As they are.
    Native,
    /// Under qemu's user emulation of this processor.
    Qemu(&'static str),
    /// Under Wine.
    Wine,
    /// Not at all: built and looked at, no more.
    None,
}

/// What a library of a target has inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variant {
    /// The engine and its model too.
    Full,
    /// The client of a service, no more: a third of the size.
    Lite,
}

impl Variant {
    /// What the archive's name begins with.
    pub fn stem(self) -> &'static str {
        match self {
            Variant::Full => "oe-process",
            Variant::Lite => "oe-process-lite",
        }
    }

    /// As it is said in lines for people.
    pub fn note(self) -> &'static str {
        match self {
            Variant::Full => "",
            Variant::Lite => ", lite",
        }
    }
}

/// A look that takes more millions of instructions than this holds up a printer's board for too long:
/// there the library comes without the engine.
pub const MOST_A_LOOK: u32 = 2_000;

/// A machine that the library is given away for.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// In the archive's name.
    pub name: &'static str,
    /// Millions of instructions that a look at one of the demo's pictures takes on the least processor
    /// that the target is for, as `cargo xtask looks` counts them. None: nobody has counted
    /// yet, and until then there is no engine.
    pub look: Option<u32>,
    /// What rustc calls it.
    pub triple: &'static str,
    /// Its C library.
    pub system: System,
    /// What links it.
    pub linker: Linker,
    /// How it is tested.
    pub runner: Runner,
    /// What its binutils begin with.
    pub tools: &'static str,
    /// The packages with its binutils and its compiler.
    pub packages: &'static str,
    /// What its users should know.
    pub caveat: &'static str,
}

/// The oldest glibc that most Linux targets run with: that of CentOS 7 and of board images from
/// 2014 on.
const OLD: System = System::Gnu("2.17");

/// All of them.
pub const TARGETS: &[Target] = &[
    Target {
        name: "x86_64-linux-gnu",
        look: Some(986),
        triple: "x86_64-unknown-linux-gnu",
        system: OLD,
        linker: Linker::Zig,
        runner: Runner::Native,
        tools: "x86_64-linux-gnu-",
        packages: "gcc",
        caveat: "",
    },
    Target {
        name: "aarch64-linux-gnu",
        look: Some(456),
        triple: "aarch64-unknown-linux-gnu",
        system: OLD,
        linker: Linker::Zig,
        runner: Runner::Qemu("aarch64"),
        tools: "aarch64-linux-gnu-",
        packages: "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
        caveat: "Raspberry Pi OS 64-bit and the like",
    },
    Target {
        name: "armv7-linux-gnueabihf",
        look: Some(712),
        triple: "armv7-unknown-linux-gnueabihf",
        system: OLD,
        linker: Linker::Zig,
        runner: Runner::Qemu("arm"),
        tools: "arm-linux-gnueabihf-",
        packages: "gcc-arm-linux-gnueabihf libc6-dev-armhf-cross",
        caveat: "Raspberry Pi 2 and later; not the first Pi and Zero, whose ARMv6 has no port here",
    },
    Target {
        name: "mipsel-linux-gnu",
        look: Some(4145),
        triple: "mipsel-unknown-linux-gnu",
        system: System::Gnu("2.35"),
        linker: Linker::Gcc,
        runner: Runner::Qemu("mipsel"),
        tools: "mipsel-linux-gnu-",
        packages: "gcc-mipsel-linux-gnu libc6-dev-mipsel-cross",
        caveat: "hard float, MIPS32r2, glibc of Debian 12; for soft-float boards there is mipsel-linux-musl",
    },
    Target {
        name: "x86_64-linux-musl",
        look: Some(986),
        triple: "x86_64-unknown-linux-musl",
        system: System::Musl,
        linker: Linker::Zig,
        runner: Runner::Native,
        tools: "x86_64-linux-gnu-",
        packages: "gcc musl-tools",
        caveat: "a static program needs an unwinder for musl: Alpine's gcc has it, Debian's musl-gcc does not (zig cc does)",
    },
    Target {
        name: "aarch64-linux-musl",
        look: Some(456),
        triple: "aarch64-unknown-linux-musl",
        system: System::Musl,
        linker: Linker::Zig,
        runner: Runner::Qemu("aarch64"),
        tools: "aarch64-linux-gnu-",
        packages: "gcc-aarch64-linux-gnu",
        caveat: "static only was run: no musl loader of this processor to be had",
    },
    Target {
        name: "armv7-linux-musleabihf",
        look: Some(712),
        triple: "armv7-unknown-linux-musleabihf",
        system: System::Musl,
        linker: Linker::Zig,
        runner: Runner::Qemu("arm"),
        tools: "arm-linux-gnueabihf-",
        packages: "gcc-arm-linux-gnueabihf",
        caveat: "static only was run: no musl loader of this processor to be had; times end in 2038",
    },
    Target {
        name: "mipsel-linux-musl",
        look: None,
        triple: "mipsel-unknown-linux-musl",
        system: System::Musl,
        linker: Linker::Zig,
        runner: Runner::Qemu("mipsel"),
        tools: "mipsel-linux-gnu-",
        packages: "gcc-mipsel-linux-gnu",
        caveat: "soft float, MIPS32r2; static only was run; times end in 2038",
    },
    Target {
        name: "x86_64-windows",
        look: Some(986),
        triple: "x86_64-pc-windows-gnu",
        system: System::Windows,
        linker: Linker::Gcc,
        runner: Runner::Wine,
        tools: "x86_64-w64-mingw32-",
        packages: "gcc-mingw-w64-x86-64",
        caveat: "Wine 8; needs Windows 8 or later; the static library is for MinGW-w64",
    },
    Target {
        name: "i686-windows",
        look: None,
        triple: "i686-pc-windows-gnu",
        system: System::Windows,
        linker: Linker::Gcc,
        runner: Runner::None,
        tools: "i686-w64-mingw32-",
        packages: "gcc-mingw-w64-i686",
        caveat: "linked, never run; no static library",
    },
];

/// A 32-bit Linux for what cannot be run or counted on 32-bit Windows; nothing is given away for it.
pub const I686_LINUX: Target = Target {
    name: "x86-linux-musl",
    look: None,
    triple: "i686-unknown-linux-musl",
    system: System::Musl,
    linker: Linker::Zig,
    runner: Runner::None,
    tools: "x86_64-linux-gnu-",
    packages: "gcc",
    caveat: "",
};

impl Target {
    /// What installs its tools.
    pub fn hint(self) -> String {
        format!("apt-get install {}", self.packages)
    }

    /// What is made for it, the fullest first.
    pub fn variants(self) -> &'static [Variant] {
        match self.look.is_some_and(|look| look < MOST_A_LOOK) {
            true => &[Variant::Full, Variant::Lite],
            false => &[Variant::Lite],
        }
    }

    /// What packages for languages take, which have one library for each target.
    pub fn fullest(self) -> Variant {
        self.variants().first().copied().unwrap_or(Variant::Lite)
    }

    /// Whether it is a DLL that is given away.
    pub fn is_windows(self) -> bool {
        self.system == System::Windows
    }

    /// Whether a static library is given away. On 32-bit Windows rustc names the system's functions
    /// without the bytes of their arguments, as no import library of MinGW-w64 does.
    pub fn has_static(self) -> bool {
        self.triple != "i686-pc-windows-gnu"
    }

    /// Whether the objects of its static library can be joined into one.
    pub fn joins(self) -> bool {
        !self.is_windows() && !self.triple.starts_with("mips")
    }

    /// Bytes that its shared library may have more than others: MIPS has the largest code of all,
    /// and with soft float every number with a fraction is a call.
    pub fn more(self) -> u64 {
        match self.name {
            "mipsel-linux-musl" => 100_000,
            _ => 0,
        }
    }

    /// What zig calls it.
    pub fn zig(self) -> &'static str {
        match self.name {
            "armv7-linux-musleabihf" => "arm-linux-musleabihf",
            // Soft float, as rustc's is.
            "mipsel-linux-musl" => "mipsel-linux-musleabi",
            name => name,
        }
    }

    /// What a program that links the static library has to link besides.
    pub fn libraries(self) -> &'static str {
        match self.system {
            System::Gnu(_) => "-lpthread -ldl -lm",
            System::Musl => "-lgcc_eh",
            System::Windows => {
                "-lws2_32 -luserenv -lntdll -lbcrypt -lcrypt32 -ladvapi32 -lsynchronization"
            }
        }
    }
}

/// What is asked for: targets by name, or all; of each both variants, or those that `--full` and `--lite` say.
pub fn asked(words: &[&str]) -> Result<Vec<(Target, Variant)>, String> {
    let (options, names): (Vec<&str>, Vec<&str>) =
        words.iter().partition(|word| word.starts_with("--"));
    let wanted = match options.as_slice() {
        [] => [Variant::Full, Variant::Lite].as_slice(),
        ["--full"] => &[Variant::Full],
        ["--lite"] => &[Variant::Lite],
        _ => return Err(format!("{options:?}: not --full or --lite")),
    };
    let both = |target: Target| {
        target
            .variants()
            .iter()
            .map(move |variant| (target, *variant))
    };
    let all = named(&names)?.into_iter().flat_map(both);
    Ok(all
        .filter(|(_, variant)| wanted.contains(variant))
        .collect())
}

/// Those with these names; all, when none is named.
pub fn named(names: &[&str]) -> Result<Vec<Target>, String> {
    let known = |name: &&str| {
        let found = TARGETS.iter().find(|target| target.name == *name);
        found.copied().ok_or_else(|| {
            let all: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
            format!("{name}: not one of {}", all.join(", "))
        })
    };
    match names {
        [] => Ok(TARGETS.to_vec()),
        names => names.iter().map(known).collect(),
    }
}
