//! What readers see during, between and after imports, whatever their order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use catalog::check::{Checked, check};
use catalog::fault::Faults;
use catalog::file::{Format, Place, Rows};
use catalog::import::{Import, Progress, Standing, Stopped, import_number};
use catalog::table::{
    CatalogTable as _, Head, ImportEnd, ImportTable, Memory, PutResult, SweepPlace, SweptPage,
    TableError,
};
use contract::catalog::ItemKey;
use program::aws::CallError;
use proptest::prelude::*;
use tokio::time::{Duration, Instant};

const CATALOG: &str = "episodes";

fn csv(items: &[(u32, &str)]) -> String {
    let rows = items.iter().map(|(id, title)| format!("{id},{title}\n"));
    format!("id,title\n{}", rows.collect::<String>())
}

fn import(table: Arc<dyn ImportTable>, number: u64, is_whole: bool) -> Import {
    Import { table, catalog: CATALOG.to_owned(), number, is_whole, source: "test".to_owned() }
}

fn rows(file: &str) -> (Checked, Rows<std::io::Cursor<Vec<u8>>>) {
    let checked = check(Format::Csv, file.as_bytes()).expect("is in order");
    let file = std::io::Cursor::new(file.as_bytes().to_vec());
    (checked, Rows::begin(Format::Csv, file, &mut Faults::default()).expect("is read"))
}

async fn run(import: &Import, file: &str) -> Standing {
    let standing = import.standing().await.expect("is read");
    if standing == Standing::Wanted {
        let (checked, rows) = rows(file);
        import.write(rows, Progress::default(), None, |_| {}).await.expect("is written");
        import.end(&checked, 0).await.expect("is ended");
    }
    standing
}

pub(crate) fn key(id: impl ToString) -> ItemKey {
    ItemKey { catalog: CATALOG.to_owned(), id: id.to_string() }
}

async fn titles(table: &Memory, ids: std::ops::Range<u32>) -> Vec<Option<String>> {
    let keys: Vec<ItemKey> = ids.map(key).collect();
    let items = table.items(&keys).await.expect("is read");
    items.into_iter().map(|(_, item)| Some(item?["title"].as_str()?.to_owned())).collect()
}

fn some(title: &str) -> Option<String> {
    Some(title.to_owned())
}

#[tokio::test]
async fn a_whole_file_takes_the_place_of_all_and_a_partial_one_adds() {
    let table = Memory::default();
    let of = |number, is_whole| import(Arc::new(table.clone()), number, is_whole);

    run(&of(1, true), &csv(&[(0, "a"), (1, "a")])).await;
    run(&of(2, false), &csv(&[(1, "b"), (2, "b")])).await;
    assert_eq!(titles(&table, 0..3).await, [some("a"), some("b"), some("b")]);

    run(&of(3, true), &csv(&[(2, "c")])).await;
    assert_eq!(titles(&table, 0..3).await, [None, None, some("c")]);
}

#[tokio::test]
async fn nothing_of_a_first_import_is_seen_before_it_ends() {
    let table = Memory::default();
    let import = import(Arc::new(table.clone()), 1, true);
    let (checked, rows) = rows(&csv(&[(0, "a")]));

    import.write(rows, Progress::default(), None, |_| {}).await.expect("is written");
    assert_eq!(titles(&table, 0..1).await, [None]);

    import.end(&checked, 7).await.expect("is ended");
    assert_eq!(titles(&table, 0..1).await, [some("a")]);
    assert_eq!(table.heads()[CATALOG].items, 1);
}

#[tokio::test]
async fn what_is_gone_is_swept_and_nothing_else() {
    let table = Memory::default();
    let of = |number, is_whole| import(Arc::new(table.clone()), number, is_whole);
    let all: Vec<(u32, &str)> = (0..2_500).map(|n| (n, "a")).collect();
    run(&of(1, true), &csv(&all)).await;
    let whole = of(2, true);
    run(&whole, &csv(&[(7, "b")])).await;
    run(&of(3, false), &csv(&[(8, "c")])).await;

    let mut removed = 0;
    let rest = whole.sweep(SweepPlace::beginning(), None, |n| removed = n).await;

    assert_eq!((rest.expect("is swept"), removed, table.stored()), (None, 2_498, 2));
    assert_eq!(titles(&table, 6..9).await, [None, some("b"), some("c")]);
}

