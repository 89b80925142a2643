//! Messages as Braze renders them, by two implementations of Liquid: liquidjs, whose double
//! of Braze calls the running api, and `dialect`. `api/tests/render` holds the former.

use std::collections::HashMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use aws_sdk_dynamodb::types::AttributeValue;
use contract::content;
use local::aws::TABLE;
use local::front;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use crate::rig::{Rig, campaigns, options};

/// The snippets that people put into their message.
const SNIPPETS: &str =
    include_str!("../../../../campaign/tests/campaigns/new-episode/message.liquid");

/// A whole e-mail, with conditions and filters.
const EMAIL: &str = include_str!("../../../../api/tests/render/email.liquid");

/// Text in every field that tries to be more than text.
const HOSTILE: &str = "</title><script>alert('x')</script> {{ result | json }} {% raw %} \
                       \"onload=\"evil() &lt;b&gt; <img src=x onerror=alert(1)>";

const USER: &str = "5f1a2b3c4d5e6f7a8b9c0d1e";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../api/tests/render")
}

/// Where a message calls, in place of what the samples say.
fn calling(rig: &Rig, message: &str) -> String {
    message.replace("https://YOUR-API", &format!("http://{}", rig.pipeline.address))
}

/// Renders with liquidjs; returns the text and the number of calls.
fn by_liquidjs(message: &str, credentials: &str, timeout_ms: u64) -> (String, u64) {
    assert!(folder().join("node_modules").exists(), "run `make test`, which installs liquidjs");
    let input = json!({
        "message": message,
        "attributes": { "braze_id": USER },
        "credentials": { "personal-content": credentials },
        "timeout_ms": timeout_ms,
    });
    let mut child = Command::new("node")
        .arg(folder().join("braze.mjs"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Node.js is installed");
    let mut stdin = child.stdin.take().expect("is piped");
    stdin.write_all(input.to_string().as_bytes()).expect("is taken");
    drop(stdin);
    let output = child.wait_with_output().expect("ends");
    assert!(output.status.success(), "liquidjs renders");
    let output: Value = serde_json::from_slice(&output.stdout).expect("prints JSON");
    let text = output["text"].as_str().expect("is text").trim().to_owned();
    (text, output["calls"].as_u64().expect("is a number"))
}

/// Renders a message in both ways and holds them against each other.
async fn rendered(rig: &Rig, message: &str, campaigns: &[&str]) -> String {
    let message = calling(rig, message);
    let ours = rig.message(&message, USER, campaigns).await;
    // The other one calls the api of this process, which must be free to answer.
    let theirs =
        tokio::task::spawn_blocking(move || by_liquidjs(&message, front::CREDENTIALS, 2_000).0);
    // The two escape a quote alike, by different entities.
    let theirs = theirs.await.expect("renders").replace("&#34;", "&quot;");
    assert_eq!(theirs, ours.trim(), "both implementations agree");
    theirs
}

fn attribute(value: &Value) -> AttributeValue {
    match value {
        Value::Object(map) => AttributeValue::M(attributes(map)),
        other => AttributeValue::S(other.as_str().expect("content is text").to_owned()),
    }
}

fn attributes(map: &Map<String, Value>) -> HashMap<String, AttributeValue> {
    map.iter().map(|(name, value)| (name.clone(), attribute(value))).collect()
}

/// Stores what the processor makes of an answer with this text in every field.
async fn store(rig: &Rig, text: &str) {
    let answer = json!({
        "emailTitle": text,
        "heading": text,
        "details": { "cta": "Go <b>now</b>", "intro": text, "episodeDetails": text },
    });
    let campaigns = campaign::load(&campaigns()).expect("are valid");
    let accepted = campaigns[0].accept(&answer.to_string(), &campaign::Told::default());
    let content = accepted.expect("matches the schema");
    let put = rig.pipeline.aws.dynamodb.put_item().table_name(TABLE);
    put.item(content::USER_ID, AttributeValue::S(USER.to_owned()))
        .item(content::ITEM, AttributeValue::S(content::item_key("new-episode")))
        .item(content::DATA, AttributeValue::M(attributes(&content)))
        .item(content::EXPIRES_AT, AttributeValue::N("9000000000".to_owned()))
        .send()
        .await
        .expect("is stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_implementations_of_liquid_render_the_same_message() {
    let rig = Rig::start(options()).await;
    let fallback = rendered(&rig, EMAIL, &["new-episode"]).await;
    store(&rig, "Tom & Jerry's next episode").await;
    let email = rendered(&rig, EMAIL, &["new-episode"]).await;
    // Comments, which Braze removes, stay with liquidjs.
    let without_comment = SNIPPETS.split("<!--").next().unwrap_or_default();
    let snippets = rendered(&rig, without_comment, &["new-episode"]).await;

    assert!(fallback.contains("<i>for everybody</i>"), "{fallback}");
    assert!(fallback.contains("<h1 title=\"Pick up where you left off\">"), "{fallback}");
    assert!(email.contains("<i>for you</i>"), "{email}");
    assert!(email.contains("Tom &amp; Jerry"), "{email}");
    assert!(email.contains(&format!("data-user=\"{USER}\"")), "{email}");
    assert!(snippets.contains("<h1>Tom &amp; Jerry"), "{snippets}");
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_content_stays_text_in_a_rendered_email() {
    let rig = Rig::start(options()).await;
    store(&rig, "plain").await;
    let harmless = rendered(&rig, EMAIL, &["new-episode"]).await;

    // As long as the shortest field allows.
    store(&rig, &HOSTILE[..120]).await;
    let hostile = rendered(&rig, EMAIL, &["new-episode"]).await;

    let marks = |text: &str| "<>\"".chars().map(|c| text.matches(c).count()).collect::<Vec<_>>();
    assert_eq!(marks(&hostile), marks(&harmless), "no mark of HTML more:\n{hostile}");
    assert!(hostile.contains("&lt;script&gt;"), "{hostile}");
    assert!(!hostile.contains("{{") && !hostile.contains("{%"), "{hostile}");
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_object_of_several_campaigns_is_read_by_both_implementations() {
    let mut options = options();
    let folder = tempfile::tempdir().expect("temporary folder");
    for name in ["new-episode", "offer"] {
        let to = folder.path().join(name);
        std::fs::create_dir(&to).expect("is created");
        for entry in std::fs::read_dir(campaigns().join("new-episode")).expect("is there") {
            let path = entry.expect("can be read").path();
            std::fs::copy(&path, to.join(path.file_name().expect("has a name"))).expect("copied");
        }
    }
    options.campaigns_dir = folder.path().to_owned();
    let rig = Rig::start(options).await;
    let message = "{% connected_content https://YOUR-API/?user_id={{${braze_id}}}\
                   &campaign=new-episode,offer :basic_auth personal-content :save result %}\
                   {{result.Items.new-episode.data.M.heading.S}}; \
                   {{result.Items.offer.data.M.details.M.cta.S}}";

    let text = rendered(&rig, message, &["new-episode", "offer"]).await;

    assert_eq!(text, "Pick up where you left off; Watch now");
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn braze_asks_once_for_equal_calls_and_inserts_nothing_where_it_gets_no_answer() {
    let rig = Rig::start(options()).await;
    let email = calling(&rig, EMAIL);
    let short = "{% connected_content http://HOST/ :save result %}[{{result.Item.user_id.S}}]";
    // Takes connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
    let silent_address = silent.local_addr().expect("is bound").to_string();

    let (kept, refused, late) = tokio::task::spawn_blocking(move || {
        (
            by_liquidjs(&email, front::CREDENTIALS, 2_000),
            by_liquidjs(&email, "braze:guess", 2_000),
            by_liquidjs(&short.replace("HOST", &silent_address), front::CREDENTIALS, 50),
        )
    })
    .await
    .expect("renders");

    assert_eq!(kept.1, 1, "the e-mail has two equal calls");
    assert!(kept.0.contains("<h1"), "{}", kept.0);
    assert!(!refused.0.contains("<h1"), "{}", refused.0);
    assert_eq!(late, ("[]".to_owned(), 1));
    rig.pipeline.stop().await;
}
