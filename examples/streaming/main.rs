//! The four shapes of calls, over the network: one request or many, one reply or many.
//!
//! ```text
//! cargo run -p broach-examples --bin streaming
//! ```
//!
//! A node serves thermometers (`service.rs`), and this file calls it. Both are in one process, so
//! that there is one thing to start; they talk over UDP all the same.

// What the build script made of `thermometer.proto`.
broach_core::include_protos!();

mod service;

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;

use broach_core::{Channel, Node, Status, stream};
use service::House;
use thermometer::v1::{Reading, Room, ThermometerClient, ThermometerServer};

/// One request, one reply: a call is awaited, and there is the reply.
async fn read(thermometer: &ThermometerClient) -> Result<(), Status> {
    println!("one request, one reply");
    let reading = thermometer.read(room("kitchen")).await?;
    show(&reading);
    Ok(())
}

/// One request, many replies: a call is awaited, and there is a `Receiver` of the replies.
async fn watch(thermometer: &ThermometerClient, house: &House) -> Result<(), Status> {
    println!("one request, many replies");
    let mut readings = thermometer.watch(room("kitchen")).await?;
    for _ in 0..3 {
        // `None` would be the end of the stream; this one has none.
        if let Some(reading) = readings.message().await? {
            show(&reading);
        }
    }
    // Whoever wants no more drops the receiver. That cancels the call: the method is stopped.
    drop(readings);
    house.is_unwatched().await;
    println!("  enough: the receiver is dropped, and the method has ended");

    // A method that fails does so in place of the next reply, here of the first.
    let failed = async {
        let mut readings = thermometer.watch(room("attic")).await?;
        readings.message().await
    };
    if let Err(status) = failed.await {
        println!("  {}: {}", status.code(), status.message());
    }
    Ok(())
}

/// Many requests, one reply: the call takes any stream of requests, for instance what a list has.
async fn report(thermometer: &ThermometerClient) -> Result<(), Status> {
    println!("many requests, one reply");
    let readings = [19.0, 18.5, 21.0, 20.0].map(|celsius| reading("cellar", celsius));
    let summary = thermometer.report(futures::stream::iter(readings)).await?;
    let (count, lowest, highest) = (summary.readings, summary.lowest, summary.highest);
    println!("  {count} readings, from {lowest:.1} to {highest:.1} °C");
    Ok(())
}

/// Many requests, many replies: requests are sent while replies come in.
async fn guard(thermometer: &ThermometerClient) -> Result<(), Status> {
    println!("many requests, many replies");
    // Requests that are made bit by bit are put in at one end of a channel, and the call takes them
    // from the other. It holds two, and then whoever puts them in waits.
    let (mut requests, feed) = stream::channel(2);
    let send = async {
        for (room, celsius) in
            [("kitchen", 23.5), ("sauna", 85.0), ("cellar", 18.0), ("attic", 31.5)]
        {
            requests.send(reading(room, celsius)).await?;
        }
        // The requests are over when their sender is dropped. Replies may still come after that.
        drop(requests);
        Ok::<_, Status>(())
    };
    let receive = async {
        let mut warnings = thermometer.guard(feed).await?;
        while let Some(warning) = warnings.message().await? {
            println!("  too warm: {}", warning.text);
        }
        println!("  all rooms have been looked at");
        Ok(())
    };
    // Both at once: neither waits for the other to be done.
    futures::try_join!(send, receive)?;
    Ok(())
}

fn room(name: &str) -> Room {
    Room { name: name.to_owned() }
}

fn reading(room: &str, celsius: f64) -> Reading {
    Reading { room: room.to_owned(), celsius }
}

fn show(Reading { room, celsius }: &Reading) {
    println!("  {celsius:.1} °C in the {room}");
}

async fn run() -> Result<(), Box<dyn Error>> {
    let house = Arc::new(House::new());
    // Any port of this machine, where nobody else can reach it.
    let service = ThermometerServer::from(Arc::clone(&house));
    let node = Node::builder().serve(service).start().await?;
    // A client with a socket of its own, as if it were another process.
    let thermometer = ThermometerClient::new(Channel::connect(node.local_addr()).await?);
    read(&thermometer).await?;
    watch(&thermometer, &house).await?;
    report(&thermometer).await?;
    guard(&thermometer).await?;
    node.shutdown().await?;
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // `#` asks for the long form, which tells what was tried.
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
