//! Streams of tonic.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::Stream;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status, Streaming};

use crate::{Error, Mode};

mod proto {
    tonic::include_proto!("broach.compare.v1");
}

use proto::streams_client::StreamsClient;
use proto::streams_server::{Streams, StreamsServer};
use proto::{Nothing, Payload, Wanted};

#[derive(Clone, Default)]
struct Service {
    /// Messages that all calls of Up have brought.
    arrived: Arc<AtomicU64>,
}

#[tonic::async_trait]
impl Streams for Service {
    async fn up(&self, request: Request<Streaming<Payload>>) -> Result<Response<Nothing>, Status> {
        let mut requests = request.into_inner();
        while requests.message().await?.is_some() {
            self.arrived.fetch_add(1, Relaxed);
        }
        Ok(Response::new(Nothing {}))
    }

    type DownStream = std::pin::Pin<Box<dyn Stream<Item = Result<Payload, Status>> + Send>>;

    async fn down(&self, request: Request<Wanted>) -> Result<Response<Self::DownStream>, Status> {
        let data = Bytes::from(vec![0xa5; request.into_inner().bytes as usize]);
        let messages = std::iter::repeat_with(move || Ok(Payload { data: data.clone() }));
        Ok(Response::new(Box::pin(futures::stream::iter(messages))))
    }

    type DuplexStream = Streaming<Payload>;

    async fn duplex(
        &self,
        request: Request<Streaming<Payload>>,
    ) -> Result<Response<Self::DuplexStream>, Status> {
        Ok(Response::new(request.into_inner()))
    }
}

/// Serves until standard input is closed; says how many messages have arrived whenever it is asked
/// for it with a byte.
pub(crate) async fn serve() -> Result<(), Error> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let service = Service::default();
    let arrived = Arc::clone(&service.arrived);
    let incoming = TcpListenerStream::new(listener)
        .map(|stream| stream.and_then(|stream| stream.set_nodelay(true).map(|()| stream)));
    let serve =
        Server::builder().add_service(StreamsServer::new(service)).serve_with_incoming(incoming);
    let asked = async {
        let mut stdin = tokio::io::stdin();
        while stdin.read_u8().await.is_ok() {
            println!("{}", arrived.load(Relaxed));
        }
    };
    tokio::select! {
        result = serve => Ok(result?),
        () = asked => Ok(()),
    }
}

/// Messages per second that arrive in a window.
pub(crate) async fn measure(
    mode: Mode,
    payload: u32,
    concurrency: usize,
    window: Duration,
) -> Result<f64, Error> {
    let mut server = Command::new(std::env::current_exe()?)
        .arg("serve")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut stdin = server.stdin.take().ok_or("the server has no standard input")?;
    let stdout = server.stdout.take().ok_or("the server has no standard output")?;
    let mut lines = BufReader::new(stdout).lines();
    let addr = lines.next_line().await?.ok_or("the server did not start")?;
    let endpoint = Channel::from_shared(format!("http://{addr}"))?.tcp_nodelay(true);
    let client = StreamsClient::new(endpoint.connect().await?);
    let (stop, received) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let mut streams = JoinSet::new();
    for _ in 0..concurrency {
        let (client, stop, received) = (client.clone(), Arc::clone(&stop), Arc::clone(&received));
        streams.spawn(async move { run(mode, client, payload, stop, received).await });
    }
    let mut count = async || -> Result<(u64, Instant), Error> {
        if !matches!(mode, Mode::Up) {
            return Ok((received.load(Relaxed), Instant::now()));
        }
        tokio::io::AsyncWriteExt::write_u8(&mut stdin, 1).await?;
        let line = lines.next_line().await?.ok_or("the server has ended")?;
        Ok((line.parse()?, Instant::now()))
    };
    tokio::time::sleep(WARM_UP).await;
    let (before, from) = count().await?;
    tokio::time::sleep(window).await;
    let (after, to) = count().await?;
    stop.store(true, Relaxed);
    while let Some(result) = streams.join_next().await {
        result??;
    }
    Ok((after - before) as f64 / (to - from).as_secs_f64())
}

async fn run(
    mode: Mode,
    mut client: StreamsClient<Channel>,
    payload: u32,
    stop: Arc<AtomicBool>,
    received: Arc<AtomicU64>,
) -> Result<(), Status> {
    let data = Bytes::from(vec![0xa5; payload as usize]);
    let goes_on = Arc::clone(&stop);
    let requests = futures::stream::iter(std::iter::from_fn(move || {
        (!goes_on.load(Relaxed)).then(|| Payload { data: data.clone() })
    }));
    let mut replies = match mode {
        Mode::Up => return client.up(requests).await.map(|_| ()),
        Mode::Down => client.down(Wanted { bytes: payload }).await?.into_inner(),
        Mode::Duplex => client.duplex(requests).await?.into_inner(),
    };
    while let Some(reply) = replies.message().await? {
        if reply.data.len() != payload as usize {
            return Err(Status::data_loss("a message of another size"));
        }
        received.fetch_add(1, Relaxed);
        if matches!(mode, Mode::Down) && stop.load(Relaxed) {
            break;
        }
    }
    Ok(())
}

/// How long streams run before they are measured.
const WARM_UP: Duration = Duration::from_millis(300);
