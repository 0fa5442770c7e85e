//! A guide's code blocks, each with what its info string says is to be done with it. A block that says nothing of the
//! kind is an error: what a reader is shown as a step is a step of the test.
//!
//! Not here: doing it (`shell`).

/// One fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The line of the guide that opens it, from 1.
    pub line: usize,
    pub step: Step,
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// `toml file=hookhaven.toml`: the file is this; with `append`, this stands at its end.
    File { path: String, append: bool },
    /// `sh env`: what it exports holds from here on, in every terminal.
    Env,
    /// `sh install`: packages that are there already, from the lockfiles in `tests-clients/`.
    Install,
    /// `sh run`: runs to its end with this exit code. `again`: as often as it takes for the next block to hold.
    Run { exit: i32, again: bool },
    /// `sh run then=gateway wait="in use"`: runs to its end, and then that program says so.
    Tell { name: String, wait: String },
    /// `sh run background=gateway wait="listening"`: goes on, in a terminal of its own; begun when it prints this.
    /// `restart=gateway` for what runs there already: Ctrl-C, and again.
    Start { name: String, wait: String, anew: bool },
    /// `text stop=gateway`: Ctrl-C there.
    Stop { name: String },
    /// `text expect`: the command before has printed these lines. `of=gateway`: that program does.
    Expect { of: Option<String> },
    /// `text`: only shown.
    Shown,
}

/// All blocks of a guide, in its order; or the line and what is wrong there.
pub fn blocks(guide: &str) -> Result<Vec<Block>, (usize, String)> {
    let mut lines = guide.lines().enumerate();
    let mut blocks = Vec::new();
    while let Some((index, line)) = lines.next() {
        let opens = index + 1;
        if line.trim_start() != line && line.trim_start().starts_with("```") {
            return Err((opens, "an indented block: none is executed".into()));
        }
        let Some(info) = line.strip_prefix("```") else { continue };
        let step = step(info).map_err(|what| (opens, what))?;
        let mut text = String::new();
        loop {
            match lines.next() {
                Some((_, "```")) => break,
                Some((_, line)) => text.extend([line, "\n"]),
                None => return Err((opens, "this block is not closed".into())),
            }
        }
        blocks.push(Block { line: opens, step, text });
    }
    Ok(blocks)
}

fn step(info: &str) -> Result<Step, String> {
    let words = words(info)?;
    let (language, marks) = words.split_first().ok_or("a block without a language")?;
    let marks: Vec<(&str, Option<&str>)> = marks
        .iter()
        .map(|word| word.split_once('=').map_or((word.as_str(), None), |(name, value)| (name, Some(value))))
        .collect();
    let of = |name: &str| name.to_owned();
    match (language.as_str(), marks.as_slice()) {
        ("text", []) => Ok(Step::Shown),
        ("text", [("expect", None)]) => Ok(Step::Expect { of: None }),
        ("text", [("expect", None), ("of", Some(name))]) => Ok(Step::Expect { of: Some(of(name)) }),
        ("text", [("stop", Some(name))]) => Ok(Step::Stop { name: of(name) }),
        ("sh", [("env", None)]) => Ok(Step::Env),
        ("sh", [("install", None)]) => Ok(Step::Install),
        ("sh", [("run", None)]) => Ok(Step::Run { exit: 0, again: false }),
        ("sh", [("run", None), ("again", None)]) => Ok(Step::Run { exit: 0, again: true }),
        ("sh", [("run", None), ("exit", Some(code))]) => {
            code.parse().map(|exit| Step::Run { exit, again: false }).map_err(|_| format!("{code} is no exit code"))
        }
        ("sh", [("run", None), (how, Some(name)), ("wait", Some(wait))]) => {
            let (name, wait) = (of(name), of(wait));
            match *how {
                "then" => Ok(Step::Tell { name, wait }),
                "background" => Ok(Step::Start { name, wait, anew: false }),
                "restart" => Ok(Step::Start { name, wait, anew: true }),
                _ => Err(format!("a command is not run with {how}")),
            }
        }
        (_, [("file", Some(path))]) => Ok(Step::File { path: of(path), append: false }),
        (_, [("file", Some(path)), ("append", None)]) => Ok(Step::File { path: of(path), append: true }),
        _ => Err(format!("nobody knows what to do with a block that is marked `{}`", info.trim())),
    }
}

/// Words between blanks; a part in quotation marks may hold some.
fn words(info: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for character in info.chars() {
        match character {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty())),
            other => word.push(other),
        }
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    if quoted { Err("a quotation mark that is not closed".into()) } else { Ok(words) }
}

#[test]
fn marks_are_read_and_unknown_ones_are_errors() {
    let of = |info: &str| blocks(&format!("```{info}\na\n```\n")).map(|mut blocks| blocks.remove(0).step);
    let file = |append| Step::File { path: "a.toml".into(), append };
    assert_eq!(of("toml file=a.toml"), Ok(file(false)));
    assert_eq!(of("toml file=a.toml append"), Ok(file(true)));
    assert_eq!(of("sh run exit=2"), Ok(Step::Run { exit: 2, again: false }));
    let start = Step::Start { name: "a".into(), wait: "it listens".into(), anew: false };
    assert_eq!(of("sh run background=a wait=\"it listens\""), Ok(start));
    for unknown in [
        "",
        "sh",
        "toml",
        "sh runs",
        "sh run twice",
        "text expects",
        "sh run exit=no",
        "sh run as=a wait=b",
        "sh run \"a",
    ] {
        assert!(of(unknown).is_err_and(|(line, _)| line == 1), "{unknown}");
    }
    assert_eq!(blocks("a\n```text\nb\n"), Err((2, "this block is not closed".into())));
    assert!(blocks("- a\n  ```sh run\n  b\n  ```\n").is_err_and(|(line, _)| line == 2));
}
