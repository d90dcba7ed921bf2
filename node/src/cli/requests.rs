// SPDX-License-Identifier: MIT OR Apache-2.0
//! Commands about requests: strangers who would like to talk.

use comptoir_api::dto::{Decline, PageQuery, Request};
use comptoir_api::id::RequestId;

use super::Failure;
use super::connect::{Connection, PAGE, all_pages};
use super::output::one_line;

/// Lists open requests.
pub(crate) async fn requests(connection: &Connection) -> Result<(), Failure> {
    let all = open_requests(connection).await?;
    connection.output.data(&all, || {
        let line = |request: &Request| {
            format!(
                "{:<8} {:<24} {}",
                request.id.as_str(),
                one_line(&request.card_name),
                one_line(&request.reason)
            )
        };
        all.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

async fn open_requests(connection: &Connection) -> Result<Vec<Request>, Failure> {
    all_pages(async |after| {
        let limit = Some(PAGE);
        let query = PageQuery { limit, after };
        connection
            .client
            .requests(&connection.persona, &query)
            .await
    })
    .await
}

/// Accepts a request.
pub(crate) async fn accept(connection: &Connection, request: &str) -> Result<(), Failure> {
    let contact = connection
        .client
        .accept(&connection.persona, &request_id(connection, request).await?)
        .await?;
    connection.output.data(&contact, || contact.id.to_string());
    connection
        .output
        .say(format!("{} is a contact now.", one_line(&contact.name)));
    Ok(())
}

/// Declines a request.
pub(crate) async fn decline(
    connection: &Connection,
    request: &str,
    block: bool,
) -> Result<(), Failure> {
    let declined = connection
        .client
        .decline(
            &connection.persona,
            &request_id(connection, request).await?,
            &Decline { block },
        )
        .await?;
    connection
        .output
        .data(&declined, || declined.id.to_string());
    Ok(())
}

/// Finds a request by id, or by the name its card shows. Anybody may take any name: two of one are never guessed between.
async fn request_id(connection: &Connection, who: &str) -> Result<RequestId, Failure> {
    if let Ok(id) = who.parse() {
        return Ok(id);
    }
    let all = open_requests(connection).await?;
    let named: Vec<&Request> = all
        .iter()
        .filter(|request| request.card_name.to_lowercase() == who.to_lowercase())
        .collect();
    match named.as_slice() {
        [] => Err(Failure::not_found(format!(
            "no request is open from {who:?}; `comptoir requests` lists them"
        ))),
        [one] => Ok(one.id.clone()),
        several => {
            let ids: Vec<String> = several
                .iter()
                .map(|request| request.id.to_string())
                .collect();
            Err(Failure::usage(format!(
                "several requests come from a {who:?}: name one of {}",
                ids.join(", ")
            )))
        }
    }
}
