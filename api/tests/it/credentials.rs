//! Who may look content up, with the secrets in a stand-in for Secrets Manager.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::settings::UnknownUser;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use contract::metrics;
use http::{HeaderMap, header};
use program::credentials::managed::ManagedSecrets;
use program::credentials::secrets_manager::SecretsManager;
use program::credentials::{Access, Gate};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::rig::{CAMPAIGN, LATER, World, api_over, config_for, get};
use crate::server::free_port;
use crate::trouble::BRAZE_WAITS;

/// What the stand-in holds and what it was asked.
#[derive(Debug, Default)]
struct Vault {
    current: Option<String>,
    previous: Option<String>,
    is_out_of_reach: bool,
    is_previous_out_of_reach: bool,
    is_marked_for_deletion: bool,
    takes: Duration,
    calls: usize,
}

/// A stand-in for Secrets Manager with one secret.
#[derive(Debug, Clone, Default)]
struct Stand(Arc<Mutex<Vault>>);

impl Stand {
    fn change(&self, change: impl FnOnce(&mut Vault)) {
        change(&mut self.0.lock().expect("nobody panicked"));
    }

    fn calls(&self) -> usize {
        self.0.lock().expect("nobody panicked").calls
    }

    /// Starts it, and an api's gate in front of it.
    async fn gate(&self) -> ManagedSecrets {
        let (listener, address) = free_port().await;
        let router = Router::new().fallback(answer).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let config = config_for(address).await;
        ManagedSecrets::new(SecretsManager::new(
            &config,
            "arn:aws:secretsmanager:secret".to_owned(),
        ))
    }

    /// The same, where the secret was read at the second 1,000.
    async fn warm_gate(&self) -> Gate {
        let managed = self.gate().await;
        managed.warm(1_000).await;
        Gate::Managed(managed)
    }
}

fn secret(password: &str) -> Option<String> {
    Some(json!({ "username": "braze", "password": password }).to_string())
}

async fn answer(State(stand): State<Stand>, body: String) -> (StatusCode, String) {
    let asked: Value = serde_json::from_str(&body).expect("the SDK sends JSON");
    let is_current = asked["VersionStage"] == "AWSCURRENT";
    let takes = stand.0.lock().expect("nobody panicked").takes;
    if !takes.is_zero() {
        tokio::time::sleep(takes).await;
    }
    let mut vault = stand.0.lock().expect("nobody panicked");
    vault.calls += 1;
    let refusal = |status, code| (status, json!({ "__type": code }).to_string());
    if vault.is_out_of_reach || (vault.is_previous_out_of_reach && !is_current) {
        return refusal(StatusCode::INTERNAL_SERVER_ERROR, "InternalServiceError");
    }
    if vault.is_marked_for_deletion {
        return refusal(StatusCode::BAD_REQUEST, "InvalidRequestException");
    }
    match if is_current { &vault.current } else { &vault.previous } {
        Some(text) => (StatusCode::OK, json!({ "SecretString": text }).to_string()),
        None => refusal(StatusCode::BAD_REQUEST, "ResourceNotFoundException"),
    }
}

fn bearer(password: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let value = format!("Bearer {password}").parse().expect("is a header");
    headers.insert(header::AUTHORIZATION, value);
    headers
}

#[tokio::test]
async fn no_credentials_and_wrong_ones_are_refused_with_a_challenge_and_counted() {
    let world = World::start().await;
    world.store("u", CAMPAIGN, "Hello", LATER).await;
    let api = world.api();
    let mut none = get("user_id=u&campaign=new-episode");
    none.headers.clear();
    let mut wrong = get("user_id=u&campaign=new-episode");
    wrong.headers = bearer("guess");

    for request in [none, wrong] {
        let (answer, counts) = request.counted(&api).await;

        assert_eq!(answer.status(), 401);
        let challenges = answer.headers().get_all(header::WWW_AUTHENTICATE).iter();
        let challenges: Vec<&str> =
            challenges.map(|value| value.to_str().expect("is text")).collect();
        assert_eq!(challenges, ["Basic realm=\"content\", charset=\"UTF-8\"", "Bearer"]);
        let body: Value = serde_json::from_str(answer.body()).expect("is JSON");
        assert_eq!(body["error"]["code"], "unauthorized");
        assert!(!answer.body().contains("Hello"));
        assert_eq!(counts.get(metrics::CREDENTIALS_REFUSED), 1);
    }
}

