//! The side that serves: a method for each of the four shapes.

use std::time::Duration;

use broach_core::{Context, Receiver, Sender, Status};
use tokio::sync::watch;

use crate::thermometer::v1::{Reading, Room, Summary, Thermometer, Warning};

/// All thermometers of a house.
pub(crate) struct House {
    /// How many calls watch a room at present.
    watchers: watch::Sender<u32>,
}

impl House {
    pub(crate) fn new() -> Self {
        Self { watchers: watch::Sender::new(0) }
    }

    /// Waits until nobody watches any room.
    pub(crate) async fn is_unwatched(&self) {
        let mut watchers = self.watchers.subscribe();
        // It fails only if the house is gone, which nobody watches then either.
        let _ = watchers.wait_for(|&count| count == 0).await;
    }
}

// What comes in as a stream is a `Receiver`, what goes out as a stream is a `Sender`, and a call is
// over when its method returns.
#[broach_core::async_trait]
impl Thermometer for House {
    /// One request, one reply.
    async fn read(&self, _cx: Context, room: Room) -> Result<Reading, Status> {
        let celsius = measure(&room.name, 0)?;
        Ok(Reading { room: room.name, celsius })
    }

    /// One request, many replies.
    async fn watch(
        &self,
        _cx: Context,
        room: Room,
        mut replies: Sender<Reading>,
    ) -> Result<(), Status> {
        let _watching = Watching::begin(&self.watchers);
        for time in 0.. {
            // An error ends the stream; the caller gets it after the replies before it.
            let celsius = measure(&room.name, time)?;
            // This waits while the caller is behind with reading. When the caller is gone it
            // fails, or the whole method stops where it waits: nobody has to look after that.
            replies.send(Reading { room: room.name.clone(), celsius }).await?;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    /// Many requests, one reply.
    async fn report(
        &self,
        _cx: Context,
        mut requests: Receiver<Reading>,
    ) -> Result<Summary, Status> {
        let mut summary =
            Summary { readings: 0, lowest: f64::INFINITY, highest: f64::NEG_INFINITY };
        // `None` is the end: the caller has no more. If the caller is lost instead, `?` ends this.
        while let Some(reading) = requests.message().await? {
            summary.readings += 1;
            summary.lowest = summary.lowest.min(reading.celsius);
            summary.highest = summary.highest.max(reading.celsius);
        }
        if summary.readings == 0 {
            return Err(Status::invalid_argument("there are no readings to sum up"));
        }
        Ok(summary)
    }

    /// Many requests, many replies, in whatever order the method likes.
    async fn guard(
        &self,
        _cx: Context,
        mut requests: Receiver<Reading>,
        mut replies: Sender<Warning>,
    ) -> Result<(), Status> {
        while let Some(Reading { room, celsius }) = requests.message().await? {
            if TOO_WARM < celsius {
                replies.send(Warning { text: format!("{celsius:.1} °C in the {room}") }).await?;
            }
        }
        Ok(())
    }
}

/// What the thermometer of a room shows, if it has one.
fn measure(room: &str, time: u32) -> Result<f64, Status> {
    match room {
        "kitchen" => Ok(20.5 + 0.5 * f64::from(time)),
        _ => Err(Status::not_found(format!("there is no thermometer in the {room}"))),
    }
}

/// A call that watches a room. However it ends, this is dropped with it.
struct Watching<'a>(&'a watch::Sender<u32>);

impl<'a> Watching<'a> {
    fn begin(watchers: &'a watch::Sender<u32>) -> Self {
        watchers.send_modify(|count| *count += 1);
        Self(watchers)
    }
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// In degrees Celsius.
const TOO_WARM: f64 = 24.0;
