//! [`Service`]: what is served.

use std::sync::Arc;
use std::time::Duration;

use broach_core::{Code, Context, Instance, Receiver, Sender, Status};
use nix::time::ClockId;
use tokio::sync::{Semaphore, SetOnce};
use tokio::time::sleep;

use crate::broach::testing::v1::{
    EchoStatus, Empty, ReplyPart, SimpleReply, SimpleRequest, StreamingInputReply,
    StreamingInputRequest, StreamingOutputReply, StreamingOutputRequest, TestService,
};
use crate::bytes_of;
use crate::cli::ServerOptions;
use crate::clock::WallClock;
use crate::lines::{FileError, Lines};

/// Behaves as its requests say, and writes down which it has begun.
#[derive(Debug)]
pub(crate) struct Service {
    clock: WallClock,
    exec_log: Option<Lines>,
    /// Known once the node has started.
    instance: SetOnce<Instance>,
    work: Duration,
    sleep: Duration,
    /// A place for each processor.
    processors: Arc<Semaphore>,
}

impl Service {
    /// # Errors
    ///
    /// If the log cannot be written.
    pub(crate) fn new(options: &ServerOptions, clock: WallClock) -> Result<Self, FileError> {
        let exec_log = options.exec_log.as_deref().map(Lines::open).transpose()?;
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            clock,
            exec_log,
            instance: SetOnce::new(),
            work: Duration::from_micros(options.work_us),
            sleep: Duration::from_millis(options.sleep_ms),
            processors: Arc::new(Semaphore::new(processors)),
        })
    }

    /// One that writes nothing down.
    #[cfg(test)]
    pub(crate) fn for_test() -> Self {
        Self {
            clock: WallClock::start(),
            exec_log: None,
            instance: SetOnce::new(),
            work: Duration::ZERO,
            sleep: Duration::ZERO,
            processors: Arc::new(Semaphore::new(1)),
        }
    }

    /// To be called once.
    pub(crate) fn set_instance(&self, instance: Instance) {
        let first = self.instance.set(instance);
        debug_assert!(first.is_ok(), "a node starts once");
    }

    /// Writes down that a handler has been started.
    async fn write_down(&self, token: &str) -> Result<(), Status> {
        let Some(log) = self.exec_log.as_ref().filter(|_| !token.is_empty()) else {
            return Ok(());
        };
        if token.contains(char::is_whitespace) {
            return Err(Status::invalid_argument("a token has no spaces"));
        }
        let instance = self.instance.wait().await;
        let line = format!("{token} {instance} {}", self.clock.now_us());
        log.add(&line).map_err(|error| Status::internal("the log is full").with_source(error))
    }

    /// Takes processor time. More than a little of it is taken where no other task waits for the
    /// thread, and by no more threads than there are processors.
    async fn work(&self) -> Result<(), Status> {
        if self.work <= AT_ONCE_MAX {
            return burn(self.work);
        }
        let place = Arc::clone(&self.processors).acquire_owned().await;
        let place = place.map_err(|closed| Status::internal(closed.to_string()))?;
        let work = self.work;
        // Once begun it goes on to its end, also if the handler is stopped.
        let burnt = tokio::task::spawn_blocking(move || {
            let burnt = burn(work);
            drop(place);
            burnt
        });
        let burnt = burnt.await;
        burnt.map_err(|error| Status::internal("the work has failed").with_source(error))?
    }
}

#[broach_core::async_trait]
impl TestService for Service {
    async fn empty_call(&self, _: Context, _: Empty) -> Result<Empty, Status> {
        Ok(Empty {})
    }

    async fn unary_call(&self, cx: Context, request: SimpleRequest) -> Result<SimpleReply, Status> {
        self.write_down(&request.token).await?;
        self.work().await?;
        wait(self.sleep + Duration::from_millis(request.sleep_ms.into())).await;
        echo_metadata(&cx)?;
        end_as(request.echo_status)?;
        let size = checked_size(request.response_size)?;
        let payload = bytes_of::reply(&request.token, size);
        Ok(SimpleReply { payload, request_sum: bytes_of::sum(&request.payload) })
    }

