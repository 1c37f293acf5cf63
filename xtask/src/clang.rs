//! The C compiler for guests. A part of `ring`, the cryptography under TLS, is C, and has to become WebAssembly like
//! the rest. No sysroot is needed, only a clang with the `wasm32` target: one that is installed, or else the one in
//! the `ziglang` wheel of PyPI, which is fetched once into `target/tools`.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

const TARGET: &str = "wasm32-wasip2";

/// By preference: the distribution's choice, then the newest.
const CLANGS: [&str; 10] = [
    "clang", "clang-22", "clang-21", "clang-20", "clang-19", "clang-18", "clang-17", "clang-16", "clang-15", "clang-14",
];

/// The wheel with which the project is tested. 98 MB to fetch, 413 MB unpacked.
const ZIG_VERSION: &str = "0.17.1";

const WAY_OUT: &str =
    "`apt-get install clang` (or your system's clang with the wasm32 target) or `pip install ziglang`";

/// What cargo needs in its environment so that the `cc` crate finds a C compiler for wasm32-wasip2.
///
/// Empty when the caller's environment names a compiler already (`CC_wasm32_wasip2`). May take a minute the first
/// time, for a download of 98 MB, when no clang is installed.
pub(crate) fn environment() -> Result<Vec<(String, String)>> {
    if env::var_os("CC_wasm32_wasip2").is_some() || env::var_os("CC_wasm32-wasip2").is_some() {
        return Ok(Vec::new());
    }
    let tools = tools_folder();
    fs::create_dir_all(&tools).with_context(|| format!("create {}", tools.display()))?;
    let (compiler, archiver) = match installed_clang(&tools) {
        Some(clang) => (clang.to_owned(), archiver_of(clang)),
        None => zig_as_clang(&tools)?,
    };
    Ok(vec![
        ("CC_wasm32_wasip2".to_owned(), compiler),
        ("AR_wasm32_wasip2".to_owned(), archiver),
    ])
}

fn tools_folder() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from);
    target
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"))
        .join("tools")
}

/// The first clang that has the target and shows it: some distributions list a target whose headers are missing.
fn installed_clang(scratch: &Path) -> Option<&'static str> {
    CLANGS.into_iter().find(|clang| {
        let targets = output(Command::new(clang).arg("--print-targets")).unwrap_or_default();
        let listed = targets
            .lines()
            .any(|line| line.split_whitespace().next() == Some("wasm32"));
        listed && compiles(clang, scratch).is_ok()
    })
}

