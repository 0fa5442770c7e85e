//! Lists `src/senders/catalogue/*.rs`, so that a new sender is one file and no other edit.
//!
//! The list is Rust that names the files (`#[path]`), so a mistake in one is reported where it stands, and
//! editors follow it. Not here: what a sender is.

use std::{env, error::Error, fmt::Write, fs, path::PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    let directory =
        PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo sets it")?).join("src/senders/catalogue");
    println!("cargo::rerun-if-changed={}", directory.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(&directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.push(
                path.file_stem().and_then(|stem| stem.to_str()).ok_or("a file's name is its module's")?.to_owned(),
            );
        }
    }
    names.sort_unstable();
    let mut list = String::new();
    for name in &names {
        let path = directory.join(format!("{name}.rs"));
        writeln!(list, "#[path = {:?}]\npub mod {name};", path.display().to_string())?;
    }
    let table: Vec<String> = names.iter().map(|name| format!("&{name}::SENDER")).collect();
    writeln!(list, "pub const ALL: &[&super::Declaration] = &[{}];", table.join(", "))?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets it")?);
    fs::write(out.join("catalogue.rs"), list)?;
    Ok(())
}
