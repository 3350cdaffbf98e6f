//! What errors look like when `main` returns one, or somebody unwraps it: that shows their `Debug`.

/// Lets these errors show the same text everywhere.
macro_rules! debug_as_text {
    ($($error:ty),+) => {
        $(impl ::std::fmt::Debug for $error {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                ::std::fmt::Display::fmt(self, f)
            }
        })+
    };
}

pub(crate) use debug_as_text;