#[tokio::test]
async fn who_may_not_look_up_does_not_learn_what_is_wrong_with_the_query() {
    let api = World::start().await.api();
    let mut request = get("table=users");
    request.headers.clear();

    assert_eq!(request.send(&api).await.status(), 401);
}

#[tokio::test]
async fn the_current_and_the_previous_secret_are_valid_at_once() {
    let stand = Stand::default();
    stand.change(|vault| {
        (vault.current, vault.previous) = (secret("new"), secret("old"));
    });
    let gate = stand.warm_gate().await;

    assert_eq!(gate.judge(&bearer("new"), 1_000).await, Access::Granted);
    assert_eq!(gate.judge(&bearer("old"), 1_000).await, Access::Granted);
    assert_eq!(gate.judge(&bearer("older"), 1_000).await, Access::Refused);
    assert_eq!(stand.calls(), 2);
}

#[tokio::test]
async fn a_new_secret_is_valid_as_soon_as_it_is_used() {
    let stand = Stand::default();
    stand.change(|vault| vault.current = secret("first"));
    let gate = stand.warm_gate().await;
    stand.change(|vault| {
        (vault.current, vault.previous) = (secret("second"), vault.current.take());
    });

    assert_eq!(gate.judge(&bearer("second"), 1_010).await, Access::Granted);
    assert_eq!(gate.judge(&bearer("first"), 1_010).await, Access::Granted);
}

#[tokio::test]
async fn a_secret_that_was_taken_back_ends_after_five_minutes() {
    let stand = Stand::default();
    stand.change(|vault| vault.current = secret("first"));
    let gate = stand.warm_gate().await;
    stand.change(|vault| vault.current = secret("second"));

    assert_eq!(gate.judge(&bearer("first"), 1_299).await, Access::Granted);
    assert_eq!(gate.judge(&bearer("first"), 1_300).await, Access::Refused);
}

#[tokio::test]
async fn guesses_do_not_ask_secrets_manager_more_than_every_ten_seconds() {
    let stand = Stand::default();
    stand.change(|vault| vault.current = secret("first"));
    let gate = stand.warm_gate().await;

    for second in 1_000..1_020 {
        assert_eq!(gate.judge(&bearer("guess"), second).await, Access::Refused);
    }

    // Two versions: once at the start, and once ten seconds later.
    assert_eq!(stand.calls(), 4);
}

#[tokio::test]
async fn the_last_known_secret_stays_valid_while_secrets_manager_is_out_of_reach() {
    let stand = Stand::default();
    stand.change(|vault| vault.current = secret("first"));
    let gate = stand.warm_gate().await;
    stand.change(|vault| vault.is_out_of_reach = true);

    assert_eq!(gate.judge(&bearer("first"), 90_000).await, Access::Granted);
    assert_eq!(gate.judge(&bearer("guess"), 90_010).await, Access::Refused);
    assert_eq!(stand.calls(), 6);
}

#[tokio::test]
async fn a_secret_of_another_form_does_not_replace_the_one_that_is_known() {
    let stand = Stand::default();
    stand.change(|vault| vault.current = secret("first"));
    let gate = stand.warm_gate().await;
    stand.change(|vault| vault.current = Some("hunter2".to_owned()));

    assert_eq!(gate.judge(&bearer("first"), 2_000).await, Access::Granted);
}

#[tokio::test]
async fn the_current_secret_is_valid_though_the_previous_one_cannot_be_read() {
    let stand = Stand::default();
    stand.change(|vault| {
        (vault.current, vault.previous) = (secret("new"), secret("old"));
        vault.is_previous_out_of_reach = true;
    });
    let gate = stand.warm_gate().await;

    assert_eq!(gate.judge(&bearer("new"), 1_000).await, Access::Granted);
    assert_eq!(gate.judge(&bearer("old"), 1_000).await, Access::Refused);
    stand.change(|vault| vault.is_previous_out_of_reach = false);
    assert_eq!(gate.judge(&bearer("old"), 1_010).await, Access::Granted);
}

