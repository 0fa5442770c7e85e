//! A reader who follows a guide: an empty directory, terminals, the real binary as `hookhaven`. Each block is done as its
//! mark says, and the first that does not go as the guide says ends it, with the guide's name and line, the command,
//! and what was printed.
//!
//! The guides name the ports that people use. Here each stands for one that is free, in files, commands and what is
//! expected alike.

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    net::TcpListener,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicU16, Ordering},
    time::Instant,
};

use tempfile::TempDir;

use super::{
    super::support::PATIENCE,
    block::{self, Block, Step},
    expected,
    program::Program,
};

/// The ports that a guide may name.
const PORTS: [u16; 9] = [3000, 3001, 3002, 3003, 6379, 8080, 8081, 8090, 8091];

/// Of the environment of the tests; all else is as in a new account.
const KEPT: [&str; 2] = ["PATH", "HOOKHAVEN_XTASK_RUN"];

/// What did not go as the guide says.
#[derive(Debug)]
pub struct Failure {
    pub guide: String,
    pub line: usize,
    /// The block, as it was done.
    pub text: String,
    pub what: String,
    pub output: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { guide, line, text, what, output } = self;
        write!(to, "{guide}:{line}: {what}\n--- the block\n{text}--- what was printed\n{output}")
    }
}

/// Why a step failed, and what was printed meanwhile.
type Trouble = (String, String);

pub struct Shell {
    directory: TempDir,
    /// Outside the reader's directory: home, and what `sh env` sets.
    home: TempDir,
    variables: BTreeMap<String, String>,
    ports: Vec<(u16, u16)>,
    background: BTreeMap<String, Program>,
    /// What the last command printed.
    printed: String,
}

