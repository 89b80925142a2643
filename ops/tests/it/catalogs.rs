//! Catalogs from files, and from a stand-in that behaves as Braze documents.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path as UrlPath, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use ops::catalogs::braze::Braze;
use ops::catalogs::pull::{Pauses, Pull};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

const KEY: &str = "the-secret-key";

/// Items of a page, as Braze documents it.
const PAGE: usize = 50;

/// What the stand-in answers out of order, once each: at the page of this number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    /// Too many requests, over at once.
    Busy,
    /// An error of the server.
    Failing,
    /// A body that is cut.
    Cut,
    /// From now on the key is none.
    KeyChanged,
    /// An item is added at the beginning, and all others move.
    Moved,
    /// A link that leads elsewhere.
    Astray,
}

#[derive(Debug)]
struct Catalog {
    items: Vec<Value>,
    troubles: Vec<(usize, Trouble)>,
    key: &'static str,
    asked: Vec<usize>,
}

#[derive(Debug, Clone)]
struct Stand(Arc<Mutex<Catalog>>);

#[derive(Deserialize)]
struct Cursor {
    cursor: Option<String>,
}

impl Stand {
    fn new(items: usize, troubles: &[(usize, Trouble)]) -> Self {
        let item =
            |n| json!({ "id": format!("e-{n}"), "title": format!("Episode {n}"), "note": null });
        let items = (0..items).map(item).collect();
        Self(Arc::new(Mutex::new(Catalog {
            items,
            troubles: troubles.to_vec(),
            key: KEY,
            asked: Vec::new(),
        })))
    }

    fn with<T>(&self, change: impl FnOnce(&mut Catalog) -> T) -> T {
        change(&mut self.0.lock().expect("nobody panicked"))
    }

    async fn serve(&self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port is free");
        let address = listener.local_addr().expect("is bound");
        let router = Router::new()
            .route("/catalogs/{name}/items", axum::routing::get(answer))
            .with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://{address}")
    }
}

async fn answer(
    State(stand): State<Stand>,
    UrlPath(name): UrlPath<String>,
    Query(Cursor { cursor }): Query<Cursor>,
    headers: HeaderMap,
) -> Response {
    let from: usize = match cursor {
        None => 0,
        // "skip" and "=" as cursors of Braze have; axum has decoded the rest.
        Some(cursor) => {
            match cursor.strip_prefix("skip:").and_then(|n| n.trim_end_matches('=').parse().ok()) {
                Some(from) => from,
                None => return StatusCode::BAD_REQUEST.into_response(),
            }
        }
    };
    stand.with(|catalog| {
        let page = from / PAGE;
        catalog.asked.push(page);
        let trouble = catalog.troubles.iter().position(|(at, _)| *at == page);
        let trouble = trouble.map(|n| catalog.troubles.remove(n).1);
        if trouble == Some(Trouble::KeyChanged) {
            catalog.key = "another";
        }
        let authorization = headers.get("authorization").and_then(|value| value.to_str().ok());
        if authorization != Some(&format!("Bearer {}", catalog.key)) {
            return (StatusCode::UNAUTHORIZED, json!({ "message": "Invalid API key" }).to_string())
                .into_response();
        }
        if name != "episodes" {
            return StatusCode::NOT_FOUND.into_response();
        }
        match trouble {
            Some(Trouble::Busy) => {
                let now = std::time::UNIX_EPOCH.elapsed().expect("is later").as_secs();
                let reset = [
                    ("x-ratelimit-remaining", "0".to_owned()),
                    ("x-ratelimit-reset", now.to_string()),
                ];
                return (StatusCode::TOO_MANY_REQUESTS, reset, "").into_response();
            }
            Some(Trouble::Failing) => return StatusCode::BAD_GATEWAY.into_response(),
            Some(Trouble::Cut) => return "{\"items\": [{\"id\"".into_response(),
            Some(Trouble::Moved) => catalog.items.insert(0, json!({ "id": "new", "title": "New" })),
            _ => {}
        }
        let items: Vec<Value> = catalog.items.iter().skip(from).take(PAGE).cloned().collect();
        let mut links = Vec::new();
        if from > 0 {
            links.push(format!(
                "</catalogs/{name}/items?cursor=skip:{}>; rel=\"prev\"",
                from.saturating_sub(PAGE)
            ));
        }
        if from + PAGE < catalog.items.len() {
            let host =
                if trouble == Some(Trouble::Astray) { "https://elsewhere.example" } else { "" };
            links.push(format!(
                "<{host}/catalogs/{name}/items?cursor=skip:{}=>; rel=\"next\"",
                from + PAGE
            ));
        }
        let body = json!({ "items": items, "message": "success" }).to_string();
        match links.is_empty() {
            true => body.into_response(),
            false => ([("link", links.join(","))], body).into_response(),
        }
    })
}

fn pull(url: &str, folder: &TempDir) -> Pull {
    pull_with(url, folder, KEY)
}

