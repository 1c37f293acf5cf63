//! Tokens of real keys, made and broken here.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use mainstay_mcp_core::auth::{Guard, Invalid, Keys, Resource, Verifier};
use mainstay_mcp_core::http::Head;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

const NOW: u64 = 1_800_000_000;

/// Somebody who issues tokens.
struct Issuer {
    key: EcdsaKeyPair,
    random: SystemRandom,
}

impl Issuer {
    fn new() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
        Self { key, random }
    }

    fn jwks(&self) -> String {
        let point = &self.key.public_key().as_ref()[1..];
        let (x, y) = point.split_at(32);
        let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
        let encryption = json!({"kty": "RSA", "use": "enc", "n": "AQ", "e": "AQ"});
        json!({"keys": [encryption, {"kty": "EC", "crv": "P-256", "kid": "k", "x": x, "y": y}]}).to_string()
    }

    fn pem(&self) -> String {
        let prefix = [
            0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
            0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
        ];
        let der = [&prefix, self.key.public_key().as_ref()].concat();
        format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            STANDARD.encode(der)
        )
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = self.key.sign(&self.random, message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn claims() -> Value {
    json!({
        "iss": "https://issuer.example", "aud": ["https://other.example", "https://tools.example/mcp"],
        "sub": "ann", "exp": NOW + 60, "scope": "tools read",
    })
}

fn verifier(keys: Keys) -> Verifier {
    Verifier {
        keys,
        issuer: "https://issuer.example".to_owned(),
        audience: "https://tools.example/mcp".to_owned(),
    }
}

#[test]
fn a_token_says_who_its_bearer_is() {
    let issuer = Issuer::new();
    let token = issuer.token(&json!({"alg": "ES256", "kid": "k"}), &claims());
    for keys in [
        Keys::from_jwks(&issuer.jwks()).unwrap(),
        Keys::from_pem(&issuer.pem()).unwrap(),
    ] {
        let identity = verifier(keys).verify(&token, NOW).unwrap();
        assert_eq!(
            (identity.subject.as_str(), identity.issuer.as_str()),
            ("ann", "https://issuer.example")
        );
        assert_eq!(identity.scopes, ["tools", "read"]);
        assert_eq!(serde_json::from_str::<Value>(&identity.claims).unwrap(), claims());
    }
}

#[test]
fn a_key_of_ed25519_works_too() {
    let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let key = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap();
    let x = URL_SAFE_NO_PAD.encode(key.public_key());
    let keys = Keys::from_jwks(&json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x}]}).to_string()).unwrap();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", part(&json!({"alg": "EdDSA"})), part(&claims()));
    let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(key.sign(message.as_bytes())));
    assert_eq!(verifier(keys).verify(&token, NOW).unwrap().subject, "ann");
}

#[test]
fn tokens_that_are_not_what_they_should_be_are_refused() {
    let issuer = Issuer::new();
    let verifier = verifier(Keys::from_jwks(&issuer.jwks()).unwrap());
    let header = json!({"alg": "ES256", "kid": "k"});
    let changed = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        issuer.token(&header, &claims)
    };
    let good = issuer.token(&header, &claims());
    let (message, _) = good.rsplit_once('.').unwrap();
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
    let stolen = message.split_once('.').unwrap().1;
    for (token, why) in [
        (changed("iss", json!("https://evil.example")), Invalid::Issuer),
        (changed("aud", json!("https://other.example")), Invalid::Audience),
        (changed("aud", Value::Null), Invalid::Audience),
        (changed("exp", json!(NOW - 61)), Invalid::Expired),
        (changed("exp", json!("never")), Invalid::Expired),
        (changed("nbf", json!(NOW + 61)), Invalid::NotYet),
        (changed("sub", Value::Null), Invalid::Subject),
        (
            issuer.token(&json!({"alg": "ES256", "kid": "other"}), &claims()),
            Invalid::Signature,
        ),
        (
            issuer.token(&json!({"alg": "RS256", "kid": "k"}), &claims()),
            Invalid::Signature,
        ),
        (
            issuer.token(&json!({"alg": "HS256", "kid": "k"}), &claims()),
            Invalid::Signature,
        ),
        (
            issuer.token(&json!({"alg": "ES256", "crit": ["x"]}), &claims()),
            Invalid::Form,
        ),
        (Issuer::new().token(&header, &claims()), Invalid::Signature),
        (format!("{none}.{stolen}."), Invalid::Signature),
        (format!("{message}."), Invalid::Signature),
        (format!("{message}.AAAA"), Invalid::Signature),
        (message.to_owned(), Invalid::Form),
        ("x".repeat(20_000), Invalid::Form),
        ("..".to_owned(), Invalid::Form),
        (String::new(), Invalid::Form),
    ] {
        assert_eq!(verifier.verify(&token, NOW), Err(why), "{token}");
    }
}

