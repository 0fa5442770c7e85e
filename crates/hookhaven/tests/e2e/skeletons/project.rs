//! A project as the architect writes it, in a directory that goes with the test, standing on what `cargo xtask test`
//! installs; and how each framework's is tested and started.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use hookhaven_architect::{
    Plan,
    intake::{self, Framework, Given},
    skeletons,
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader, Lines},
    process::{Child, Command},
    sync::mpsc,
};

use crate::support::soon;

/// How long a project's own test may take: seconds, on a machine that does nothing else.
const TEST_PATIENCE: Duration = Duration::from_secs(120);
const INTAKE: &str = include_str!("../../../../hookhaven-architect/tests/intakes/skeletons.toml");
/// In the intake.
const HANDLER_URL: &str = "http://127.0.0.1:3000";

pub struct Project {
    pub framework: Framework,
    home: TempDir,
    folder: PathBuf,
}

/// A process of a project that listens, with what it goes on to say.
pub struct Listening {
    pub url: String,
    child: Child,
}

impl Listening {
    /// SIGTERM, and its end.
    pub async fn end(mut self) {
        terminate(&mut self.child).await;
    }
}

/// As whoever runs it would stop it; what it has begun it does to its end.
pub async fn terminate(child: &mut Child) {
    let pid = child.id().expect("it runs").to_string();
    let told = Command::new("kill").args(["-TERM", &pid]).status().await.expect("kill runs");
    assert!(told.success());
    soon("its end", child.wait()).await.expect("it can be waited for");
}

