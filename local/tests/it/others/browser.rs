//! What a browser makes of the page: Chromium, led by Node.js. `local/tests/page` holds the
//! tests that run in it.

use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use local::bedrock::Behaviour;
use local::front;
use local::pipeline::{Model, Options};
use quota::{ModelQuota, ModelQuotas};
use serde_json::json;
use tempfile::TempDir;
use tokio::process::Command;

use crate::page::{FOR_EVER, HOSTILE, VICTIM, store_hostile};
use crate::rig::{Rig, behaviour, changed_campaign, options, sample};

/// A user whose content is served no more.
const EXPIRED: &str = "5f1a2b3c4d5e6f7a8b9c0d1f";

/// A user whose very id is hostile.
const HOSTILE_ID: &str = "<img src=x onerror='top.hacked = 3'>";

/// The tests that run in it.
const FILES: [&str; 2] = ["page.test.mjs", "mail.test.mjs"];

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

/// The sample campaign under two names.
fn two_campaigns() -> TempDir {
    let folder = changed_campaign(|text| text);
    let (first, second) = (folder.path().join("new-episode"), folder.path().join("second"));
    std::fs::create_dir(&second).expect("is created");
    for entry in std::fs::read_dir(first).expect("is there") {
        let path = entry.expect("can be read").path();
        std::fs::copy(&path, second.join(path.file_name().expect("has a name")))
            .expect("is copied");
    }
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_uses_the_page_finds_everything_in_order() {
    assert!(folder().join("node_modules").exists(), "run `make test`, which installs the driver");
    let (busy, hostile) = (Rig::start(limited()).await, Rig::start(options()).await);
    let campaigns = two_campaigns();
    let campaigns_dir = campaigns.path().to_owned();
    let empty = Rig::start(Options { campaigns_dir, ..options() }).await;
    let own = changed_campaign(|text| text);
    let campaigns_dir = own.path().to_owned();
    let edited = Rig::start(Options { campaigns_dir, ..options() }).await;
    edited.process(sample(100, 10).path()).await;
    busy.process(sample(400, 40).path()).await;
    for (user_id, until) in [(VICTIM, FOR_EVER), (HOSTILE_ID, FOR_EVER), (EXPIRED, 8)] {
        store_hostile(&hostile, user_id, until).await;
    }
    let given = json!({
        "busy": format!("http://{}/", busy.pipeline.address),
        "hostile": format!("http://{}/", hostile.pipeline.address),
        "edited": format!("http://{}/", edited.pipeline.address),
        "folder": own.path(),
        "empty": format!("http://{}/", empty.pipeline.address),
        "credentials": front::CREDENTIALS,
        "hostileText": HOSTILE,
        "victim": VICTIM,
        "hostileId": HOSTILE_ID,
        "expired": EXPIRED,
    });

    let tests = Command::new("node")
        .args(["--test", "--test-reporter=spec"])
        .args(FILES.map(|name| folder().join(name)))
        .env("PAGE_TEST", given.to_string())
        .output();
    let output = tests.await.expect("Node.js is installed");

    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    // A file without tests is a success as well.
    for test in ["takes hostile content for text", "says why: which event", "when its author saves"]
    {
        assert!(said.contains(test), "{said}");
    }
    for rig in [busy, hostile, empty, edited] {
        rig.pipeline.stop().await;
    }
}