#[test]
fn new_keys_of_an_issuer_take_the_place_of_the_old_ones() {
    let (old, new) = (Issuer::new(), Issuer::new());
    let keys = Keys::default();
    let verifier = verifier(keys.clone());
    let token = |issuer: &Issuer, id: &str| issuer.token(&json!({"alg": "ES256", "kid": id}), &claims());
    assert!(keys.is_empty() && verifier.lacks_key_of(&token(&old, "k")));
    keys.replace(&Keys::from_jwks(&old.jwks()).unwrap());
    assert!(verifier.verify(&token(&old, "k"), NOW).is_ok());
    assert!(!verifier.lacks_key_of(&token(&new, "k")) && verifier.lacks_key_of(&token(&new, "l")));
    keys.replace(&Keys::from_jwks(&new.jwks().replace("\"k\"", "\"l\"")).unwrap());
    assert!(verifier.verify(&token(&new, "l"), NOW).is_ok());
    assert_eq!(verifier.verify(&token(&old, "k"), NOW), Err(Invalid::Signature));
    for none in ["", "x.y.z", &issuer_without_id(&new)] {
        assert!(!verifier.lacks_key_of(none), "{none}");
    }
}

fn issuer_without_id(issuer: &Issuer) -> String {
    issuer.token(&json!({"alg": "ES256"}), &claims())
}

#[test]
fn keys_that_are_none_are_refused() {
    for text in ["", "{}", r#"{"keys":[]}"#, r#"{"keys":[{"kty":"oct","k":"AQ"}]}"#] {
        assert!(Keys::from_jwks(text).is_err(), "{text}");
    }
    let begin = "-----BEGIN PUBLIC KEY-----";
    for text in [
        "",
        begin,
        &format!("{begin}\n!!\n-----END PUBLIC KEY-----"),
        &format!("{begin}AQAB-----END PUBLIC KEY-----"),
    ] {
        assert!(Keys::from_pem(text).is_err(), "{text}");
    }
}

#[test]
fn a_request_without_a_good_token_is_told_where_to_get_one() {
    let issuer = Issuer::new();
    let guard = Guard {
        verifier: verifier(Keys::from_jwks(&issuer.jwks()).unwrap()),
        scopes: vec!["tools".to_owned()],
        tools: BTreeMap::from([("delete".to_owned(), vec!["admin".to_owned()])]),
        resource: Resource {
            url: "https://tools.example/mcp".to_owned(),
            authorization_servers: vec!["https://issuer.example".to_owned()],
        },
    };
    let head = |authorization: Option<String>| Head {
        method: "POST".to_owned(),
        path: "/mcp".to_owned(),
        headers: authorization
            .map(|value| ("authorization".to_owned(), value))
            .into_iter()
            .collect(),
    };
    let challenge = |response: mainstay_mcp_core::http::Response| {
        let header = response.headers.iter().find(|(name, _)| *name == "www-authenticate");
        (response.status, header.unwrap().1.clone())
    };
    let metadata = "Bearer resource_metadata=\"https://tools.example/.well-known/oauth-protected-resource/mcp\"";
    let (status, header) = challenge(guard.identify(&head(None), NOW).unwrap_err());
    assert_eq!((status, header), (401, format!("{metadata}, scope=\"tools\"")));
    let (status, header) = challenge(guard.identify(&head(Some("Bearer x".to_owned())), NOW).unwrap_err());
    assert_eq!(status, 401);
    assert!(header.contains("error=\"invalid_token\""), "{header}");

    let bearer = |claims: &Value| Some(format!("bearer {}", issuer.token(&json!({"alg": "ES256"}), claims)));
    let identity = guard.identify(&head(bearer(&claims())), NOW).unwrap();
    let call = |tool: &str| json!({"method": "tools/call", "params": {"name": tool}}).to_string();
    assert!(guard.permit(&identity, call("add").as_bytes()).is_ok());
    let batch = format!("[{},{}]", call("add"), call("delete"));
    for body in [call("delete"), batch] {
        let (status, header) = challenge(guard.permit(&identity, body.as_bytes()).unwrap_err());
        assert_eq!(status, 403);
        assert!(header.ends_with("scope=\"tools admin\""), "{header}");
    }
    let mut poor = claims();
    poor["scope"] = json!("read");
    assert_eq!(challenge(guard.identify(&head(bearer(&poor)), NOW).unwrap_err()).0, 403);

    let mut asks = head(None);
    (asks.method, asks.path) = ("GET".to_owned(), "/.well-known/oauth-protected-resource/mcp".to_owned());
    let told: Value = serde_json::from_str(&guard.metadata(&asks).unwrap().body).unwrap();
    assert_eq!(told["resource"], "https://tools.example/mcp");
    assert_eq!(told["authorization_servers"], json!(["https://issuer.example"]));
    assert_eq!(told["scopes_supported"], json!(["admin", "tools"]));
    asks.path = "/mcp".to_owned();
    assert!(guard.metadata(&asks).is_none());
}
