//! brazejs and liquidjs, which docs/liquid.md shows beside ours.

use std::path::Path;
use std::process::Command;

use dialect::conformance::{ENGINES, SNIPPETS};
use serde_json::Value;

#[test]
fn what_is_shown_beside_ours_is_what_the_other_implementations_do() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance");
    assert!(folder.join("node_modules").exists(), "run `make test`, which installs them");

    let output =
        Command::new("node").args(["engines.mjs", "snippets.json"]).current_dir(folder).output();
    let output = output.expect("Node.js is installed");

    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let (now, kept): (Vec<Value>, Vec<Value>) = (
        serde_json::from_slice(&output.stdout).expect("prints JSON"),
        serde_json::from_str(ENGINES).expect("is JSON"),
    );
    let snippets: Vec<Value> = serde_json::from_str(SNIPPETS).expect("is JSON");
    assert_eq!((now.len(), kept.len()), (snippets.len(), snippets.len()), "one for each snippet");
    for ((now, kept), snippet) in now.iter().zip(&kept).zip(&snippets) {
        assert_eq!(now, kept, "{}: write them with `make tables`", snippet["snippet"]);
    }
}
