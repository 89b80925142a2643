//! What a browser makes of the page: Chromium, led by Node.js. `local/tests/page` holds the
//! tests that run in it.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use local::bedrock::Behaviour;
use local::front;
use local::pipeline::{Model, Options};
use quota::{ModelQuota, ModelQuotas};
use serde_json::json;
use tokio::process::Command;

use crate::page::{FOR_EVER, HOSTILE, VICTIM, store_hostile};
use crate::rig::{Rig, behaviour, options, sample};

/// A user whose very id is.
const HOSTILE_ID: &str = "<img src=x onerror='top.hacked = 3'>";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page")
}

/// Options with a quota of which the sample uses a part that can be seen.
fn limited() -> Options {
    const TOKENS_PER_MINUTE: u64 = 2_000_000;
    let stand_in = Behaviour { tokens_per_minute: TOKENS_PER_MINUTE, ..behaviour() };
    let quotas = ModelQuotas::same(ModelQuota {
        output_burndown: NonZeroU32::new(5).expect("not zero"),
        ..ModelQuota::of_tokens(TOKENS_PER_MINUTE)
    });
    Options { bedrock: Model::StandIn(stand_in), quotas, ..options() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_uses_the_page_finds_everything_in_order() {
    assert!(folder().join("node_modules").exists(), "run `make test`, which installs the driver");
    let (busy, hostile) = (Rig::start(limited()).await, Rig::start(options()).await);
    busy.process(sample(400, 40).path()).await;
    store_hostile(&hostile, VICTIM, FOR_EVER).await;
    store_hostile(&hostile, HOSTILE_ID, FOR_EVER).await;
    let given = json!({
        "busy": format!("http://{}/", busy.pipeline.address),
        "hostile": format!("http://{}/", hostile.pipeline.address),
        "credentials": front::CREDENTIALS,
        "hostileText": HOSTILE,
        "victim": VICTIM,
        "hostileId": HOSTILE_ID,
    });

    let tests = Command::new("node")
        .args(["--test", "--test-reporter=spec"])
        .arg(folder().join("page.test.mjs"))
        .env("PAGE_TEST", given.to_string())
        .output();
    let output = tests.await.expect("Node.js is installed");

    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    // A file without tests is a success as well.
    assert!(said.contains("takes hostile content for text"), "{said}");
    busy.pipeline.stop().await;
    hostile.pipeline.stop().await;
}