impl Shell {
    /// `given` are variables that the test sets: where a stand-in for a sender's API listens.
    pub fn new(given: &[(&str, String)]) -> Self {
        let (directory, home) = (new_directory(), new_directory());
        let mut variables: BTreeMap<_, _> = KEPT
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), std::env::var_os(name)?.into_string().ok()?)))
            .collect();
        let programs = home.path().join("bin");
        fs::create_dir(&programs).expect("a directory for the binary");
        symlink(env!("CARGO_BIN_EXE_hookhaven"), programs.join("hookhaven")).expect("a link to the binary");
        redis(&programs);
        let system = variables.get("PATH").cloned().unwrap_or_default();
        let path = format!("{}:{}:{system}", programs.display(), clients().join(".venv/bin").display());
        // Python at a terminal prints lines as they come, and nothing may be left in the source tree.
        let own = [("PATH", path), ("PYTHONUNBUFFERED", "1".into()), ("PYTHONDONTWRITEBYTECODE", "1".into())];
        variables.extend(own.map(|(name, value)| (name.to_owned(), value)));
        variables.insert("HOME".into(), home.path().display().to_string());
        variables.insert("LANG".into(), "C.UTF-8".into());
        variables.extend(given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        let ports = PORTS.map(|named| (named, free_port())).to_vec();
        Shell { directory, home, variables, ports, background: BTreeMap::new(), printed: String::new() }
    }

    /// Follows a guide to its end.
    pub fn follow(&mut self, name: &str, guide: &str) -> Result<(), Failure> {
        let failed = |line, text: &str, (what, output): Trouble| Failure {
            guide: name.to_owned(),
            line,
            text: text.to_owned(),
            what,
            output,
        };
        let blocks = block::blocks(guide).map_err(|(line, what)| failed(line, "", (what, String::new())))?;
        for (index, block) in blocks.iter().enumerate() {
            let block = Block { text: self.with_ports(&block.text), ..block.clone() };
            let next = blocks.get(index + 1).map(|next| Block { text: self.with_ports(&next.text), ..next.clone() });
            self.step(&block, next.as_ref()).map_err(|trouble| failed(block.line, &block.text, trouble))?;
        }
        let over = self.background.iter().find_map(|(name, program)| goes_on(name, program).err());
        over.map_or(Ok(()), |trouble| Err(failed(guide.lines().count(), "", trouble)))
    }

    fn step(&mut self, block: &Block, next: Option<&Block>) -> Result<(), Trouble> {
        let text = &block.text;
        match &block.step {
            Step::Shown => Ok(()),
            Step::File { path, append } => self.write(path, text, *append).map_err(|error| plain(&error.to_string())),
            Step::Env => self.set(text),
            Step::Install => self.install(text),
            Step::Run { exit, again: false } => self.run(text, *exit),
            Step::Run { exit, again: true } => match next {
                Some(Block { step: Step::Expect { of: None }, text: wanted, .. }) => {
                    self.run_until(text, *exit, wanted)
                }
                _ => Err(plain("`again` wants a block behind it that says what is expected")),
            },
            Step::Tell { name, wait } => self.run(text, 0).and_then(|()| self.expect_of(name, &format!("…{wait}…"))),
            Step::Start { name, wait, anew: false } => self.start(name, wait, text),
            Step::Start { name, wait, anew: true } => self.stop(name).and_then(|()| self.start(name, wait, text)),
            Step::Stop { name } => self.stop(name),
            Step::Expect { of: None } => expected::find(text, &self.printed)
                .map(|_| ())
                .map_err(|line| (format!("not there: {line}"), self.printed.clone())),
            Step::Expect { of: Some(name) } => self.expect_of(name, text),
        }
    }

    fn write(&self, path: &str, text: &str, append: bool) -> io::Result<()> {
        let path = self.directory.path().join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let before = if append { fs::read_to_string(&path)? } else { String::new() };
        fs::write(path, before + text)
    }

    fn set(&mut self, text: &str) -> Result<(), Trouble> {
        let file = self.home.path().join("environment");
        self.run(&format!("{text}\nenv -0 > '{}'", file.display()), 0)?;
        let set = fs::read_to_string(&file).map_err(|error| plain(&error.to_string()))?;
        // What the shell keeps for itself.
        let own = |name: &str| matches!(name, "PWD" | "OLDPWD" | "SHLVL" | "_");
        let pairs = set.split('\0').filter_map(|pair| pair.split_once('=')).filter(|(name, _)| !own(name));
        self.variables.extend(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())));
        Ok(())
    }

    /// `npm install A B` and `pip install A B`: they have to be in the lockfiles, and so installed.
    fn install(&self, text: &str) -> Result<(), Trouble> {
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (folder, packages) = match words.as_slice() {
                ["npm", "install", packages @ ..] => ("node_modules", packages),
                ["pip", "install", packages @ ..] => (".venv/lib/python3/site-packages", packages),
                _ => return Err(plain("packages come by `npm install` or `pip install`")),
            };
            let folder = installed(folder);
            for package in packages {
                if !folder.join(package).is_dir() {
                    return Err(plain(&format!("{package} is not in the lockfile, or `cargo xtask test` never ran")));
                }
            }
            let link = self.directory.path().join("node_modules");
            if folder.ends_with("node_modules") && !link.exists() {
                symlink(folder, link).map_err(|error| plain(&error.to_string()))?;
            }
        }
        Ok(())
    }

    fn run(&mut self, text: &str, exit: i32) -> Result<(), Trouble> {
        let mut program = self.spawn(text)?;
        let status = program.ended();
        self.printed = program.output();
        match status.map(|status| status.code()) {
            Some(code) if code == Some(exit) => Ok(()),
            Some(code) => Err((format!("exit code {code:?}, not {exit}"), self.printed.clone())),
            None => Err((format!("no end in {PATIENCE:?}"), self.printed.clone())),
        }
    }

    /// As somebody who asks again until it is so.
    fn run_until(&mut self, text: &str, exit: i32, wanted: &str) -> Result<(), Trouble> {
        let began = Instant::now();
        loop {
            self.run(text, exit)?;
            match expected::find(wanted, &self.printed) {
                Ok(_) => return Ok(()),
                Err(line) if began.elapsed() > PATIENCE => {
                    return Err((format!("asked for {PATIENCE:?}, and not there: {line}"), self.printed.clone()));
                }
                Err(_) => {}
            }
        }
    }

    fn start(&mut self, name: &str, wait: &str, text: &str) -> Result<(), Trouble> {
        if self.background.contains_key(name) {
            return Err(plain(&format!("{name} runs already")));
        }
        let program = self.spawn(text)?;
        if program.until(|output| output.contains(wait).then_some(())).is_none() {
            return Err((format!("{name} did not say {wait:?}"), program.output()));
        }
        self.background.insert(name.to_owned(), program);
        Ok(())
    }

    fn stop(&mut self, name: &str) -> Result<(), Trouble> {
        let mut program = self.background.remove(name).ok_or_else(|| plain(&format!("there is no {name}")))?;
        goes_on(name, &program)?;
        match program.interrupt() {
            Some(_) => Ok(()),
            None => Err((format!("{name} does not end at Ctrl-C"), program.output())),
        }
    }

    fn expect_of(&mut self, name: &str, wanted: &str) -> Result<(), Trouble> {
        let program = self.background.get_mut(name).ok_or_else(|| plain(&format!("there is no {name}")))?;
        let seen = program.seen;
        let rest = |output: &str| output.lines().skip(seen).collect::<Vec<_>>().join("\n");
        match program.until(|output| expected::find(wanted, &rest(output)).ok()) {
            Some(lines) => program.seen += lines,
            None => {
                let output = rest(&program.output());
                let line = expected::find(wanted, &output).err().unwrap_or_default();
                return Err((format!("{name} did not print: {line}"), output));
            }
        }
        Ok(())
    }

    fn spawn(&self, text: &str) -> Result<Program, Trouble> {
        let mut command = Command::new("sh");
        command.args(["-euc", text]).current_dir(self.directory.path()).env_clear().envs(&self.variables);
        Program::start(command).map_err(|error| plain(&error.to_string()))
    }

    fn with_ports(&self, text: &str) -> String {
        with_ports(text, &self.ports)
    }
}