#[tokio::test]
async fn the_known_previous_secret_stays_valid_while_it_cannot_be_read() {
    let stand = Stand::default();
    stand.change(|vault| (vault.current, vault.previous) = (secret("second"), secret("first")));
    let gate = stand.warm_gate().await;
    stand.change(|vault| vault.is_previous_out_of_reach = true);

    assert_eq!(gate.judge(&bearer("first"), 1_300).await, Access::Granted);
    stand.change(|vault| vault.current = secret("third"));
    assert_eq!(gate.judge(&bearer("third"), 1_310).await, Access::Granted);
    // What was current until then is the previous one.
    assert_eq!(gate.judge(&bearer("second"), 1_310).await, Access::Granted);
    assert_eq!(gate.judge(&bearer("first"), 1_310).await, Access::Refused);
}

#[tokio::test]
async fn a_secret_that_was_deleted_is_not_valid_any_more() {
    let deletions: [fn(&mut Vault); 2] = [
        |vault| (vault.current, vault.previous) = (None, None),
        |vault| vault.is_marked_for_deletion = true,
    ];
    for deletion in deletions {
        let stand = Stand::default();
        stand.change(|vault| {
            (vault.current, vault.previous) = (secret("new"), secret("old"));
        });
        let managed = stand.gate().await;
        managed.warm(1_000).await;
        let gate = Gate::Managed(managed);
        stand.change(deletion);

        assert_eq!(gate.judge(&bearer("new"), 1_299).await, Access::Granted);
        assert_eq!(gate.judge(&bearer("new"), 1_300).await, Access::Unverifiable);
        assert_eq!(gate.judge(&bearer("old"), 1_300).await, Access::Unverifiable);
    }
}

#[tokio::test]
async fn while_no_secret_is_known_the_next_reading_is_due_after_a_second() {
    let stand = Stand::default();
    stand.change(|vault| (vault.current, vault.is_out_of_reach) = (secret("first"), true));
    let gate = stand.warm_gate().await;

    assert_eq!(gate.judge(&bearer("first"), 1_002).await, Access::Unverifiable);
    assert_eq!(gate.judge(&bearer("first"), 1_003).await, Access::Unverifiable);
    assert_eq!(stand.calls(), 4);
    stand.change(|vault| vault.is_out_of_reach = false);
    assert_eq!(gate.judge(&bearer("first"), 1_004).await, Access::Granted);
}

#[tokio::test(start_paused = true)]
async fn a_start_and_the_first_answer_end_before_braze_gives_up() {
    for (takes, is_known) in [(550, true), (60_000, false)] {
        let stand = Stand::default();
        stand.change(|vault| {
            (vault.current, vault.takes) = (secret("s3cret"), Duration::from_millis(takes));
        });
        let gate = Gate::Managed(stand.gate().await);
        // Connections are taken by the system and never answered.
        let (listener, address) = free_port().await;
        let api = api_over(&config_for(address).await, gate, None, UnknownUser::NotFound);
        let start = Instant::now();

        api.warm().await;
        let (answer, counts) = get("user_id=u&campaign=new-episode").counted(&api).await;

        assert!(start.elapsed() < BRAZE_WAITS, "{:?}", start.elapsed());
        assert_eq!(answer.status(), 200);
        assert_eq!(counts.get(metrics::CREDENTIALS_UNVERIFIABLE), u64::from(!is_known));
        drop(listener);
    }
}

#[tokio::test]
async fn while_no_secret_is_known_callers_get_fallback_content_and_nobodys_own() {
    let world = World::start().await;
    world.store("u", CAMPAIGN, "Hello", LATER).await;
    let stand = Stand::default();
    stand.change(|vault| vault.is_out_of_reach = true);
    let gate = Gate::Managed(stand.gate().await);
    let api = api_over(&world.config, gate, None, UnknownUser::NotFound);

    let (answer, counts) = get("user_id=u&campaign=new-episode").counted(&api).await;

    let body: Value = serde_json::from_str(answer.body()).expect("is JSON");
    assert_eq!(answer.status(), 200);
    assert_eq!(body["Item"]["source"]["S"], "fallback");
    assert_eq!(answer.headers()[header::CACHE_CONTROL], "no-store");
    assert_eq!(counts.get(metrics::CREDENTIALS_UNVERIFIABLE), 1);
    let mut none = get("user_id=u&campaign=new-episode");
    none.headers.clear();
    assert_eq!(none.send(&api).await.status(), 401);
}
