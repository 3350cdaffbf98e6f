//! Serves a lamp and calls it in the same process, in all four ways, with nothing in Cargo.toml
//! but Broach and a runtime; with the feature `descriptors`, so that the program carries its
//! `.proto` files along, once.

#![deny(warnings)]

broach_core::include_protos!();

use std::sync::atomic::{AtomicBool, Ordering};

use broach_core::codegen::Dispatch;
use broach_core::codegen::prost::Message;
use broach_core::codegen::prost_types::FileDescriptorSet;
use broach_core::stream;
use broach_core::{Channel, Context, Receiver, Sender, Status};
use lamp::v1::{BlinkRequest, Lamp, LampClient, LampServer, State};

#[derive(Debug, Default)]
struct Bulb {
    on: AtomicBool,
}

#[broach_core::async_trait]
impl Lamp for Bulb {
    async fn switch(&self, _cx: Context, state: State) -> Result<State, Status> {
        let on = self.on.swap(state.on, Ordering::Relaxed);
        Ok(State { on })
    }

    async fn blink(
        &self,
        _cx: Context,
        request: BlinkRequest,
        mut replies: Sender<State>,
    ) -> Result<(), Status> {
        for _ in 0..request.times {
            replies.send(State { on: true }).await?;
            replies.send(State { on: false }).await?;
        }
        Ok(())
    }

    async fn play(&self, _cx: Context, mut states: Receiver<State>) -> Result<State, Status> {
        let mut last = State::default();
        while let Some(state) = states.message().await? {
            last = state;
        }
        Ok(last)
    }

    async fn follow(
        &self,
        _cx: Context,
        mut states: Receiver<State>,
        mut replies: Sender<State>,
    ) -> Result<(), Status> {
        while let Some(state) = states.message().await? {
            replies.send(state).await?;
        }
        Ok(())
    }

    async fn rest(&self, _cx: Context, (): ()) -> Result<(), Status> {
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Status> {
    let lamp = LampClient::new(Channel::in_process(LampServer::new(Bulb::default())));

    let before = lamp.switch(State { on: true }).await?;
    let after = lamp.switch(State { on: false }).await?;
    lamp.rest(()).await?;

    let mut blinks = lamp.blink(BlinkRequest { times: 3, pause: None }).await?;
    let mut flashes = 0;
    while let Some(state) = blinks.message().await? {
        flashes += u32::from(state.on);
    }

    let (mut states, fed) = stream::channel(2);
    let played = tokio::spawn(lamp.play(fed));
    for on in [false, true] {
        states.send(State { on }).await?;
    }
    drop(states);
    let played = played.await.map_err(|error| Status::internal(error.to_string()))??;

    let (mut states, fed) = stream::channel(1);
    states.send(State { on: true }).await?;
    let mut followed = lamp.follow(fed).await?;
    let first = followed.message().await?.unwrap_or_default();

    println!(
        "was {}, then {}; {flashes} flashes; played to {}; followed to {}",
        shown(before),
        shown(after),
        shown(played),
        shown(first),
    );
    carries_its_descriptors_once()
}

/// Looks for the descriptors in the program's own file.
fn carries_its_descriptors_once() -> Result<(), Status> {
    let shown = LampServer::new(Bulb::default()).file_descriptor_set();
    assert!(std::ptr::eq(shown, FILE_DESCRIPTOR_SET), "each service has those of all");
    let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET)
        .map_err(|error| Status::internal(error.to_string()))?;
    let names: Vec<&str> = set.file.iter().map(|file| file.name()).collect();
    assert_eq!(
        names,
        ["google/protobuf/duration.proto", "google/protobuf/empty.proto", "lamp.proto"]
    );
    let program = std::env::current_exe().and_then(std::fs::read);
    let program = program.map_err(|error| Status::internal(error.to_string()))?;
    let copies = program.windows(FILE_DESCRIPTOR_SET.len());
    assert_eq!(copies.filter(|bytes| *bytes == FILE_DESCRIPTOR_SET).count(), 1);
    Ok(())
}

fn shown(state: State) -> &'static str {
    if state.on { "on" } else { "off" }
}