/// What a guide has started goes on until the guide ends it.
fn goes_on(name: &str, program: &Program) -> Result<(), Trouble> {
    if program.is_over() { Err((format!("{name} ended by itself"), program.output())) } else { Ok(()) }
}

fn plain(what: &str) -> Trouble {
    (what.to_owned(), String::new())
}

/// Debian's `redis-tools` has the server under another name: what it does goes by how it is called.
fn redis(programs: &Path) {
    let server = Path::new("/usr/bin/redis-check-rdb");
    if server.exists() {
        symlink(server, programs.join("redis-server")).expect("a link to Redis");
    }
}

fn new_directory() -> TempDir {
    TempDir::new().expect("a directory")
}

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests-clients")
}

/// A folder of installed packages; Python's has its version in its name.
fn installed(folder: &str) -> PathBuf {
    let Some(inner) = folder.strip_prefix(".venv/lib/python3/") else { return clients().join(folder) };
    let versions = fs::read_dir(clients().join(".venv/lib")).into_iter().flatten().flatten();
    versions.map(|version| version.path().join(inner)).find(|path| path.is_dir()).unwrap_or_default()
}

/// Below those that the system hands out by itself.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 10_100 + u16::try_from(std::process::id() % 80 * 100).unwrap_or_default();
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let mut ports = std::iter::repeat_with(|| first + NEXT.fetch_add(1, Ordering::Relaxed));
    ports.by_ref().take(1_000).find(free).expect("a free port")
}

/// The text with each port that guides name, where it stands alone, replaced.
fn with_ports(text: &str, ports: &[(u16, u16)]) -> String {
    let part_of_word = |character: Option<char>| character.is_some_and(|it| it.is_alphanumeric() || it == '_');
    let mut replaced = String::new();
    let mut rest = text;
    while let Some(start) = rest.find(|character: char| character.is_ascii_digit()) {
        let (before, number) = rest.split_at(start);
        let length = number.find(|character: char| !character.is_ascii_digit()).unwrap_or(number.len());
        let (number, behind) = number.split_at(length);
        replaced.push_str(before);
        let alone = !part_of_word(replaced.chars().last()) && !part_of_word(behind.chars().next());
        match ports.iter().find(|(named, _)| alone && named.to_string() == number) {
            Some((_, free)) => replaced.push_str(&free.to_string()),
            None => replaced.push_str(number),
        }
        rest = behind;
    }
    replaced + rest
}

#[test]
fn ports_are_replaced_where_they_stand_alone() {
    let ports = [(8080, 12_345), (3000, 12_346)];
    let text = "http://127.0.0.1:8080/a?n=18080 \"3000\" a3000 3000ms, :3000";
    assert_eq!(with_ports(text, &ports), "http://127.0.0.1:12345/a?n=18080 \"12346\" a3000 3000ms, :12346");
}

#[test]
fn a_program_that_ended_by_itself_is_found() {
    let mut shell = Shell::new(&[]);
    for text in ["echo ready", "echo ready; exit 1"] {
        shell.start("a", "ready", text).expect("it begins");
        shell.background.get_mut("a").expect("it is there").ended();
        let failure = shell.follow("a guide", "# A guide\n").expect_err("it ended");
        assert_eq!((failure.what.as_str(), failure.output.as_str()), ("a ended by itself", "ready\n"));
        assert!(shell.stop("a").is_err_and(|(what, _)| what == "a ended by itself"));
    }
}