#[tokio::test]
async fn an_older_file_that_comes_late_changes_nothing() {
    let table = Memory::default();
    let of = |number, is_whole| import(Arc::new(table.clone()), number, is_whole);
    run(&of(5, true), &csv(&[(0, "new")])).await;

    assert_eq!(run(&of(4, true), &csv(&[(0, "old"), (1, "old")])).await, Standing::Superseded);
    assert_eq!(run(&of(4, false), &csv(&[(0, "old"), (1, "old")])).await, Standing::Superseded);
    assert_eq!(run(&of(5, true), &csv(&[(0, "again")])).await, Standing::Done);

    assert_eq!(titles(&table, 0..2).await, [some("new"), None]);
}

#[tokio::test]
async fn an_import_that_stopped_goes_on_where_it_was_or_is_run_again() {
    let table = Memory::default();
    let all: Vec<(u32, &str)> = (0..1_000).map(|n| (n, "a")).collect();
    let file = csv(&all);
    // The table takes some hundreds, then refuses.
    let broken = Refusing { table: table.clone(), takes: AtomicUsize::new(300), passing: false };
    let import = import(Arc::new(broken), 1, true);
    let (_, first) = rows(&file);

    let stopped = import.write(first, Progress::default(), None, |_| {}).await;

    let (reached, why) = stopped.expect_err("refuses");
    assert!(matches!(why, Stopped::Table(_)), "{why}");
    assert!((1..=300).contains(&reached.place.items), "{reached:?}");
    let import = Import { table: Arc::new(table.clone()), ..import };
    let rest = &file.as_bytes()[usize::try_from(reached.place.offset_bytes).expect("fits")..];
    let rest = Rows::resume(
        Format::Csv,
        std::io::Cursor::new(file.as_bytes().to_vec()),
        std::io::Cursor::new(rest.to_vec()),
        reached.place,
        &mut Faults::default(),
    );
    let rest = rest.expect("is read");
    let end = import.write(rest, reached, None, |_| {}).await.expect("is written");
    assert_eq!((end.place.items, table.stored()), (1_000, 1_000));
}

#[tokio::test(start_paused = true)]
async fn a_table_that_is_busy_is_waited_for() {
    let table = Memory::default();
    let busy = Refusing { table: table.clone(), takes: AtomicUsize::new(3), passing: true };
    let import = import(Arc::new(busy), 1, true);
    let (_, rows) = rows(&csv(&[(0, "a"), (1, "a"), (2, "a"), (3, "a"), (4, "a")]));

    let end = import.write(rows, Progress::default(), None, |_| {}).await.expect("is written");

    assert_eq!((end.place.items, table.stored()), (5, 5));
}

#[tokio::test]
async fn an_import_stops_when_its_time_is_over_and_tells_how_far_it_is() {
    let table = Memory::default();
    let import = import(Arc::new(table.clone()), 1, true);
    let all: Vec<(u32, &str)> = (0..10_000).map(|n| (n, "a")).collect();
    let (_, rows) = rows(&csv(&all));

    let stopped = import.write(rows, Progress::default(), Some(Instant::now()), |_| {}).await;

    let (reached, why) = stopped.expect_err("has no time");
    assert!(matches!(why, Stopped::OutOfTime), "{why}");
    assert!(reached.place.items < 10_000);
}

#[tokio::test]
async fn progress_is_told_and_items_of_newer_imports_are_counted() {
    let table = Memory::default();
    run(&import(Arc::new(table.clone()), 9, false), &csv(&[(1, "new")])).await;
    let import = import(Arc::new(table.clone()), 5, true);
    let all: Vec<(u32, &str)> = (0..100).map(|n| (n, "a")).collect();
    let (_, rows) = rows(&csv(&all));
    let mut told: Vec<Progress> = Vec::new();

    let end = import.write(rows, Progress::default(), None, |progress| told.push(progress)).await;

    let end = end.expect("is written");
    assert_eq!(end.newer, 1);
    assert!(told.is_sorted_by_key(|progress| progress.place.items), "{told:?}");
    assert_eq!(told.last(), Some(&end));
    assert_ne!(end.place, Place::default());
}

#[test]
fn two_files_of_the_same_second_have_numbers_that_everybody_agrees_on() {
    let (a, b) = (import_number(7_000, "a.csv", "x"), import_number(7_000, "b.csv", "y"));
    assert_ne!(a, b);
    assert_eq!(a, import_number(7_000, "a.csv", "x"));
    assert!(a < 8_000 && b < 8_000 && a >= 7_000);
    assert_eq!(import_number(7_001, "a.csv", "x"), 7_001);
}

/// A table that takes so many puts, and then refuses: once if that is passing, else for ever.
#[derive(Debug)]
struct Refusing {
    table: Memory,
    takes: AtomicUsize,
    passing: bool,
}

