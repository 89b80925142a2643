//! A repeat of any delivery changes nothing and costs no generation.

use contract::metrics;

use crate::rig::{Rig, options, sample, watched_last};

#[tokio::test(flavor = "multi_thread")]
async fn the_same_files_twice_cost_no_second_generation_and_change_nothing() {
    let rig = Rig::start(options()).await;
    let files = sample(2_000, 150);
    rig.process(files.path()).await;
    let generations = rig.count(metrics::GENERATIONS);
    let users: Vec<String> = watched_last(files.path()).into_keys().collect();
    let mut before = Vec::new();
    for user_id in &users {
        before.push(rig.look_up(&format!("user_id={user_id}")).await);
    }
    assert!(generations > 0);

    rig.process(files.path()).await;

    assert_eq!(rig.count(metrics::GENERATIONS), generations);
    let unwanted = rig.count(metrics::EVENTS_UNWANTED);
    assert_eq!(rig.count(metrics::EVENTS_RECEIVED) + unwanted, 4_000);
    assert_eq!(rig.lost(), 0);
    for (user_id, before) in users.iter().zip(before) {
        assert_eq!(rig.look_up(&format!("user_id={user_id}")).await, before);
    }
    rig.pipeline.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn content_of_a_deleted_user_is_not_served_and_old_files_do_not_bring_it_back() {
    let rig = Rig::start(options()).await;
    let files = sample(4_000, 2_000);
    let alive = watched_last(files.path());
    let deleted = users_deleted(files.path()).into_iter().find(|user| !alive.contains_key(user));
    let deleted = deleted.expect("somebody is deleted after their last event");

    for _ in 0..2 {
        rig.process(files.path()).await;
        let (_, answer) = rig.look_up(&format!("user_id={deleted}")).await;
        assert_eq!(answer["Item"]["source"]["S"], "fallback");
    }
    rig.pipeline.stop().await;
}

fn users_deleted(folder: &std::path::Path) -> Vec<String> {
    let files = currents::input::Input::find(&[folder.to_owned()]).expect("holds files").files;
    let deletions = files.iter().filter(|file| file.key.contains("users.UserDeleteRequest"));
    let mut users = Vec::new();
    for file in deletions {
        let file = std::fs::File::open(&file.path).expect("is there");
        for record in apache_avro::Reader::new(file).expect("is a container") {
            let apache_avro::types::Value::Record(fields) = record.expect("is a record") else {
                continue;
            };
            users.extend(fields.into_iter().filter_map(|(name, value)| match value {
                apache_avro::types::Value::String(id) if name == "user_id" => Some(id),
                _ => None,
            }));
        }
    }
    users
}
