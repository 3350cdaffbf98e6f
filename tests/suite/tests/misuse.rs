//! What rustc says of programs that use generated code wrongly, compared with the `.stderr` files
//! beside them in `tests/misuse/`.
//!
//! `TRYBUILD=overwrite cargo test -p broach-tests --test misuse` writes them anew; the difference
//! that git shows then is the review. The words are those of the compiler CI uses, so that another
//! one may have others.

#[test]
fn mistakes_are_explained_where_they_are_made() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/misuse/*.rs");
}
