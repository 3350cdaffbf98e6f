//! From `.proto` files to Rust: what is taken, what comes out, what is refused.
//!
//! `broach_build::compile` reads the files with protox, has prost-build generate the messages, and
//! generates the services itself; nothing has to be installed. This page is about what one meets
//! with files that somebody else has written. Options are in the documentation of
//! `broach_build::Config`, and the rules by which things are named in that of `broach_codegen`.
//!
//! # What is taken
//!
//! proto2 and proto3, with everything that is in them: groups, extensions (read over), defaults,
//! required fields, optional fields of proto3, maps, oneofs, weak and public imports, packages
//! named like keywords, files without a package or without a `syntax`. Editions are not supported
//! yet, and the error says so at the line; this holds for descriptor sets too.
//!
//! | in the `.proto` | in Rust |
//! |---|---|
//! | a method named like a keyword | `r#move`; `self_` where that is no name either |
//! | a method named `New`, `Into`, `TryInto` | `new_`, `into_`, `try_into_`, as its comment says |
//! | any other method (`Clone`, `Connect`, `Drop`) | just that: clients have no other methods |
//! | a service named like a message beside it | all names of the service get `Service` |
//! | two methods, fields or types of one name in Rust | refused, with both places |
//! | `google.protobuf.Empty`, `StringValue` as requests, replies, fields | `()`, `String` |
//! | a package that another crate has compiled | `.extern_path(".money.v1", "::money::v1")` |
//! | code, HTML, brackets and addresses in comments | shown as they are; nothing is run as a test |
//! | `deprecated` | `#[deprecated]`, without a warning in the generated code itself |
//!
//! What a file says in options of its own (`google.api.http`) is kept in its descriptors.
//!
//! # What comes out
//!
//! For each service a static that names its methods, a trait, a server and a client, each with the
//! comments of the `.proto` and the full name of each RPC. A method is one statement in each of
//! them, which hands over to `broach_core`: there is no logic in generated code. A unary method
//! with a comment of one line takes 21 to 26 lines in all (2 more with the empty ones between
//! methods). The same files give the same bytes, whatever the order they are named in; a file that
//! comes out as it was is not written, and Cargo runs the build script again only when a file
//! changes that was read.
//!
//! Those who keep generated code with their own write `.out_dir("src/gen")` and `mod gen;`, or use
//! the program:
//!
//! ```text
//! cargo run -p broach-build --bin broach-gen -- proto/shop.proto --out src/gen
//! cargo run -p broach-build --bin broach-gen -- proto/shop.proto --out src/gen --check
//! ```
//!
//! # Descriptors
//!
//! With the feature `descriptors` of `broach-core`, a program carries the descriptors of its files
//! with it, once for each crate that compiles some: `FILE_DESCRIPTOR_SET` beside the packages, an
//! encoded `google.protobuf.FileDescriptorSet` with all imports and without comments. Each
//! generated server shows it
//! ([`Dispatch::file_descriptor_set`](crate::codegen::Dispatch::file_descriptor_set)). Without the
//! feature both are empty. `.file_descriptor_set_path(..)` writes them to a file, with comments.
//!
//! The other way round, `.compile_fds(..)` and `.compile_fds_path(..)` take descriptors that protoc
//! or buf have made.
//!
//! # Errors
//!
//! All mistakes of all files are told at once, each with file, line, column, the line, and what to
//! do if we know it. `cargo build` shows them as errors.
//!
//! # What Protobuf does elsewhere and prost does not
//!
//! * Fields that a program does not know are dropped when it decodes. A proxy that has to pass them
//!   on works with bytes ([`Channel::call`](crate::Channel::call)).
//! * Extensions are such fields.
//! * `-0.0` in a field of proto3 that is not `optional` counts as zero and is not sent.
//!
//! # How it is tested
//!
//! `tests/corpora/run --all DIR` compiles what others have published (see `tests/corpora/fetch` for
//! what, and from where). In November 2026:
//!
//! | package | files | generated | refused |
//! |---|---|---|---|
//! | google-proto-files 5.0.3 (npm) | 8,051 | 8,038 | 12 editions, 1 lacks an import |
//! | google-gax 5.0.8 (npm) | 150 | 138 | 11 editions, 1 lacks an import |
//! | googleapis-common-protos 1.76.0 (PyPI) | 63 | 63 | |
//! | grpcio-tools 1.85.1 (PyPI) | 15 | 15 | |
//! | temporalio 1.35.0 (PyPI) | 97 | 97 | |
//! | etcd3 1.1.2 (npm) | 3 | 2 | 1 imports `./kv.proto`, as protoc refuses too |
//! | gogo/protobuf 1.3.2 (Debian) | 178 | 176 | 2 that protoc refuses too |
//! | golang/protobuf 1.28.1 (Debian) | 69 | 67 | 1 with clashing names, 1 message set |
//! | grpc-go 1.33.3 (Debian) | 20 | 20 | |
//! | grpc-gateway 1.6.4 (Debian) | 19 | 19 | |
//! | containerd 1.6.20 (Debian) | 29 | 29 | |
//! | etcd 3.4.23 (Debian) | 12 | 12 | |
//!
//! The clashing names are one in Rust too; the message set has an extension with a number beyond
//! 2^29, which the parser does not take. Nothing panicked. What was generated for all of these but
//! google-proto-files (560 files, 13,078 messages), for 200 files of that, and for the 60 files of
//! `tests/corpora/nasty.txt` compiles with `#![deny(warnings)]`. Of 8,630 descriptors, 4,680 are
//! those that protoc of grpcio-tools gives; the others differ in how options that files declare
//! themselves are packed (3,877), in options that are there and empty (52), in the digits of a
//! default (5), and in the version of Protobuf's own files (16), none of which changes generated
//! code. 10,000 random messages of each of the 146 types in the first two packages from PyPI came
//! back from Rust as Python's protobuf had sent them, except for what is said above.
