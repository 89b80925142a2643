//! The registry of campaigns in a table and a bucket.

use local::aws::{BUCKET, COORDINATION_TABLE};
use registry::aws::Aws;
use registry::files::Files;
use registry::head::{Head, Serves};
use registry::{Registry as _, RegistryError};

use crate::rig::{Rig, options};

fn files(prompt: &str) -> Files {
    let json = serde_json::json!({ "offer/prompt.liquid": prompt }).to_string();
    Files::from_json(json.as_bytes()).expect("are files")
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_kept_and_of_two_who_switch_the_second_is_told() {
    let rig = Rig::start(options()).await;
    let registry = Aws {
        dynamodb: rig.pipeline.aws.dynamodb.clone(),
        table: COORDINATION_TABLE.to_owned(),
        s3: rig.pipeline.aws.s3.clone(),
        bucket: BUCKET.to_owned(),
    };
    let empty = registry.head().await.expect("is read");
    assert_eq!(empty, Head::default());

    let one = registry.keep(&files("one")).await.expect("is kept");
    assert_eq!(registry.keep(&files("one")).await.expect("is kept already"), one);
    assert_eq!(registry.files(&one).await.expect("is there"), files("one"));
    let gone = files("never kept").version();
    assert!(matches!(registry.files(&gone).await, Err(RegistryError::Version { .. })));

    let mine = empty.published(&one, 1).expect("is new");
    let other = empty.paused("offer", Serves::Content, 1).expect("is new");
    registry.switch(&mine).await.expect("is first");
    assert!(matches!(registry.switch(&other).await, Err(RegistryError::Overtaken)));
    assert_eq!(registry.head().await.expect("is read"), mine);
    let both = mine.paused("offer", Serves::Content, 2).expect("is new");
    registry.switch(&both).await.expect("was made from what holds");
    assert!(matches!(registry.switch(&both).await, Err(RegistryError::Overtaken)));
    assert_eq!(registry.head().await.expect("is read"), both);
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_under_a_version_and_is_not_that_is_refused() {
    let rig = Rig::start(options()).await;
    let s3 = rig.pipeline.aws.s3.clone();
    let registry = Aws {
        dynamodb: rig.pipeline.aws.dynamodb.clone(),
        table: COORDINATION_TABLE.to_owned(),
        s3: s3.clone(),
        bucket: BUCKET.to_owned(),
    };
    let version = files("one").version();
    let key = contract::campaigns::version_key(version.as_str());

    for kept in [files("two").to_json(), b"{".to_vec(), br#"{"../x.toml": ""}"#.to_vec()] {
        let put = s3.put_object().bucket(BUCKET).key(&key).body(kept.into());
        put.send().await.expect("is put");

        let read = registry.files(&version).await;

        assert!(matches!(read, Err(RegistryError::Damaged { .. })), "{read:?}");
    }
    rig.pipeline.stop().await;
}