fn pull_with(url: &str, folder: &TempDir, key: &str) -> Pull {
    Pull {
        braze: Braze::new(url, key.to_owned()).expect("is an address"),
        name: "episodes".to_owned(),
        folder: folder.path().to_owned(),
        pauses: Pauses { between: Duration::ZERO, trouble: Duration::ZERO, busy: Duration::ZERO },
    }
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("temporary folder")
}

fn ids(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).expect("is there");
    let id = |line: &str| {
        let item: Value = serde_json::from_str(line).expect("is JSON");
        item["id"].as_str().expect("is text").to_owned()
    };
    text.lines().map(id).collect()
}

fn all(items: usize) -> Vec<String> {
    (0..items).map(|n| format!("e-{n}")).collect()
}

#[tokio::test]
async fn all_pages_of_a_catalog_come_once_in_their_order() {
    for items in [0, 1, 50, 51, 125] {
        let (stand, folder) = (Stand::new(items, &[]), folder());
        let url = stand.serve().await;

        let file = pull(&url, &folder).run(0).await.expect("is pulled");

        assert_eq!(ids(&file), all(items));
        assert_eq!(stand.with(|catalog| catalog.asked.len()), items.div_ceil(PAGE).max(1));
    }
}

#[tokio::test]
async fn what_goes_wrong_once_is_asked_for_again() {
    let troubles =
        [(1, Trouble::Busy), (1, Trouble::Failing), (2, Trouble::Cut), (3, Trouble::Busy)];
    let (stand, folder) = (Stand::new(200, &troubles), folder());
    let url = stand.serve().await;

    let file = pull(&url, &folder).run(0).await.expect("is pulled");

    assert_eq!(ids(&file), all(200));
    assert_eq!(stand.with(|catalog| catalog.asked.clone()), [0, 1, 1, 1, 2, 2, 3, 3]);
}

#[tokio::test]
async fn a_pull_that_ended_early_goes_on_where_it_was() {
    let (stand, folder) = (Stand::new(200, &[(2, Trouble::KeyChanged)]), folder());
    let url = stand.serve().await;

    let told = pull(&url, &folder).run(0).await.expect_err("is refused").to_string();

    assert!(
        told.contains("refuses the key (401)") && told.contains("catalogs.get_items"),
        "{told}"
    );
    assert!(!told.contains(KEY), "{told}");
    // A page that came and was not noted before the process ended is cut off.
    let items = folder.path().join("episodes.pull.jsonl");
    let torn = std::fs::read_to_string(&items).expect("is there") + "{\"id\": \"e-1";
    std::fs::write(&items, torn).expect("is written");

    let again = pull_with(&url, &folder, "another");
    let file = again.run(1).await.expect("is pulled");

    assert_eq!(ids(&file), all(200));
    assert_eq!(stand.with(|catalog| catalog.asked.clone()), [0, 1, 2, 2, 3]);
    again.forget().expect("is removed");
    assert_eq!(std::fs::read_dir(folder.path()).expect("is there").count(), 0);
}

#[tokio::test]
async fn a_pull_of_the_day_before_begins_anew() {
    let (stand, folder) = (Stand::new(120, &[(1, Trouble::KeyChanged)]), folder());
    let url = stand.serve().await;
    pull(&url, &folder).run(0).await.expect_err("is refused");

    let file = pull_with(&url, &folder, "another").run(25 * 3_600 * 1_000).await;

    assert_eq!(ids(&file.expect("is pulled")), all(120));
    assert_eq!(stand.with(|catalog| catalog.asked.clone()), [0, 1, 0, 1, 2]);
}

#[tokio::test]
async fn an_item_that_moved_to_the_next_page_is_taken_once() {
    let (stand, folder) = (Stand::new(100, &[(1, Trouble::Moved)]), folder());
    let url = stand.serve().await;

    let file = pull(&url, &folder).run(0).await.expect("is pulled");

    assert_eq!(ids(&file), all(100));
}

#[tokio::test]
async fn a_page_that_never_comes_is_given_up_and_what_came_is_kept() {
    let troubles = vec![(1, Trouble::Failing); 8];
    let (stand, folder) = (Stand::new(100, &troubles), folder());
    let url = stand.serve().await;

    let told = pull(&url, &folder).run(0).await.expect_err("fails").to_string();

    assert!(told.starts_with("502 Bad Gateway, 8 times"), "{told}");
    assert_eq!(ids(&folder.path().join("episodes.pull.jsonl")), all(50));
    let file = pull(&url, &folder).run(0).await.expect("goes on");
    assert_eq!(ids(&file), all(100));
}

#[tokio::test]
async fn the_key_follows_no_link_to_elsewhere_and_an_unknown_catalog_is_told() {
    let (stand, folder) = (Stand::new(100, &[(0, Trouble::Astray)]), folder());
    let url = stand.serve().await;
    let told = pull(&url, &folder).run(0).await.expect_err("is refused").to_string();
    assert!(told.contains("leads elsewhere"), "{told}");

    let other = Pull { name: "shows".to_owned(), ..pull(&url, &folder) };
    let told = other.run(0).await.expect_err("is not there").to_string();
    assert!(told.contains("no such catalog (404)"), "{told}");
}

