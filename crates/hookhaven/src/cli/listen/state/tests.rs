//! How far it came, in memory and over the ends of its process.

use hookhaven_core::Time;

use super::*;

fn id(n: u8) -> EventId {
    EventId::mint(Time::from_s(1_790_000_000 + i64::from(n)), [n; 10])
}

#[test]
fn the_cursor_waits_for_the_first_that_is_not_over() {
    let mut progress = Progress::default();
    for n in 1..=3 {
        progress.begun(id(n), format!("c{n}"));
    }
    progress.over(id(2));
    assert_eq!(progress.cursor(), None, "the first is not over");
    assert_eq!(progress.done(), [id(2).to_string()]);
    progress.over(id(1));
    assert_eq!(progress.cursor().as_deref(), Some("c2"));
    progress.caught_up("c4".into());
    assert_eq!(progress.cursor().as_deref(), Some("c2"), "the third may yet be lost");
    progress.over(id(3));
    assert_eq!(progress.cursor().as_deref(), Some("c4"));
    progress.caught_up("c5".into());
    assert_eq!(progress.cursor().as_deref(), Some("c5"));
}

#[test]
fn what_no_cursor_brings_again_is_forgotten() {
    let mut progress = Progress::default();
    let at = |s: i64| EventId::mint(Time::from_s(1_790_000_000 + s), [0; 10]);
    for s in 0..1_000 {
        progress.begun(at(s), format!("c{s}"));
        progress.over(at(s));
    }
    assert_eq!(progress.done.len() as u64, TOLD_AGAIN.as_secs() + 1);
    // As long as the first is not over, all behind it would come again.
    progress.begun(at(1_000), "c1000".into());
    for s in 1_001..3_000 {
        progress.begun(at(s), format!("c{s}"));
        progress.over(at(s));
    }
    assert_eq!(progress.done.len() as u64, TOLD_AGAIN.as_secs() + 1 + 1_999);
    progress.over(at(1_000));
    assert_eq!((progress.cursor().as_deref(), progress.done.len() as u64), (Some("c2999"), TOLD_AGAIN.as_secs() + 1));
}

#[test]
fn a_file_brings_back_how_far_it_came_with_the_same_gateway() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.json");
    let open = |gateway: &str| StateFile::open(path.clone(), gateway);
    {
        let (mut file, mut progress) = open("http://a").unwrap();
        for n in 1..=3 {
            progress.begun(id(n), format!("c{n}"));
            file.begun(id(n), &progress).unwrap();
        }
        for n in [3, 1] {
            progress.over(id(n));
            file.over(id(n), &progress).unwrap();
        }
        assert!(open("http://a").unwrap_err().to_string().contains("another `listen`"), "it is held");
    }
    // Killed in the middle of a line.
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"over\":[\"evt_").unwrap();
    for _ in 0..2 {
        let (_, progress) = open("http://a").unwrap();
        assert_eq!(progress.cursor().as_deref(), Some("c1"));
        assert_eq!(progress.done(), [id(1).to_string(), id(3).to_string()]);
        assert_eq!([1, 2, 3].map(|n| progress.is_unsure(id(n))), [false, true, false]);
    }
    let refused = open("http://b").unwrap_err().to_string();
    assert!(refused.contains("http://a") && refused.contains("http://b"), "{refused}");
    fs::write(&path, "something else").unwrap();
    assert!(open("http://a").unwrap_err().to_string().contains("no state of `listen`"));
}

#[test]
fn a_file_of_the_version_before_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.json");
    fs::write(&path, format!(r#"{{"gateway":"g","cursor":"c","done":["{}"]}}"#, id(1))).unwrap();
    let (_, progress) = StateFile::open(path, "g").unwrap();
    assert_eq!((progress.cursor().as_deref(), progress.done()), (Some("c"), vec![id(1).to_string()]));
}

#[test]
fn it_does_not_grow_without_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.json");
    let (mut file, mut progress) = StateFile::open(path.clone(), "g").unwrap();
    let lines = || fs::read_to_string(&path).unwrap().lines().count();
    file.lines = LINES_MAX;
    progress.begun(id(1), "c1".into());
    progress.begun(id(2), "c2".into());
    progress.over(id(1));
    file.over(id(1), &progress).unwrap();
    assert_eq!((lines(), file.lines), (1, 0));
    drop(file);
    let (mut file, mut progress) = StateFile::open(path.clone(), "g").unwrap();
    assert!(progress.is_unsure(id(2)) && progress.cursor().as_deref() == Some("c1"));
    // Nor where nothing but beats comes for months.
    file.lines = LINES_MAX;
    progress.caught_up("c3".into());
    file.caught_up(&progress).unwrap();
    assert_eq!((lines(), file.lines), (1, 0));
    drop(file);
    let (_, progress) = StateFile::open(path, "g").unwrap();
    assert_eq!(progress.cursor().as_deref(), Some("c3"));
}

#[test]
fn a_link_stays_one_and_what_is_no_file_stays_what_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let (path, link) = (dir.path().join("state.json"), dir.path().join("link.json"));
    std::os::unix::fs::symlink(&path, &link).unwrap();
    drop(StateFile::open(link.clone(), "g").unwrap());
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(fs::read_to_string(&path).unwrap().starts_with("{\"gateway\":\"g\""));
    let refused = StateFile::open("/dev/null".into(), "g").unwrap_err().to_string();
    assert!(refused.contains("is no file"), "{refused}");
    // Nor is a text of some other encoding, or one of any length, read as if it were one.
    fs::write(&path, b"\xff\xfe").unwrap();
    assert!(StateFile::open(path.clone(), "g").unwrap_err().to_string().contains("no state of `listen`"));
    File::create(&path).unwrap().set_len(FILE_BYTES_MAX + 1).unwrap();
    assert!(StateFile::open(path, "g").unwrap_err().to_string().contains("no state of `listen`"));
}
