//! What the system says about itself and about the directory: [`machine`] and [`directory`].

use std::thread;

use ringzero::{Config, StorageIo, StorageIoExt, SyncBackend};

use crate::{
    figures, file_systems,
    folder::Folder,
    mounts::Mount,
    platform::{self, read_fact},
    proc_facts,
    screen::Fact,
};

/// Number of SIGXFSZ on every processor of Linux but MIPS (signal(7)).
const SIGXFSZ: u32 = 25;
const NOT_TOLD: &str = "not told here";

/// Kernel, memory, limits. To be asked before the program changes what it does with signals.
pub(crate) fn machine() -> Vec<Fact> {
    vec![
        Fact::new("kernel", kernel()),
        processors(),
        Fact::new("memory", memory()),
        memlock(),
        uring_switch(),
        seccomp(),
        file_size(),
        size_signal(),
    ]
}

fn kernel() -> String {
    let release = read_fact("/proc/sys/kernel/osrelease").unwrap_or_default();
    let system = [std::env::consts::OS, release.trim()].join(" ");
    format!("{}, {}", system.trim_end(), std::env::consts::ARCH)
}

fn processors() -> Fact {
    let count = thread::available_parallelism().map_or(1, usize::from);
    let load = load().map_or(String::new(), |load| format!(", load {load:.1}"));
    let fact = Fact::new("processors", format!("{count}{load}"));
    if is_busy() { fact.but("others are at work: figures will be rough") } else { fact }
}

/// How many threads ran or were ready to, on average of the last minute.
fn load() -> Option<f64> {
    read_fact("/proc/loadavg")?.split(' ').next()?.parse().ok()
}

/// Whether so much else is going on that figures will be rough. To be asked before measuring.
pub(crate) fn is_busy() -> bool {
    let count = thread::available_parallelism().map_or(1, usize::from);
    load().is_some_and(|load| load > count as f64 / 2.0)
}

fn memory() -> String {
    let meminfo = read_fact("/proc/meminfo").unwrap_or_default();
    let size = |name| proc_facts::memory(&meminfo, name).map(figures::bytes);
    match (size("MemTotal"), size("MemAvailable")) {
        (Some(total), Some(available)) => format!("{total}, {available} available"),
        (total, _) => total.unwrap_or_else(|| NOT_TOLD.to_owned()),
    }
}

fn limit(name: &str) -> Option<u64> {
    proc_facts::limit(&read_fact("/proc/self/limits")?, name)
}

fn limit_text(limit: Option<u64>) -> String {
    match limit {
        None => NOT_TOLD.to_owned(),
        Some(u64::MAX) => "unlimited".to_owned(),
        Some(bytes) => figures::bytes(bytes),
    }
}

fn memlock() -> Fact {
    let limit = limit("Max locked memory");
    let needed = Config::default().limits.memory_bytes() as u64;
    let fact = Fact::new("memlock limit", limit_text(limit));
    if limit.is_some_and(|limit| limit < needed) {
        let needed = figures::bytes(needed);
        return fact.but(format!("registered buffers need {needed} by default (ulimit -l)"));
    }
    fact
}

fn uring_switch() -> Fact {
    const LABEL: &str = "kernel.io_uring_disabled";
    match read_fact("/proc/sys/kernel/io_uring_disabled") {
        None => Fact::new(LABEL, "not there (it is since Linux 6.6)".to_owned()),
        Some(value) => {
            let fact = Fact::new(LABEL, proc_facts::uring_switch(&value).to_owned());
            if value.trim() == "0" { fact } else { fact.but("sysctl kernel.io_uring_disabled=0") }
        }
    }
}

fn seccomp() -> Fact {
    let status = read_fact("/proc/self/status").unwrap_or_default();
    let mode = proc_facts::status(&status, "Seccomp");
    Fact::new("seccomp", mode.map_or(NOT_TOLD, proc_facts::seccomp_mode).to_owned())
}

fn file_size() -> Fact {
    let limit = limit("Max file size");
    let fact = Fact::new("file size limit", limit_text(limit));
    match limit {
        None | Some(u64::MAX) => fact,
        Some(_) => fact.but("writes beyond it fail with EFBIG, or end the process: next line"),
    }
}

fn size_signal() -> Fact {
    let status = read_fact("/proc/self/status").unwrap_or_default();
    let ignored = proc_facts::status(&status, "SigIgn");
    Fact::new(
        "SIGXFSZ",
        match ignored.and_then(|set| proc_facts::has_signal(set, SIGXFSZ)) {
            None => NOT_TOLD,
            Some(true) => "ignored: a write beyond the limit is an error",
            Some(false) => "not ignored: your program should, where there may be a limit",
        }
        .to_owned(),
    )
}

/// File system, blocks, alignment.
pub(crate) fn directory(folder: &Folder) -> Vec<Fact> {
    let path = folder.path();
    let mut facts = Vec::new();
    let mounts = read_fact("/proc/self/mountinfo").unwrap_or_default();
    let mount = Mount::of(path, &mounts);
    match platform::file_system(path) {
        Err(_) => facts.push(Fact::new("file system", NOT_TOLD.to_owned())),
        Ok(about) => {
            let name = file_systems::name_of(about.magic).unwrap_or("not known to the doctor");
            let kind = mount.as_ref().map_or(name, |mount| &mount.kind);
            let text = if kind.eq_ignore_ascii_case(name) {
                format!("{name} (number {:#x})", about.magic)
            } else {
                format!("{kind} (number {:#x}: {name})", about.magic)
            };
            let fact = Fact::new("file system", text);
            facts.push(match file_systems::remark_on(about.magic) {
                Some(remark) => fact.but(remark),
                None => fact,
            });
            facts.push(Fact::new("block size", figures::bytes(about.block_bytes)));
            facts.push(Fact::new("free space", figures::bytes(about.available_bytes)));
        }
    }
    if let Some(Mount { point, source, options, .. }) = mount {
        facts.push(Fact::new("mounted", format!("{source} at {}", point.display())));
        facts.push(Fact::new("mount options", options));
    }
    facts.push(direct(folder));
    facts
}

/// What O_DIRECT asks for, according to the system and to ringzero.
fn direct(folder: &Folder) -> Fact {
    const LABEL: &str = "O_DIRECT";
    let file = match folder.new_direct_file() {
        Ok(file) => file,
        Err(error) => return Fact::new(LABEL, "refused".to_owned()).but(error.to_string()),
    };
    let told = match platform::direct_alignment(&file) {
        Some(it) => {
            format!("memory {}, offset and length {}", it.memory, it.offset)
        }
        None => "alignment not told".to_owned(),
    };
    let registered = SyncBackend::new(&Config::default()).map_err(|error| error.to_string());
    let alignment = registered.and_then(|mut io| {
        let fd = StorageIo::register_fd(&mut io, file).map_err(|error| error.to_string())?;
        io.alignment(fd).map_err(|error| error.to_string())
    });
    match alignment {
        Ok(alignment) => {
            Fact::new(LABEL, format!("{told}; ringzero takes multiples of {alignment}"))
        }
        Err(error) => Fact::new(LABEL, told).but(format!("ringzero refuses it: {error}")),
    }
}