impl Project {
    pub fn write(framework: Framework) -> Project {
        let plan = plan(HANDLER_URL);
        let home = TempDir::new().expect("a directory for the project");
        for file in skeletons::project(&plan, framework) {
            let path = home.path().join(&file.path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("its folder can be made");
            fs::write(path, file.text).expect("the file can be written");
        }
        let handlers = home.path().join("handlers");
        let folder = fs::read_dir(handlers).expect("handlers").next().expect("one project").expect("its entry").path();
        if is_node(framework) {
            let installed = clients().join("node_modules");
            assert!(installed.is_dir(), "Node's packages are not installed: run cargo xtask test");
            std::os::unix::fs::symlink(installed, folder.join("node_modules")).expect("a link");
        }
        Project { framework, home, folder }
    }

    /// A database with the project's schema.
    pub fn database(&self) -> String {
        let databases = hookhaven_testbed::shared().unwrap_or_else(|error| panic!("{error:#}"));
        let database = databases.create().unwrap_or_else(|error| panic!("{error:#}"));
        let schema = fs::read_to_string(self.folder.join("schema.sql")).expect("schema.sql");
        databases.sql_at(&database, &schema).unwrap_or_else(|error| panic!("{error:#}"));
        database
    }

    pub async fn passes_its_own_test(&self) {
        let mut command = match is_node(self.framework) {
            true => self.command("node", &["--test", "test/webhooks.test.js"]),
            false => self.command(&python(), &["-m", "unittest"]),
        };
        command.env("DATABASE_URL", self.database()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let ran = tokio::time::timeout(TEST_PATIENCE, command.output()).await.expect("the test ends");
        let ran = ran.expect("its runner is there: cargo xtask test installs it");
        let said = [ran.stdout, ran.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
        let passed = ["# fail 0", "\nOK\n"].iter().any(|line| said.contains(line)) && !said.contains("Ran 0 tests");
        assert!(ran.status.success() && passed, "{:?}: {}\n{said}", self.framework, ran.status);
    }

    /// Starts it on a port that the system chooses.
    pub async fn listen(&self, environment: &[(String, String)]) -> Listening {
        let (program, arguments): (String, Vec<&str>) = match self.framework {
            Framework::Fastify | Framework::Express => ("node".into(), vec!["server.js"]),
            // What Next.js would hand to the route handler, without minutes of building pages that nobody has.
            Framework::Next => ("node".into(), vec!["serve.mjs"]),
            Framework::FastApi => (python(), vec!["-m", "uvicorn", "app:app", "--port", "0"]),
            Framework::Django => {
                (python(), vec!["-m", "gunicorn", "config.wsgi", "--bind", "127.0.0.1:0", "--threads", "8"])
            }
            Framework::Axum => (binary("webhook-handlers"), Vec::new()),
            Framework::Go => panic!("its modules cannot be had where the tests run"),
        };
        if self.framework == Framework::Next {
            fs::copy(clients().join("next_route.mjs"), self.folder.join("serve.mjs")).expect("the server is copied");
        }
        let mut command = self.command(&program, &arguments);
        command.envs(environment.iter().cloned()).env("PORT", "0").env("LISTEN", "127.0.0.1:0");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        let out = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let err = BufReader::new(child.stderr.take().expect("a pipe")).lines();
        // On which of the two it says where it listens differs.
        let (tell, mut told) = mpsc::unbounded_channel();
        tokio::spawn(forward(out, tell.clone()));
        tokio::spawn(forward(err, tell));
        let mut all = String::new();
        let url = soon("the handlers to listen", async {
            loop {
                let line = told.recv().await.unwrap_or_else(|| panic!("{:?} ended:\n{all}", self.framework));
                if let Some(url) = url_in(&line) {
                    return url;
                }
                all += &format!("{line}\n");
            }
        })
        .await;
        // What it says later is shown with a failure, as that of any program.
        tokio::spawn(async move {
            while let Some(line) = told.recv().await {
                println!("{line}");
            }
        });
        Listening { url, child }
    }

    /// The outbox, where it is a process of its own.
    pub fn outbox(&self, environment: &[(String, String)]) -> Option<Child> {
        let mut command = match self.framework {
            Framework::Next => self.command("node", &["outbox.js"]),
            Framework::Django => self.command(&python(), &["manage.py", "outbox"]),
            _ => return None,
        };
        command.envs(environment.iter().cloned());
        Some(command.stdout(Stdio::null()).spawn().expect("it starts"))
    }

    fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.folder).env_clear().kill_on_drop(true).stdin(Stdio::null());
        // What programs keep at home goes with the project.
        command.env("HOME", self.home.path());
        for kept in ["PATH", "HOOKHAVEN_XTASK_RUN"] {
            if let Some(there) = std::env::var_os(kept) {
                command.env(kept, there);
            }
        }
        command.env("PYTHONUNBUFFERED", "1");
        command
    }
}

/// As a team would, with its handlers at this address.
pub fn plan(handler_url: &str) -> Plan {
    let text = INTAKE.replace(HANDLER_URL, handler_url);
    let read = intake::read(Path::new("skeletons.toml"), &text, &Given::default());
    Plan::of(read.intake.unwrap_or_else(|| panic!("{:?} {:?}", read.missing, read.problems)))
}

fn is_node(framework: Framework) -> bool {
    matches!(framework, Framework::Fastify | Framework::Express | Framework::Next)
}

fn clients() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests-clients").canonicalize().expect("tests-clients")
}

fn python() -> String {
    let python = clients().join(".venv/bin/python");
    assert!(python.exists(), "the packages for Python are not installed: run cargo xtask test");
    python.display().to_string()
}

/// Of another package of the workspace: beside ours, once everything was built.
fn binary(name: &str) -> String {
    let path = Path::new(env!("CARGO_BIN_EXE_hookhaven")).with_file_name(name);
    assert!(path.exists(), "{name} is not built: cargo xtask test builds everything");
    path.display().to_string()
}

async fn forward(mut lines: Lines<BufReader<impl AsyncRead + Unpin>>, to: mpsc::UnboundedSender<String>) {
    while let Ok(Some(line)) = lines.next_line().await {
        if to.send(line).is_err() {
            return;
        }
    }
}

/// `http://127.0.0.1:4711`, whatever stands around the address.
fn url_in(line: &str) -> Option<String> {
    let (_, after) = line.split_once("127.0.0.1:")?;
    let port: String = after.chars().take_while(char::is_ascii_digit).collect();
    (!port.is_empty() && port != "0").then(|| format!("http://127.0.0.1:{port}"))
}