    async fn streaming_output_call(
        &self,
        cx: Context,
        request: StreamingOutputRequest,
        mut replies: Sender<StreamingOutputReply>,
    ) -> Result<(), Status> {
        echo_metadata(&cx)?;
        send_parts(&request.parts, &mut replies).await?;
        end_as(request.echo_status)
    }

    async fn streaming_input_call(
        &self,
        cx: Context,
        mut requests: Receiver<StreamingInputRequest>,
    ) -> Result<StreamingInputReply, Status> {
        echo_metadata(&cx)?;
        let mut aggregated_payload_size = 0;
        while let Some(request) = requests.message().await? {
            aggregated_payload_size += request.payload.len() as u64;
        }
        Ok(StreamingInputReply { aggregated_payload_size })
    }

    async fn full_duplex_call(
        &self,
        cx: Context,
        mut requests: Receiver<StreamingOutputRequest>,
        mut replies: Sender<StreamingOutputReply>,
    ) -> Result<(), Status> {
        echo_metadata(&cx)?;
        while let Some(request) = requests.message().await? {
            send_parts(&request.parts, &mut replies).await?;
            end_as(request.echo_status)?;
        }
        Ok(())
    }
}

/// Sends back what a caller wants to see again.
fn echo_metadata(cx: &Context) -> Result<(), Status> {
    for key in [ECHO_TEXT, ECHO_BYTES] {
        if let Some(value) = cx.metadata().values(key).next() {
            let set = cx.set_reply_metadata(key, value.clone());
            set.map_err(|error| Status::internal(error.to_string()))?;
        }
    }
    Ok(())
}

async fn send_parts(
    parts: &[ReplyPart],
    replies: &mut Sender<StreamingOutputReply>,
) -> Result<(), Status> {
    for part in parts {
        wait(Duration::from_micros(part.interval_us.into())).await;
        let payload = bytes_of::reply("", checked_size(part.size)?);
        replies.send(StreamingOutputReply { payload }).await?;
    }
    Ok(())
}

fn end_as(status: Option<EchoStatus>) -> Result<(), Status> {
    match status {
        Some(EchoStatus { code, message }) if code != 0 => {
            Err(Status::new(Code::from_number(code), message))
        }
        _ => Ok(()),
    }
}

fn checked_size(size: u32) -> Result<usize, Status> {
    let size = size as usize;
    if size <= SIZE_MAX {
        return Ok(size);
    }
    Err(Status::invalid_argument(format!("a reply may have {SIZE_MAX} bytes, not {size}")))
}

async fn wait(time: Duration) {
    if !time.is_zero() {
        sleep(time).await;
    }
}

/// Uses the processor for so long, and not only the time: others may be at it as well.
fn burn(work: Duration) -> Result<(), Status> {
    let used = || {
        let now = ClockId::CLOCK_THREAD_CPUTIME_ID.now();
        let now = now.map_err(|error| Status::internal("no clock").with_source(error))?;
        Ok::<_, Status>(Duration::from(now))
    };
    if work.is_zero() {
        return Ok(());
    }
    let end = used()? + work;
    while used()? < end {
        std::hint::spin_loop();
    }
    Ok(())
}

/// What a caller sends along under these keys comes back.
pub(crate) const ECHO_TEXT: &str = "x-grpc-test-echo-initial";
pub(crate) const ECHO_BYTES: &str = "x-grpc-test-echo-trailing-bin";

/// Less than what else a thread of the runtime does without letting others take turns.
const AT_ONCE_MAX: Duration = Duration::from_micros(100);

/// More than any message may have: what is in between is for the framework to refuse.
const SIZE_MAX: usize = 64 << 20;
