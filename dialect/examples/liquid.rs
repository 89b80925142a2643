//! Prints the tables of `docs/liquid.md`, for `make tables`.

fn main() -> serde_json::Result<()> {
    print!("{}", dialect::conformance::markdown()?);
    Ok(())
}
