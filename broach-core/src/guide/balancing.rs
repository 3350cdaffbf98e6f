//! Which node a call goes to.