#[async_trait]
impl ImportTable for Refusing {
    async fn head(&self, catalog: &str) -> Result<Option<Head>, TableError> {
        self.table.head(catalog).await
    }

    async fn put(&self, key: &ItemKey, json: String, import: u64) -> Result<PutResult, TableError> {
        let left = self.takes.fetch_sub(1, Ordering::Relaxed);
        let refuses = if self.passing { left == 1 } else { left == 0 || left > usize::MAX / 2 };
        if refuses {
            let code = if self.passing { "ThrottlingException" } else { "AccessDeniedException" };
            let cause = CallError::Refused(code.to_owned());
            return Err(TableError::Call { attempted: "item was not put", cause });
        }
        self.table.put(key, json, import).await
    }

    async fn close(&self, catalog: &str, end: &ImportEnd) -> Result<PutResult, TableError> {
        self.table.close(catalog, end).await
    }

    async fn sweep(
        &self,
        catalog: &str,
        since: u64,
        from: SweepPlace,
    ) -> Result<SweptPage, TableError> {
        self.table.sweep(catalog, since, from).await
    }
}

/// One step of an import that overlaps with others.
#[derive(Debug, Clone, Copy)]
enum Step {
    Put(usize, u32),
    End(usize),
    Sweep(usize),
}

proptest! {
    /// Three imports of random files, whose steps are mixed at random: what is seen in the end is
    /// what the files say in the order of their numbers.
    #[test]
    fn imports_that_overlap_come_to_what_they_say_in_the_order_of_their_numbers(
        files in prop::collection::vec((any::<bool>(), prop::collection::btree_set(0_u32..6, 1..6)), 3),
        order in prop::collection::vec(0_usize..3, 60),
    ) {
        let mut steps: Vec<Vec<Step>> = files.iter().enumerate().map(|(n, (is_whole, ids))| {
            let puts = ids.iter().map(|id| Step::Put(n, *id));
            let after = [Some(Step::End(n)), is_whole.then_some(Step::Sweep(n))];
            puts.chain(after.into_iter().flatten()).rev().collect()
        }).collect();
        let mixed: Vec<Step> = order.iter().chain([0, 1, 2].iter().cycle().take(60))
            .filter_map(|n| steps[*n].pop()).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("is built");
        runtime.block_on(async {
            let table = Memory::default();
            for step in mixed {
                match step {
                    Step::Put(n, id) => {
                        let json = format!("{{\"title\":\"{n}\"}}");
                        table.put(&key(id), json, n as u64 + 1).await.expect("is put");
                    }
                    Step::End(n) => {
                        let end = ImportEnd {
                            import: n as u64 + 1, is_whole: files[n].0, columns: ["id".to_owned()].into(),
                            items: 1, at_ms: 0, source: String::new(),
                        };
                        table.close(CATALOG, &end).await.expect("is ended");
                    }
                    Step::Sweep(n) => {
                        let page = table.sweep(CATALOG, n as u64 + 1, SweepPlace::beginning()).await;
                        page.expect("is swept");
                    }
                }
            }
            let mut expected = vec![None; 6];
            for (n, (is_whole, ids)) in files.iter().enumerate() {
                if *is_whole {
                    expected.fill(None);
                }
                for id in ids {
                    expected[*id as usize] = Some(n.to_string());
                }
            }
            assert_eq!(titles(&table, 0..6).await, expected);
        });
    }
}

#[tokio::test(start_paused = true)]
async fn a_table_that_never_recovers_is_given_up_after_about_a_minute() {
    #[derive(Debug)]
    struct Busy;
    #[async_trait]
    impl ImportTable for Busy {
        async fn head(&self, _: &str) -> Result<Option<Head>, TableError> {
            Err(TableError::Unprocessed(1))
        }
        async fn put(&self, _: &ItemKey, _: String, _: u64) -> Result<PutResult, TableError> {
            Err(TableError::Unprocessed(1))
        }
        async fn close(&self, _: &str, _: &ImportEnd) -> Result<PutResult, TableError> {
            Err(TableError::Unprocessed(1))
        }
        async fn sweep(&self, _: &str, _: u64, _: SweepPlace) -> Result<SweptPage, TableError> {
            Err(TableError::Unprocessed(1))
        }
    }
    let import = import(Arc::new(Busy), 1, true);
    let (checked, _) = rows(&csv(&[(0, "a")]));
    let begun = Instant::now();

    let error = import.end(&checked, 0).await.expect_err("is busy");

    assert!(error.is_passing());
    let waited = begun.elapsed();
    assert!(waited > Duration::from_secs(10) && waited < Duration::from_secs(90), "{waited:?}");
}
