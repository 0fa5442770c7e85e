//! What a command of ours wrote, judged by how it ended.

use std::process::Output;

use serde_json::Value;

/// Its output, if it ended well.
pub fn well(arguments: &[&str], output: Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("output is UTF-8")
}

/// Its output, however it ended.
pub fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Its remarks, if it failed with this code.
pub fn failed(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The items of a list.
pub fn items(page: &Value) -> &Vec<Value> {
    page["items"].as_array().expect("a list")
}

/// Of an event or a delivery.
pub fn id(item: &Value) -> &str {
    item["id"].as_str().expect("an id")
}
