//! Who the service is: credentials as the user gives them, and the proof of them that a server gets.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nkeys::{KeyPair, KeyPairType};

use crate::protocol::to_server::Proof;

/// Credentials. Neither `Debug` nor any error shows a secret.
#[derive(Default)]
pub enum Credentials {
    /// None; the server asks for none, or knows the client by its certificate.
    #[default]
    None,
    /// A token.
    Token(String),
    /// A user name and a password.
    User {
        /// The name.
        user: String,
        /// The password.
        password: String,
    },
    /// An nkey, whose seed signs the server's nonce.
    Nkey(KeyPair),
    /// A user JWT of an account, and the user's seed, which signs the server's nonce.
    Jwt {
        /// The JWT.
        jwt: String,
        /// The seed.
        key: KeyPair,
    },
}

/// Credentials that cannot be used; the text says what is wrong with them and nothing of what they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// Not a seed.
    #[error("is not an nkey seed: a seed begins with S and has 58 letters and digits")]
    Seed,
    /// A seed of something that is not a user.
    #[error("is the seed of an account, operator, server or cluster, not of a user: a user's begins with SU")]
    NotAUser,
    /// No JWT in it.
    #[error("holds no -----BEGIN NATS USER JWT----- block; nsc writes one: nsc generate creds")]
    NoJwt,
    /// No seed in it.
    #[error("holds no -----BEGIN USER NKEY SEED----- block; nsc writes one: nsc generate creds")]
    NoSeed,
    /// The key could not sign.
    #[error("the nkey cannot sign")]
    Sign,
}

impl Credentials {
    /// An nkey by its seed.
    pub fn nkey(seed: &str) -> Result<Self, AuthError> {
        user_key(seed).map(Self::Nkey)
    }

    /// A user JWT and the user's seed.
    pub fn jwt(jwt: &str, seed: &str) -> Result<Self, AuthError> {
        Ok(Self::Jwt {
            jwt: jwt.trim().to_owned(),
            key: user_key(seed)?,
        })
    }

    /// The text of a credentials file, as `nsc generate creds` writes one.
    pub fn creds(text: &str) -> Result<Self, AuthError> {
        let jwt = block(text, "NATS USER JWT").ok_or(AuthError::NoJwt)?;
        let seed = block(text, "USER NKEY SEED").ok_or(AuthError::NoSeed)?;
        Self::jwt(jwt, seed)
    }

    /// What proves to a server with this nonce who the service is.
    pub fn proof(&self, nonce: &str) -> Result<Proof, AuthError> {
        let sign = |key: &KeyPair| {
            let signature = key.sign(nonce.as_bytes()).map_err(|_| AuthError::Sign)?;
            Ok(Some(URL_SAFE_NO_PAD.encode(signature)))
        };
        Ok(match self {
            Self::None => Proof::default(),
            Self::Token(token) => Proof {
                auth_token: Some(token.clone()),
                ..Proof::default()
            },
            Self::User { user, password } => Proof {
                user: Some(user.clone()),
                pass: Some(password.clone()),
                ..Proof::default()
            },
            Self::Nkey(key) => Proof {
                nkey: Some(key.public_key()),
                sig: sign(key)?,
                ..Proof::default()
            },
            Self::Jwt { jwt, key } => Proof {
                jwt: Some(jwt.clone()),
                nkey: Some(key.public_key()),
                sig: sign(key)?,
                ..Proof::default()
            },
        })
    }

    /// What kind they are, for the log.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Token(_) => "token",
            Self::User { .. } => "user and password",
            Self::Nkey(_) => "nkey",
            Self::Jwt { .. } => "jwt",
        }
    }
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Credentials({})", self.kind())
    }
}

fn user_key(seed: &str) -> Result<KeyPair, AuthError> {
    let key = KeyPair::from_seed(seed.trim()).map_err(|_| AuthError::Seed)?;
    if matches!(key.key_pair_type(), KeyPairType::User) {
        Ok(key)
    } else {
        Err(AuthError::NotAUser)
    }
}

/// What stands between `-----BEGIN <name>-----` and the next line of dashes.
fn block<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let begin = format!("BEGIN {name}");
    let (_, after) = text.split_once(&begin)?;
    let (_, after) = after.split_once('\n')?;
    let (inside, _) = after.split_once("---")?;
    Some(inside.trim().trim_end_matches('-').trim()).filter(|inside| !inside.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user_seed() -> String {
        KeyPair::new_user().seed().unwrap()
    }

    fn creds(jwt: &str, seed: &str) -> String {
        format!(
            "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
             ************************* IMPORTANT *************************\n\
             NKEY Seed printed below can be used to sign and prove identity.\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n\n*****\n"
        )
    }

    #[test]
    fn each_kind_proves_itself_by_what_the_server_asks_for() {
        let seed = user_seed();
        let public = KeyPair::from_seed(&seed).unwrap().public_key();
        let proof = Credentials::creds(&creds("ey.J.wt", &seed))
            .unwrap()
            .proof("nonce")
            .unwrap();
        assert_eq!(
            (proof.jwt.as_deref(), proof.nkey.as_ref()),
            (Some("ey.J.wt"), Some(&public))
        );
        let signature = URL_SAFE_NO_PAD.decode(proof.sig.unwrap()).unwrap();
        KeyPair::from_public_key(&public)
            .unwrap()
            .verify(b"nonce", &signature)
            .unwrap();
        let proof = Credentials::nkey(&seed).unwrap().proof("nonce").unwrap();
        assert_eq!((proof.jwt, proof.nkey), (None, Some(public)));
        let proof = Credentials::Token("t".to_owned()).proof("").unwrap();
        assert_eq!(proof.auth_token.as_deref(), Some("t"));
        assert_eq!(Credentials::None.proof("").unwrap(), Proof::default());
    }

    #[test]
    fn what_is_wrong_is_said_and_nothing_of_the_secret() {
        let seed = user_seed();
        let account = KeyPair::new_account().seed().unwrap();
        let cases = [
            (Credentials::nkey("SUnot-a-seed"), AuthError::Seed),
            (Credentials::nkey(""), AuthError::Seed),
            (Credentials::nkey(&account), AuthError::NotAUser),
            (Credentials::creds("ey.J.wt"), AuthError::NoJwt),
            (Credentials::creds(&creds("", &seed)), AuthError::NoJwt),
            (
                Credentials::creds(&creds("ey", &seed).replace("BEGIN USER", "START USER")),
                AuthError::NoSeed,
            ),
        ];
        for (result, error) in cases {
            assert_eq!(result.map(drop), Err(error));
        }
        assert_eq!(format!("{:?}", Credentials::nkey(&seed)), "Ok(Credentials(nkey))");
    }
}
