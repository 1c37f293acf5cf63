//! A layout pushed to a registry.

use std::env;
use std::net::IpAddr;
use std::path::PathBuf;

use docker_credential::{CredentialRetrievalError, DockerCredential};
use http::HeaderValue;
use oci_client::client::{Client, ClientConfig, ClientProtocol};
use oci_client::errors::OciDistributionError;
use oci_client::secrets::RegistryAuth;
use oci_client::{Reference, RegistryOperation};

use crate::Error;
use crate::layout::Image;

/// Pushes `image` as `reference`; blobs that the registry holds already are not sent again.
///
/// Credentials are those of `docker login`. Loopback registries are spoken to over plain HTTP, others with `insecure`.
///
/// # Errors
/// When the reference is none, or the registry refuses or is not reached.
pub async fn push(image: Image, reference: &str, insecure: bool) -> Result<(), Error> {
    let reference = parse(reference)?;
    let registry = reference.resolve_registry();
    let plain = insecure || is_loopback(registry);
    let client = Client::new(ClientConfig {
        protocol: if plain {
            ClientProtocol::Http
        } else {
            ClientProtocol::Https
        },
        ..ClientConfig::default()
    });
    let credentials = credentials(registry)?;
    let sent = send(&client, &credentials, image, &reference).await;
    sent.map_err(|source| Error::Registry {
        reference: reference.whole(),
        source,
    })
}

async fn send(
    client: &Client,
    credentials: &RegistryAuth,
    image: Image,
    reference: &Reference,
) -> Result<(), OciDistributionError> {
    client.auth(reference, credentials, RegistryOperation::Push).await?;
    for (digest, bytes) in image.blobs {
        if !client.blob_exists(reference, &digest).await? {
            client.push_blob(reference, bytes, &digest).await?;
        }
    }
    let media_type = HeaderValue::from_static(Image::MEDIA_TYPE);
    client.push_manifest_raw(reference, image.manifest, media_type).await?;
    Ok(())
}

/// A reference with its tag: without one, what was pushed would be called `latest` and nobody would know which it is.
fn parse(text: &str) -> Result<Reference, Error> {
    let refuse = |rule: String| Error::Reference {
        reference: text.to_owned(),
        rule,
    };
    let reference: Reference = text.parse().map_err(|error| refuse(format!("{error}")))?;
    let names_registry = text
        .split_once('/')
        .is_some_and(|(host, _)| host == "localhost" || host.contains(['.', ':']));
    if !names_registry {
        return Err(refuse("it names no registry".to_owned()));
    }
    if !text.ends_with(&format!(":{}", reference.tag().unwrap_or_default())) {
        return Err(refuse("it has no tag".to_owned()));
    }
    Ok(reference)
}

/// Whether `registry`, a host with or without a port, is this machine.
fn is_loopback(registry: &str) -> bool {
    let host = match registry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => registry.rsplit_once(':').map_or(registry, |(host, _)| host),
    };
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// What `docker login` stored for `registry`; anonymous where it stored nothing.
fn credentials(registry: &str) -> Result<RegistryAuth, Error> {
    if !docker_config().is_some_and(|config| config.exists()) {
        return Ok(RegistryAuth::Anonymous);
    }
    match docker_credential::get_credential(registry) {
        Ok(DockerCredential::UsernamePassword(user, password)) => Ok(RegistryAuth::Basic(user, password)),
        Ok(DockerCredential::IdentityToken(token)) => Ok(RegistryAuth::Bearer(token)),
        Err(CredentialRetrievalError::NoCredentialConfigured) => Ok(RegistryAuth::Anonymous),
        Err(error) => Err(Error::Credentials {
            registry: registry.to_owned(),
            reason: error.to_string(),
        }),
    }
}

/// Where docker keeps them. `docker_credential` does not tell a missing file from one that does not read.
fn docker_config() -> Option<PathBuf> {
    let folder = match env::var_os("DOCKER_CONFIG") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env::var_os("HOME")?).join(".docker"),
    };
    Some(folder.join("config.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_registries_are_known_by_name_and_address() {
        for registry in [
            "localhost",
            "localhost:5000",
            "127.0.0.1:5000",
            "127.8.8.8",
            "[::1]:5000",
        ] {
            assert!(is_loopback(registry), "{registry}");
        }
        for registry in [
            "ghcr.io",
            "10.0.0.1:5000",
            "localhost.example.com",
            "[2001:db8::1]:5000",
        ] {
            assert!(!is_loopback(registry), "{registry}");
        }
    }

    #[test]
    fn a_bad_reference_is_refused_with_an_example() {
        let cases = [
            ("cron:0.1.0", "it names no registry"),
            ("mainstay/cron:0.1.0", "it names no registry"),
            ("localhost:5000/mainstay/cron", "it has no tag"),
        ];
        for (reference, rule) in cases {
            let expected = format!("reference {reference:?}: {rule}, for example localhost:5000/mainstay/cron:0.1.0");
            assert_eq!(parse(reference).unwrap_err().to_string(), expected);
        }
        assert!(parse("localhost:5000/Mainstay:1").is_err());
        assert!(parse("ghcr.io/mainstay-services/cron:0.1.0").is_ok());
    }
}
