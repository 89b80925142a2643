//! Another program calls the running api as its OpenAPI document says, and as it does not:
//! schemathesis from PyPI.

use std::path::Path;
use std::process::Command;

use local::front;

use crate::rig::{Rig, options};

/// Calls of each operation in each phase.
const EXAMPLES: &str = "100";

#[tokio::test(flavor = "multi_thread")]
async fn the_running_api_does_what_its_document_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let program = root.join("target/python/bin/schemathesis");
    assert!(program.exists(), "{} is missing: run `make test`, which makes it", program.display());
    let scratch = tempfile::tempdir().expect("temporary folder");
    let rig = Rig::start(options()).await;
    let document = format!("http://{}/openapi.json", rig.pipeline.address);

    let folder = scratch.path().to_owned();
    let ran = tokio::task::spawn_blocking(move || {
        Command::new(program.canonicalize().expect("is there"))
            .current_dir(folder)
            .args(["run", &document, "--auth", front::CREDENTIALS])
            .args(["--checks", "all", "--seed", "1", "--max-examples", EXAMPLES])
            .output()
            .expect("schemathesis runs")
    });
    let ran = ran.await.expect("ends");

    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
    // The document's own address, where it was read, is the sixth.
    assert!(said.contains("Tested: 5") && said.contains("No issues found"), "{said}");
    rig.pipeline.stop().await;
}