#[test]
fn requests_keep_to_fifty_a_minute() {
    assert!(Pauses::default().between * 50 >= Duration::from_secs(60));
}

fn ops(arguments: &[&str], key: Option<&str>) -> Output {
    let mut ops = Command::new(env!("CARGO_BIN_EXE_ops"));
    ops.args(arguments)
        .env_remove("CATALOG_TABLE")
        .env_remove("BRAZE_API_KEY")
        .env_remove("BRAZE_URL");
    if let Some(key) = key {
        ops.env("BRAZE_API_KEY", key);
    }
    ops.output().expect("runs")
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), b"\n", &output.stderr].concat())
        .into_owned()
}

fn write(folder: &TempDir, name: &str, text: &str) -> String {
    let path: PathBuf = folder.path().join(name);
    std::fs::write(&path, text).expect("is written");
    path.to_str().expect("is text").to_owned()
}

#[test]
fn a_file_is_put_listed_and_shown() {
    let (files, catalogs) = (folder(), folder());
    let file = write(&files, "export.csv", "id,title\n1,Pilot\n2,Second\n");
    let place = catalogs.path().to_str().expect("is text");

    let dry = ops(&["catalogs", "put", "shows", &file, "--dry-run"], None);
    assert!(
        dry.status.success()
            && told(&dry).contains("2 items with id, title; about 2 write units. Nothing"),
        "{}",
        told(&dry)
    );

    let put = ops(&["catalogs", "put", "shows", &file, "--folder", place], None);
    assert!(put.status.success() && told(&put).contains("shows holds 2 items."), "{}", told(&put));
    let list = ops(&["catalogs", "list", "--folder", place], None);
    assert!(told(&list).contains("shows: 2 items from"), "{}", told(&list));
    let show = ops(&["catalogs", "show", "shows", "2", "--folder", place], None);
    assert!(told(&show).contains("\"title\": \"Second\""), "{}", told(&show));
    let absent = ops(&["catalogs", "show", "shows", "3", "--folder", place], None);
    assert!(
        !absent.status.success() && told(&absent).contains("shows has no item \"3\""),
        "{}",
        told(&absent)
    );
}

#[test]
fn a_file_that_is_not_in_order_is_told_line_by_line_and_nothing_is_written() {
    let (files, catalogs) = (folder(), folder());
    let file = write(&files, "export.csv", "id,title\n1\nx y,Second\n");
    let place = catalogs.path().to_str().expect("is text");

    for more in [["--folder", place].as_slice(), &["--dry-run"]] {
        let put = ops(&[["catalogs", "put", "shows", &file].as_slice(), more].concat(), None);
        let said = told(&put);
        assert!(!put.status.success(), "{said}");
        assert!(said.contains(&format!("{file}:2: has 1 values")), "{said}");
        assert!(said.contains(&format!("{file}:3: column id: an id has")), "{said}");
    }

    assert_eq!(std::fs::read_dir(catalogs.path()).expect("is there").count(), 0);
}

#[test]
fn what_is_missing_on_the_command_line_is_told() {
    let files = folder();
    let file = write(&files, "a.csv", "id\n1\n");
    for (arguments, said) in [
        (["catalogs", "put", "shows", &file].as_slice(), "say where: --table NAME"),
        (&["catalogs", "put", "my shows", &file], "\"my shows\" is no catalog's name"),
        (
            &["catalogs", "pull", "shows", "--braze-url", "https://a", "--folder", "x"],
            "set BRAZE_API_KEY",
        ),
    ] {
        let output = ops(arguments, None);
        assert!(!output.status.success() && told(&output).contains(said), "{}", told(&output));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pulled_catalog_takes_the_place_of_the_one_before_and_the_key_is_never_shown() {
    let (stand, state, catalogs) = (Stand::new(60, &[]), folder(), folder());
    let url = stand.serve().await;
    write(&catalogs, "episodes.csv", "id,title\nold,Old\n");
    let (state, place) = (state.path().to_owned(), catalogs.path().to_owned());
    let output = tokio::task::spawn_blocking(move || {
        let (state, place) = (state.to_str().expect("is text"), place.to_str().expect("is text"));
        ops(
            &[
                "catalogs",
                "pull",
                "episodes",
                "--braze-url",
                &url,
                "--state",
                state,
                "--folder",
                place,
            ],
            Some(KEY),
        )
    });
    let output = output.await.expect("runs");

    let said = told(&output);
    assert!(output.status.success() && said.contains("episodes holds 60 items."), "{said}");
    assert!(!said.contains(KEY), "{said}");
    assert!(!catalogs.path().join("episodes.csv").exists());
    assert_eq!(ids(&catalogs.path().join("episodes.jsonl")), all(60));
}
