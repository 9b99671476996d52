//! COPY over the wire: data messages in, data messages out.
//!
//! While a client sends data, the statement is already at work on what has come. So a fault is told as soon as it is
//! met, a silent client can be cancelled, and one that sends faster than rows can be written waits at its socket.

use pgwire::messages::copy::{CopyDone, CopyInResponse, CopyOutResponse};

use crate::error::{Error, Result, SqlState};
use crate::session::{CopyIn, CopyOut, Execution, Session};

use super::error::{End, Stop, protocol_violation};
use super::frontend::CopyMessage;
use super::wire::Wire;

/// Takes in the data of `COPY … FROM STDIN`; its tag.
pub(super) async fn receive(wire: &mut Wire, session: &mut Session, mut copy: CopyIn) -> Result<String, Stop> {
    let (format, formats) = formats(copy.is_binary(), copy.columns())?;
    wire.push(CopyInResponse::new(format, formats.len() as i16, formats))?;
    wire.flush().await?;
    match data(wire, &mut copy).await {
        Ok(()) => match wire.while_connected(session.finish_copy(copy)).await?? {
            Execution::Done { tag } => Ok(tag),
            other => Err(Error::internal(format!("COPY ended as {other:?}")).into()),
        },
        Err(Stop::Statement(error)) => Err(session.fail_copy(copy, error).await.into()),
        Err(gone) => Err(gone),
    }
}

/// Hands the client's data on until it says that this was all.
async fn data(wire: &mut Wire, copy: &mut CopyIn) -> Result<(), Stop> {
    loop {
        let frame = tokio::select! {
            biased;
            error = copy.failure() => return Err(error.into()),
            frame = wire.frame(None, true) => frame?,
        };
        let Some(frame) = frame else { continue };
        match CopyMessage::decode(frame)? {
            CopyMessage::Data(bytes) => wire.while_connected(copy.write(bytes)).await??,
            CopyMessage::Done => return Ok(()),
            CopyMessage::Fail(reason) => {
                let message = format!("COPY from stdin failed: {reason}");
                return Err(Error::new(SqlState::QUERY_CANCELED, message).into());
            }
            // A client may send these behind every message, not knowing that it is in a COPY.
            CopyMessage::Sync => {}
            CopyMessage::Terminate => return Err(End::Closed.into()),
            CopyMessage::Other(tag) => {
                let message = format!("unexpected message type 0x{tag:02X} during COPY from stdin");
                return Err(protocol_violation(message).into());
            }
        }
    }
}

/// Sends the data of `COPY … TO STDOUT`, a message a row; its tag.
pub(super) async fn send(wire: &mut Wire, mut copy: CopyOut) -> Result<String, Stop> {
    let (format, formats) = formats(copy.is_binary(), copy.columns())?;
    wire.push(CopyOutResponse::new(format, formats.len() as i16, formats))?;
    if !copy.is_binary() {
        wire.push_copy_data(|output| copy.header(output))?;
    }
    while let Some(rows) = wire.while_connected(copy.advance()).await?? {
        for row in 0..rows {
            wire.push_copy_data(|output| copy.row(row, output))?;
            wire.flush_if_full().await?;
        }
    }
    wire.push_copy_data(|output| copy.trailer(output))?;
    wire.push(CopyDone::new())?;
    Ok(copy.tag())
}

/// The format of the whole and of each column.
fn formats(binary: bool, columns: usize) -> Result<(i8, Vec<i16>)> {
    if i16::try_from(columns).is_err() {
        let message = format!("{columns} columns were to be copied, at most {} can be", i16::MAX);
        return Err(Error::new(SqlState::PROGRAM_LIMIT_EXCEEDED, message));
    }
    Ok((binary.into(), vec![binary.into(); columns]))
}