/// Compiles what every C file of ring starts with, with the flags that ring's build gives.
fn compiles(compiler: &str, scratch: &Path) -> Result<()> {
    let folder = scratch.join(format!("trial-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let source = folder.join("trial.c");
    fs::write(
        &source,
        "#include <stdint.h>\n#include <stddef.h>\nuint32_t next(uint32_t n) { return n + 1; }\n",
    )?;
    let mut compile = Command::new(compiler);
    compile
        .arg(format!("--target={TARGET}"))
        .args(["-nostdlibinc", "-O2", "-c"])
        .arg(&source);
    let compiled = output(compile.arg("-o").arg(folder.join("trial.o")));
    fs::remove_dir_all(&folder)?;
    compiled.map(drop)
}

/// The clang's own archiver where it is installed; rustc rewrites the archive's index, so any `ar` does.
fn archiver_of(clang: &str) -> String {
    let version = clang.strip_prefix("clang").unwrap_or_default();
    [format!("llvm-ar{version}"), "llvm-ar".to_owned()]
        .into_iter()
        .find(|archiver| output(Command::new(archiver).arg("--version")).is_ok())
        .unwrap_or_else(|| "ar".to_owned())
}

/// Scripts that make `zig cc` and `zig ar` look like clang and ar.
fn zig_as_clang(tools: &Path) -> Result<(String, String)> {
    ensure!(
        cfg!(unix),
        "no clang for {TARGET} found: install clang with the wasm32 target"
    );
    let zig = match installed_zig() {
        Some(zig) => zig,
        None => fetched_zig(tools).with_context(|| format!("no clang for {TARGET} found: {WAY_OUT}"))?,
    };
    let zig = zig.canonicalize().with_context(|| format!("find {}", zig.display()))?;
    let folder = tools.canonicalize()?.join("zig");
    fs::create_dir_all(&folder)?;
    // zig knows the target by another name and takes the last `-target`, but refuses one that it does not know.
    let compiler = format!(
        "#!/bin/sh\nfor argument do\n  shift\n  case $argument in --target=*) ;; *) set -- \"$@\" \"$argument\" ;; esac\ndone\n\
         export ZIG_GLOBAL_CACHE_DIR='{cache}' ZIG_LOCAL_CACHE_DIR='{cache}'\n\
         exec '{zig}' cc -target wasm32-wasi -fno-sanitize=undefined \"$@\"\n",
        cache = folder.join("cache").display(),
        zig = zig.display(),
    );
    let archiver = format!("#!/bin/sh\nexec '{}' ar \"$@\"\n", zig.display());
    let (compiler, archiver) = (
        script(&folder.join("cc"), &compiler)?,
        script(&folder.join("ar"), &archiver)?,
    );
    compiles(&compiler, tools)
        .with_context(|| format!("{} does not compile C for {TARGET}: {WAY_OUT}", zig.display()))?;
    Ok((compiler, archiver))
}

/// The zig of an installed `ziglang` package.
fn installed_zig() -> Option<PathBuf> {
    let find = "import os, ziglang; print(os.path.join(os.path.dirname(ziglang.__file__), 'zig'))";
    let path = output(Command::new("python3").args(["-c", find])).ok()?;
    Some(PathBuf::from(path.trim())).filter(|zig| zig.is_file())
}

/// Downloads and unpacks the wheel, once. The last step is a rename, so that a killed run leaves nothing half done.
fn fetched_zig(tools: &Path) -> Result<PathBuf> {
    let unpacked = tools.join(format!("ziglang-{ZIG_VERSION}"));
    let zig = unpacked.join("ziglang/zig");
    if zig.is_file() {
        return Ok(zig);
    }
    let folder = tools.join(format!("ziglang-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let done = unpack_wheel(&folder).and_then(|()| match fs::rename(folder.join("unpacked"), &unpacked) {
        // Another run came first.
        Err(_) if zig.is_file() => Ok(()),
        renamed => renamed.with_context(|| format!("put zig into {}", unpacked.display())),
    });
    fs::remove_dir_all(&folder)?;
    done.map(|()| zig)
}

fn unpack_wheel(folder: &Path) -> Result<()> {
    let mut download = Command::new("python3");
    download.args([
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
        "--dest",
    ]);
    output(download.arg(folder).arg(format!("ziglang=={ZIG_VERSION}"))).context("fetch ziglang from PyPI")?;
    let wheel = fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .context("pip fetched no wheel")?;
    let unpacked = folder.join("unpacked");
    output(
        Command::new("python3")
            .args(["-m", "zipfile", "-e"])
            .arg(&wheel)
            .arg(&unpacked),
    )
    .context("unpack zig")?;
    make_executable(&unpacked.join("ziglang/zig"))
}

/// Writes a script where it differs, so that an unchanged one keeps its time and cargo builds nothing anew.
fn script(path: &Path, text: &str) -> Result<String> {
    if fs::read_to_string(path).ok().as_deref() != Some(text) {
        fs::write(path, text).with_context(|| format!("write {}", path.display()))?;
    }
    make_executable(path)?;
    let path = path
        .to_str()
        .with_context(|| format!("{} is not UTF-8", path.display()))?;
    Ok(path.to_owned())
}

fn make_executable(path: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))
            .with_context(|| format!("make {} executable", path.display()))?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Runs to the end and yields standard output, or an error with the last line of standard error.
fn output(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let result = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("start {program}"))?;
    if !result.status.success() {
        let errors = String::from_utf8_lossy(&result.stderr);
        bail!(
            "{program}: {}: {}",
            result.status,
            errors.trim_end().lines().next_back().unwrap_or("no message")
        );
    }
    Ok(String::from_utf8_lossy(&result.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archiver_is_named_for_any_clang() {
        assert!(archiver_of("clang").ends_with("ar"));
        assert!(archiver_of("clang-14").starts_with("llvm-ar") || archiver_of("clang-14") == "ar");
    }

    #[test]
    fn a_compiler_without_the_target_is_refused() {
        let scratch = env::temp_dir();
        // The native `true` writes nothing and `false` fails; only the second is told apart by its status.
        assert!(compiles("false", &scratch).is_err());
        assert!(compiles("mainstay-no-such-compiler", &scratch).is_err());
    }
}
